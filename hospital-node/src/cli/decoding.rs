//! What a command takes from itself before it decodes files that strangers made: the network, other programs, and every file of the node but
//! those that the intake writes. Where a second reader is asked for, it may be started; it is confined more closely than this process.
//!
//! A folder that is taken in may hold links that lead anywhere, and they are followed: so everything on the machine may be read but the
//! node's home, where keys, policies and models lie.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use snowball_confine::{Hold, Reach, confine_decoder, confine_decoding_thread};
use snowball_service::files;

use crate::{
    config::{SecondReaderWish, TextConfig},
    home::Home,
    now,
};

/// Entries beside the home, and beside each folder above it, that are opened one by one.
const BESIDE_MAX: usize = 4_096;

/// Who decodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoder {
    /// A process that has nothing else to do.
    Process,
    /// Threads of a process that speaks to an archive.
    Threads,
    /// A process that was made for a test.
    Test,
}

/// What decoders of this node keep. `spool` is where objects lie that came over the network; they go when they are taken in.
pub struct Keeps {
    reach: Reach,
    starts_programs: bool,
    /// Why the files cannot be closed, where they cannot.
    open: Option<String>,
}

impl Keeps {
    /// For a node at `home` that reads `folder` besides, where that lies within the home. Makes `spool` where there is none yet.
    pub fn of(home: &Home, text: &TextConfig, spool: Option<&Path>, folder: Option<&Path>) -> Self {
        let starts_programs = text.second_reader != SecondReaderWish::None;
        let (mut others, open) = match all_but(home.root()) {
            Ok(others) => (others, None),
            Err(fault) => (Vec::new(), Some(format!("{fault:#}"))),
        };
        others.extend(folder.map(Path::to_owned));
        // What is not there when a decoder is confined it can never open, and threads are confined at a moment of their own.
        let spooled = spool.map_or(Ok(()), files::create_home).err();
        let open = open.or_else(|| spooled.map(|fault| format!("the spool cannot be made: {fault}")));
        // Without it nothing is noted for the dashboard, and the intake goes on.
        let _ = files::create_home(&now::intake::folder(home));
        let written = [
            now::intake::folder(home),
            home.store_folder(),
            home.ledger(),
            // It may be a link to another disk, which the folder above does not open.
            home.ledger().join(snowball_ledger::ARCHIVE_FOLDER),
            home.vault_folder(),
            "/dev/null".into(),
        ];
        let (read, run) = if starts_programs {
            (Vec::new(), others)
        } else {
            (others, Vec::new())
        };
        Self {
            reach: Reach {
                read,
                run,
                write: written.into_iter().chain(spool.map(Path::to_owned)).collect(),
                local_sockets: true,
            },
            starts_programs,
            open,
        }
    }

    /// For a process that is told by a pipe what to decode and says by another what it found: no file at all.
    pub fn nothing() -> Self {
        Self {
            reach: Reach {
                write: vec!["/dev/null".into()],
                local_sockets: true,
                ..Reach::default()
            },
            starts_programs: false,
            open: None,
        }
    }

    /// Takes the rest from this process, once, before the threads that decode are started. It never comes back.
    pub fn confine_process(&self) {
        match &self.open {
            None => tell(&confine_decoder(&self.reach, self.starts_programs)),
            Some(why) => tell(&[
                Hold::Nothing(why.clone()),
                snowball_confine::without_network(self.starts_programs),
            ]),
        }
    }

    /// The same for the calling thread alone.
    pub fn confine_thread(&self) {
        if let Some(why) = &self.open {
            tell(&[Hold::Nothing(why.clone()), Hold::Whole]);
            return;
        }
        tell(&confine_decoding_thread(&self.reach, self.starts_programs));
    }
}

fn tell(holds: &[Hold; 2]) {
    for (hold, what) in holds.iter().zip(["read the node's keys", "reach the network"]) {
        match hold {
            Hold::Whole => {}
            Hold::Partly(why) | Hold::Nothing(why) => {
                tracing::warn!(%why, "files are decoded by a process that could {what}");
            }
        }
    }
}

/// Takes the network and other programs from this process and no file: for a command that writes where its owner says.
pub fn alone(text: &TextConfig) {
    let hold = snowball_confine::without_network(text.second_reader != SecondReaderWish::None);
    tell(&[Hold::Whole, hold]);
}

/// Everything that lies beside `home` and beside the folders above it: all of the machine but what is in it. Links that lead into it are
/// left out.
fn all_but(home: &Path) -> Result<Vec<PathBuf>> {
    let home = fs::canonicalize(home).with_context(|| format!("cannot find {}", home.display()))?;
    let (mut others, mut folder) = (Vec::new(), PathBuf::from("/"));
    for part in home.components().skip(1) {
        let mut beside = 0;
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot look into {}", folder.display()))? {
            let entry = entry.with_context(|| format!("cannot look into {}", folder.display()))?;
            beside += 1;
            ensure!(
                beside <= BESIDE_MAX,
                "{} holds more than {BESIDE_MAX} files beside the node's home; give the home a folder of its own",
                folder.display()
            );
            // What cannot be followed cannot be read either.
            let Ok(target) = fs::canonicalize(entry.path()) else {
                continue;
            };
            if !home.starts_with(&target) && !target.starts_with(&home) {
                others.push(target);
            }
        }
        folder.push(part);
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_beside_the_home_but_itself_and_what_leads_there() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let home = root.join("srv/node");
        for folder in ["srv/node/keys", "srv/other", "mnt"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(&home, root.join("link")).unwrap();
        std::os::unix::fs::symlink(home.join("keys"), root.join("srv/keys")).unwrap();
        std::os::unix::fs::symlink("/", root.join("all")).unwrap();
        let others = all_but(&home).unwrap();
        for there in [root.join("srv/other"), root.join("mnt"), "/etc".into()] {
            assert!(others.contains(&there), "{there:?}");
        }
        let leads_there = |other: &&PathBuf| home.starts_with(other) || other.starts_with(&home);
        assert_eq!(others.iter().find(leads_there), None);
    }
}
