//! One TCP connection as a session sees it: whole messages in, replies out, both bounded.
//!
//! Rule: nothing is read while as many requests as agreed are unanswered, so a fast sender waits in its own
//! TCP window; a slow reader is cut, not buffered. Heavy messages are taken apart off the arbiter.

mod counted;
mod reader;
mod room;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::wire::Message;
use crate::wire::scanner::{Caps, ScanError};

pub use counted::{Counted, Moved};
use reader::{Reader, Terms};
pub use room::Room;
use room::Ticket;
pub use writer::Writer;
use writer::{REPLIES_MAX, write_all};

/// Requests of one connection that may be unanswered, once both sides match replies by `id`.
pub const IN_FLIGHT_MAX: usize = 64;
/// Messages longer than this are taken apart on a blocking thread: at 2 GB/s a shorter one costs the arbiter less than
/// handing it over does.
const HEAVY: usize = 64 << 10;
/// A connection on which nothing whole has come for this long is closed; so is one on which a message that
/// has begun, or a reply, does not end or move by [`LAP_BYTES`] in this time.
const LAP: Duration = Duration::from_secs(30);
/// What the worst link worth waiting for carries in a [`LAP`]: 16 KiB a second.
const LAP_BYTES: usize = 480 << 10;

/// Why a connection cannot go on; said to the other side once.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Where the next message would begin cannot be told any more.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The other side went away in the middle of a message, or the network did.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// Nothing whole came in time, or the other side does not read.
    #[error("the connection stood still for {} s", .0.as_secs())]
    TooSlow(Duration),
}

/// One message, and the right to have it unanswered.
#[derive(Debug)]
pub struct Incoming<T> {
    /// What was said.
    pub message: T,
    /// Given back when the answer has been written.
    pub turn: Turn,
}

/// The right to have one request unanswered, and to keep its bytes.
#[derive(Debug)]
#[expect(dead_code, reason = "held, not read")]
pub struct Turn {
    permit: OwnedSemaphorePermit,
    ticket: Ticket,
}

/// Opens a connection: `caps` says how long messages may be, `room` how much of them may be kept by all
/// connections together, `take_apart` what one means.
///
/// The stream ends when the connection does; the writer's task ends when the writer is dropped.
pub fn open<S, T, F>(
    stream: S,
    caps: Caps,
    room: Room,
    take_apart: F,
) -> (impl Stream<Item = Result<Incoming<T>, Broken>>, Writer)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
    F: Fn(&Message) -> T + Clone + Send + 'static,
    T: Send + 'static,
{
    let (read, write) = tokio::io::split(stream);
    let (replies, queued) = mpsc::channel(REPLIES_MAX);
    let turns = Arc::new(Semaphore::new(1));
    let cut = CancellationToken::new();
    tokio::spawn(write_all(write, queued, cut.clone()));
    let takes_raw = Arc::new(AtomicBool::new(false));
    let waits = Arc::new(AtomicBool::new(false));
    let terms = Terms {
        caps,
        room,
        turns: Arc::clone(&turns),
        takes_raw: Arc::clone(&takes_raw),
        waits: Arc::clone(&waits),
    };
    let reader = Reader::new(read, terms);
    let messages = unfold(
        (reader, cut.clone(), take_apart),
        |(mut reader, cut, take_apart)| async move {
            let next = tokio::select! {
                // Chance has no say here, so that a simulation can be played again; a flood does not put off the cut.
                biased;
                () = cut.cancelled() => return None,
                next = reader.next() => next?,
            };
            let incoming = match next {
                Ok((message, turn)) => Ok(Incoming {
                    message: understand(message, take_apart.clone()).await?,
                    turn,
                }),
                Err(broken) => Err(broken),
            };
            Some((incoming, (reader, cut, take_apart)))
        },
    );
    (
        messages,
        Writer {
            replies,
            turns,
            takes_raw,
            waits,
            cut,
        },
    )
}

async fn understand<T, F>(message: Message, take_apart: F) -> Option<T>
where
    F: Fn(&Message) -> T + Send + 'static,
    T: Send + 'static,
{
    if message.length() <= HEAVY {
        return Some(take_apart(&message));
    }
    spawn_blocking(move || take_apart(&message)).await.ok()
}

async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Broken> {
    timeout(time, work)
        .await
        .unwrap_or(Err(Broken::TooSlow(time)))
}

#[cfg(test)]
mod raw_tests;
#[cfg(test)]
mod tests;
