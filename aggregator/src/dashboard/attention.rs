//! What wants a person's attention, the worst first. Pure: from what is known to a list.

use snowball_protocol::{ProblemCode, SiteName, StudyName, ids::UnixSeconds};

/// Longer than this without a sign of life, and a site whose update is awaited is said to be silent.
pub const SILENT_SECONDS: u64 = 600;

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Weight {
    /// Somebody must do something.
    Bad,
    /// Somebody should look.
    Look,
}

/// Something that wants attention.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Matter {
    /// The ledger does not verify.
    LedgerBroken { fault: String },
    /// A site showed a head that contradicts the one before.
    HeadRefused { site: SiteName },
    /// A second key came with an invitation that another had used.
    Contested { site: SiteName, tries: u64 },
    /// The disk is full, or nearly: megabytes left, and the limit.
    DiskFull { left: u64, limit: u64 },
    /// A CA or the server's certificate ends.
    OwnCertificate {
        what: String,
        days_left: i64,
        remedy: &'static str,
    },
    /// A site's certificate ends, its node did not renew it.
    SiteCertificate { site: SiteName, days_left: i64 },
    /// A site has no certificate that holds.
    NoCertificate { site: SiteName },
    /// A site asks to be let in.
    Waiting { site: SiteName },
    /// A round has not its quorum although its time was over.
    NoQuorum {
        study: StudyName,
        round: u32,
        extensions: u32,
    },
    /// A site whose update is awaited gives no sign of life.
    Silent {
        study: StudyName,
        site: SiteName,
        since: UnixSeconds,
    },
    /// Updates of the newest rounds were refused.
    Refused {
        study: StudyName,
        round: u32,
        site: SiteName,
        code: ProblemCode,
    },
    /// A study rests.
    Paused { study: StudyName, reason: String },
    /// A study may be released.
    Releasable { study: StudyName },
}

impl Matter {
    /// How much it matters.
    pub const fn weight(&self) -> Weight {
        match self {
            Self::LedgerBroken { .. }
            | Self::HeadRefused { .. }
            | Self::Contested { .. }
            | Self::DiskFull { .. }
            | Self::NoCertificate { .. }
            | Self::NoQuorum { .. } => Weight::Bad,
            Self::OwnCertificate { days_left, .. } | Self::SiteCertificate { days_left, .. } => {
                if *days_left <= 3 {
                    Weight::Bad
                } else {
                    Weight::Look
                }
            }
            Self::Waiting { .. }
            | Self::Silent { .. }
            | Self::Refused { .. }
            | Self::Paused { .. }
            | Self::Releasable { .. } => Weight::Look,
        }
    }

    /// The page where more is said of it, by its parts; the first page where there is none.
    pub fn page(&self) -> Option<Vec<String>> {
        let one = |part: &str| Some(vec![part.to_owned()]);
        match self {
            Self::LedgerBroken { .. } | Self::HeadRefused { .. } => one("ledger"),
            Self::Contested { .. }
            | Self::SiteCertificate { .. }
            | Self::NoCertificate { .. }
            | Self::Waiting { .. } => one("sites"),
            Self::DiskFull { .. } | Self::OwnCertificate { .. } => None,
            Self::NoQuorum { study, .. }
            | Self::Silent { study, .. }
            | Self::Refused { study, .. }
            | Self::Paused { study, .. }
            | Self::Releasable { study } => Some(vec!["studies".to_owned(), study.to_string()]),
        }
    }
}

/// The worst first; among equals as they were found.
pub fn sorted(mut matters: Vec<Matter>) -> Vec<Matter> {
    matters.sort_by_key(Matter::weight);
    matters
}

/// The disk, where less is left than `doctor` accepts.
pub fn disk(bytes_free: u64, bytes_free_min: u64) -> Option<Matter> {
    (bytes_free < bytes_free_min).then_some(Matter::DiskFull {
        left: bytes_free >> 20,
        limit: bytes_free_min >> 20,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_the_last_days_are_bad() {
        let site: SiteName = "north".parse().unwrap();
        let ends = |days_left| Matter::SiteCertificate {
            site: site.clone(),
            days_left,
        };
        let waiting = Matter::Waiting { site: site.clone() };
        let found = sorted(vec![waiting.clone(), ends(9), ends(3)]);
        assert_eq!(found, [ends(3), waiting, ends(9)]);
    }

    #[test]
    fn a_disk_at_its_limit_is_no_matter_and_below_it_is_told_in_megabytes() {
        assert_eq!(disk(2048 << 20, 2048 << 20), None);
        let full = disk((2048 << 20) - 1, 2048 << 20).unwrap();
        assert_eq!(
            full,
            Matter::DiskFull {
                left: 2047,
                limit: 2048
            }
        );
        assert_eq!(full.weight(), Weight::Bad);
    }
}
