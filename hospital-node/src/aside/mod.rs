//! Decodes one file that a stranger made, aside: in a process of its own for that one file, which is held as those of `ingest` are
//! ([`Keeps`](crate::cli::decoding::Keeps)) and killed where it does not end in time. For a process that lives long and holds more than one
//! file's worth: whatever a file does to its decoder costs one answer.
//!
//! The process is this program once more ([`child`]). It is told by a pipe what to do, with the file and the secrets that it takes for it,
//! so that it needs no passphrase; and never the ledger's key: what is done is recorded here.
//!
//! A file may take the process over, and what it says then is the file's. So its answer is of closed lists and numbers beside the picture,
//! its faults are put in words here, and its standard error is closed before it reads the file: nothing of a patient and no secret gets
//! into a log that way.

mod child;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use snowball_imaging::{Limits, Place as Written};
use snowball_protocol::intake::IntakeReason;
use snowball_worker::pipe;
use zeroize::Zeroizing;

pub use child::answer;

use crate::{
    cli::Refused,
    config::NodeConfig,
    converse::{Bounds, Broken, converse},
    home::Home,
};

/// The longest that one file may take; the largest that is taken in takes some seconds.
const WAIT: Duration = Duration::from_secs(90);
/// Of what the child says before a picture and around its pixels, and of the whole answer where there is no picture.
const WORDS_BYTES_MAX: u64 = 16 << 20;
/// Decoders at a time.
const MAX: usize = 4;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// What the child is to do with a file.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Wish {
    /// Show its picture.
    Look,
    /// Take it in, with the reason that it waited for set aside.
    TakeIn { waived: IntakeReason },
}

/// What the child is told, before the file.
#[derive(Serialize, Deserialize)]
struct Asked {
    wish: Wish,
    /// Secrets in the clear, by where they lie.
    #[serde(serialize_with = "in_the_clear", deserialize_with = "to_be_emptied")]
    secrets: BTreeMap<PathBuf, Zeroizing<String>>,
    /// How long the file is.
    bytes: u64,
}

fn in_the_clear<S: Serializer>(
    secrets: &BTreeMap<PathBuf, Zeroizing<String>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(secrets.iter().map(|(path, text)| (path, text.as_str())))
}

fn to_be_emptied<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<PathBuf, Zeroizing<String>>, D::Error> {
    let secrets = BTreeMap::<PathBuf, String>::deserialize(deserializer)?;
    Ok(secrets
        .into_iter()
        .map(|(path, text)| (path, Zeroizing::new(text)))
        .collect())
}

/// What the child says, before the picture.
#[derive(Serialize, Deserialize)]
enum Answer {
    Seen {
        columns: u32,
        rows: u32,
        /// Where something is written: columns to the left, rows above, columns, rows.
        places: Vec<[u32; 4]>,
        /// How long the picture is, as a PNG file.
        bytes: u64,
    },
    Taken(Taken),
    /// There is no picture in it.
    Unseen(IntakeReason),
    /// The node's own fault, none of the file's.
    Failed(Fault),
}

/// What the child could not do. It has no words of its own to put here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
enum Fault {
    #[error(
        "the process that decodes cannot open what it needs; its standard error says why (the journal, where this is a service), and \
         `hospital-node doctor` looks into it"
    )]
    Opening,
    #[error("the file did not reach the process that decodes; try again")]
    Hearing,
    #[error("the picture cannot be written as a PNG file")]
    Drawing,
    #[error(
        "the linkage vault does not take the file's link; see whether the disk is full, and `hospital-node doctor`"
    )]
    Vault,
    #[error(
        "the store does not take the file; see whether the disk is full, and `hospital-node doctor`; then release it again"
    )]
    Store,
}

/// What became of a file that was to be taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Taken {
    In,
    Excluded(IntakeReason),
    /// Its patient has withdrawn; nothing was kept.
    Withdrawn,
}

/// A picture for a reviewer's eyes. It may show who the patient is.
pub struct Looked {
    pub png: Vec<u8>,
    pub columns: u32,
    pub rows: u32,
    /// Where the search sees something written.
    pub places: Vec<Written>,
}

/// The picture of a file, or why there is none.
///
/// # Errors
/// A refusal where the decoder breaks off, takes too long, or where too many others are at work.
pub fn picture(home: &Home, content: &[u8]) -> Result<Result<Looked, IntakeReason>> {
    let secrets = home.secrets_to_read()?;
    match ask(itself(home)?, (WAIT, &AT_WORK), Wish::Look, secrets, content)? {
        (
            Answer::Seen {
                columns, rows, places, ..
            },
            png,
        ) => {
            let written = |[x, y, width, height]: [u32; 4]| Written { x, y, width, height };
            Ok(Ok(Looked {
                png,
                columns,
                rows,
                places: places.into_iter().map(written).collect(),
            }))
        }
        (Answer::Unseen(reason), _) => Ok(Err(reason)),
        (Answer::Failed(fault), _) => Err(fault.into()),
        (Answer::Taken(_), _) => bail!("the process that decodes answered to something else"),
    }
}

