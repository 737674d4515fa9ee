//! Bytes and PDUs on one connection: patient while bytes move, never for longer than the idle limit, and quick to stop.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use dicom_ul::pdu::{Pdu, read_pdu, write_pdu};
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use crate::{PacsError, classes::IMPLICIT_LITTLE};

/// How long one system call may wait before the limits are looked at.
const SLICE: Duration = Duration::from_millis(200);
const HEADER_BYTES: usize = 6;
const PDU_DATA: u8 = 4;
/// Longest PDU other than data: a request with all 128 contexts and dozens of transfer syntaxes each fits.
pub(crate) const CONTROL_BYTES_MAX: u32 = 256 * 1024;
/// Peers count the length of a PDU in ways that differ by a header or two.
const SLACK_BYTES: u32 = 12;

/// A TCP connection with an idle limit.
pub(crate) struct Socket {
    tcp: TcpStream,
    idle: Duration,
    stop: Arc<AtomicBool>,
    /// Until the peer is known there is a limit in all, so that nobody holds a place by a byte a minute.
    deadline: Option<Instant>,
}

impl Socket {
    pub fn new(tcp: TcpStream, idle: Duration, stop: Arc<AtomicBool>) -> io::Result<Self> {
        tcp.set_read_timeout(Some(SLICE))?;
        tcp.set_write_timeout(Some(SLICE))?;
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            idle,
            stop,
            deadline: None,
        })
    }

    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    fn patiently<T>(&mut self, mut act: impl FnMut(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        let begun = Instant::now();
        loop {
            match act(&mut self.tcp) {
                Err(fault) if matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                other => return other,
            }
            if self.stop.load(Ordering::SeqCst) {
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "asked to stop"));
            }
            let is_late = self.deadline.is_some_and(|deadline| Instant::now() > deadline);
            if is_late || begun.elapsed() > self.idle {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "silent for too long"));
            }
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "silent for too long"));
        }
        self.patiently(|tcp| tcp.read(buffer))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.patiently(|tcp| tcp.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// A connection, plain or in TLS.
pub(crate) trait Stream: Read + Write + Send {
    /// What is beneath.
    fn socket(&mut self) -> &mut Socket;
}

impl Stream for Socket {
    fn socket(&mut self) -> &mut Socket {
        self
    }
}

impl Stream for StreamOwned<ServerConnection, Socket> {
    fn socket(&mut self) -> &mut Socket {
        &mut self.sock
    }
}

impl Stream for StreamOwned<ClientConnection, Socket> {
    fn socket(&mut self) -> &mut Socket {
        &mut self.sock
    }
}

/// Reads one PDU; `None` where the peer closed between two of them. `data_bytes_max` bounds P-DATA, as agreed.
pub(crate) fn read(
    source: &mut (impl Read + ?Sized),
    data_bytes_max: u32,
    buffer: &mut Vec<u8>,
) -> Result<Option<Pdu>, PacsError> {
    let mut header = [0; HEADER_BYTES];
    let first = loop {
        match source.read(&mut header[..1]) {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            other => break other.map_err(PacsError::line)?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    source.read_exact(&mut header[1..]).map_err(PacsError::line)?;
    let bytes = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    let bytes_max = if header[0] == PDU_DATA {
        data_bytes_max.saturating_add(SLACK_BYTES)
    } else {
        CONTROL_BYTES_MAX
    };
    if bytes > bytes_max {
        return Err(PacsError::PduTooLong { bytes, bytes_max });
    }
    buffer.clear();
    buffer.extend_from_slice(&header);
    // Memory follows the bytes that arrive, not the length that was announced.
    let read = (&mut *source)
        .take(u64::from(bytes))
        .read_to_end(buffer)
        .map_err(PacsError::line)?;
    if read < bytes as usize {
        return Err(PacsError::Ended);
    }
    parse(buffer).map(Some)
}

/// Parses one whole PDU.
pub(crate) fn parse(bytes: &[u8]) -> Result<Pdu, PacsError> {
    let mended = mend_answer(bytes);
    match read_pdu(
        mended.as_deref().unwrap_or(bytes),
        dicom_ul::pdu::MAXIMUM_PDU_SIZE,
        false,
    ) {
        Ok(Some(pdu)) => Ok(pdu),
        // The library's own words may quote the peer.
        Ok(None) | Err(_) => Err(PacsError::Pdu {
            what: "it does not parse",
        }),
    }
}

/// An answer to our request in which a refused context names no transfer syntax. PS3.8 section 9.3.3.2 makes that field one
/// that is not significant, some archives leave it out, and the library wants it: it gets one.
fn mend_answer(bytes: &[u8]) -> Option<Vec<u8>> {
    const ITEMS: usize = 74;
    const ANSWER: u8 = 0x02;
    const CONTEXT: u8 = 0x21;
    const CONTEXT_BYTES: usize = 8;
    if bytes.first() != Some(&ANSWER) {
        return None;
    }
    let mut mended = bytes.get(..ITEMS)?.to_vec();
    let mut at = ITEMS;
    while at < bytes.len() {
        let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
        let item = bytes.get(at..at + 4 + length)?;
        if item[0] == CONTEXT && item.len() == CONTEXT_BYTES {
            let syntax = IMPLICIT_LITTLE.as_bytes();
            mended.extend([CONTEXT, 0, 0, (8 + syntax.len()) as u8]);
            mended.extend(&item[4..]);
            mended.extend([0x40, 0, 0, syntax.len() as u8]);
            mended.extend(syntax);
        } else {
            mended.extend(item);
        }
        at += item.len();
    }
    let length = u32::try_from(mended.len() - HEADER_BYTES).ok()?;
    mended[2..HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
    Some(mended)
}

/// Writes one PDU.
pub(crate) fn write(sink: &mut (impl Write + ?Sized), pdu: &Pdu) -> Result<(), PacsError> {
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, pdu).map_err(|_| PacsError::Pdu {
        what: "ours cannot be encoded",
    })?;
    sink.write_all(&bytes).map_err(PacsError::line)?;
    sink.flush().map_err(PacsError::line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pdu_comes_back_and_a_close_between_two_is_no_fault() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Pdu::ReleaseRQ).unwrap();
        let mut source = &bytes[..];
        let mut buffer = Vec::new();
        assert_eq!(read(&mut source, 1024, &mut buffer).unwrap(), Some(Pdu::ReleaseRQ));
        assert_eq!(read(&mut source, 1024, &mut buffer).unwrap(), None);
    }

    #[test]
    fn what_is_announced_is_not_allocated() {
        let mut buffer = Vec::new();
        let huge = [4, 0, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(
            read(&mut &huge[..], 16_384, &mut buffer),
            Err(PacsError::PduTooLong { bytes: u32::MAX, .. })
        ));
        // Within the limit, but cut off: what came is all that is held.
        let cut = [4, 0, 0, 0, 0x40, 0, 1, 2, 3];
        assert!(matches!(
            read(&mut &cut[..], 16_384, &mut buffer),
            Err(PacsError::Ended)
        ));
        assert!(buffer.capacity() < 8192, "{}", buffer.capacity());
    }

    #[test]
    fn a_refused_context_without_a_transfer_syntax_is_read() {
        let context = |id, length: u8| vec![0x21, 0, 0, length, id, 0, 3, 0];
        let mut body = vec![0, 1, 0, 0];
        body.extend([b' '; 32]);
        body.extend([0; 32]);
        body.extend([0x10, 0, 0, 3]);
        body.extend(b"1.2");
        body.extend(context(1, 4));
        body.extend(context(3, 4 + 4 + 5));
        body.extend([0x40, 0, 0, 5]);
        body.extend(b"1.2.3");
        let mut bytes = vec![2, 0];
        bytes.extend((body.len() as u32).to_be_bytes());
        bytes.extend(body);
        let Pdu::AssociationAC(answer) = parse(&bytes).unwrap() else {
            panic!("not an answer")
        };
        let syntaxes: Vec<_> = (answer.presentation_contexts.iter())
            .map(|context| (context.id, &*context.transfer_syntax))
            .collect();
        assert_eq!(syntaxes, [(1, IMPLICIT_LITTLE), (3, "1.2.3")]);
    }

    #[test]
    fn noise_is_an_error() {
        let mut buffer = Vec::new();
        let mut http = &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..];
        assert!(read(&mut http, 16_384, &mut buffer).is_err());
        let short = [1, 0, 0, 0, 0, 2, 9, 9];
        assert!(read(&mut &short[..], 16_384, &mut buffer).is_err());
    }
}
