//! Logs on standard error: plain lines for people, JSON lines for collectors. Never a patient value.
//!
//! How much is said is a line of levels, such as `info` or `info,snowball_egress=debug`. `SNOWBALL_LOG` says it when a program starts, else
//! `log` in its configuration; at SIGHUP a service reads `log` again and takes it up without a restart.

use std::sync::OnceLock;

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::{
    EnvFilter, Registry, fmt,
    layer::SubscriberExt,
    reload::{self, Handle},
    util::SubscriberInitExt,
};

use crate::output;

/// What is logged where nobody says otherwise.
const LEVELS: &str = "info";
/// Of the JPEG 2000 decoder nothing, which tells of every header that it reads, unless somebody names it.
const QUIET: &str = "openjp2=off,jpeg2k=off";
/// Where levels are named for one start.
const VARIABLE: &str = "SNOWBALL_LOG";

/// Changes what is logged from now on.
static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Levels that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{part:?} is no level; write error, warn, info, debug, trace or off, or PART=LEVEL, separated by commas")]
pub struct LevelFault {
    part: String,
}

/// Hangups (SIGHUP), which no longer end this process from here on. One that comes before they are followed is taken up then.
#[derive(Debug)]
pub struct Hangups {
    runtime: Runtime,
    heard: Signal,
}

impl Hangups {
    /// Waits for them from here on, though no thread runs yet.
    ///
    /// # Errors
    /// When the signal cannot be waited for.
    pub fn listen() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let heard = {
            let _inside = runtime.enter();
            signal(SignalKind::hangup())?
        };
        Ok(Self { runtime, heard })
    }

    /// As [`follow`], by a thread that begins here.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn follow<E: std::fmt::Display>(
        self,
        read: impl Fn() -> Result<Option<String>, E> + Send + 'static,
    ) -> std::io::Result<()> {
        let Self { runtime, mut heard } = self;
        std::thread::Builder::new()
            .name("log-level".to_owned())
            .spawn(move || {
                while runtime.block_on(heard.recv()).is_some() {
                    match read().map_err(|fault| fault.to_string()).and_then(|levels| {
                        change(levels.as_deref()).map_err(|fault| fault.to_string())?;
                        Ok(levels)
                    }) {
                        Ok(levels) => tracing::info!(
                            log = levels.as_deref().unwrap_or(LEVELS),
                            "what is logged was read again"
                        ),
                        Err(fault) => tracing::warn!(fault, "what is logged stays as it was: `log` cannot be read"),
                    }
                }
            })?;
        Ok(())
    }
}

/// Starts logging for `program`.
pub fn start(program: &'static str, json: bool) {
    let (filter, handle) = reload::Layer::new(filter(None));
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        registry
            // Where standard error is closed, a complaint about it would have nowhere to go either.
            .with(
                fmt::layer()
                    .json()
                    .log_internal_errors(false)
                    .with_writer(std::io::stderr),
            )
            .try_init()
    } else {
        registry
            .with(
                fmt::layer()
                    .with_target(false)
                    .log_internal_errors(false)
                    .with_ansi(output::has_colours(&std::io::stderr()))
                    .with_writer(std::io::stderr),
            )
            .try_init()
    };
    if started.is_ok() {
        let _ = FILTER.set(handle);
        tracing::debug!(program, version = env!("CARGO_PKG_VERSION"), "logging started");
    }
}

/// Whether a line of levels can be read. A word that is no level would else pass for the name of a part, and nothing be logged.
///
/// # Errors
/// When it cannot; the error names the part.
pub fn check(levels: &str) -> Result<(), LevelFault> {
    let is_level = |word: &str| {
        ["error", "warn", "info", "debug", "trace", "off"]
            .iter()
            .any(|level| word.eq_ignore_ascii_case(level))
    };
    for part in levels.split(',').map(str::trim) {
        let is_sound = match part.rsplit_once('=') {
            Some((name, level)) => !name.is_empty() && is_level(level) && EnvFilter::try_new(part).is_ok(),
            None => is_level(part),
        };
        if !is_sound {
            return Err(LevelFault { part: part.to_owned() });
        }
    }
    Ok(())
}

/// From now on: what `SNOWBALL_LOG` said at the start, else `levels`.
///
/// # Errors
/// When `levels` cannot be read.
pub fn begin(levels: Option<&str>) -> Result<(), LevelFault> {
    if std::env::var_os(VARIABLE).is_none() {
        change(levels)?;
    }
    Ok(())
}

/// At each SIGHUP, which no longer ends this process, `read` says what is to be logged from then on; where it fails, or names what is
/// no level, what was logged before still is. `None`: as at the start.
///
/// # Errors
/// When the signal cannot be waited for.
pub fn follow<E: std::fmt::Display>(
    read: impl Fn() -> Result<Option<String>, E> + Send + 'static,
) -> std::io::Result<()> {
    Hangups::listen()?.follow(read)
}

/// From now on: `levels`, or the usual ones where there are none.
///
/// # Errors
/// When `levels` cannot be read.
pub fn change(levels: Option<&str>) -> Result<(), LevelFault> {
    if let Some(levels) = levels {
        check(levels)?;
    }
    if let Some(handle) = FILTER.get() {
        // It fails only where the subscriber is gone, and then nobody hears of it either.
        let _ = handle.reload(filter(levels));
    }
    Ok(())
}

/// `levels`, else `SNOWBALL_LOG`, else the usual ones.
fn filter(levels: Option<&str>) -> EnvFilter {
    let of_variable = || std::env::var(VARIABLE).ok();
    let levels = levels.map(str::to_owned).or_else(of_variable);
    let with_quiet = |levels: &str| EnvFilter::try_new(format!("{QUIET},{levels}"));
    levels
        .and_then(|levels| with_quiet(&levels).ok())
        .unwrap_or_else(|| EnvFilter::new(format!("{QUIET},{LEVELS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_words_that_are_known_and_parts_with_one_of_them() {
        for levels in [
            "info",
            "DEBUG",
            "off",
            "warn,snowball_egress=debug",
            "info, aggregator::api=trace",
        ] {
            check(levels).unwrap();
        }
        for levels in [
            "debgu",
            "",
            "info,",
            "snowball_egress=loud",
            "=debug",
            "info;debug",
            "snowball_egress",
        ] {
            let fault = check(levels).unwrap_err().to_string();
            assert!(fault.contains("write error, warn, info"), "{levels}: {fault}");
        }
    }
}
