//! The bytes of one connection: read a little at a time until its hands are shaken, and by large pieces after that.

use std::{
    io::Result,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncBufRead as _, AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};

/// Read from the network at a time. The TLS library asks for 4 KiB, a quarter of a record.
const READ_BYTES: usize = 64 * 1024;

/// A stream that takes memory of its own only from [`widen`](Self::widen) on: a stranger gets none.
pub enum Line {
    /// During the handshake.
    Narrow(TcpStream),
    /// After it.
    Wide(BufReader<TcpStream>),
    /// Between the two.
    Gone,
}

impl Line {
    /// Reads by large pieces from now on.
    pub fn widen(&mut self) {
        *self = match std::mem::replace(self, Self::Gone) {
            Self::Narrow(stream) => Self::Wide(BufReader::with_capacity(READ_BYTES, stream)),
            other => other,
        };
    }

    fn stream(&mut self) -> Result<Pin<&mut TcpStream>> {
        match self {
            Self::Narrow(stream) => Ok(Pin::new(stream)),
            Self::Wide(reader) => Ok(Pin::new(reader.get_mut())),
            Self::Gone => Err(std::io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Wide(reader) => {
                let mut reader = Pin::new(reader);
                let held = ready!(reader.as_mut().poll_fill_buf(context))?;
                let taken = held.len().min(into.remaining());
                into.put_slice(&held[..taken]);
                reader.consume(taken);
                Poll::Ready(Ok(()))
            }
            narrow => narrow.stream()?.poll_read(context, into),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.get_mut().stream()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().stream()?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().stream()?.poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.get_mut().stream()?.poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
