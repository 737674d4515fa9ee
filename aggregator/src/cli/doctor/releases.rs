//! A108: the folder of every release is what was signed.

use std::path::{Path, PathBuf};

use anyhow::Result;
use snowball_registry::Registry;
use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::{home::Home, release};

const CHECK: Check = Check::new("A108", "releases");

/// What became of the releases' folders.
#[derive(Default)]
struct Found {
    whole: usize,
    gone: Vec<String>,
    changed: Vec<String>,
}

pub async fn look(home: &Home) -> Finding {
    match found(home).await {
        Ok(found) => judge(&found),
        Err(error) => CHECK.of(Err(fault(&error, "see secrets (A102) and the database (A106)"))),
    }
}

async fn found(home: &Home) -> Result<Found> {
    let registry = Registry::open(&home.database_file()).await?;
    let releases = registry.releases().await?;
    registry.close().await;
    let (key, mut found) = (home.signing_key()?.verifying_key(), Found::default());
    for saved in releases {
        let folder = Path::new(&saved.file).parent().map(PathBuf::from).unwrap_or_default();
        let named = format!("{} in {}", saved.study, folder.display());
        if !Path::new(&saved.file).exists() {
            found.gone.push(named);
            continue;
        }
        match release::verify(&folder, &key) {
            Ok((_, faults)) if faults.is_empty() => found.whole += 1,
            Ok((_, faults)) => found.changed.push(format!("{named}: {}", faults.join(", "))),
            Err(error) => found.changed.push(format!("{named}: {error:#}")),
        }
    }
    Ok(found)
}

fn judge(found: &Found) -> Finding {
    if !found.changed.is_empty() {
        return CHECK.bad(
            found.changed.join("; "),
            "hand out nothing of this folder; take the release from whoever was given it, and check that: aggregator release verify",
        );
    }
    if !found.gone.is_empty() {
        return CHECK.look(
            format!("not where it was written: {}", found.gone.join("; ")),
            "if it was moved, aggregator release verify FOLDER checks it there; auditors' evidence is in the database all the same",
        );
    }
    CHECK.good(match found.whole {
        0 => "none yet".to_owned(),
        whole => format!("{whole}, each as it was signed"),
    })
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    #[test]
    fn a_changed_release_is_bad_and_a_moved_one_is_not() {
        let found = |gone: &[&str], changed: &[&str]| Found {
            whole: 1,
            gone: gone.iter().map(ToString::to_string).collect(),
            changed: changed.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(judge(&found(&[], &[])).state, State::Good);
        assert_eq!(judge(&found(&["a"], &[])).state, State::Look);
        assert_eq!(
            judge(&found(&["a"], &["b: model.safetensors was changed"])).state,
            State::Bad
        );
    }
}
