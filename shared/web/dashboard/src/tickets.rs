//! Tickets: what a command makes and a browser turns into a session, once.
//!
//! A ticket is 256 random bits. The folder `dashboard/tickets` of the program's home holds a file for each, named by the ticket's
//! SHA-256, so that whoever reads the folder cannot sign in with what they read. Whoever may write there can sign in: that is the
//! program's own user. The server takes a ticket by moving its file away; of two that try, one succeeds.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use snowball_crypto::random_token;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};
use snowball_service::files;
use snowball_web::ENTER_PATH;

use crate::{About, Role};

/// How long a ticket holds.
pub const TICKET_MINUTES: i64 = 10;
/// Tickets at once that nobody has used yet.
const TICKETS_MAX: usize = 32;
/// Longest name of a holder, in characters.
pub const HOLDER_CHARACTERS_MAX: usize = 80;
/// Largest file of a ticket, in bytes.
const FILE_BYTES_MAX: usize = 1024;
/// A file that is being written or taken is left alone for this long; after that a crash left it.
const UNDER_WAY_MAX: Duration = Duration::from_secs(600);
/// A ticket as text: 32 bytes in base64url.
const TICKET_CHARACTERS: usize = 43;

/// The folder of tickets.
#[derive(Clone, Debug)]
pub struct Tickets(PathBuf);

/// A new ticket. It is shown once and stands nowhere else.
pub struct Ticket(String);

/// Why a ticket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// The folder cannot be written.
    #[error("cannot write into {}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Too many that nobody used.
    #[error(
        "there are {TICKETS_MAX} links that nobody has used yet; wait until one has ended, {TICKET_MINUTES} minutes after it was made"
    )]
    TooMany,
    /// The holder's name is too long or holds other than letters.
    #[error("the name for the link has more than {HOLDER_CHARACTERS_MAX} characters, or some that cannot be shown")]
    Holder,
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] snowball_crypto::CryptoError),
}

/// What a ticket gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Grant {
    pub role: Role,
    pub holder: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    role: String,
    ends: UnixSeconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
}

impl Tickets {
    /// The tickets in the folder of a dashboard, `dashboard/` of the program's home.
    #[must_use]
    pub fn of(dashboard_folder: &Path) -> Self {
        Self(dashboard_folder.join("tickets"))
    }

    /// Makes a ticket for a role. `holder` is who it is for: the pages show it, and the program may record it with what is done.
    ///
    /// # Errors
    /// When it cannot be written, or too many wait to be used.
    pub fn make(
        &self,
        about: &About,
        role: Role,
        holder: Option<&str>,
        now: UnixSeconds,
    ) -> Result<Ticket, TicketError> {
        let holder = match holder.map(str::trim).filter(|holder| !holder.is_empty()) {
            Some(name) if name.chars().count() > HOLDER_CHARACTERS_MAX || name.chars().any(char::is_control) => {
                return Err(TicketError::Holder);
            }
            other => other.map(str::to_owned),
        };
        let in_folder = |source| TicketError::Folder {
            folder: self.0.clone(),
            source,
        };
        files::create_home(&self.0).map_err(in_folder)?;
        if self.sweep(now).map_err(in_folder)? >= TICKETS_MAX {
            return Err(TicketError::TooMany);
        }
        let ticket = random_token()?;
        let file = File {
            role: about.role_name(role).word.to_owned(),
            ends: now.saturating_add(TICKET_MINUTES * 60),
            holder,
        };
        let content = serde_json::to_vec(&file).map_err(|error| in_folder(error.into()))?;
        files::write_private(&self.path_of(&ticket), &content).map_err(in_folder)?;
        Ok(Ticket(ticket))
    }

    /// Takes a ticket: what it gives, once and in time. `None` is all that a stranger hears of why not.
    pub(crate) fn take(&self, about: &About, ticket: &str, now: UnixSeconds) -> Option<Grant> {
        if ticket.len() != TICKET_CHARACTERS {
            return None;
        }
        let path = self.path_of(ticket);
        let taken = path.with_extension("taken");
        fs::rename(&path, &taken).ok()?;
        let content = files::read_bounded(&taken, FILE_BYTES_MAX);
        // Gone before it is looked at: whatever is wrong with it, it is not tried again.
        fs::remove_file(&taken).ok()?;
        let file: File = serde_json::from_slice(&content.ok()?).ok()?;
        // A clock that was set back does not lengthen it.
        let left = file.ends.saturating_sub(now);
        if left <= 0 || left > TICKET_MINUTES * 60 {
            return None;
        }
        Some(Grant {
            role: about.role(&file.role)?,
            holder: file.holder,
        })
    }

