//! Logs on standard error: plain lines for people, JSON lines for collectors. Never a patient value.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::output;

/// What is logged where nobody says otherwise: this project's own words, and of the JPEG 2000 decoder nothing, which tells
/// of every header that it reads.
const FILTER: &str = "info,openjp2=off,jpeg2k=off";

/// Starts logging for `program`. `SNOWBALL_LOG` filters, in the syntax of `tracing`'s `EnvFilter`.
pub fn start(program: &'static str, json: bool) {
    let filter = EnvFilter::try_from_env("SNOWBALL_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
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
        tracing::debug!(program, version = env!("CARGO_PKG_VERSION"), "logging started");
    }
}
