//! One C-STORE: a data set from the wire to the spool, and the answer that is true when it is sent.

use crate::{
    PacsError,
    association::Association,
    command::{Command, element},
    spool::{self, Arriving, Spool},
};

/// Answers of a storage SCP (PS3.4 table B.2-1).
mod status {
    pub const SUCCESS: u16 = 0x0000;
    pub const OUT_OF_RESOURCES: u16 = 0xa700;
    pub const CLASS_MISMATCH: u16 = 0xa900;
    pub const CANNOT_UNDERSTAND: u16 = 0xc000;
}

/// Where objects go.
pub(crate) struct Storing<'a> {
    pub spool: &'a Spool,
    pub object_bytes_max: u64,
}

/// Why an object was not kept, as the sender is told it.
struct Refusal {
    status: u16,
    comment: &'static str,
}

/// Carries out one C-STORE request whose command has been read. True if the object is durable and the peer was told so.
pub(crate) fn store(
    association: &mut Association,
    context: u8,
    command: &Command,
    storing: &Storing<'_>,
) -> Result<bool, PacsError> {
    let outcome = take(association, context, command, storing)?;
    let answer = match &outcome {
        Ok(()) => Command::response(command, status::SUCCESS, None),
        Err(refusal) => {
            tracing::warn!(
                "an object was not kept, status {:04X}: {}",
                refusal.status,
                refusal.comment
            );
            Command::response(command, refusal.status, Some(refusal.comment))
        }
    };
    association.send(context, &answer, None)?;
    Ok(outcome.is_ok())
}

/// The outer fault ends the association, the inner one is this object's alone.
fn take(
    association: &mut Association,
    context: u8,
    command: &Command,
    storing: &Storing<'_>,
) -> Result<Result<(), Refusal>, PacsError> {
    if !command.has_data() {
        return Ok(Err(Refusal {
            status: status::CANNOT_UNDERSTAND,
            comment: "there is no data set",
        }));
    }
    let agreed = association.contexts.get(&context).cloned().ok_or(PacsError::Message {
        what: "a presentation context that was not agreed",
    })?;
    let mut object = if command.string(element::AFFECTED_CLASS) == Some(&agreed.class) {
        begin(storing, command, &agreed.class, &agreed.syntax).map_err(|fault| refusal(&fault))
    } else {
        Err(Refusal {
            status: status::CLASS_MISMATCH,
            comment: "the SOP class is not that of the presentation context",
        })
    };
    // Whatever goes wrong with one object, its bytes are read to their end, so that the next one can come.
    let mut bytes = 0;
    association.data(context, |piece| {
        bytes += piece.len() as u64;
        if let Ok(arriving) = &mut object
            && let Err(fault) = arriving.write(piece)
        {
            object = Err(refusal(&fault));
        }
        if bytes > storing.object_bytes_max.saturating_mul(2) {
            return Err(PacsError::ObjectTooLarge {
                bytes_max: storing.object_bytes_max,
            });
        }
        Ok(())
    })?;
    Ok(match object {
        Ok(_) if bytes == 0 => Err(Refusal {
            status: status::CANNOT_UNDERSTAND,
            comment: "the data set is empty",
        }),
        Ok(arriving) => arriving.keep().map_err(|fault| refusal(&fault)),
        Err(refusal) => Err(refusal),
    })
}

fn begin<'a>(storing: &Storing<'a>, command: &Command, class: &str, syntax: &str) -> Result<Arriving<'a>, PacsError> {
    let head = spool::head(class, command.string(element::AFFECTED_INSTANCE), syntax);
    let bytes_max = storing.object_bytes_max.saturating_add(head.len() as u64);
    let mut arriving = storing.spool.begin(Spool::random_name()?, bytes_max)?;
    arriving.write(&head)?;
    Ok(arriving)
}

/// Comments have at most 64 characters (PS3.7 table E.1-1, VR LO).
fn refusal(fault: &PacsError) -> Refusal {
    match fault {
        PacsError::ObjectTooLarge { .. } => Refusal {
            status: status::CANNOT_UNDERSTAND,
            comment: "the object is larger than this node takes",
        },
        PacsError::DiskLow { .. } => Refusal {
            status: status::OUT_OF_RESOURCES,
            comment: "the disk of this node is almost full",
        },
        _ => Refusal {
            status: status::OUT_OF_RESOURCES,
            comment: "this node cannot write to its disk",
        },
    }
}
