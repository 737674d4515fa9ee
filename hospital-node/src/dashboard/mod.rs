//! The node's dashboard: pages about this node for the people of the hospital, on this machine. `snowball-dashboard` signs people in
//! and keeps hostile browsers out; what the pages show is here, one file a page: `read` looks, `fill` writes, the routes below join
//! both.
//!
//! It works whether or not `run` works beside: it opens the store and the ledger as every command does, and reads what `run` and the
//! commands that take files in note of themselves ([`crate::now`]). Whatever changes something goes through the very function that the
//! command line calls. No page shows anything of a patient but the one with a quarantined picture, which an operator alone is shown.

mod advice;
mod census;
mod desk;
mod intake;
mod left;
mod overview;
mod plan;
mod policy;
mod quarantine;
mod routes;
mod studies;
mod tell;
#[cfg(test)]
pub mod testing;
mod training;

pub use desk::Desk;
pub use routes::{about, pages};

use snowball_web::Language;

/// The same language, as policies are told in it.
const fn policy_language(language: Language) -> snowball_policy::Language {
    match language {
        Language::English => snowball_policy::Language::English,
        Language::French => snowball_policy::Language::French,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_in_both_languages_and_french_is_written_with_its_own_signs() {
        let tables = [
            census::ALL,
            intake::ALL,
            left::ALL,
            overview::ALL,
            plan::ALL,
            policy::ALL,
            quarantine::ALL,
            routes::ALL,
            studies::ALL,
            tell::ALL,
            training::ALL,
        ];
        for (name, message) in tables.into_iter().flatten() {
            assert_eq!(message.fault(), None, "{name}");
            let french = message.french;
            assert!(!french.contains('\''), "{name}: a straight apostrophe");
            for mark in [';', '?', '!'] {
                for (place, _) in french.match_indices(mark) {
                    assert!(french[..place].ends_with(' '), "{name}: no space before {mark}");
                }
            }
        }
    }
}
