//! `run`: the service. It follows the studies of its aggregator until it is told to stop.

use anyhow::Result;
use clap::Args;
use snowball_protocol::StudyName;
use snowball_service::{shutdown, telemetry};

use super::Context;
use crate::{driver::Driver, events::Voice, trainer};

/// Follow the aggregator's studies: join what the policy permits, train, send. Ends on SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(after_help = "Example: hospital-node run")]
pub struct Run {
    /// End when this study is over.
    #[arg(long, value_name = "STUDY")]
    until_done: Option<StudyName>,
}

impl Run {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        telemetry::begin(config.log.as_deref())?;
        let configured = home.clone();
        telemetry::follow(move || Ok::<_, anyhow::Error>(configured.config()?.log))?;
        let trainer = trainer::choose(&config.training, &home.scratch())?;
        let stopper = trainer.clone();
        let driver = Driver::open(&home, trainer, Voice::new(context.json, &home))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let outcome = runtime.block_on(async {
            tokio::select! {
                outcome = driver.run(self.until_done.as_ref()) => outcome,
                () = shutdown::requested() => Ok(()),
            }
        });
        stopper.stop();
        runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        outcome
    }
}
