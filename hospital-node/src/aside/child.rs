//! The process that decodes: it opens what it takes, gives up everything else, its standard error with it, and only then reads the file.

use std::{
    fs::File,
    io::{self, Cursor, Read, Write},
    path::Path,
    thread,
};

use anyhow::Result;
use image::{GrayImage, ImageFormat};
use snowball_imaging::{Intake, Outcome, Picture, TextSearch, Waiver};
use snowball_store::{Added, Store};
use snowball_vault::Vault;
use snowball_worker::pipe;

use super::{Answer, Asked, Fault, Taken, WAIT, Wish};
use crate::{cli::decoding::Keeps, config::NodeConfig, home::Home};

/// What stands ready for the file.
enum Ready {
    Look(Box<Intake>),
    TakeIn {
        intake: Box<Intake>,
        vault: Option<Box<Vault>>,
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
    let bytes = asked.bytes;
    let answered = prepared(root, asked).and_then(|ready| done(ready, &content(&mut input, bytes)?));
    let (answer, png) = answered.unwrap_or_else(|fault| (Answer::Failed(fault), Vec::new()));
    let mut output = io::stdout().lock();
    pipe::send(&mut output, &answer)?;
    output.write_all(&png)?;
    Ok(output.flush()?)
}

fn prepared(root: &Path, asked: Asked) -> Result<Ready, Fault> {
    let (ready, keeps, silence) = opened(root, asked).map_err(|fault| {
        // Nothing of the file has been read yet: these are this program's own words.
        tracing::error!(why = %format!("{fault:#}"), "the process that decodes cannot open what it needs");
        Fault::Opening
    })?;
    keeps.confine_process();
    // Whatever a file makes of this process, nothing that it writes there gets into a log.
    nix::unistd::dup2_stderr(&silence).map_err(|_| Fault::Opening)?;
    // Whoever started this kills it in time; where that one is gone, this ends by itself.
    thread::spawn(|| {
        thread::sleep(WAIT);
        std::process::exit(1)
    });
    Ok(ready)
}

fn opened(root: &Path, asked: Asked) -> Result<(Ready, Keeps, File)> {
    let home = Home::existing(root)?.handed(asked.secrets);
    let config = home.config()?;
    let (ready, keeps) = open(&home, &config, asked.wish)?;
    Ok((ready, keeps, File::options().write(true).open("/dev/null")?))
}

fn content(input: &mut impl Read, bytes: u64) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::new();
    input
        .take(bytes)
        .read_to_end(&mut content)
        .map_err(|_| Fault::Hearing)?;
    Ok(content)
}

fn open(home: &Home, config: &NodeConfig, wish: Wish) -> Result<(Ready, Keeps)> {
    Ok(match wish {
        Wish::Look => (Ready::Look(Box::new(home.reader(config)?)), Keeps::nothing()),
        Wish::TakeIn { waived } => {
            let waiver = Waiver::of(waived).map_err(|why| anyhow::anyhow!(why))?;
            let (intake, vault) = home.intake(config)?;
            let ready = Ready::TakeIn {
                intake: Box::new(intake),
                vault: vault.map(Box::new),
                store: Box::new(home.open_store(config)?),
                waiver,
            };
            (ready, Keeps::of(home, &config.text, None, None))
        }
    })
}

fn done(ready: Ready, content: &[u8]) -> Result<(Answer, Vec<u8>), Fault> {
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
            let taken = taken(&intake, vault.as_deref(), &store, content, waiver)?;
            Ok((Answer::Taken(taken), Vec::new()))
        }
    }
}

fn seen(picture: Picture) -> Result<(Answer, Vec<u8>), Fault> {
    let written = TextSearch::standard().places(&picture);
    let (columns, rows) = (picture.columns, picture.rows);
    let image = GrayImage::from_raw(columns, rows, picture.grey).ok_or(Fault::Drawing)?;
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).map_err(|_| Fault::Drawing)?;
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

fn taken(
    intake: &Intake,
    vault: Option<&Vault>,
    store: &Store,
    content: &[u8],
    waiver: Waiver,
) -> Result<Taken, Fault> {
    let radiograph = match intake.take_reviewed(content, waiver) {
        Outcome::Excluded(excluded) => return Ok(Taken::Excluded(excluded.reason)),
        Outcome::Accepted(radiograph) => radiograph,
    };
    if let (Some(vault), Some(link)) = (vault, radiograph.linkage())
        && !store.is_withdrawn(radiograph.patient()).map_err(|_| Fault::Store)?
    {
        vault.keep(link).map_err(|_| Fault::Vault)?;
    }
    Ok(match store.add(&radiograph).map_err(|_| Fault::Store)? {
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
