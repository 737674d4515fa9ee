//! A connection whose other end has to read.

use std::{
    future::Future as _,
    io::{Error, ErrorKind, IoSlice, Result},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// A stream that breaks where nothing of what is written goes out for a while. Without it whoever asks and never reads the answer keeps
/// the answer, and the connection, for as long as they like.
pub struct Reading<S> {
    stream: S,
    stall_max: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Reading<S> {
    /// `stream`, of which a write may wait for `stall_max`.
    pub const fn within(stall_max: Duration, stream: S) -> Self {
        Self {
            stream,
            stall_max,
            stalled: None,
        }
    }

    /// Any progress begins the wait anew.
    fn judge<T>(&mut self, context: &mut Context<'_>, written: Poll<Result<T>>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall_max = self.stall_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall_max)));
        stalled
            .as_mut()
            .poll(context)
            .map(|()| Err(Error::new(ErrorKind::TimedOut, "the other end does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Reading<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Reading<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::timeout,
    };

    use super::*;

    /// What is certain to come is waited for this long, also on a machine that does much else.
    const LONG: Duration = Duration::from_secs(120);

    #[tokio::test]
    async fn a_write_that_nobody_reads_breaks_and_one_that_is_read_slowly_does_not() {
        let (near, mut far) = duplex(8);
        let mut near = Reading::within(Duration::from_millis(100), near);
        let writing = timeout(LONG, near.write_all(&[7; 64])).await.unwrap();
        assert_eq!(writing.unwrap_err().kind(), ErrorKind::TimedOut);
        far.read_exact(&mut [0; 8]).await.unwrap();

        // Longer in all than a write may stall, and each wait far shorter, so that a machine that is slow breaks nothing.
        let (stall_max, pause, pieces) = (Duration::from_secs(2), Duration::from_millis(200), 14);
        let (near, mut far) = duplex(8);
        let mut near = Reading::within(stall_max, near);
        let begun = Instant::now();
        let reading = tokio::spawn(async move {
            for _ in 0..pieces {
                sleep(pause).await;
                far.read_exact(&mut [0; 8]).await.unwrap();
            }
        });
        near.write_all(&vec![7; 8 * pieces]).await.unwrap();
        assert!(begun.elapsed() > stall_max, "it was not read slowly");
        reading.await.unwrap();
    }
}
