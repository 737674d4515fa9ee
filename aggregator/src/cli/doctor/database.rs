//! A106: the database opens, belongs to this aggregator, and the newest model of every study lies where it should.

use anyhow::{Context as _, Result, ensure};
use snowball_registry::{ObjectFolder, ObjectName, Registry};
use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::home::Home;

const CHECK: Check = Check::new("A106", "database");

pub async fn look(home: &Home) -> Finding {
    CHECK.of(whole(home).await.map_err(|error| {
        fault(
            &error,
            "stop aggregator serve, keep a copy of the folder, and restore it whole from a backup",
        )
    }))
}

async fn whole(home: &Home) -> Result<String> {
    let registry = Registry::open(&home.database_file()).await?;
    let consortium = registry.consortium().await?.context("it belongs to no consortium")?;
    ensure!(
        consortium.aggregator_key == home.signing_key()?.verifying_key().to_string(),
        "it belongs to a consortium with another signing key"
    );
    let (sites, studies) = (registry.sites().await?.len(), registry.studies().await?);
    let objects = ObjectFolder::open(&home.objects_dir())?;
    for study in &studies {
        if let Some(model) = study.phase.model() {
            let name = ObjectName::model(&study.plan.study, model.round);
            ensure!(
                objects.size(&name)?.is_some(),
                "the file of {}'s model {} is missing",
                study.plan.study,
                model.round
            );
        }
    }
    registry.close().await;
    Ok(format!(
        "{sites} sites, {} studies, every newest model in place",
        studies.len()
    ))
}
