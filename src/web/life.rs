//! How long a connection that speaks HTTP is kept.
//!
//! Rule: as long as bytes move on it. One that is quiet may wait for an answer, so it is kept for longer than any takes; but
//! one whose other side has closed its own half has most likely hung up, and the place that it takes is another's.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mutirao_actors::connection::{Counted, Moved};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::sockets::begun::Begun;

/// How often it is looked whether bytes have moved.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Looks in a row without a byte after which a connection is cut: longer than any answer takes, or a quiet one is kept.
const STILL_LOOKS_MAX: u32 = 3;
/// How long nothing may move once the other side has closed its half: some programs do so and wait for their answer, which
/// seldom takes seconds, or for events, where a comment comes every 15 s. It is looked in steps of this, so a byte that moves
/// behind a look makes it up to twice as long.
const GONE_AFTER: Duration = Duration::from_secs(20);

/// A connection of which it is noticed what moves on it.
pub struct Watched {
    stream: Counted<Begun>,
    closed: Rc<Notify>,
}

/// What is noticed of a connection.
pub struct Life {
    moved: Moved,
    closed: Rc<Notify>,
}

/// Watches a connection.
pub fn watched(stream: Begun) -> (Watched, Life) {
    let (moved, closed) = (Moved::default(), Rc::new(Notify::new()));
    let watched = Watched {
        stream: Counted::new(stream, Moved::clone(&moved)),
        closed: Rc::clone(&closed),
    };
    (watched, Life { moved, closed })
}

impl Life {
    /// Comes back when it is to be cut; in words, why.
    pub async fn end(&self) -> &'static str {
        tokio::select! {
            () = self.still() => "nothing moves on it",
            () = self.gone() => "its other side has hung up",
        }
    }

    /// Comes back when no byte has moved for some looks.
    async fn still(&self) {
        let (mut before, mut looks) = (0, 0);
        while looks < STILL_LOOKS_MAX {
            sleep(LOOK_EVERY).await;
            let now = self.moved();
            looks = if now == before { looks + 1 } else { 0 };
            before = now;
        }
    }

    /// Comes back when the other side has closed its half, and nothing has moved for a while.
    async fn gone(&self) {
        self.closed.notified().await;
        loop {
            let before = self.moved();
            sleep(GONE_AFTER).await;
            if self.moved() == before {
                return;
            }
        }
    }

    fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if has_room && buffer.filled().len() == before {
            self.closed.notify_one();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
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
    use std::pin::pin;

    use tokio::time::timeout;

    use super::*;

    fn life() -> Life {
        Life {
            moved: Moved::default(),
            closed: Rc::default(),
        }
    }

    /// Some bytes move, again and again.
    async fn moves(life: &Life, every: Duration) {
        for _ in 0..5 {
            life.moved.fetch_add(1, Ordering::Relaxed);
            sleep(every).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_stands_still_when_no_byte_moves_for_three_looks() {
        let life = life();
        let mut end = pin!(life.end());
        tokio::select! {
            why = &mut end => panic!("{why}"),
            () = moves(&life, 2 * LOOK_EVERY) => {}
        }
        let ended = timeout(4 * LOOK_EVERY, end).await;
        assert_eq!(ended, Ok("nothing moves on it"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_closed_its_half_is_gone_once_it_takes_nothing() {
        let life = life();
        life.closed.notify_one();
        let mut end = pin!(life.end());
        tokio::select! {
            why = &mut end => panic!("{why}"),
            () = moves(&life, GONE_AFTER / 2) => {}
        }
        let ended = timeout(2 * GONE_AFTER, end).await;
        assert_eq!(ended, Ok("its other side has hung up"));
    }
}
