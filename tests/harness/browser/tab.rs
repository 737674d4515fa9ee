//! One tab: opens pages, presses what is on them, reads them, takes pictures of them.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::pipe::Pipe;

/// How long a page may take to be as it is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Which colours the person's system prefers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Look {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// As CSS and names of files call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// One tab.
pub struct Tab {
    pipe: Pipe,
    context: String,
    session: String,
}

impl Tab {
    pub(super) async fn prepare(pipe: Pipe, context: String, session: String) -> Result<Self> {
        let tab = Self { pipe, context, session };
        for part in ["Page.enable", "Runtime.enable", "Log.enable"] {
            tab.ask(part, json!({})).await?;
        }
        tab.look(Look::Light).await?;
        Ok(tab)
    }

    pub(super) fn context(&self) -> &str {
        &self.context
    }

    async fn ask(&self, method: &str, parameters: Value) -> Result<Value> {
        self.pipe.ask(Some(&self.session), method, parameters).await
    }

    /// Opens an address and waits until the page is there. Where only the fragment is another one, the page stays, as for a person.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(&self, url: &str) -> Result<()> {
        self.evaluate("window.snowballBefore = true").await?;
        let opened = self.ask("Page.navigate", json!({"url": url})).await?;
        if let Some(error) = opened["errorText"].as_str() {
            bail!("{url}: {error}");
        }
        if opened.get("loaderId").is_none() {
            self.evaluate("window.snowballBefore = false").await?;
        }
        self.arrive().await.with_context(|| format!("{url} does not load"))
    }

    /// Opens a link that signs in and presses the button.
    ///
    /// # Errors
    /// When the button is not there or the page stays.
    pub async fn sign_in(&self, link: &str) -> Result<()> {
        self.open(link).await?;
        self.press("main form button").await?;
        let where_to = self.address().await?;
        ensure!(
            !where_to.contains("/enter"),
            "the link signed nobody in: {}",
            self.text("main").await?
        );
        Ok(())
    }

    /// Presses what a CSS selector finds, with the mouse, and waits for the page that it leads to.
    ///
    /// # Errors
    /// When it is not there, or nothing is loaded.
    pub async fn press(&self, selector: &str) -> Result<()> {
        self.evaluate("window.snowballBefore = true").await?;
        self.touch(selector).await?;
        self.arrive()
            .await
            .with_context(|| format!("pressing {selector} leads nowhere"))
    }

    /// Follows the link whose text this is.
    ///
    /// # Errors
    /// When there is none.
    pub async fn follow(&self, text: &str) -> Result<()> {
        let text = serde_json::to_string(text)?;
        let marked = self
            .evaluate(&format!(
                "(() => {{ document.querySelectorAll('[data-pressed]').forEach((old) => old.removeAttribute('data-pressed'));
                   const link = [...document.querySelectorAll('a')].find((link) => link.textContent.trim() === {text});
                   link?.setAttribute('data-pressed', ''); return !!link; }})()"
            ))
            .await?;
        ensure!(marked == true, "there is no link {text} on {}", self.address().await?);
        self.press("[data-pressed]").await
    }

    /// Presses what a CSS selector finds, with the mouse.
    ///
    /// # Errors
    /// When it is not there or has no place on the page.
    pub async fn touch(&self, selector: &str) -> Result<()> {
        let quoted = serde_json::to_string(selector)?;
        let place = self
            .evaluate(&format!(
                "(() => {{ const found = document.querySelector({quoted}); if (!found) return null;
                   found.scrollIntoView({{block: 'center', behavior: 'instant'}});
                   const box = found.getClientRects()[0]; if (!box) return null;
                   return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
            ))
            .await?;
        ensure!(
            place.is_array(),
            "there is no {selector} to press on {}",
            self.address().await?
        );
        for kind in ["mousePressed", "mouseReleased"] {
            let mouse = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", mouse).await?;
        }
        Ok(())
    }

    /// Types into what a CSS selector finds.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn fill(&self, selector: &str, text: &str) -> Result<()> {
        let quoted = serde_json::to_string(selector)?;
        let found = self
            .evaluate(&format!(
                "(() => {{ const found = document.querySelector({quoted}); if (!found) return false;
                   found.focus(); if (found.select) found.select(); return true; }})()"
            ))
            .await?;
        ensure!(found == true, "there is no {selector} to type into");
        self.ask("Input.insertText", json!({"text": text})).await.map(drop)
    }

    /// Presses a key: `Tab`, `Enter`, `Escape`.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn key(&self, key: &str) -> Result<()> {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            other => bail!("no key is called {other} here"),
        };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let pressed = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.ask("Input.dispatchKeyEvent", pressed).await?;
        }
        Ok(())
    }

    /// What a person reads in what a CSS selector finds.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn text(&self, selector: &str) -> Result<String> {
        let quoted = serde_json::to_string(selector)?;
        let text = self
            .evaluate(&format!("document.querySelector({quoted})?.innerText"))
            .await?;
        let text = text
            .as_str()
            .with_context(|| format!("there is no {selector} on the page"))?;
        Ok(text.to_owned())
    }

    /// The page's address.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub async fn address(&self) -> Result<String> {
        let address = self.evaluate("location.href").await?;
        Ok(address.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until what a CSS selector finds says `text`.
    ///
    /// # Errors
    /// When it does not.
    pub async fn wait_for(&self, selector: &str, text: &str) -> Result<()> {
        let (selector, quoted) = (serde_json::to_string(selector)?, serde_json::to_string(text)?);
        let condition = format!("!!document.querySelector({selector})?.innerText.includes({quoted})");
        self.wait(&condition)
            .await
            .with_context(|| format!("{selector} does not say {text}"))
    }

    /// Which colours the person prefers from now on.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn look(&self, look: Look) -> Result<()> {
        let features = json!([{"name": "prefers-color-scheme", "value": look.word()}]);
        self.ask("Emulation.setEmulatedMedia", json!({"features": features}))
            .await
            .map(drop)
    }

    /// Whether pages may run scripts from now on.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn scripts(&self, may_run: bool) -> Result<()> {
        self.ask("Emulation.setScriptExecutionDisabled", json!({"value": !may_run}))
            .await
            .map(drop)
    }

    /// The width of the window from now on, in CSS pixels: 390 is a telephone.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn width(&self, width: u32) -> Result<()> {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size).await.map(drop)
    }

    /// A picture of the whole page, as PNG.
    ///
    /// # Errors
    /// When it cannot be taken or written.
    pub async fn picture(&self, path: &Path) -> Result<()> {
        let taken = self
            .ask(
                "Page.captureScreenshot",
                json!({"format": "png", "captureBeyondViewport": true}),
            )
            .await?;
        let png = STANDARD.decode(taken["data"].as_str().context("no picture")?)?;
        std::fs::write(path, png).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What pages complained about since this was asked last: what the policy kept out, what failed in a script, what did not
    /// load.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.pipe.complaints(&self.session)
    }

    /// What a JavaScript expression gives, as JSON; a promise is waited for.
    ///
    /// # Errors
    /// When it throws.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let wish = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut said = self.ask("Runtime.evaluate", wish).await?;
        if let Some(details) = said.get("exceptionDetails") {
            bail!("a script on the page failed: {details}");
        }
        Ok(said["result"]["value"].take())
    }

    /// Waits until a JavaScript expression is true.
    ///
    /// # Errors
    /// When it does not become true.
    pub async fn wait(&self, condition: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            // While one page goes and another comes there is none to ask.
            match self.evaluate(condition).await {
                Ok(Value::Bool(true)) => return Ok(()),
                _ if begun.elapsed() < PATIENCE => sleep(PAUSE).await,
                Ok(_) => bail!("{condition} is still not so after {} s", PATIENCE.as_secs()),
                Err(error) => return Err(error),
            }
        }
    }

    async fn arrive(&self) -> Result<()> {
        self.wait("!window.snowballBefore && document.readyState === 'complete'")
            .await
    }
}