/// Takes a file into the store with `waived` set aside.
///
/// # Errors
/// As [`picture`].
pub fn take_in(home: &Home, config: &NodeConfig, content: &[u8], waived: IntakeReason) -> Result<Taken> {
    let secrets = home.secrets_to_take_in(config)?;
    match ask(
        itself(home)?,
        (WAIT, &AT_WORK),
        Wish::TakeIn { waived },
        secrets,
        content,
    )? {
        (Answer::Taken(taken), _) => Ok(taken),
        (Answer::Failed(fault), _) => Err(fault.into()),
        (Answer::Seen { .. } | Answer::Unseen(_), _) => bail!("the process that decodes answered to something else"),
    }
}

/// This program once more, also where another version lies at its place by now.
fn itself(home: &Home) -> Result<Command> {
    let running = Path::new("/proc/self/exe");
    let program = if running.exists() {
        running.to_owned()
    } else {
        std::env::current_exe().context("cannot find this program")?
    };
    let mut command = Command::new(program);
    command.arg("--home").arg(home.root()).args(["quarantine", "decode"]);
    Ok(command)
}

fn ask(
    mut command: Command,
    (wait, at_work): (Duration, &AtomicUsize),
    wish: Wish,
    secrets: BTreeMap<PathBuf, Zeroizing<String>>,
    content: &[u8],
) -> Result<(Answer, Vec<u8>)> {
    let refused = |why: &str| Refused(why.to_owned());
    let _place = Place::take(at_work)
        .ok_or_else(|| refused("as many files as may be are being decoded at once: try again in a minute"))?;
    // Longer than its words: one that grows leaves a copy behind, which nobody empties.
    let mut head = Zeroizing::new(Vec::with_capacity(8 << 10));
    let bytes = content.len() as u64;
    pipe::send(&mut *head, &Asked { wish, secrets, bytes })?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the process that decodes")?;
    let bounds = Bounds {
        wait,
        bytes_max: answer_bytes_max(wish),
    };
    let said = converse(&mut child, &[&head, content], bounds);
    // Whatever came of it, nothing of it stays; one that has ended cannot be killed, which is no fault.
    let _ = child.kill();
    child.wait().context("the process that decodes cannot be waited for")?;
    let said = said.map_err(|broken| match broken {
        Broken::TooLong(_) => refused(&unanswered("did not end in time", wish)),
        Broken::Pipe(_) | Broken::TooMuch => refused(&unanswered("broke off", wish)),
    })?;
    heard(said).ok_or_else(|| refused(&unanswered("broke off", wish)).into())
}

/// What a person is to do where a decoder gave no answer. One that was to take a file in may have done so before it broke off: a radiograph
/// in the store must not be left without the record of who released it, and a second release finds the same one there and records it.
fn unanswered(how: &str, wish: Wish) -> String {
    let remedy = match wish {
        Wish::Look => "discard it, or send it again from the archive",
        Wish::TakeIn { .. } => {
            "it may have been taken in all the same; release it again, which then counts as taken in and records who released it"
        }
    };
    format!("the decoder {how} over this file: {remedy}")
}

/// The longest answer. A picture is of grey pixels of a byte each, of which the intake bounds the number; what a PNG file cannot make
/// shorter it stores as it is, with a few bytes for each row and block.
fn answer_bytes_max(wish: Wish) -> u64 {
    match wish {
        Wish::Look => Limits::default().pixels_max + WORDS_BYTES_MAX,
        Wish::TakeIn { .. } => WORDS_BYTES_MAX,
    }
}

/// An answer that is whole, and the picture after it, which stays where it was read.
fn heard(mut said: Vec<u8>) -> Option<(Answer, Vec<u8>)> {
    let mut rest = said.as_slice();
    let answer: Answer = pipe::receive(&mut rest).ok()?;
    let bytes = match &answer {
        Answer::Seen { bytes, .. } => *bytes,
        _ => 0,
    };
    let picture_begins = said.len() - rest.len();
    if rest.len() as u64 != bytes {
        return None;
    }
    said.drain(..picture_begins);
    Some((answer, said))
}

