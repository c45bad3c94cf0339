//! One TCP connection as a session sees it: whole messages in, replies out, both bounded.
//!
//! Rule: nothing is read while as many requests as agreed are unanswered, so a fast sender waits in its own
//! TCP window; a slow reader is cut, not buffered. Heavy messages are taken apart off the arbiter.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::wire::scanner::{Caps, ScanError, Scanner};

/// Replies that wait to be written: more than may be in flight, so that only a reader that has stopped fills it.
const REPLIES_MAX: usize = 128;
/// Requests of one connection that may be unanswered, once both sides match replies by `id`.
pub const IN_FLIGHT_MAX: usize = 64;
/// Messages longer than this are taken apart and put together on a blocking thread: at 2 GB/s a shorter one
/// costs the arbiter less than handing it over does.
const HEAVY: usize = 64 << 10;
/// Room made for the next read: most messages fit, and ten thousand idle connections need 40 MB.
const READ_MIN: usize = 4 << 10;
/// Room made for the next read of a long message.
const READ_MAX: usize = 1 << 20;
/// A connection on which nothing whole has come for this long is closed; so is one on which a message that
/// has begun, or a reply, does not end or move by [`LAP_BYTES`] in this time.
const LAP: Duration = Duration::from_secs(30);
/// What the worst link worth waiting for carries in a [`LAP`]: 16 KiB a second.
const LAP_BYTES: usize = 480 << 10;
/// How long a sender whose message was refused may go on sending before it is cut.
const DRAIN: Duration = Duration::from_secs(2);
/// How many bytes it may go on sending: any message that is sent in one go.
const DRAIN_BYTES_MAX: usize = 64 << 20;
/// A connection that was of use and is quiet for this long is closed; the slowest speakers beat every 30 s,
/// and some say nothing while a task runs.
const QUIET: Duration = Duration::from_secs(6 * 3600);

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

/// The right to have one request unanswered.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// What goes out: bytes, or the making of many.
enum Outgoing {
    Ready(Vec<u8>),
    Heavy(Box<dyn FnOnce() -> Vec<u8> + Send>),
}

/// The writing end; clones are not needed, a session has one.
#[derive(Debug)]
pub struct Writer {
    replies: Sender<(Outgoing, Option<Turn>)>,
    turns: Arc<Semaphore>,
    cut: CancellationToken,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Heavy(_) => f.write_str("heavy"),
        }
    }
}

impl Writer {
    /// Sends one message; when it is written the turn is given back. A reader that has stopped is cut.
    pub fn send(&self, bytes: Vec<u8>, turn: Option<Turn>) {
        self.queue(Outgoing::Ready(bytes), turn);
    }

    /// The same for a message with a payload of this size, which is put together off the arbiter if it is heavy.
    pub fn send_payload(
        &self,
        size: usize,
        encode: impl FnOnce() -> Vec<u8> + Send + 'static,
        turn: Option<Turn>,
    ) {
        let outgoing = if size > HEAVY {
            Outgoing::Heavy(Box::new(encode))
        } else {
            Outgoing::Ready(encode())
        };
        self.queue(outgoing, turn);
    }

    fn queue(&self, outgoing: Outgoing, turn: Option<Turn>) {
        if self.replies.try_send((outgoing, turn)).is_err() {
            self.cut.cancel();
        }
    }

    /// Both sides match replies by `id`: several requests may be unanswered from here on.
    pub fn allow_many(&self) {
        self.turns.add_permits(IN_FLIGHT_MAX - 1);
    }

    /// Ends the connection; what is queued may still be written.
    pub fn close(&self) {
        self.cut.cancel();
    }
}

