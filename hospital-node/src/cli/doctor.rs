//! `doctor`: what is wrong, and what to do about it.

mod pacs;

use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use snowball_confine::{Hold, Reach, confine_decoding_thread};
use snowball_egress::{
    EgressError,
    client::{ClientSettings, Transport},
};
use snowball_service::{clock, keys::Kept, tls};

use super::{Context, Refused};
use crate::{
    authorities,
    config::{NodeConfig, SecondReaderWish},
    home::Home,
    policy,
    second_reader::Tesseract,
    trainer,
};

const DAYS_WARN: i64 = 14;

/// Check this node: files, keys, certificate, policy, ledger, trainer, connection. Says the remedy of what is wrong.
#[derive(Args)]
#[command(after_help = "Example: hospital-node doctor --offline --store")]
pub struct Doctor {
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

#[derive(Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    says: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    Warning,
    Bad,
}

impl Doctor {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let mut findings = vec![
            configuration(&home),
            secrets(&home),
            installed_policy(&home),
            ledger(&home),
            trainers(&home),
            decoders(),
        ];
        findings.push(certificate(&home));
        findings.extend(trusted_authorities(&home));
        if let Ok(config) = home.config() {
            findings.extend(pacs::findings(&home, &config, self.offline));
            findings.extend(text_reader(&config));
        }
        if self.store {
            findings.push(stored(&home, self.text));
        }
        if !self.offline && home.aggregator_file().exists() {
            findings.push(connection(&home));
        }
        let bad = findings.iter().filter(|finding| finding.state == State::Bad).count();
        context.print(&findings, || {
            let line = |finding: &Finding| {
                let mark = match finding.state {
                    State::Good => "good",
                    State::Warning => "look",
                    State::Bad => "BAD ",
                };
                format!("{mark}  {:<14} {}", finding.check, finding.says)
            };
            findings.iter().map(line).collect::<Vec<_>>().join("\n")
        })?;
        if bad > 0 {
            Err(Refused(format!("{bad} checks are bad")).into())
        } else {
            Ok(())
        }
    }
}

fn finding(check: &'static str, outcome: Result<String, String>) -> Finding {
    match outcome {
        Ok(says) => Finding {
            check,
            state: State::Good,
            says,
        },
        Err(says) => Finding {
            check,
            state: State::Bad,
            says,
        },
    }
}

fn configuration(home: &Home) -> Finding {
    let outcome = home
        .config()
        .map(|config| format!("site {}, project {}", config.site, config.project));
    finding(
        "configuration",
        outcome.map_err(|fault| format!("{fault:#}; correct node.toml")),
    )
}

fn secrets(home: &Home) -> Finding {
    let (mut clear, mut wrapped, mut handed) = (Vec::new(), 0, 0);
    for path in home.key_files() {
        if let Ok(facts) = std::fs::metadata(&path)
            && facts.permissions().mode() & 0o077 != 0
        {
            let remedy = "run chmod 600 on it; nothing that needs it runs before";
            return finding(
                "keys",
                Err(format!("{} can be read by others; {remedy}", path.display())),
            );
        }
        match home.keys().kept(&path) {
            Ok(Kept::Clear) => clear.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
            Ok(Kept::Wrapped) => wrapped += 1,
            Ok(Kept::Credential) => handed += 1,
            Ok(Kept::Missing) => {}
            Err(fault) => return finding("keys", Err(fault.to_string())),
        }
    }
    let mut says = match (clear.len(), wrapped) {
        (_, 0) => "readable by their owner alone, not under a passphrase (hospital-node keys protect)".to_owned(),
        (0, _) => "under a passphrase".to_owned(),
        _ => format!(
            "under a passphrase, except {}; run hospital-node keys protect again",
            clear.join(", ")
        ),
    };
    if handed > 0 {
        says += &format!("; {handed} handed over by systemd");
    }
    Finding {
        check: "keys",
        state: if wrapped > 0 && !clear.is_empty() {
            State::Warning
        } else {
            State::Good
        },
        says,
    }
}

fn installed_policy(home: &Home) -> Finding {
    match policy::in_force(home) {
        Err(fault) => finding("policy", Err(fault.to_string())),
        Ok(signed) => {
            let days = (signed.policy.expires() - clock::now()) / 86_400;
            if signed.policy.expires() <= clock::now() {
                return finding(
                    "policy",
                    Err("it has expired: nothing runs; ask the ethics board for a new one".to_owned()),
                );
            }
            let state = if days < DAYS_WARN { State::Warning } else { State::Good };
            Finding {
                check: "policy",
                state,
                says: format!("version {}, ends in {days} days", signed.policy.version()),
            }
        }
    }
}

fn ledger(home: &Home) -> Finding {
    let outcome = home
        .read_text(&home.ledger_public_key())
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| "ledger.pub is missing or damaged; it is the public half of keys/ledger.pem".to_owned())
        .and_then(|key| snowball_ledger::verify(&home.ledger(), &key).map_err(|fault| fault.to_string()))
        .and_then(|verified| match verified.unseen {
            0 => Ok(format!("{} entries, sound", verified.entries)),
            unseen => Err(format!(
                "the first {unseen} entries lie in archives that are not in ledger/archives; put them back, or this node takes \
                 part in nothing"
            )),
        });
    finding("ledger", outcome)
}

/// A second look at everything that is stored.
fn stored(home: &Home, search_text: bool) -> Finding {
    let looked = home
        .config()
        .and_then(|config| Ok(home.open_store(&config)?.look_again(search_text)?));
    let outcome = looked.map_err(|fault| format!("{fault:#}")).and_then(|looked| {
        if looked.unsound == 0 {
            return Ok(format!("{} radiographs read again, all sound", looked.radiographs));
        }
        let faults = looked.faults.iter().map(|(fault, count)| format!("{count} {fault:?}").to_lowercase());
        Err(format!(
            "{} of {} radiographs are not as they must be ({}); train nothing with this store: restore it from a copy, or move \
             it away and ingest again",
            looked.unsound,
            looked.radiographs,
            faults.collect::<Vec<_>>().join(", ")
        ))
    });
    finding("store", outcome)
}