/// One of the [`MAX`].
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(at_work: &'a AtomicUsize) -> Option<Self> {
        let more = |count| (count < MAX).then_some(count + 1);
        at_work.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(at_work))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Sha256Digest;

    use super::*;

    const SOON: Duration = Duration::from_millis(300);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn why(command: Command, bounds: (Duration, &AtomicUsize)) -> String {
        why_of(Wish::Look, command, bounds)
    }

    fn why_of(wish: Wish, command: Command, bounds: (Duration, &AtomicUsize)) -> String {
        let asked = ask(command, bounds, wish, BTreeMap::new(), b"a file");
        asked.err().unwrap().downcast_ref::<Refused>().unwrap().0.clone()
    }

    #[test]
    fn a_decoder_that_never_ends_is_killed_and_nothing_of_it_stays() {
        let here = AtomicUsize::new(0);
        let folder = tempfile::tempdir().unwrap();
        let number = folder.path().join("number");
        let endless = format!("echo $$ > {}; while :; do :; done", number.display());
        // More than there are places for: none of them keeps its place.
        for _ in 0..=MAX {
            assert!(why(shell(&endless), (SOON, &here)).contains("in time"));
            let number = std::fs::read_to_string(&number).unwrap();
            assert!(!Path::new("/proc").join(number.trim()).exists());
        }
        assert_eq!(here.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_decoder_that_breaks_off_or_answers_half_costs_one_answer() {
        let here = AtomicUsize::new(0);
        for broken in ["exit 3", "kill -9 $$", "cat; exit 0", "printf 'not a frame'"] {
            assert!(why(shell(broken), (WAIT, &here)).contains("broke off"), "{broken}");
        }
        let mut whole = Vec::new();
        let seen = |bytes| Answer::Seen {
            columns: 1,
            rows: 1,
            places: Vec::new(),
            bytes,
        };
        pipe::send(&mut whole, &seen(3)).unwrap();
        whole.extend(b"png");
        assert_eq!(heard(whole.clone()).unwrap().1, b"png");
        whole.pop();
        assert!(heard(whole).is_none());
    }

    #[test]
    fn whoever_released_a_file_without_an_answer_is_told_to_release_it_again_and_never_to_let_it_go() {
        let here = AtomicUsize::new(0);
        let release = Wish::TakeIn {
            waived: IntakeReason::BurnedInText,
        };
        let endless = "while :; do :; done";
        for (script, wait, how) in [(endless, SOON, "in time"), ("exit 3", WAIT, "broke off")] {
            let told = why_of(release, shell(script), (wait, &here));
            assert!(told.contains(how) && told.contains("release it again"), "{told}");
            assert!(!told.contains("discard"), "{told}");
            assert!(why(shell(script), (wait, &here)).contains("discard it"));
        }
    }

    #[test]
    fn words_of_a_decoder_that_was_taken_over_reach_nobody() {
        let here = AtomicUsize::new(0);
        let words = br#"{"Failed":"Doe^Jane"}"#;
        let mut said = vec![0];
        said.extend((words.len() as u64).to_le_bytes());
        said.extend(words);
        assert!(heard(said.clone()).is_none());
        let folder = tempfile::tempdir().unwrap();
        let answer = folder.path().join("answer");
        std::fs::write(&answer, &said).unwrap();
        let told = why(shell(&format!("cat {}", answer.display())), (WAIT, &here));
        assert!(told.contains("broke off") && !told.contains("Doe"), "{told}");
        let mut said = Vec::new();
        pipe::send(&mut said, &Answer::Failed(Fault::Store)).unwrap();
        assert!(matches!(heard(said), Some((Answer::Failed(Fault::Store), _))));
    }

    #[test]
    fn what_is_asked_arrives_with_its_secrets_and_a_picture_of_noise_fits_into_the_answer() {
        let secrets = BTreeMap::from([(PathBuf::from("keys/site.secret"), Zeroizing::new("ab12".to_owned()))]);
        let asked = Asked {
            wish: Wish::Look,
            secrets: secrets.clone(),
            bytes: 7,
        };
        let mut told = Vec::new();
        pipe::send(&mut told, &asked).unwrap();
        let found: Asked = pipe::receive(&mut told.as_slice()).unwrap();
        assert!(found.secrets == secrets && found.bytes == 7);

        // As hard to make shorter as any.
        let side = 512_u32;
        let mut noise = vec![Sha256Digest::of(b"noise")];
        while noise.len() * 32 < (side * side) as usize {
            noise.push(Sha256Digest::of(noise[noise.len() - 1].as_bytes()));
        }
        let grey: Vec<u8> = noise.iter().flat_map(|digest| *digest.as_bytes()).collect();
        let mut png = std::io::Cursor::new(Vec::new());
        let image = image::GrayImage::from_raw(side, side, grey).unwrap();
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let pixels = u64::from(side * side);
        let around = png.into_inner().len() as u64 - pixels;
        assert!(around * Limits::default().pixels_max / pixels < WORDS_BYTES_MAX);
    }

    #[test]
    fn decoders_at_a_time_have_a_bound() {
        let full = AtomicUsize::new(MAX);
        assert!(why(shell("exit 0"), (WAIT, &full)).contains("try again"));
        assert_eq!(full.load(Ordering::Acquire), MAX);
    }
}
