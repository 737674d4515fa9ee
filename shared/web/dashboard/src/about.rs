//! What a program tells of itself: its name, its roles, its pages.

use snowball_web::{Message, Route};

/// What somebody who is signed in may do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Look at everything, change nothing.
    Reads,
    /// Look and change.
    Acts,
}

/// A role as a program names it.
#[derive(Clone, Copy, Debug)]
pub struct RoleName {
    /// On the command line and in a ticket: `auditor`.
    pub word: &'static str,
    /// On pages: "auditor", "auditrice ou auditeur".
    pub title: Message,
}

/// A program's dashboard.
#[derive(Clone, Debug)]
pub struct About {
    /// The header and the end of each title: "Snowball at North Hospital".
    pub name: String,
    /// Who may look.
    pub reads: RoleName,
    /// Who may change.
    pub acts: RoleName,
    /// The pages that one can go to from everywhere.
    pub navigation: Vec<(Route, Message)>,
    /// The command that makes a ticket, as a person types it: the page where one signs in tells it.
    pub ticket_command: &'static str,
}

impl About {
    /// How the program names a role.
    #[must_use]
    pub const fn role_name(&self, role: Role) -> &RoleName {
        match role {
            Role::Reads => &self.reads,
            Role::Acts => &self.acts,
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn role(&self, word: &str) -> Option<Role> {
        [Role::Reads, Role::Acts]
            .into_iter()
            .find(|role| self.role_name(*role).word == word)
    }
}
