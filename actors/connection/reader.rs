//! The reading end of a connection: bytes in, whole messages out, at the pace of their answers.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::room::{FREE, Room, Ticket};
use super::{Broken, LAP, LAP_BYTES, Turn, within};
use crate::wire::Message;
use crate::wire::scanner::{Caps, ScanError, Scanner};

/// Room made for the next read of a long message.
const READ_MAX: usize = 256 << 10;
/// How long the one message may take that is read although the room is full: 64 MB over the worst Wi-Fi.
const SEATED: Duration = Duration::from_secs(120);
/// How long a sender whose message was refused may go on sending before it is cut.
const DRAIN: Duration = Duration::from_secs(2);
/// How many bytes it may go on sending: any message that is sent in one go.
const DRAIN_BYTES_MAX: usize = 64 << 20;
/// A connection that was of use and is quiet for this long is closed; the slowest speakers beat every 30 s,
/// and some say nothing while a task runs.
const QUIET: Duration = Duration::from_secs(6 * 3600);

thread_local! {
    /// Where the first bytes of a message come in, of whichever connection: one that is quiet keeps no room for them.
    static LANDING: RefCell<[u8; FREE]> = const { RefCell::new([0; FREE]) };
}

/// The reading end.
pub(super) struct Reader<R> {
    read: R,
    scanner: Scanner,
    buffer: BytesMut,
    terms: Terms,
    ticket: Ticket,
    useful: bool,
    broken: bool,
}

/// What a reader holds its sender to.
pub(super) struct Terms {
    /// How long messages may be.
    pub caps: Caps,
    /// How much of them may be kept.
    pub room: Room,
    /// How many may be unanswered.
    pub turns: Arc<Semaphore>,
    /// Whether payloads may follow their messages.
    pub takes_raw: Arc<AtomicBool>,
    /// Whether it waits for room, and is not read meanwhile.
    pub waits: Arc<AtomicBool>,
}

/// How far one message has come.
enum Lap {
    Goes,
    Done(Message),
    Closed,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(read: R, terms: Terms) -> Self {
        Self {
            read,
            scanner: Scanner::new(terms.caps),
            buffer: BytesMut::new(),
            terms,
            ticket: Ticket::default(),
            useful: false,
            broken: false,
        }
    }

    /// The next whole message; none when the other side has closed between two of them.
    pub(super) async fn next(&mut self) -> Option<Result<(Message, Turn), Broken>> {
        if self.broken {
            self.drain().await;
            return None;
        }
        let permit = Arc::clone(&self.terms.turns).acquire_owned().await.ok()?;
        match self.read_message().await {
            Ok(Some(message)) => {
                self.useful = true;
                let ticket = self.part_with(&message);
                Some(Ok((message, Turn { permit, ticket })))
            }
            Ok(None) => None,
            Err(broken) => {
                self.broken = true;
                self.buffer = BytesMut::new();
                self.ticket = Ticket::default();
                Some(Err(broken))
            }
        }
    }

    /// What the message has paid goes with it, save what came after it.
    fn part_with(&mut self, message: &Message) -> Ticket {
        if message.length() > FREE {
            // The rest shares its memory with the message, and would keep all of it for as long as it waits.
            self.buffer = BytesMut::from(self.buffer.as_ref());
        }
        let rest = self.ticket.split(self.buffer.len());
        std::mem::replace(&mut self.ticket, rest)
    }

    async fn read_message(&mut self) -> Result<Option<Message>, Broken> {
        if let Some(message) = self.split()? {
            return Ok(Some(message));
        }
        let patience = if self.useful { QUIET } else { LAP };
        let lap = within(patience, self.begin_message()).await?;
        let Lap::Goes = lap else {
            return Ok(lap.into_message());
        };
        loop {
            let enough = self.next_lap();
            self.terms.waits.store(true, Ordering::Relaxed);
            self.terms.room.pay(&mut self.ticket, enough).await;
            self.terms.waits.store(false, Ordering::Relaxed);
            let lap = if self.ticket.has_seat() {
                within(SEATED, self.run_lap(usize::MAX)).await?
            } else {
                within(LAP, self.run_lap(enough)).await?
            };
            if let Lap::Done(message) = lap {
                return Ok(Some(message));
            }
        }
    }

