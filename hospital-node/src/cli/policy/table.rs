//! What becomes of each attribute in de-identified DICOM, as a table for a board.

use anyhow::{Result, bail};
use clap::ValueEnum;
use snowball_confidentiality::{Action, EDITION, EffectiveRow, class, classes};

use crate::cli::Context;

/// The language of a table.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl From<Language> for snowball_confidentiality::Language {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::English,
            Language::Fr => Self::French,
        }
    }
}

/// Prints the table for the image class `uid`, or for one that is not known where it is empty.
pub(super) fn print(policy: &snowball_policy::Policy, uid: &str, language: Language, context: &Context) -> Result<()> {
    let class = class(uid);
    if class.is_none() && !uid.is_empty() {
        let known: Vec<_> = classes()
            .iter()
            .map(|class| format!("{}  {}", class.uid, class.name))
            .collect();
        bail!("--sop-class must be one of:\n{}", known.join("\n"));
    }
    let table = policy.confidentiality_table(uid);
    // For programs the words are the same in every language.
    let rows: Vec<_> = table
        .iter()
        .map(|row| {
            serde_json::json!({"tag": row.tag, "keyword": row.keyword, "action": row.decision.action,
                "rule": row.decision.rule.to_string(), "in_table": row.in_table})
        })
        .collect();
    let document = serde_json::json!({"edition": EDITION, "sop_class": uid, "rows": rows});
    context.print(&document, || text(&table, class.map(|class| class.name), language))
}

fn text(table: &[EffectiveRow], class: Option<&str>, language: Language) -> String {
    let (heading, legend) = match language {
        Language::En => (
            format!(
                "PS3.15 annex E, edition {EDITION}, for {}; what is not listed here is removed",
                class.unwrap_or("any class that is not known")
            ),
            "What the actions mean:",
        ),
        Language::Fr => (
            format!(
                "PS3.15, annexe E, édition {EDITION}, pour {} ; ce qui ne figure pas ici est supprimé",
                class.unwrap_or("toute classe d'images inconnue")
            ),
            "Ce que signifient les actions :",
        ),
    };
    let language = language.into();
    let lines = table.iter().map(|row| {
        let action = row.decision.action.words(language);
        let rule = row.decision.rule.words(language);
        let tag = match (language, &*row.tag) {
            (snowball_confidentiality::Language::French, "(odd group)") => "(impair)",
            (_, tag) => tag,
        };
        format!("{tag:<13} {:<52} {action:<18} {rule}", row.keyword)
    });
    let used = Action::ALL
        .into_iter()
        .filter(|action| table.iter().any(|row| row.decision.action == *action));
    let meanings = used.map(|action| format!("{:<18} {}", action.words(language), action.meaning(language)));
    std::iter::once(heading)
        .chain(lines)
        .chain(["".to_owned(), legend.to_owned()])
        .chain(meanings)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_reads_the_table_in_its_own_language() {
        let policy = snowball_policy::parse(include_str!("../../../../policies/collaboration.toml")).unwrap();
        let uid = "1.2.840.10008.5.1.4.1.1.1.1";
        let table = policy.confidentiality_table(uid);
        let english = text(&table, Some("DX"), Language::En);
        let french = text(&table, None, Language::Fr);
        assert!(english.contains("what is not listed here is removed"), "{english}");
        assert!(french.starts_with("PS3.15, annexe E, édition 2024e, pour toute classe d'images inconnue ; "));
        let line = french.lines().find(|line| line.contains(" PatientID ")).unwrap();
        assert!(line.contains("pseudonyme") && line.contains("clé secrète"), "{line}");
        let age = french.lines().find(|line| line.contains(" PatientAge ")).unwrap();
        assert!(
            age.contains("âge plafonné") && age.contains("option retain-patient-characteristics"),
            "{age}"
        );
        assert_eq!(english.lines().count(), french.lines().count());
        assert!(
            french.ends_with("L'attribut est supprimé avec tout ce qu'il contient."),
            "{french}"
        );
        assert!(!french.contains("conservé si listé"), "no such action here");
    }
}
