//! The process that decodes: it opens what it takes, gives up everything else, and only then reads the file.

use std::{
    io::{self, Cursor, Read, Write},
    path::Path,
    thread,
};

use anyhow::{Context as _, Result};
use image::{GrayImage, ImageFormat};
use snowball_imaging::{Intake, Outcome, Picture, TextSearch, Waiver};
use snowball_store::{Added, Store};
use snowball_vault::Vault;
use snowball_worker::pipe;

use super::{Answer, Asked, Taken, WAIT, Wish};
use crate::{cli::decoding::Keeps, config::NodeConfig, home::Home};

/// What stands ready for the file.
enum Ready {
    Look(Intake),
    TakeIn {
        intake: Box<Intake>,
        vault: Option<Vault>,
        store: Box<Store>,
        waiver: Waiver,
    },
}

/// Answers on standard output to what is asked on standard input.
///
/// # Errors
/// When nobody asks or nobody hears: whoever started this reads nothing, and knows that it broke off.
pub fn answer(root: &Path) -> Result<()> {
    let mut input = io::stdin().lock();
    let asked: Asked = pipe::receive(&mut input)?;
    let (answer, png) = match prepared(root, asked, &mut input) {
        Ok((ready, content)) => done(ready, &content).unwrap_or_else(failed),
        Err(fault) => failed(fault),
    };
    let mut output = io::stdout().lock();
    pipe::send(&mut output, &answer)?;
    output.write_all(&png)?;
    Ok(output.flush()?)
}

fn failed(fault: anyhow::Error) -> (Answer, Vec<u8>) {
    (Answer::Failed(format!("{fault:#}")), Vec::new())
}

fn prepared(root: &Path, asked: Asked, input: &mut impl Read) -> Result<(Ready, Vec<u8>)> {
    let home = Home::existing(root)?.handed(asked.secrets);
    let config = home.config()?;
    let (ready, keeps) = open(&home, &config, asked.wish)?;
    keeps.confine_process();
    // Whoever started this kills it in time; where that one is gone, this ends by itself.
    thread::spawn(|| {
        thread::sleep(WAIT);
        std::process::exit(1)
    });
    let mut content = Vec::new();
    input.take(asked.bytes).read_to_end(&mut content)?;
    Ok((ready, content))
}

fn open(home: &Home, config: &NodeConfig, wish: Wish) -> Result<(Ready, Keeps)> {
    Ok(match wish {
        Wish::Look => (Ready::Look(home.reader(config)?), Keeps::nothing()),
        Wish::TakeIn { waived } => {
            let waiver = Waiver::of(waived).map_err(|why| anyhow::anyhow!(why))?;
            let (intake, vault) = home.intake(config)?;
            let ready = Ready::TakeIn {
                intake: Box::new(intake),
                vault,
                store: Box::new(home.open_store(config)?),
                waiver,
            };
            (ready, Keeps::of(home, &config.text, None, None))
        }
    })
}

fn done(ready: Ready, content: &[u8]) -> Result<(Answer, Vec<u8>)> {
    match ready {
        Ready::Look(reader) => match reader.picture(content) {
            Ok(picture) => seen(picture),
            Err(reason) => Ok((Answer::Unseen(reason), Vec::new())),
        },
        Ready::TakeIn {
            intake,
            vault,
            store,
            waiver,
        } => {
            let taken = taken(&intake, vault.as_ref(), &store, content, waiver)?;
            Ok((Answer::Taken(taken), Vec::new()))
        }
    }
}

fn seen(picture: Picture) -> Result<(Answer, Vec<u8>)> {
    let written = TextSearch::standard().places(&picture);
    let (columns, rows) = (picture.columns, picture.rows);
    let image = GrayImage::from_raw(columns, rows, picture.grey).context("the picture has no pixels")?;
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png)?;
    let png = png.into_inner();
    let answer = Answer::Seen {
        columns,
        rows,
        places: written
            .iter()
            .map(|place| [place.x, place.y, place.width, place.height])
            .collect(),
        bytes: png.len() as u64,
    };
    Ok((answer, png))
}

fn taken(intake: &Intake, vault: Option<&Vault>, store: &Store, content: &[u8], waiver: Waiver) -> Result<Taken> {
    let radiograph = match intake.take_reviewed(content, waiver) {
        Outcome::Excluded(excluded) => return Ok(Taken::Excluded(excluded.reason)),
        Outcome::Accepted(radiograph) => radiograph,
    };
    if let (Some(vault), Some(link)) = (vault, radiograph.linkage())
        && !store.is_withdrawn(radiograph.patient())?
    {
        vault.keep(link)?;
    }
    Ok(match store.add(&radiograph)? {
        Added::New | Added::Duplicate => Taken::In,
        Added::Withdrawn => Taken::Withdrawn,
        added @ (Added::Conflict | Added::Unsound | Added::ShowsText) => {
            added.reason().map_or(Taken::In, Taken::Excluded)
        }
    })
}

#[cfg(test)]
mod tests {
    use snowball_protocol::intake::IntakeReason;
    use snowball_store::HeldState;

    use super::*;
    use crate::dashboard::testing;

    /// The home as the child has it: with the secrets that it was handed and no others.
    fn handed(home: &Home) -> Home {
        let secrets = home.secrets_to_take_in(&home.config().unwrap()).unwrap();
        Home::existing(home.root()).unwrap().handed(secrets)
    }

    #[test]
    fn a_picture_is_seen_and_a_file_is_taken_in_by_the_secrets_that_were_handed_over() {
        let root = tempfile::tempdir().unwrap();
        // Enough for each way in which a file may be wrong.
        let home = testing::node_of(80, root.path());
        let config = home.config().unwrap();
        let store = home.open_store(&config).unwrap();
        let child = handed(&home);
        assert!(child.ledger_key().is_err(), "the ledger's key is not handed over");
        let held = store.held().unwrap();
        let written = held
            .iter()
            .find(|file| file.state == HeldState::Held && Waiver::of(file.reason).is_ok())
            .unwrap();
        let content = store.held_content(&written.digest).unwrap();

        let (look, _) = open(&child, &config, Wish::Look).unwrap();
        let (answer, png) = done(look, &content).unwrap();
        let Answer::Seen {
            columns, rows, bytes, ..
        } = answer
        else {
            panic!("no picture")
        };
        let shown = image::load_from_memory(&png).unwrap();
        assert_eq!(
            (columns, rows, bytes),
            (shown.width(), shown.height(), png.len() as u64)
        );
        let (look, _) = open(&child, &config, Wish::Look).unwrap();
        assert!(matches!(
            done(look, b"no file").unwrap().0,
            Answer::Unseen(IntakeReason::NotDicom)
        ));

        let before = store.count().unwrap();
        let wish = Wish::TakeIn { waived: written.reason };
        let (ready, _) = open(&child, &config, wish).unwrap();
        assert!(matches!(done(ready, &content).unwrap().0, Answer::Taken(Taken::In)));
        assert_eq!(store.count().unwrap(), before + 1);
        let never = Wish::TakeIn {
            waived: IntakeReason::DecodeError,
        };
        assert!(open(&child, &config, never).is_err());
    }
}