    /// The first whole message of the buffer.
    fn split(&mut self) -> Result<Option<Message>, ScanError> {
        // Asked each time: it is agreed before the first payload is sent that way, but maybe while we wait for that.
        let takes_raw = self.terms.takes_raw.load(Ordering::Relaxed);
        self.scanner.take_raw(takes_raw);
        self.scanner.split(&mut self.buffer)
    }

    /// How long the message may have become at the end of the next lap: a long one has to move, a short one
    /// does not pay for what it does not need.
    fn next_lap(&self) -> usize {
        let have = self.buffer.len();
        (have + have.clamp(1, LAP_BYTES)).max(FREE)
    }

    /// Reads until a message has begun; white space alone is none.
    async fn begin_message(&mut self) -> Result<Lap, Broken> {
        while self.buffer.is_empty() {
            if self.land().await? == 0 {
                return Ok(Lap::Closed);
            }
            if let Some(message) = self.split()? {
                return Ok(Lap::Done(message));
            }
        }
        Ok(Lap::Goes)
    }

    /// Reads until the message is whole or has grown enough to be given more time.
    async fn run_lap(&mut self, enough: usize) -> Result<Lap, Broken> {
        while self.buffer.len() < enough {
            if self.fill(enough).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(message) = self.split()? {
                return Ok(Lap::Done(message));
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
                match self.fill(READ_MAX).await {
                    Ok(read) if read > 0 => drained += read,
                    _ => break,
                }
            }
        };
        // Whoever still sends after that is cut.
        let _ = timeout(DRAIN, draining).await;
    }

    /// Reads once while the buffer is empty, and holds no more memory than what has come takes.
    async fn land(&mut self) -> io::Result<usize> {
        self.buffer = BytesMut::new();
        let read = &mut self.read;
        let landed = poll_fn(|context| {
            LANDING.with_borrow_mut(|landing| {
                let mut landing = ReadBuf::new(landing);
                ready!(Pin::new(&mut *read).poll_read(context, &mut landing))?;
                Poll::Ready(io::Result::Ok(BytesMut::from(landing.filled())))
            })
        });
        self.buffer = landed.await?;
        Ok(self.buffer.len())
    }

    /// Reads once, until the buffer holds this many bytes at most.
    async fn fill(&mut self, most: usize) -> Result<usize, Broken> {
        let missing = most.saturating_sub(self.buffer.len());
        let room = missing.min(self.buffer.len().clamp(FREE, READ_MAX));
        self.buffer.reserve(room);
        let mut bounded = (&mut self.buffer).limit(room);
        Ok(self.read.read_buf(&mut bounded).await?)
    }
}

impl Lap {
    fn into_message(self) -> Option<Message> {
        match self {
            Self::Done(message) => Some(message),
            Self::Goes | Self::Closed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use tokio::io::{AsyncWriteExt as _, duplex};

    #[tokio::test]
    async fn who_is_quiet_after_a_message_keeps_no_room_for_the_next() {
        let (near, mut far) = duplex(FREE);
        let terms = Terms {
            caps: Caps::REQUESTS,
            room: Room::new(),
            turns: Arc::new(Semaphore::new(1)),
            takes_raw: Arc::default(),
            waits: Arc::default(),
        };
        let mut reader = Reader::new(near, terms);
        far.write_all(br#"{"action":"STATUS"}"#).await.unwrap();
        drop(reader.next().await.unwrap().unwrap());
        assert!(reader.next().now_or_never().is_none());
        assert_eq!(reader.buffer.capacity(), 0);
    }
}
