//! An established association: messages in, messages out (PS3.7 chapter 9, PS3.8 annex E), in either role.

use std::collections::{BTreeMap, VecDeque};

use dicom_ul::pdu::{AbortRQServiceProviderReason, AbortRQSource, PDataValue, PDataValueType, Pdu};

use crate::{
    PacsError,
    command::{COMMAND_BYTES_MAX, Command},
    negotiate::Agreed,
    wire::{self, Stream},
};

const PDV_HEADER_BYTES: u32 = 6;

/// One association, whoever asked for it.
pub(crate) struct Association {
    stream: Box<dyn Stream>,
    pub contexts: BTreeMap<u8, Agreed>,
    peer_pdu_bytes_max: u32,
    own_pdu_bytes_max: u32,
    values: VecDeque<PDataValue>,
    buffer: Vec<u8>,
    messages: u16,
}

impl Association {
    pub fn new(
        stream: Box<dyn Stream>,
        contexts: BTreeMap<u8, Agreed>,
        peer_pdu_bytes_max: u32,
        own_pdu_bytes_max: u32,
    ) -> Self {
        Self {
            stream,
            contexts,
            peer_pdu_bytes_max,
            own_pdu_bytes_max,
            values: VecDeque::new(),
            buffer: Vec::new(),
            messages: 0,
        }
    }

    /// The next command and the context that it came on; `None` once the peer has released or closed.
    pub fn next_command(&mut self) -> Result<Option<(u8, Command)>, PacsError> {
        let mut bytes = Vec::new();
        let mut context = None;
        loop {
            let Some(value) = self.next_value()? else {
                return if bytes.is_empty() {
                    Ok(None)
                } else {
                    Err(PacsError::Ended)
                };
            };
            let id = value.presentation_context_id;
            if value.value_type != PDataValueType::Command {
                return Err(PacsError::Message {
                    what: "a data set where a command was due",
                });
            }
            if *context.get_or_insert(id) != id || !self.contexts.contains_key(&id) {
                return Err(PacsError::Message {
                    what: "a presentation context that was not agreed",
                });
            }
            if bytes.len() + value.data.len() > COMMAND_BYTES_MAX {
                return Err(PacsError::Message {
                    what: "its command set is longer than 16 KiB",
                });
            }
            bytes.extend(value.data);
            if value.is_last {
                return Command::decode(&bytes).map(|command| Some((id, command)));
            }
        }
    }

    /// The data set that follows a command on context `id`, piece by piece.
    pub fn data(&mut self, id: u8, mut sink: impl FnMut(&[u8]) -> Result<(), PacsError>) -> Result<(), PacsError> {
        loop {
            let value = self.next_value()?.ok_or(PacsError::Ended)?;
            if value.value_type != PDataValueType::Data || value.presentation_context_id != id {
                return Err(PacsError::Message {
                    what: "its data set is mixed with something else",
                });
            }
            sink(&value.data)?;
            if value.is_last {
                return Ok(());
            }
        }
    }

    /// The data set that follows a command, whole, at most `bytes_max` of it.
    pub fn whole_data(&mut self, id: u8, bytes_max: usize) -> Result<Vec<u8>, PacsError> {
        let mut bytes = Vec::new();
        self.data(id, |piece| {
            if bytes.len() + piece.len() > bytes_max {
                return Err(PacsError::Message {
                    what: "its data set is longer than an answer may be",
                });
            }
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Sends one message.
    pub fn send(&mut self, id: u8, command: &Command, data: Option<&[u8]>) -> Result<(), PacsError> {
        self.send_part(id, PDataValueType::Command, &command.encode())?;
        match data {
            Some(data) => self.send_part(id, PDataValueType::Data, data),
            None => Ok(()),
        }
    }

    fn send_part(&mut self, id: u8, value_type: PDataValueType, bytes: &[u8]) -> Result<(), PacsError> {
        let most = (self.peer_pdu_bytes_max - PDV_HEADER_BYTES) as usize & !1;
        let mut pieces = bytes.chunks(most).peekable();
        while let Some(piece) = pieces.next() {
            let value = PDataValue {
                presentation_context_id: id,
                value_type: value_type.clone(),
                is_last: pieces.peek().is_none(),
                data: piece.to_vec(),
            };
            wire::write(&mut *self.stream, &Pdu::PData { data: vec![value] })?;
        }
        Ok(())
    }

    /// A number for the next request.
    pub fn next_message(&mut self) -> u16 {
        self.messages = self.messages.wrapping_add(1).max(1);
        self.messages
    }

    /// The context that was agreed for a SOP class.
    pub fn context_of(&self, class: &str) -> Option<u8> {
        (self.contexts.iter())
            .find(|(_, agreed)| agreed.class == class)
            .map(|(id, _)| *id)
    }

    fn next_value(&mut self) -> Result<Option<PDataValue>, PacsError> {
        loop {
            if let Some(value) = self.values.pop_front() {
                return Ok(Some(value));
            }
            match wire::read(&mut *self.stream, self.own_pdu_bytes_max, &mut self.buffer)? {
                None => return Ok(None),
                Some(Pdu::PData { data }) => self.values.extend(data),
                Some(Pdu::ReleaseRQ) => {
                    // A peer that has gone already has released as well.
                    let _ = wire::write(&mut *self.stream, &Pdu::ReleaseRP);
                    return Ok(None);
                }
                Some(Pdu::AbortRQ { .. }) => return Err(PacsError::Ended),
                Some(_) => {
                    return Err(PacsError::Pdu {
                        what: "not one of an established association",
                    });
                }
            }
        }
    }

    /// Ends an association that we asked for.
    pub fn release(mut self) -> Result<(), PacsError> {
        wire::write(&mut *self.stream, &Pdu::ReleaseRQ)?;
        loop {
            match wire::read(&mut *self.stream, self.own_pdu_bytes_max, &mut self.buffer)? {
                // Data may still be under way (PS3.8 section 7.2.2.7).
                Some(Pdu::PData { .. }) => {}
                None | Some(_) => return Ok(()),
            }
        }
    }

    /// Ends an association at once. Says why where the peer is still there to hear it.
    pub fn abort(mut self, fault: &PacsError) {
        let reason = match fault {
            PacsError::Ended | PacsError::Line(_) => return,
            PacsError::Pdu { .. } | PacsError::PduTooLong { .. } => AbortRQServiceProviderReason::InvalidPduParameter,
            PacsError::Message { .. } => AbortRQServiceProviderReason::UnexpectedPduParameter,
            _ => AbortRQServiceProviderReason::ReasonNotSpecified,
        };
        let source = AbortRQSource::ServiceProvider(reason);
        let _ = wire::write(&mut *self.stream, &Pdu::AbortRQ { source });
    }
}
