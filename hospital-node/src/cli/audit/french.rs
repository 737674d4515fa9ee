//! The answer of `audit verify` in French. What each part and each finding means stands on the auditor's page and is read from there, so
//! that screen and page say the same; notes, and places and details of a finding, stay as the check writes them, in English.

use snowball_audit::{Checked, Outcome};

const PAGE: &str = include_str!("../../../docs/auditing.fr.md");

/// What the page's tables say of `code`.
fn meaning(code: &str) -> &'static str {
    let marked = format!("`{code}`");
    let rows = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    rows.filter(|(codes, _)| codes.split(", ").any(|one| one == marked))
        .find_map(|(_, rest)| rest.split(" | ").next())
        .map_or("", |words| words.trim_end_matches(" |"))
}

/// The answer for people.
pub(super) fn lines(outcome: &Outcome) -> Vec<String> {
    let mut lines: Vec<String> = outcome.checks.iter().map(line).collect();
    for finding in &outcome.findings {
        lines.push(String::new());
        lines.push(format!("CONSTAT {}, {}", finding.code.code(), finding.place));
        lines.push(format!("  {}", finding.detail));
        lines.push(format!("  ce que cela signifie : {}", meaning(finding.code.code())));
    }
    if !outcome.open.is_empty() || !outcome.reviews.is_empty() || !outcome.notes.is_empty() {
        lines.push(String::new());
        lines.extend(outcome.open.iter().map(|open| {
            let (study, round) = (&open.study, open.round);
            format!("open : le tour {round} de {study} est en cours ; ce qu'un seul côté en détient n'a pas été jugé")
        }));
        lines.extend(outcome.reviews.iter().map(|study| {
            format!("open : la revue de {study} est en cours ; une évaluation que seul l'agrégateur détient n'a pas été jugée")
        }));
        lines.extend(outcome.notes.iter().map(|note| format!("note : {note}")));
    }
    let looked: u64 = outcome.checks.iter().map(|check| check.checked).sum();
    let found: u64 = outcome.checks.iter().map(|check| check.findings).sum();
    lines.push(String::new());
    lines.push(if outcome.sound {
        let rest = match outcome.not_judged {
            0 if outcome.open.is_empty() && outcome.reviews.is_empty() => String::new(),
            left => {
                format!(" Ce qui est en cours n'a pas été jugé ({left}) : contrôlez de nouveau quand ce sera clos.")
            }
        };
        format!("EN ORDRE : {looked} choses ont été contrôlées et toutes tiennent.{rest}")
    } else {
        let stand = if found <= 1 { "tient" } else { "tiennent" };
        format!("PAS EN ORDRE : {found} des {looked} choses contrôlées ne {stand} pas.")
    });
    lines
}

fn line(check: &Checked) -> String {
    let (verdict, counts) = match (check.findings, check.checked) {
        (0, 0) => ("rien", "0".to_owned()),
        (0, checked) => ("ok", checked.to_string()),
        (found, checked) => ("FAUX", format!("{found} sur {checked}")),
    };
    let words = meaning(check.check);
    format!("{verdict:<6} {:<12} {counts:>12}  {words}", check.check)
}

#[cfg(test)]
mod tests {
    use snowball_audit::{Code, Finding, OpenRound};
    use snowball_protocol::RoundNumber;

    use super::*;

    #[test]
    fn every_finding_has_its_meaning_on_the_french_page() {
        for code in Code::ALL {
            let words = meaning(code.code());
            assert!(!words.is_empty() && !words.contains('|'), "{}: {words}", code.code());
            assert_ne!(words, code.meaning());
        }
        assert_eq!(meaning("nothing"), "");
    }

    #[test]
    fn the_answer_is_in_french_whatever_was_found() {
        let check = |findings| Checked {
            check: "rounds",
            words: "each round",
            checked: 5,
            findings,
        };
        let mut outcome = Outcome {
            sound: false,
            checks: vec![check(1)],
            findings: vec![Finding {
                code: Code::ModelChain,
                place: "aggregator, round 3 of body-parts".to_owned(),
                detail: "another".to_owned(),
            }],
            open: vec![OpenRound {
                study: "body-parts".parse().unwrap(),
                round: RoundNumber(4),
            }],
            reviews: Vec::new(),
            not_judged: 2,
            notes: Vec::new(),
        };
        let said = lines(&outcome).join("\n");
        for words in [
            "FAUX   rounds            1 sur 5  chaque tour compte exactement",
            "CONSTAT model_chain, aggregator, round 3 of body-parts",
            "ce que cela signifie : un modèle a été échangé",
            "le tour 4 de body-parts est en cours",
            "PAS EN ORDRE : 1 des 5 choses contrôlées ne tient pas.",
        ] {
            assert!(said.contains(words), "{words}:\n{said}");
        }
        outcome.checks = vec![check(2)];
        let said = lines(&outcome).join("\n");
        assert!(said.contains("2 des 5 choses contrôlées ne tiennent pas."), "{said}");
        (outcome.sound, outcome.checks, outcome.findings) = (true, vec![check(0)], Vec::new());
        let said = lines(&outcome).join("\n");
        assert!(
            said.contains("EN ORDRE : 5 choses") && said.contains("n'a pas été jugé (2)"),
            "{said}"
        );
    }
}