    /// Removes tickets that have ended and what a crash left; says how many are left.
    fn sweep(&self, now: UnixSeconds) -> io::Result<usize> {
        let mut left = 0;
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let path = entry.path();
            // Another command writes it, or the server takes it, just now.
            if path.extension().is_some() && is_young(&entry) {
                continue;
            }
            let holds = path.extension().is_none()
                && files::read_bounded(&path, FILE_BYTES_MAX)
                    .ok()
                    .and_then(|content| serde_json::from_slice::<File>(&content).ok())
                    .is_some_and(|file| file.ends > now);
            if holds {
                left += 1;
            } else {
                match fs::remove_file(&path) {
                    // The server took it meanwhile.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(left)
    }

    fn path_of(&self, ticket: &str) -> PathBuf {
        self.0.join(Sha256Digest::of(ticket.as_bytes()).hex())
    }
}

/// Whether a file was written lately; also where nobody can tell, such as when it has gone meanwhile.
fn is_young(entry: &fs::DirEntry) -> bool {
    let written = entry.metadata().and_then(|file| file.modified());
    written.map_or(true, |written| {
        SystemTime::now()
            .duration_since(written)
            .map_or(true, |age| age < UNDER_WAY_MAX)
    })
}

impl Ticket {
    /// The link that signs in, below an address such as `http://127.0.0.1:7446`.
    #[must_use]
    pub fn link(&self, address: &str) -> String {
        format!("{}{ENTER_PATH}#{}", address.trim_end_matches('/'), self.0)
    }

    /// The ticket alone, to be typed where a link cannot be opened.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::trial::about;

    const NOW: UnixSeconds = 1_800_000_000;

    fn folder() -> (tempfile::TempDir, Tickets) {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::of(&folder.path().join("dashboard"));
        (folder, tickets)
    }

    fn made(tickets: &Tickets, role: Role) -> Ticket {
        tickets.make(&about(), role, None, NOW).unwrap()
    }

    #[test]
    fn a_ticket_gives_its_role_once() {
        let (_folder, tickets) = folder();
        let ticket = tickets.make(&about(), Role::Acts, Some(" Dr. Gray "), NOW).unwrap();
        let grant = tickets.take(&about(), ticket.as_str(), NOW + 599).unwrap();
        assert_eq!((grant.role, grant.holder.as_deref()), (Role::Acts, Some("Dr. Gray")));
        assert_eq!(tickets.take(&about(), ticket.as_str(), NOW + 599), None);
        assert_eq!(fs::read_dir(&tickets.0).unwrap().count(), 0);
    }

    #[test]
    fn a_ticket_ends_and_a_clock_that_was_set_back_does_not_lengthen_it() {
        let (_folder, tickets) = folder();
        for moment in [NOW + 600, NOW + 10_000, NOW - 1, i64::MIN, i64::MAX] {
            let ticket = made(&tickets, Role::Reads);
            assert_eq!(tickets.take(&about(), ticket.as_str(), moment), None, "{moment}");
        }
    }

    #[test]
    fn of_many_that_take_a_ticket_at_once_one_gets_it() {
        let (_folder, tickets) = folder();
        for _ in 0..20 {
            let ticket = made(&tickets, Role::Reads);
            let taken = std::thread::scope(|scope| {
                let takers: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| tickets.take(&about(), ticket.as_str(), NOW).is_some()))
                    .collect();
                takers
                    .into_iter()
                    .map(|taker| taker.join().unwrap())
                    .filter(|got| *got)
                    .count()
            });
            assert_eq!(taken, 1);
        }
    }

    #[test]
    fn what_lies_in_the_folder_is_private_and_signs_nobody_in() {
        let (_folder, tickets) = folder();
        let ticket = made(&tickets, Role::Acts);
        let file = fs::read_dir(&tickets.0).unwrap().next().unwrap().unwrap();
        let (name, content) = (
            file.file_name().into_string().unwrap(),
            fs::read_to_string(file.path()).unwrap(),
        );
        assert!(!name.contains(ticket.as_str()) && !content.contains(ticket.as_str()));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&tickets.0).unwrap().permissions().mode() & 0o777, 0o700);
        for guess in [name.as_str(), &name[..TICKET_CHARACTERS], "", "../config.toml"] {
            assert_eq!(tickets.take(&about(), guess, NOW), None, "{guess}");
        }
        assert!(tickets.take(&about(), ticket.as_str(), NOW).is_some());
    }

    #[test]
    fn unused_tickets_are_few_and_ended_ones_are_cleared_away() {
        let (_folder, tickets) = folder();
        for _ in 0..TICKETS_MAX {
            made(&tickets, Role::Reads);
        }
        assert!(matches!(
            tickets.make(&about(), Role::Reads, None, NOW + 1),
            Err(TicketError::TooMany)
        ));
        let left = fs::File::create(tickets.0.join("0.taken")).unwrap();
        left.set_modified(SystemTime::now() - UNDER_WAY_MAX).unwrap();
        for under_way in ["1.taken", "2.partial"] {
            fs::write(tickets.0.join(under_way), b"").unwrap();
        }
        tickets.make(&about(), Role::Reads, None, NOW + 600).unwrap();
        let names = fs::read_dir(&tickets.0).unwrap();
        let names: Vec<_> = names
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(!names.contains(&"0.taken".to_owned()), "{names:?}");
    }

    #[test]
    fn a_ticket_for_a_role_that_the_program_does_not_have_gives_none() {
        let (_folder, tickets) = folder();
        let ticket = made(&tickets, Role::Acts);
        let mut other = about();
        other.acts.word = "superintendent";
        assert_eq!(tickets.take(&other, ticket.as_str(), NOW), None);
        let long = "x".repeat(HOLDER_CHARACTERS_MAX + 1);
        for holder in [long.as_str(), "a\u{1b}[2Jb"] {
            let refused = tickets.make(&about(), Role::Acts, Some(holder), NOW);
            assert!(matches!(refused, Err(TicketError::Holder)));
        }
    }

    #[test]
    fn a_link_carries_its_ticket_where_no_browser_sends_it() {
        let link = Ticket("abc".to_owned()).link("http://127.0.0.1:7446/");
        assert_eq!(link, "http://127.0.0.1:7446/enter#abc");
    }
}