/// Opens a connection: `caps` says how long messages may be, `take_apart` what one means.
///
/// The stream ends when the connection does; the writer's task ends when the writer is dropped.
pub fn open<S, T, F>(
    stream: S,
    caps: Caps,
    take_apart: F,
) -> (impl Stream<Item = Result<Incoming<T>, Broken>>, Writer)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
    F: Fn(&Bytes) -> T + Clone + Send + 'static,
    T: Send + 'static,
{
    let (read, write) = tokio::io::split(stream);
    let (replies, queued) = mpsc::channel(REPLIES_MAX);
    let turns = Arc::new(Semaphore::new(1));
    let cut = CancellationToken::new();
    tokio::spawn(write_all(write, queued, cut.clone()));
    let reader = Reader {
        read,
        scanner: Scanner::new(caps),
        buffer: BytesMut::new(),
        turns: Arc::clone(&turns),
        useful: false,
        broken: false,
    };
    let messages = unfold(
        (reader, cut.clone(), take_apart),
        |(mut reader, cut, take_apart)| async move {
            let next = tokio::select! {
                next = reader.next() => next?,
                () = cut.cancelled() => return None,
            };
            let incoming = match next {
                Ok((bytes, turn)) => Ok(Incoming {
                    message: understand(bytes, take_apart.clone()).await?,
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
            cut,
        },
    )
}

async fn understand<T, F>(bytes: Bytes, take_apart: F) -> Option<T>
where
    F: Fn(&Bytes) -> T + Send + 'static,
    T: Send + 'static,
{
    if bytes.len() <= HEAVY {
        return Some(take_apart(&bytes));
    }
    spawn_blocking(move || take_apart(&bytes)).await.ok()
}

struct Reader<R> {
    read: R,
    scanner: Scanner,
    buffer: BytesMut,
    turns: Arc<Semaphore>,
    useful: bool,
    broken: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// The next whole message; none when the other side has closed between two of them.
    async fn next(&mut self) -> Option<Result<(Bytes, Turn), Broken>> {
        if self.broken {
            self.drain().await;
            return None;
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        match self.read_message().await {
            Ok(Some(bytes)) => {
                self.useful = true;
                Some(Ok((bytes, Turn(turn))))
            }
            Ok(None) => None,
            Err(broken) => {
                self.broken = true;
                Some(Err(broken))
            }
        }
    }

    async fn read_message(&mut self) -> Result<Option<Bytes>, Broken> {
        if let Some(bytes) = self.scanner.split(&mut self.buffer)? {
            return Ok(Some(bytes));
        }
        let patience = if self.useful { QUIET } else { LAP };
        let mut lap = within(patience, self.begin_message()).await?;
        while let Lap::Goes = lap {
            lap = within(LAP, self.run_lap()).await?;
        }
        Ok(lap.into_message())
    }

    /// Reads until a message has begun; white space alone is none.
    async fn begin_message(&mut self) -> Result<Lap, Broken> {
        while self.buffer.is_empty() {
            if self.fill().await? == 0 {
                return Ok(Lap::Closed);
            }
            if let Some(bytes) = self.scanner.split(&mut self.buffer)? {
                return Ok(Lap::Done(bytes));
            }
        }
        Ok(Lap::Goes)
    }

    /// Reads until the message is whole or has grown enough to be given more time.
    async fn run_lap(&mut self) -> Result<Lap, Broken> {
        let enough = self.buffer.len() + LAP_BYTES;
        while self.buffer.len() < enough {
            if self.fill().await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(bytes) = self.scanner.split(&mut self.buffer)? {
                return Ok(Lap::Done(bytes));
            }
        }
        Ok(Lap::Goes)
    }

    /// Reads what a broken sender still sends: closing on unread bytes would reset the connection and
    /// destroy the reply that says what was wrong.
    async fn drain(&mut self) {
        let mut drained = 0;
        let draining = async {
            while drained < DRAIN_BYTES_MAX {
                self.buffer.clear();
                match self.fill().await {
                    Ok(read) if read > 0 => drained += read,
                    _ => break,
                }
            }
        };
        // Whoever still sends after that is cut.
        let _ = timeout(DRAIN, draining).await;
    }

    async fn fill(&mut self) -> Result<usize, Broken> {
        let room = self.buffer.len().clamp(READ_MIN, READ_MAX);
        self.buffer.reserve(room);
        Ok(self.read.read_buf(&mut self.buffer).await?)
    }
}

/// How far one message has come.
enum Lap {
    Goes,
    Done(Bytes),
    Closed,
}

impl Lap {
    fn into_message(self) -> Option<Bytes> {
        match self {
            Self::Done(bytes) => Some(bytes),
            Self::Goes | Self::Closed => None,
        }
    }
}

async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Broken> {
    timeout(time, work)
        .await
        .unwrap_or(Err(Broken::TooSlow(time)))
}

/// Writes replies in the order in which they were sent, until the session drops its end or the connection is cut.
async fn write_all<W: AsyncWrite + Unpin>(
    mut write: W,
    mut queued: Receiver<(Outgoing, Option<Turn>)>,
    cut: CancellationToken,
) {
    let writing = async {
        while let Some((outgoing, turn)) = queued.recv().await {
            write_one(&mut write, outgoing).await?;
            drop(turn);
        }
        Ok::<_, Broken>(())
    };
    tokio::select! {
        written = writing => if written.is_err() { cut.cancel() },
        () = cut.cancelled() => {}
    }
    // The other side may be gone already; there is nobody to tell.
    let _ = timeout(LAP, write.shutdown()).await;
}

async fn write_one<W: AsyncWrite + Unpin>(write: &mut W, outgoing: Outgoing) -> Result<(), Broken> {
    let bytes = match outgoing {
        Outgoing::Ready(bytes) => bytes,
        Outgoing::Heavy(encode) => spawn_blocking(encode).await.map_err(io::Error::other)?,
    };
    for part in bytes.chunks(LAP_BYTES) {
        within(LAP, async { Ok(write.write_all(part).await?) }).await?;
    }
    Ok(())
}
