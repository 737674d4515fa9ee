//! For the tests: a running aggregator with a started study that sites have joined.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use snowball_crypto::SigningKey;
use snowball_protocol::{Sha256Digest, StudyPlan, session::StudySummary};
use snowball_service::clock;

use crate::story::{Client, Running, command, enrol, head, init};

/// The server, and the sites in the order of their names' list.
pub struct Assembly {
    pub running: Running,
    pub sites: Vec<Client>,
    enrolled: Vec<(rustls::ClientConfig, SigningKey)>,
}

impl Assembly {
    /// A home in `dir`, and in it the study of `plan` with these sites, each of which has shown a head.
    pub async fn of(dir: &Path, plan: &StudyPlan, names: &[&str]) -> Self {
        init(dir).await;
        let running = Running::start(dir).await;
        let mut enrolled = Vec::new();
        for site in names {
            enrolled.push(enrol(dir, running.port, site).await);
        }
        let sites = clients(&enrolled, running.port);
        let file = dir.with_extension("toml");
        std::fs::write(&file, toml::to_string(plan).unwrap()).unwrap();
        let study = plan.study.as_str();
        command(dir, &["study", "create", file.to_str().unwrap()]).await;
        command(dir, &["study", "start", study]).await;
        while sites[0].get::<Vec<StudySummary>>("/v1/studies").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let join = json!({
            "plan_digest": plan.digest(), "policy_digest": Sha256Digest::of(b"policy"),
            "layout_digest": snowball_layout::Layout::of(plan).digest(), "training_examples": 10,
        });
        let hello = json!({ "protocol_min": 1, "protocol_max": 1, "program_version": "1", "policy_digest": null, "clock": clock::now() });
        for ((client, (_, key)), name) in sites.iter().zip(&enrolled).zip(names) {
            client.post::<Value>("/v1/hello", &hello).await;
            client.post::<Value>("/v1/heads", &head(name, 2, b"head", key)).await;
            let path = format!("/v1/studies/{study}/join");
            assert!(client.post::<StudySummary>(&path, &join).await.joined);
        }
        Self {
            running,
            sites,
            enrolled,
        }
    }

    /// Stops the server and starts it again.
    pub async fn restarted(self, dir: &Path) -> Self {
        self.running.stop().await;
        let running = Running::start(dir).await;
        Self {
            sites: clients(&self.enrolled, running.port),
            running,
            enrolled: self.enrolled,
        }
    }
}

fn clients(enrolled: &[(rustls::ClientConfig, SigningKey)], port: u16) -> Vec<Client> {
    enrolled.iter().map(|(tls, _)| Client::new(tls.clone(), port)).collect()
}
