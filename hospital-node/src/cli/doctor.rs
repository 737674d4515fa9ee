//! `doctor`: what is wrong, and what to do about it. One file a check; each has a number and an entry in `docs/doctor.md`.

mod authorities;
mod certificate;
mod clock;
mod configuration;
mod connection;
mod decoders;
mod dicomweb;
mod disk;
mod explain;
mod gpu;
mod keys;
mod ledger;
mod memory;
mod policy;
mod port;
mod proxy;
mod receive;
mod resolution;
mod retrieve;
mod second_reader;
mod spool;
mod store;
mod tls;
mod trainer;
mod way;

use anyhow::{Error, Result};
use clap::Args;
use snowball_protocol::enrolment::Invitation;
use snowball_service::{
    doctor::{Fault, Finding, Report},
    output,
};

use super::{Context, Refused};
use crate::{config::NodeConfig, home::Home};

/// Where each number has its entry.
const PAGE: &str = "hospital-node/docs/doctor.md";

/// Check this node: files, keys, certificates, policy, ledger, disk, memory, trainer, archive, and each step of the way to the
/// aggregator. Says the remedy of what is wrong.
#[derive(Args)]
#[command(
    after_help = "Exit code 3 where anything is bad. Each number is explained in docs/doctor.md.\n\nExamples:\n  \
                        hospital-node doctor\n  hospital-node doctor --offline --store\n  hospital-node doctor --explain"
)]
pub struct Doctor {
    /// Print one page for the firewall team, from this node's configuration, and check nothing.
    #[arg(long, conflicts_with_all = ["offline", "store"])]
    explain: bool,
    /// Before the enrolment: look for the aggregator of this invitation.
    #[arg(long, value_name = "INVITATION")]
    invitation: Option<String>,
    /// Leave out the connections to the aggregator and to the archive.
    #[arg(long)]
    offline: bool,
    /// Read everything in the store again by another way than it was written: rows, terms and pixels. Minutes for a large store.
    #[arg(long)]
    store: bool,
    /// With --store: search every stored picture for text again, which takes as long as taking it in.
    #[arg(long, requires = "store")]
    text: bool,
}

impl Doctor {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let invitation = self.invitation.as_deref().map(Invitation::from_line).transpose()?;
        let way = way::Way::of(&home, invitation.as_ref());
        if self.explain {
            let page = explain::page(&home, &home.config()?, way.as_ref().ok());
            return context.print(&page, || page.text());
        }
        let mut findings = vec![configuration::look(&home), keys::look(&home)];
        findings.push(certificate::look(&home));
        findings.extend(authorities::look(&home));
        findings.extend([policy::look(&home), ledger::look(&home)]);
        findings.extend(store::look(&home, &self));
        if let Ok(config) = home.config() {
            findings.extend(self.of_config(&home, &config));
            if !self.offline {
                findings.extend(self.of_way(&home, &config, way));
            }
            findings.extend(ways_in(&home, &config, self.offline));
        }
        let report = Report::of(findings, PAGE);
        context.print(&report, || report.text(output::has_colours(&std::io::stdout())))?;
        match report.bad {
            0 => Ok(()),
            1 => Err(Refused("1 check is bad".to_owned()).into()),
            bad => Err(Refused(format!("{bad} checks are bad")).into()),
        }
    }

    /// The way to the aggregator; nothing of a node that has neither enrolled nor an invitation.
    fn of_way(&self, home: &Home, config: &NodeConfig, way: Result<way::Way>) -> Vec<Finding> {
        let is_invited = self.invitation.is_some();
        match way {
            Ok(way) => way::look(home, config, &way),
            Err(error) if is_invited || home.aggregator_file().exists() => {
                vec![resolution::unknown(&error, is_invited)]
            }
            Err(_) => Vec::new(),
        }
    }

    /// What this machine has for what `node.toml` asks of it.
    fn of_config(&self, home: &Home, config: &NodeConfig) -> Vec<Finding> {
        let mut findings = vec![disk::look(home, config), memory::look(home)];
        findings.extend(trainer::look(home, config));
        findings.push(decoders::look());
        findings.extend(second_reader::look(config));
        findings.push(spool::look(home, config));
        findings
    }
}

fn ways_in(home: &Home, config: &NodeConfig, is_offline: bool) -> Vec<Finding> {
    let found = [
        receive::look(home, config),
        retrieve::look(config, is_offline),
        dicomweb::look(config),
    ];
    found.into_iter().flatten().collect()
}

/// A fault whose last words already say what to do.
fn fault(error: &Error, remedy: &str) -> Fault {
    Fault::new(format!("{error:#}"), remedy)
}
