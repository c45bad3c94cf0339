//! Listens in on a peer's connection to its master: which results went out, and which were answered with OK.
//!
//! Rule: what was acked is what the peer's end of the wire received, whatever any actor believes.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use mutirao_actors::model::{Attempt, Digest, TaskId};
use mutirao_actors::wire::scanner::Caps;
use mutirao_actors::wire::{Dialect, Message, Reply, Request, Scanner, encode_request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::life::Life;
use crate::tally::{Met, Tally};

/// A result that was answered with OK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acked {
    /// Which task and try its sender said it was of; none from who names neither.
    pub of: Option<(TaskId, Attempt)>,
    /// Of its bytes.
    pub sha256: Digest,
}

/// All that was acked in a run.
#[derive(Debug, Clone, Default)]
pub struct Acks {
    list: Arc<Mutex<Vec<Acked>>>,
    tally: Tally,
}

impl Acks {
    /// Nothing yet; what is of interest is counted there.
    pub fn counted(tally: Tally) -> Self {
        Self {
            list: Arc::default(),
            tally,
        }
    }

    /// A result was answered with OK.
    pub fn note(&self, acked: Acked) {
        let mut list = self.list();
        if list.contains(&acked) {
            self.tally.count(Met::AckedAgain);
        }
        list.push(acked);
    }

    /// So far.
    pub fn list(&self) -> MutexGuard<'_, Vec<Acked>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was handed out last.
pub type LastLease = Arc<Mutex<Option<(TaskId, Attempt)>>>;

/// What listens in on the connections of one peer's life.
#[derive(Debug, Clone)]
pub struct Tap {
    /// Where acks are noted.
    pub acks: Acks,
    /// The peer's life.
    pub life: Life,
    /// Whether results are sent under the name of the task that was handed out last: what a test must notice.
    pub misattributes: Option<LastLease>,
}

/// A connection that is listened in on.
pub struct Tapped<S> {
    stream: S,
    tap: Tap,
    /// What was read and not yet understood.
    read: (Scanner, BytesMut),
    /// What is written, as whole messages.
    written: (Scanner, BytesMut),
    /// What is to be written instead.
    rest: Bytes,
    /// Results without an answer, by the number of their request.
    open: BTreeMap<Option<u64>, Acked>,
}

impl<S> Tapped<S> {
    /// Listens in on a connection that was just opened.
    pub fn new(stream: S, tap: Tap) -> Self {
        Self {
            stream,
            tap,
            read: (listening(Caps::REPLIES), BytesMut::new()),
            written: (listening(Caps::REQUESTS), BytesMut::new()),
            rest: Bytes::new(),
            open: BTreeMap::new(),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let (scanner, buffer) = &mut self.read;
        buffer.extend_from_slice(bytes);
        while let Ok(Some(message)) = scanner.split(buffer) {
            let message = message.apart();
            let Ok(heard) = message.reply() else {
                continue;
            };
            match heard.reply {
                Reply::Ok => {
                    if let Some(acked) = self
                        .open
                        .remove(&heard.id)
                        .filter(|_| self.tap.life.lasts())
                    {
                        self.tap.acks.note(acked);
                    }
                }
                Reply::Error { code, .. } => {
                    let result = self.open.remove(&heard.id);
                    let met = match code.as_deref() {
                        Some("not_stored") => Met::ToldNotStored,
                        _ => Met::ToldNo,
                    };
                    result.iter().for_each(|_| self.tap.acks.tally.count(met));
                }
                Reply::TaskPackage {
                    ours: Some(lease), ..
                } => {
                    if let Some(last) = &self.tap.misattributes {
                        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                        *last = Some((lease.task_id, lease.attempt));
                    }
                }
                _ => {}
            }
        }
    }

    /// What is to be written for these bytes: the messages that they end.
    fn say(&mut self, bytes: &[u8]) -> Bytes {
        let mut said = BytesMut::new();
        let (scanner, buffer) = &mut self.written;
        buffer.extend_from_slice(bytes);
        while let Ok(Some(message)) = scanner.split(buffer) {
            match note(&self.tap, &message) {
                Some((id, acked, Some(forged))) => {
                    self.open.insert(id, acked);
                    said.extend_from_slice(&forged);
                }
                noted => {
                    self.open.extend(noted.map(|(id, acked, _)| (id, acked)));
                    said.extend_from_slice(message.value());
                    said.extend_from_slice(message.raw().map_or(&[], |raw| raw));
                }
            }
        }
        said.freeze()
    }
}

/// Finds messages of either lane: who writes them has agreed on one.
fn listening(caps: Caps) -> Scanner {
    let mut scanner = Scanner::new(caps);
    scanner.take_raw(true);
    scanner
}

/// A result that goes out, and its message in other words if the tap is told to lie.
fn note(tap: &Tap, message: &Message) -> Option<(Option<u64>, Acked, Option<Bytes>)> {
    let message = message.apart();
    let spoken = message.request().ok()?;
    let Request::SubmitResult {
        peer_id,
        result_name,
        result_data,
        task_id,
        attempt,
        sha256,
        outcome,
    } = spoken.request
    else {
        return None;
    };
    // What it says of its bytes is hearsay.
    let acked = Acked {
        of: task_id.zip(attempt),
        sha256: Digest::of(&result_data.decode().ok()?),
    };
    let last = tap
        .misattributes
        .as_ref()
        .and_then(|last| *last.lock().unwrap_or_else(PoisonError::into_inner));
    let forged = last.map(|(task, attempt)| {
        let request = Request::SubmitResult {
            peer_id,
            result_name,
            result_data,
            task_id: Some(task),
            attempt: Some(attempt),
            sha256,
            outcome,
        };
        Bytes::from(encode_request(Dialect::Flat, spoken.id, &request))
    });
    Some((spoken.id, acked, forged))
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &polled {
            Poll::Ready(Ok(())) => {
                let read = buf.filled().get(before..).unwrap_or_default().to_vec();
                self.hear(&read);
            }
            Poll::Ready(Err(_)) => self.tap.acks.tally.count(Met::ConnectionBroke),
            Poll::Pending => {}
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Tapped<S> {
    /// Writes what waits; ready when nothing does.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.rest) {
                Poll::Ready(Ok(written)) => drop(self.rest.split_to(written)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.poll_rest(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
        self.rest = self.say(bytes);
        match self.poll_rest(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_rest(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_flush(cx),
            other => other,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_rest(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_shutdown(cx),
            other => other,
        }
    }
}
