//! A real browser, driven as a person drives it: Chromium, over the DevTools protocol through a pipe, so that no port is open and
//! no driver of its version is needed. What lacks it says so and skips.
//!
//! Start at [`Browser::start`].

mod axe;
mod pipe;
mod tab;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

pub use axe::Axe;
pub use tab::{Look, Tab};

use pipe::Pipe;

/// Where Chromium lies where `SNOWBALL_CHROMIUM` does not name it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A running browser; it ends when this is dropped.
pub struct Browser {
    pipe: Pipe,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one, without a window. `None`: there is none on this machine, which is said aloud.
    ///
    /// # Errors
    /// When it is there and does not start.
    pub async fn start() -> Result<Option<Self>> {
        let Some(program) = find() else {
            eprintln!(
                "SKIPPED: no Chromium on this machine (or in SNOWBALL_CHROMIUM); what a browser shows was not looked at"
            );
            return Ok(None);
        };
        let profile = tempfile::tempdir()?;
        let pipe = Pipe::start(&program, profile.path())?;
        let browser = Self {
            pipe,
            _profile: profile,
        };
        browser
            .pipe
            .ask(None, "Browser.getVersion", json!({}))
            .await
            .context("the browser does not answer")?;
        Ok(Some(browser))
    }

    /// A tab with cookies of its own: another person's browser.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn person(&self) -> Result<Tab> {
        let made = self.pipe.ask(None, "Target.createBrowserContext", json!({})).await?;
        let context = made["browserContextId"].as_str().context("no context")?.to_owned();
        self.tab_in(&context).await
    }

    /// Another tab of the person whose tab this is.
    ///
    /// # Errors
    /// When the browser refuses.
    pub async fn another_tab(&self, of: &Tab) -> Result<Tab> {
        self.tab_in(of.context()).await
    }

    async fn tab_in(&self, context: &str) -> Result<Tab> {
        let wish = json!({"url": "about:blank", "browserContextId": context, "width": 1200, "height": 900});
        let target = self.pipe.ask(None, "Target.createTarget", wish).await?;
        let wish = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.pipe.ask(None, "Target.attachToTarget", wish).await?;
        let session = attached["sessionId"].as_str().context("no session")?.to_owned();
        Tab::prepare(self.pipe.clone(), context.to_owned(), session).await
    }
}

fn find() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SNOWBALL_CHROMIUM") {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let mut places = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|place| place.exists())
}
