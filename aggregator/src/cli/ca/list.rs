//! `aggregator ca list`: the CAs, what each does, how long it holds, who depends on it.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use snowball_service::clock;

use super::Dependents;
use crate::{
    cli::{Answer, open, table::table},
    home::Home,
};

/// Lists the CAs, oldest first. The oldest has signed the server, the newest signs the sites; all are trusted.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator ca list")]
pub struct List {}

impl List {
    /// One CA a line.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let (authorities, now) = (home.authorities()?, clock::now());
        let all = authorities.all();
        let (mut rows, mut documents) = (Vec::new(), Vec::new());
        for (place, authority) in all.iter().enumerate() {
            let (is_serving, is_signing) = (place == 0, place + 1 == all.len());
            let duty = match (is_serving, is_signing) {
                (true, true) => "signs server and sites",
                (true, false) => "signs the server",
                (false, true) => "signs the sites",
                (false, false) => "trusted",
            };
            let others: Vec<_> = all
                .iter()
                .filter(|other| other.fingerprint() != authority.fingerprint())
                .collect();
            let dependents = Dependents::of(&registry, &others, is_serving, now).await?;
            let days = authority.life().days_left(now);
            rows.push([
                authority.fingerprint().short(),
                duty.to_owned(),
                format!("{days} days"),
                dependents.words(),
            ]);
            documents.push(json!({
                "fingerprint": authority.fingerprint(),
                "signs_server": is_serving,
                "signs_sites": is_signing,
                "not_after": authority.life().not_after,
                "days_left": days,
                "warning": authority.life().warning(now),
                "dependent_sites": dependents.sites,
                "unused_invitations": dependents.invited,
                "waiting_requests": dependents.waiting,
            }));
        }
        registry.close().await;
        let mut text = table(["CA", "duty", "left", "who depends on it"], &rows);
        text += &format!("This is list {}.\n", authorities.number());
        Ok(Answer::new(
            text,
            json!({ "number": authorities.number(), "authorities": documents }),
        ))
    }
}