fn trainers(home: &Home) -> Finding {
    let outcome = home
        .config()
        .and_then(|config| trainer::choose(&config.training, &home.scratch()));
    match outcome {
        Ok(trainer) => {
            let says = format!(
                "{}: {}; it keeps {}",
                trainer.device_name, trainer.why, trainer.confinement
            );
            let mut finding = finding("trainer", Ok(says));
            if !trainer.confinement.is_whole() {
                finding.state = State::Warning;
            }
            finding
        }
        Err(fault) => finding("trainer", Err(format!("{fault:#}"))),
    }
}

/// What decoders of strangers' files could reach on this machine.
fn decoders() -> Finding {
    let holds = confine_apart();
    let says = |hold: &Hold| match hold {
        Hold::Whole => None,
        Hold::Partly(why) | Hold::Nothing(why) => Some(why.clone()),
    };
    let open: Vec<String> = holds.iter().filter_map(says).collect();
    let ways = "ingest, watch and receive decode in a process without network, other programs and the node's keys on disk (receive listens in \
                another); retrieve and pull in threads that are held so, of a process that keeps its network";
    let mut found = finding(
        "decoders",
        Ok(format!("{ways}; deidentify without network and other programs")),
    );
    if !open.is_empty() {
        found = finding("decoders", Ok(format!("not held by this kernel: {}", open.join("; "))));
        found.state = State::Warning;
    }
    found
}

/// What a thread is held by; it ends with that.
fn confine_apart() -> Vec<Hold> {
    let held = std::thread::spawn(|| confine_decoding_thread(&Reach::default(), false)).join();
    held.map_or_else(
        |_| vec![Hold::Nothing("the thread that tried broke off".to_owned())],
        Vec::from,
    )
}

/// The second reader of pictures, where `node.toml` asks for one.
fn text_reader(config: &NodeConfig) -> Option<Finding> {
    if config.text.second_reader == SecondReaderWish::None {
        return None;
    }
    Some(match Tesseract::find() {
        Ok(reader) => {
            let keeps = reader.open.as_deref().unwrap_or("no network, no other file");
            let mut finding = finding("second reader", Ok(format!("{}; it keeps {keeps}", reader.version)));
            if reader.open.is_some() {
                finding.state = State::Warning;
            }
            finding
        }
        Err(fault) => finding("second reader", Err(format!("{fault:#}"))),
    })
}

fn certificate(home: &Home) -> Finding {
    let Ok(pem) = home.read_text(&home.certificate()) else {
        let says = "none yet; ask the coordinator for an invitation, then hospital-node enroll INVITATION".to_owned();
        return Finding {
            check: "certificate",
            state: State::Warning,
            says,
        };
    };
    match tls::PeerCertificate::read_pem(&pem) {
        Err(fault) => finding("certificate", Err(format!("{fault}; enrol again"))),
        Ok(peer) => {
            let (life, now) = (peer.life(), clock::now());
            if life.not_after <= now {
                return finding(
                    "certificate",
                    Err("it has expired; enrol again with a new invitation".to_owned()),
                );
            }
            let says = format!("for {}, ends in {} days", peer.site, life.days_left(now));
            match life.warning_if_overdue(now) {
                None => finding("certificate", Ok(says)),
                Some(_) => Finding {
                    check: "certificate",
                    state: State::Warning,
                    says: format!("{says} and was not renewed; start the node, or run hospital-node renew"),
                },
            }
        }
    }
}

/// The CAs that this node trusts; nothing before its enrolment.
fn trusted_authorities(home: &Home) -> Option<Finding> {
    if !home.authority().exists() {
        return None;
    }
    let trusted = match authorities::trusted(home) {
        Ok(trusted) => trusted,
        Err(fault) => return Some(finding("authorities", Err(format!("{fault:#}")))),
    };
    let says = format!("list {}, {} trusted", trusted.number, trusted.certificates_pem.len());
    Some(match authorities::warning(&trusted, clock::now()) {
        None => finding("authorities", Ok(says)),
        Some((name, _, days)) => Finding {
            check: "authorities",
            state: State::Warning,
            says: format!("{says}; the CA {name} ends in {days} days: ask the coordinator for aggregator ca rotate"),
        },
    })
}

fn connection(home: &Home) -> Finding {
    let outcome = (|| -> Result<String> {
        let (aggregator, config) = (home.aggregator()?, home.config()?);
        let read = |path| home.read_text(path);
        let client = tls::client(
            &read(&home.authority())?,
            &read(&home.certificate())?,
            &home.keys().read(&home.tls_key())?,
        )?;
        let settings = ClientSettings {
            address: aggregator.address.clone(),
            proxy: config.network.proxy,
        };
        let transport = Transport::new(&settings, client)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let health: serde_json::Value = runtime.block_on(transport.get("v1/health"))?;
        let state = health
            .get("status")
            .and_then(|state| state.as_str())
            .unwrap_or("answers");
        Ok(format!("{}: {state}", aggregator.address))
    })();
    let remedy = "check that this host may open one outbound connection to it (firewall, proxy in node.toml)";
    finding(
        "connection",
        outcome.map_err(|fault| match fault.downcast_ref() {
            // It says itself what to do.
            Some(EgressError::Handshake(_)) => format!("{fault:#}"),
            _ => format!("{fault:#}; {remedy}"),
        }),
    )
}
