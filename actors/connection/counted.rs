//! A connection that tells what moves on it, so that a slow transfer is told from silence, and one who has hung up from both.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// What has moved on a connection; read by who looks after it, written by whoever reads and writes there.
#[derive(Debug, Clone, Default)]
pub struct Moved(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    bytes: AtomicU64,
    end: Notify,
}

impl Moved {
    /// How many bytes, in both directions.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Comes back once the other side has closed its half. It is for one who waits.
    pub async fn end(&self) {
        self.0.end.notified().await;
    }

    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// A stream, and what moves on it.
pub struct Counted<S> {
    stream: S,
    moved: Moved,
}

impl<S> Counted<S> {
    /// Counts what moves on the stream from here on.
    pub fn new(stream: S, moved: Moved) -> Self {
        Self { stream, moved }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        match buffer.filled().len() - before {
            0 if has_room => self.moved.0.end.notify_one(),
            read => self.moved.count(read),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.moved.count(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.moved.count(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn bytes_count_both_ways_and_the_end_is_seen_once_all_are_read() {
        let (mut there, here) = tokio::io::duplex(16);
        let moved = Moved::default();
        let mut here = Counted::new(here, moved.clone());
        there.write_all(b"abc").await.unwrap();
        here.write_all(b"de").await.unwrap();
        drop(there);
        assert_eq!(here.read(&mut []).await.unwrap(), 0, "no room is no end");
        let mut room = [0; 8];
        assert_eq!(here.read(&mut room).await.unwrap(), 3);
        assert_eq!(moved.bytes(), 5);
        assert!(moved.end().now_or_never().is_none());
        assert_eq!(here.read(&mut room).await.unwrap(), 0);
        assert!(moved.end().now_or_never().is_some());
    }
}
