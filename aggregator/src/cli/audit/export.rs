//! `aggregator audit export`: the ledger as it stands, and from the database what its records name.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};
use snowball_audit::{ConsortiumFacts, EnrolmentFacts, EvaluationFacts, Kind, Table, UpdateFacts, paths};
use snowball_ledger::{Entry, Record};
use snowball_protocol::plan::canonical_json;
use snowball_registry::{Decision, Registry, UploadState};

use crate::{
    cli::{Answer, open},
    home::{Home, read_text},
};

/// A command writes its entry into the ledger and then its fact into the database: so often the fact is waited for.
const TRIES_MAX: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// Writes the evidence into a new folder. The aggregator may go on serving.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator audit export evidence/aggregator")]
pub struct Export {
    /// The new folder
    folder: PathBuf,
}

/// The tables of one document a line.
struct Tables {
    enrolments: Table,
    updates: Table,
    evaluations: Table,
    rounds: Table,
}

impl Export {
    /// The same ledger gives the same folder, to the byte.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let key = home.signing_key()?;
        let mut export = snowball_audit::Export::begin(&self.folder)?;
        let head = export.ledger(&home.ledger_dir(), &key.verifying_key())?;
        let consortium = registry
            .consortium()
            .await?
            .context("the consortium was never founded")?;
        let facts = ConsortiumFacts {
            address: consortium.address,
            ca_fingerprint: consortium.ca_fingerprint,
            aggregator_key: consortium
                .aggregator_key
                .parse()
                .context("the aggregator's key does not parse")?,
        };
        export.add(paths::CONSORTIUM, &canonical_json(&facts))?;
        export.add(paths::CA, read_text(&home.ca_file())?.as_bytes())?;
        let mut tables = Tables {
            enrolments: export.table(paths::ENROLMENTS)?,
            updates: export.table(paths::UPDATES)?,
            evaluations: export.table(paths::EVALUATIONS)?,
            rounds: export.table(paths::ROUNDS)?,
        };
        for record in snowball_ledger::records(&export.ledger_folder())? {
            document(&record?, &registry, &mut export, &mut tables).await?;
        }
        for table in [tables.enrolments, tables.updates, tables.evaluations, tables.rounds] {
            export.close(table)?;
        }
        registry.close().await;
        let exported = export.finish(Kind::Aggregator, head, &key)?;
        let json = json!({
            "folder": self.folder, "files": exported.files, "bytes": exported.bytes, "head": exported.head,
            "manifest_digest": exported.manifest_digest,
        });
        let text = format!(
            "{} files, {} bytes in {}: {} records of the ledger and what they name.\nIts digest is {}.",
            exported.files,
            exported.bytes,
            self.folder.display(),
            exported.head.entries,
            exported.manifest_digest
        );
        Ok(Answer::new(text, json))
    }
}

/// What one record names. A fact that the database lacks is left out: the check then says so.
async fn document(
    record: &Record,
    registry: &Registry,
    export: &mut snowball_audit::Export,
    tables: &mut Tables,
) -> Result<()> {
    match &record.entry {
        Entry::EnrolmentApproved { certificate_serial, .. } => {
            let found = patiently(async || registry.enrolment_of_certificate(certificate_serial).await).await?;
            if let Some(enrolment) = found
                && let Decision::Approved {
                    certificate_pem,
                    serial,
                    reason,
                    decided,
                } = enrolment.decision
            {
                export.add(&paths::certificate(&serial), certificate_pem.as_bytes())?;
                tables.enrolments.push(&EnrolmentFacts {
                    site: enrolment.site,
                    key_fingerprint: enrolment.key_fingerprint,
                    ledger_key: enrolment.ledger_key,
                    certificate_serial: serial,
                    reason,
                    requested: enrolment.requested,
                    decided,
                })?;
            }
        }
        Entry::CertificateRenewed { certificate_serial, .. } => {
            if let Some(pem) = patiently(async || registry.certificate_pem(certificate_serial).await).await? {
                export.add(&paths::certificate(certificate_serial), pem.as_bytes())?;
            }
        }
        Entry::StudyCreated { study, plan_digest } => {
            if let Some(study) = patiently(async || registry.study(study).await).await? {
                export.add(&paths::plan(plan_digest), &study.plan.canonical_bytes())?;
            }
        }
        Entry::UpdateAdmitted {
            site,
            study,
            round,
            attempt,
            ..
        } => {
            let found = registry.find_upload(site, study, *round, *attempt).await?;
            if let Some(upload) = found
                && let UploadState::Admitted { receipt, .. } = upload.state
            {
                tables.updates.push(&UpdateFacts {
                    site: upload.site,
                    header: upload.header,
                    receipt,
                })?;
            }
        }
        Entry::EvaluationAdmitted { site, study, .. } => {
            if let Some(told) = registry.evaluation(study, site).await? {
                let (site, study) = (site.clone(), study.clone());
                tables.evaluations.push(&EvaluationFacts { site, study, told })?;
            }
        }
        Entry::RoundFinished { study, round, .. } => {
            if let Some(record) = registry.round_record(study, *round).await? {
                tables.rounds.push(&record)?;
            }
        }
        Entry::ReleaseSigned { release_digest, .. } => {
            if let Some(release) = patiently(async || registry.release(release_digest).await).await? {
                let text = |name: &str| release.document.get(name).and_then(Value::as_str).unwrap_or_default();
                export.add(&paths::lineage(release_digest), text("lineage").as_bytes())?;
                let signature = format!("{}\n", text("signature"));
                export.add(&paths::lineage_signature(release_digest), signature.as_bytes())?;
                export.add(&paths::card(release_digest), text("card").as_bytes())?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Asks again for a short time while there is nothing.
async fn patiently<T, E>(ask: impl AsyncFn() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    for _ in 1..TRIES_MAX {
        if let Some(found) = ask().await? {
            return Ok(Some(found));
        }
        tokio::time::sleep(PAUSE).await;
    }
    ask().await
}
