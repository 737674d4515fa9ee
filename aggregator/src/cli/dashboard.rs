//! `aggregator dashboard`: signing in to the dashboard of a running `serve`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde_json::json;
use snowball_dashboard::{TICKET_MINUTES, Tickets};
use snowball_service::clock;

use super::{Answer, Refused};
use crate::{
    dashboard::{self, AUDITOR, COORDINATOR},
    home::Home,
};

/// Sign in to the dashboard.
#[derive(Subcommand)]
pub enum Dashboard {
    /// Print a link that signs in, once
    Link(Link),
}

/// Prints a link that signs in to the dashboard. It holds for ten minutes and can be used once: send it to nobody but the person.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator dashboard link --role coordinator --holder \"A. Martin\"\n  aggregator dashboard link --role auditor"
)]
pub struct Link {
    /// What whoever opens it may do: the coordinator acts, the auditor only reads
    #[arg(long, value_name = "ROLE", value_parser = PossibleValuesParser::new([COORDINATOR, AUDITOR]))]
    role: String,
    /// Who it is for: their name stands on the pages, and beside the reasons that they give
    #[arg(long, value_name = "NAME")]
    holder: Option<String>,
}

impl Dashboard {
    /// Runs one of them.
    pub fn run(&self, home: &Home) -> Result<Answer> {
        match self {
            Self::Link(verb) => verb.run(home),
        }
    }
}

impl Link {
    /// Exit code 3 where the configuration has no dashboard.
    fn run(&self, home: &Home) -> Result<Answer> {
        let home = home.existing()?;
        let config = home.config()?;
        let Some(settings) = &config.dashboard else {
            bail!(Refused(format!(
                "there is no dashboard: write [dashboard] and listen = \"127.0.0.1:7480\" into {}, and start aggregator serve again",
                home.config_file().display()
            )));
        };
        let about = dashboard::about(&config.consortium);
        let Some(role) = about.role(&self.role) else {
            bail!("{} is no role; name {COORDINATOR} or {AUDITOR}", self.role);
        };
        let tickets = Tickets::of(&dashboard::folder(&home));
        let ticket = tickets.make(&about, role, self.holder.as_deref(), clock::now())?;
        let link = dashboard::link(settings, &ticket);
        let json = json!({ "link": link, "role": self.role, "holder": self.holder, "minutes": TICKET_MINUTES });
        Ok(Answer::new(link, json))
    }
}
