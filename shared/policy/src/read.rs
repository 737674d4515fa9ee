//! From text to [`Policy`]: bounded, whole or not at all, and every fault with its line.

use std::ops::{Range, RangeInclusive};

use snowball_protocol::limits::POLICY_BYTES_MAX;
use toml::de::{DeTable, DeValue};

use crate::{document::Document, fault::PolicyFault, policy::Policy, rules};

/// Longest text from the file that a message repeats, in characters.
const QUOTE_CHARACTERS_MAX: usize = 200;

/// Zero-width characters and those that turn the direction of writing.
const DECEPTIVE: [RangeInclusive<char>; 6] = [
    '\u{061c}'..='\u{061c}',
    '\u{200b}'..='\u{200b}',
    '\u{200e}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
];

/// Reads a policy without asking who signed it: for drafts and for tools. A node uses [`verify`](crate::verify).
///
/// # Errors
/// When the text is empty, too large or breaks any rule of the format; the fault names the line and the field.
pub fn parse(toml_text: &str) -> Result<Policy, PolicyFault> {
    if toml_text.len() > POLICY_BYTES_MAX {
        return Err(PolicyFault::TooLarge { bytes: toml_text.len() });
    }
    refuse_deceptive_characters(toml_text)?;
    let table = DeTable::parse(toml_text).map_err(|error| malformed(toml_text, &error))?;
    if table.get_ref().is_empty() {
        return Err(PolicyFault::Empty);
    }
    refuse_other_formats(table.get_ref())?;
    let document: Document = toml::from_str(toml_text).map_err(|error| malformed(toml_text, &error))?;
    match rules::first_broken(&document) {
        Some(broken) => Err(PolicyFault::Malformed {
            line: span_of(table.get_ref(), broken.field, broken.entry).map_or(1, |span| line_at(toml_text, span.start)),
            field: Some(broken.field.to_owned()),
            reason: format!("`{}` {}", broken.field, quoted(&broken.rule)),
        }),
        None => Ok(Policy(document)),
    }
}

/// The line of `offset` in `text`, counted from 1.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Characters that make a text look different from what it says (CVE-2021-42574) would deceive the auditor.
fn refuse_deceptive_characters(text: &str) -> Result<(), PolicyFault> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - body.len();
    let is_deceptive = |character: char| DECEPTIVE.iter().any(|range| range.contains(&character));
    match body.char_indices().find(|(_, character)| is_deceptive(*character)) {
        Some((offset, character)) => Err(PolicyFault::Malformed {
            line: line_at(text, skipped + offset),
            field: None,
            reason: format!(
                "the invisible character U+{:04X} may make a text look different from what it says",
                u32::from(character)
            ),
        }),
        None => Ok(()),
    }
}

/// A later format would break on its first new field; its number tells more.
fn refuse_other_formats(table: &DeTable<'_>) -> Result<(), PolicyFault> {
    match table.get("format").map(|value| value.get_ref()) {
        Some(DeValue::Integer(number)) if number.as_str() != "1" => Err(PolicyFault::UnknownFormat {
            found: quoted(&number.to_string()),
        }),
        _ => Ok(()),
    }
}

fn malformed(text: &str, error: &toml::de::Error) -> PolicyFault {
    let message = error.message();
    // serde writes unknown and missing fields in one fixed form; a test holds it to that.
    let field = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|opening| message.strip_prefix(opening))
        .and_then(|rest| rest.split('`').next())
        .map(quoted);
    let line = error.span().map_or(1, |span| line_at(text, span.start));
    PolicyFault::Malformed {
        line,
        field,
        reason: quoted(message),
    }
}

/// `text` in one line of bounded length, without characters that steer a terminal.
fn quoted(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(QUOTE_CHARACTERS_MAX)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if text.chars().nth(QUOTE_CHARACTERS_MAX).is_some() {
        line.push('…');
    }
    line
}

