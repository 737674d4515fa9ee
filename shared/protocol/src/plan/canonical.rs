//! Canonical JSON: sorted keys, no spaces, numbers as Rust's shortest form. The part of RFC 8785 that our types use.

use serde::Serialize;
use serde_json::Value;

/// The canonical bytes of `document`.
///
/// # Panics
/// Never for the types of this crate: they hold no map with other keys than text and no number that is not finite.
#[must_use]
pub fn canonical_json(document: &impl Serialize) -> Vec<u8> {
    let value = serde_json::to_value(document).expect("documents of this crate are plain JSON");
    let mut bytes = Vec::new();
    write(&value, &mut bytes);
    bytes
}

fn write(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            bytes.push(b'{');
            for (position, name) in names.into_iter().enumerate() {
                if position > 0 {
                    bytes.push(b',');
                }
                bytes.extend(Value::String(name.clone()).to_string().into_bytes());
                bytes.push(b':');
                write(&fields[name], bytes);
            }
            bytes.push(b'}');
        }
        Value::Array(items) => {
            bytes.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    bytes.push(b',');
                }
                write(item, bytes);
            }
            bytes.push(b']');
        }
        scalar => bytes.extend(scalar.to_string().into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = serde_json::json!({"b": [{"d": 1, "c": "é\n"}], "a": 0.1});
        assert_eq!(
            canonical_json(&value),
            "{\"a\":0.1,\"b\":[{\"c\":\"é\\n\",\"d\":1}]}".as_bytes()
        );
    }
}
