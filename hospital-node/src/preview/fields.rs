//! The fields of a message as they stand in its bytes. Pure.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use snowball_egress::Kind;
use snowball_protocol::plan::canonical_json;

use super::words::{self, About};

/// Values of one field that are shown; the file has all.
const VALUES_SHOWN: usize = 8;

/// One field of a message. The items of a list are one field.
#[derive(Clone, Serialize)]
pub struct Field {
    /// Where it stands, such as `evaluation.heads[].images`.
    pub path: String,
    /// What it is; none: this program does not know, and the preview is refused.
    pub meaning: Option<&'static str>,
    pub about: Option<About>,
    /// How many values it has in this message.
    pub values: usize,
    /// The values, or the first of many.
    pub shown: String,
    /// Bytes of all its values.
    pub bytes: u64,
}

/// Every field of the JSON message `body`, in order.
pub fn told(kind: Kind, body: &[u8]) -> Result<Vec<Field>> {
    let document: Value = serde_json::from_slice(body).context("a message is not JSON")?;
    let mut found = Vec::new();
    walk(&document, String::new(), &mut found);
    Ok(found
        .into_iter()
        .map(|(path, values)| {
            let words = words::of(kind, &path);
            let mut shown: Vec<String> = values.iter().take(VALUES_SHOWN).map(|value| text(value)).collect();
            if values.len() > VALUES_SHOWN {
                shown.push(format!("... ({} values)", values.len()));
            }
            Field {
                meaning: words.map(|words| words.meaning),
                about: words.map(|words| words.about),
                values: values.len(),
                shown: shown.join(", "),
                bytes: values.iter().map(|value| canonical_json(value).len() as u64).sum(),
                path,
            }
        })
        .collect())
}

/// The places of all fields of `document`.
#[cfg(test)]
pub fn paths(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(document, String::new(), &mut found);
    found.into_iter().map(|(path, _)| path).collect()
}

type Found<'a> = Vec<(String, Vec<&'a Value>)>;

fn walk<'a>(value: &'a Value, path: String, found: &mut Found<'a>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                walk(inner, path, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                walk(item, format!("{path}[]"), found);
            }
        }
        leaf => match found.iter_mut().find(|(known, _)| *known == path) {
            Some((_, values)) => values.push(leaf),
            None => found.push((path, vec![leaf])),
        },
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "(nothing)".to_owned(),
        Value::Array(_) => "(empty)".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_a_list_are_one_field_with_all_their_bytes() {
        let body = br#"{"a":[{"b":1},{"b":22},{"c":null}],"d":"text","e":[]}"#;
        let fields = told(Kind::Join, body).unwrap();
        let rows: Vec<_> = fields
            .iter()
            .map(|field| (field.path.as_str(), field.values, field.shown.as_str(), field.bytes))
            .collect();
        assert_eq!(
            rows,
            [
                ("a[].b", 2, "1, 22", 3),
                ("a[].c", 1, "(nothing)", 4),
                ("d", 1, "text", 6),
                ("e", 1, "(empty)", 2),
            ]
        );
    }

    #[test]
    fn many_values_are_counted_and_not_all_shown() {
        let body = format!(r#"{{"a":[{}]}}"#, vec!["7"; 30].join(","));
        let fields = told(Kind::Join, body.as_bytes()).unwrap();
        assert_eq!((fields[0].values, fields[0].bytes), (30, 30));
        assert!(fields[0].shown.ends_with("... (30 values)"), "{}", fields[0].shown);
    }
}
