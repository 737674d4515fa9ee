//! Command sets: the first half of every DIMSE message (PS3.7 chapters 6.3 and 9, annex E), implicit VR little endian.

use std::collections::BTreeMap;

use crate::PacsError;

/// Longest command set; real ones have some two hundred bytes.
pub(crate) const COMMAND_BYTES_MAX: usize = 16 * 1024;
const NO_DATA_SET: u16 = 0x0101;

/// Elements of group 0000.
pub(crate) mod element {
    pub const AFFECTED_CLASS: u16 = 0x0002;
    pub const FIELD: u16 = 0x0100;
    pub const MESSAGE: u16 = 0x0110;
    pub const RESPONDED_TO: u16 = 0x0120;
    pub const DESTINATION: u16 = 0x0600;
    pub const PRIORITY: u16 = 0x0700;
    pub const DATA_SET: u16 = 0x0800;
    pub const STATUS: u16 = 0x0900;
    pub const COMMENT: u16 = 0x0902;
    pub const AFFECTED_INSTANCE: u16 = 0x1000;
    pub const REMAINING: u16 = 0x1020;
    pub const COMPLETED: u16 = 0x1021;
    pub const FAILED: u16 = 0x1022;
    pub const WARNING: u16 = 0x1023;
}

/// Command fields (PS3.7 annex E.1).
pub(crate) mod field {
    pub const STORE: u16 = 0x0001;
    pub const GET: u16 = 0x0010;
    pub const FIND: u16 = 0x0020;
    pub const MOVE: u16 = 0x0021;
    pub const ECHO: u16 = 0x0030;
    pub const CANCEL: u16 = 0x0fff;
    pub const RESPONSE: u16 = 0x8000;
}

/// One command set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Command(BTreeMap<u16, Vec<u8>>);

impl Command {
    /// A request.
    pub fn request(field: u16, message: u16, class: &str, has_data: bool) -> Self {
        let mut command = Self::default()
            .text(element::AFFECTED_CLASS, class)
            .word(element::FIELD, field)
            .word(element::MESSAGE, message)
            .word(element::DATA_SET, if has_data { 1 } else { NO_DATA_SET });
        if field != field::ECHO {
            // Medium (PS3.7 table E.1-1).
            command = command.word(element::PRIORITY, 0);
        }
        command
    }

    /// The answer to `request`.
    pub fn response(request: &Self, status: u16, comment: Option<&str>) -> Self {
        let mut command = Self::default()
            .word(element::FIELD, request.field() | field::RESPONSE)
            .word(element::RESPONDED_TO, request.number(element::MESSAGE).unwrap_or(0))
            .word(element::DATA_SET, NO_DATA_SET)
            .word(element::STATUS, status);
        for echoed in [element::AFFECTED_CLASS, element::AFFECTED_INSTANCE] {
            if let Some(value) = request.0.get(&echoed).filter(|value| value.len() <= 64) {
                command.0.insert(echoed, value.clone());
            }
        }
        match comment {
            Some(comment) => command.text(element::COMMENT, comment),
            None => command,
        }
    }

    pub fn word(mut self, element: u16, value: u16) -> Self {
        self.0.insert(element, value.to_le_bytes().to_vec());
        self
    }

    pub fn text(mut self, element: u16, text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            let is_uid = matches!(element, element::AFFECTED_CLASS | element::AFFECTED_INSTANCE);
            value.push(if is_uid { 0 } else { b' ' });
        }
        self.0.insert(element, value);
        self
    }

    /// The number that `element` holds.
    pub fn number(&self, element: u16) -> Option<u16> {
        let value = self.0.get(&element)?;
        Some(u16::from_le_bytes([*value.first()?, *value.get(1)?]))
    }

    /// The text that `element` holds, without padding; `None` if it is absent, blank or not ASCII.
    pub fn string(&self, element: u16) -> Option<&str> {
        let text = std::str::from_utf8(self.0.get(&element)?).ok()?;
        Some(text.trim_matches([' ', '\0'])).filter(|text| !text.is_empty() && text.is_ascii())
    }

    /// What is asked or answered; 0, which is nothing, where it is missing.
    pub fn field(&self) -> u16 {
        self.number(element::FIELD).unwrap_or(0)
    }

    pub fn status(&self) -> Option<u16> {
        self.number(element::STATUS)
    }

    /// Whether a data set follows.
    pub fn has_data(&self) -> bool {
        self.number(element::DATA_SET).is_some_and(|kind| kind != NO_DATA_SET)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (element, value) in &self.0 {
            push(&mut body, *element, value);
        }
        let mut bytes = Vec::with_capacity(body.len() + 12);
        push(&mut bytes, 0, &(body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// Parses a whole command set of at most [`COMMAND_BYTES_MAX`] bytes.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, PacsError> {
        let broken = PacsError::Message {
            what: "its command set does not parse",
        };
        let mut elements = BTreeMap::new();
        while !bytes.is_empty() {
            let Some((head, rest)) = bytes.split_at_checked(8) else {
                return Err(broken);
            };
            let (group, element) = (
                u16::from_le_bytes([head[0], head[1]]),
                u16::from_le_bytes([head[2], head[3]]),
            );
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let Some((value, rest)) = rest.split_at_checked(length) else {
                return Err(broken);
            };
            // Orthanc appends the list of failed instances, of group 0008, to its answers to C-GET.
            if group == 0 && element != 0 {
                elements.insert(element, value.to_vec());
            }
            bytes = rest;
        }
        Ok(Self(elements))
    }
}

fn push(bytes: &mut Vec<u8>, element: u16, value: &[u8]) {
    bytes.extend([0, 0]);
    bytes.extend(element.to_le_bytes());
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_set_comes_back_padded_and_even() {
        let command = Command::request(field::MOVE, 7, "1.2.840.10008.5.1.4.1.2.2.2", true)
            .text(element::DESTINATION, "SNOWBALL1");
        let bytes = command.encode();
        assert_eq!(bytes.len() % 2, 0);
        assert_eq!(
            u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize,
            bytes.len() - 12
        );
        let read = Command::decode(&bytes).unwrap();
        assert_eq!(read, command);
        assert_eq!(read.string(element::DESTINATION), Some("SNOWBALL1"));
        assert!(read.has_data());
    }

    #[test]
    fn an_answer_names_what_it_answers() {
        let request =
            Command::request(field::STORE, 9, "1.2.3", true).text(element::AFFECTED_INSTANCE, &"1".repeat(70));
        let answer = Command::response(&request, 0xa700, Some("disk low"));
        assert_eq!(answer.field(), 0x8001);
        assert_eq!(answer.number(element::RESPONDED_TO), Some(9));
        assert_eq!(answer.status(), Some(0xa700));
        assert_eq!(answer.string(element::AFFECTED_CLASS), Some("1.2.3"));
        assert_eq!(answer.string(element::AFFECTED_INSTANCE), None, "too long to be a UID");
        assert!(!answer.has_data());
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(command) = Command::decode(&bytes) {
                prop_assert_eq!(Command::decode(&command.encode()).unwrap(), command);
            }
        }
    }
}
