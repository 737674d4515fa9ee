//! What can go wrong between us and the archive.

use std::{io, path::PathBuf};

/// Why an exchange with the archive ended. None of them holds a value of a data set.
#[derive(Debug, thiserror::Error)]
pub enum PacsError {
    /// The line broke.
    #[error("the connection broke")]
    Line(#[source] io::Error),
    /// No byte moved for too long.
    #[error("the peer was silent for too long")]
    Silent,
    /// This program is asked to end.
    #[error("asked to stop")]
    Stopped,
    /// The peer closed or aborted.
    #[error("the peer ended the association")]
    Ended,
    /// A PDU longer than agreed.
    #[error("a PDU of {bytes} bytes is longer than the agreed {bytes_max}")]
    PduTooLong {
        /// As announced.
        bytes: u32,
        /// As agreed.
        bytes_max: u32,
    },
    /// A PDU that does not parse, or came at the wrong time.
    #[error("the peer sent a PDU that is malformed or out of place: {what}")]
    Pdu {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A message that does not parse, or came at the wrong time.
    #[error("the peer sent a message that is malformed or out of place: {what}")]
    Message {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The archive cannot be reached.
    #[error("{address} cannot be reached; check the address and the firewall")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive refused the association (PS3.8 section 9.3.4).
    #[error("the archive refused the association: {reason}; {remedy}")]
    Rejected {
        /// Its reason.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The archive does not offer what we need.
    #[error("the archive does not offer {service}; ask its administrator to permit it to our AE title")]
    NotOffered {
        /// The service.
        service: &'static str,
    },
    /// The archive answered an operation with a failure (PS3.4 annex C, PS3.7 annex C).
    #[error("the archive answered {service} with status {status:04X}: {meaning}")]
    Status {
        /// The operation.
        service: &'static str,
        /// Its status.
        status: u16,
        /// What the standard says of it.
        meaning: &'static str,
    },
    /// More answers than the limit.
    #[error("the archive has more than {most} answers to one query; ask for a shorter time")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// TLS material that does not fit.
    #[error("TLS cannot be set up: {reason}")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// The spool's disk.
    #[error("{} cannot be written", path.display())]
    Spool {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The spool's disk is full, or as good as.
    #[error("less than {floor} bytes are free on the spool's disk; free some, or lower disk_free_bytes_min")]
    DiskLow {
        /// The floor.
        floor: u64,
    },
    /// An object larger than the limit.
    #[error("an object is larger than {bytes_max} bytes; object_bytes_max in node.toml decides")]
    ObjectTooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// Another process holds the spool.
    #[error("{} is in use by another process of this node; end it first", path.display())]
    SpoolInUse {
        /// The spool.
        path: PathBuf,
    },
    /// The DICOMweb server refuses us altogether.
    #[error("the archive's DICOMweb server refuses: {what}")]
    WebRefused {
        /// Its status, and what to do.
        what: String,
    },
    /// A DICOMweb answer that is not what was asked for.
    #[error("the archive's DICOMweb answer cannot be used: {what}")]
    Web {
        /// What is wrong.
        what: String,
    },
}

impl PacsError {
    pub(crate) fn line(fault: io::Error) -> Self {
        match fault.kind() {
            io::ErrorKind::TimedOut => Self::Silent,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Ended,
            io::ErrorKind::ConnectionAborted if fault.get_ref().is_some() => Self::Stopped,
            _ => Self::Line(fault),
        }
    }
}