/// Where the value at the dotted `path` stands; where it is absent, its nearest table. Of a list of tables the path goes through
/// the one at `entry`.
fn span_of(root: &DeTable<'_>, path: &str, entry: usize) -> Option<Range<usize>> {
    let mut table = root;
    let mut span = None;
    for name in path.split('.') {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        span = Some(key.span());
        let value = match value.get_ref() {
            DeValue::Array(entries) => entries.get(entry).map(|entry| entry.get_ref()),
            other => Some(other),
        };
        let Some(DeValue::Table(inner)) = value else { break };
        table = inner;
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::COLLABORATION;

    fn fault_of(text: &str) -> PolicyFault {
        parse(text).expect_err("the text should be refused")
    }

    fn replaced(from: &str, to: &str) -> String {
        assert!(COLLABORATION.contains(from), "the sample lacks {from:?}");
        COLLABORATION.replacen(from, to, 1)
    }

    fn line_of(text: &str, needle: &str) -> usize {
        1 + text.lines().position(|line| line.contains(needle)).unwrap()
    }

    #[test]
    fn nothing_and_comments_only_are_empty() {
        for text in ["", " \n\t\n", "# a policy\n", "\u{feff}"] {
            assert_eq!(fault_of(text), PolicyFault::Empty, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line_at_every_level() {
        for (place, section) in [
            ("version = ", ""),
            ("[[approvals]]\n", "approvals"),
            ("[purposes]\n", "purposes"),
            ("[labels]\n", "labels"),
            ("[architectures]\n", "architectures"),
            ("[deidentification]\n", "deidentification"),
            ("[cohort]\n", "cohort"),
            ("[aggregation]\n", "aggregation"),
            ("[release]\n", "release"),
            ("[limits]\n", "limits"),
            ("[hours]\n", "hours"),
            ("[training]\n", "training"),
            ("[privacy]\n", "privacy"),
            ("[retention]\n", "retention"),
        ] {
            let text = if section.is_empty() {
                replaced(place, "surprise = 1\nversion = ")
            } else {
                replaced(place, &format!("{place}surprise = 1\n"))
            };
            let PolicyFault::Malformed { line, field, reason } = fault_of(&text) else {
                panic!("{section}: another fault")
            };
            assert_eq!(
                (line, field.as_deref()),
                (line_of(&text, "surprise"), Some("surprise")),
                "{section}"
            );
            assert!(reason.contains("unknown field `surprise`"), "{reason}");
        }
        let PolicyFault::Malformed { field, .. } = fault_of(&format!("{COLLABORATION}\n[weekdays]\ngpu = 1\n")) else {
            panic!()
        };
        assert_eq!(field.as_deref(), Some("weekdays"));
    }

    #[test]
    fn every_field_but_those_with_a_denying_default_is_required() {
        let lines: Vec<&str> = COLLABORATION.lines().collect();
        let mut required = 0;
        for (index, line) in lines.iter().enumerate() {
            let Some((name, _)) = line.split_once(" = ") else {
                continue;
            };
            if name.starts_with('#') {
                continue;
            }
            let without: String = lines
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
                .map(|(_, line)| format!("{line}\n"))
                .collect();
            match name {
                "digests" | "options" | "any_digest_of_named_studies" => assert!(parse(&without).is_ok(), "{name}"),
                _ => {
                    let PolicyFault::Malformed { field, .. } = fault_of(&without) else {
                        panic!("{name}: another fault")
                    };
                    assert_eq!(field.as_deref(), Some(name));
                    required += 1;
                }
            }
        }
        assert_eq!(required, 39);
    }

    #[test]
    fn broken_text_and_wrong_types_have_their_line() {
        for (from, to) in [
            ("version = 3", "version = \"three\""),
            ("version = 3", "version = "),
            ("version = 3", "version = -1"),
            ("format = 1", "format = 1.5"),
        ] {
            let text = replaced(from, to);
            let PolicyFault::Malformed { line, .. } = fault_of(&text) else {
                panic!("{to}: another fault")
            };
            assert_eq!(line, line_of(&text, to), "{to}");
        }
    }

    #[test]
    fn another_format_is_told_apart_from_a_malformed_file() {
        let text = replaced("format = 1", "format = 2\nnovelty = true");
        assert_eq!(fault_of(&text), PolicyFault::UnknownFormat { found: "2".to_owned() });
    }

    #[test]
    fn a_broken_rule_has_the_line_of_its_field() {
        let text = replaced("rounds_per_study_max = 100", "rounds_per_study_max = 0");
        let PolicyFault::Malformed { line, field, .. } = fault_of(&text) else {
            panic!()
        };
        assert_eq!(
            (line, field.as_deref()),
            (
                line_of(&text, "rounds_per_study_max"),
                Some("limits.rounds_per_study_max")
            )
        );
    }

    #[test]
    fn invisible_characters_are_refused_even_in_comments() {
        let text = replaced("format = 1", "format = 1 # \u{202e}1 = tamrof");
        let PolicyFault::Malformed { line, reason, .. } = fault_of(&text) else {
            panic!()
        };
        assert_eq!(line, line_of(&text, "format = 1"));
        assert!(reason.contains("U+202E"), "{reason}");
        assert!(
            parse(&format!("\u{feff}{COLLABORATION}")).is_ok(),
            "a byte order mark at the start is harmless"
        );
    }

    #[test]
    fn a_message_repeats_little_of_the_file_and_steers_no_terminal() {
        let text = format!("\"\\u001b[31m{}\" = 1\n{COLLABORATION}", "x".repeat(10_000));
        let message = fault_of(&text).to_string();
        assert!(
            message.chars().count() < 600 && !message.contains('\u{1b}'),
            "{message}"
        );
    }

    #[test]
    fn windows_line_ends_read_the_same() {
        assert_eq!(
            parse(&COLLABORATION.replace('\n', "\r\n")).unwrap(),
            parse(COLLABORATION).unwrap()
        );
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let text = format!("{COLLABORATION}# {}", "x".repeat(POLICY_BYTES_MAX));
        assert_eq!(fault_of(&text), PolicyFault::TooLarge { bytes: text.len() });
    }

    #[test]
    fn deep_and_crowded_files_are_refused_without_harm() {
        let depth = POLICY_BYTES_MAX / 2 - 100;
        for text in [
            format!("a = {}", "[".repeat(depth)),
            format!("a = {}{}", "[".repeat(depth / 2), "]".repeat(depth / 2)),
            format!("a = {}", "{a=".repeat(depth / 2)),
            format!("{}a = 1", "a.".repeat(depth)),
            format!("[{}a]", "a.".repeat(depth)),
            format!("a = {{ {}a = 1 }}", "a.".repeat(depth)),
            "[[a]]\n".repeat(depth / 4),
            (0..depth / 8).map(|number| format!("k{number} = 1\n")).collect(),
            COLLABORATION.replacen("[\"body-parts\"]", &format!("[{}]", "\"a\",".repeat(depth / 8)), 1),
        ] {
            assert!(
                matches!(fault_of(&text), PolicyFault::Malformed { .. }),
                "{}",
                &text[..20]
            );
        }
    }
}
