//! The message log: every letter that an actor sends, in the order of sending.
//!
//! Rule: only [`Port::tell`](crate::port::Port::tell) writes it. The newest records are always kept in
//! a ring in memory; a [`Sink`] may take all of them. The format is described in `docs/message-log.md`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::clock::Clock;
use crate::model::Moment;

/// Version of the record's format; readers refuse what they do not know.
pub const FORMAT: u32 = 1;
/// Records kept in memory: the last few minutes of a busy master in about 2 MB.
pub const RING_MAX: usize = 8192;
/// Bytes kept in memory: a letter may carry a list of all peers, or a long name that a stranger made up.
pub const RING_BYTES_MAX: usize = 16 << 20;
/// Bytes of a body for which room is kept: all but lists of many, which are rare.
const DRAFT_MAX: usize = 64 << 10;

/// Who sends or receives a letter: the actor's role, and its number where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    role: &'static str,
    number: u64,
}

impl Name {
    /// An actor that there is one of in a process.
    pub const fn one(role: &'static str) -> Self {
        Self { role, number: 0 }
    }

    /// One actor of several, told apart by a number from 1.
    pub const fn numbered(role: &'static str, number: u64) -> Self {
        Self { role, number }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => f.write_str(self.role),
            number => write!(f, "{}#{number}", self.role),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The letter that was being handled when another was sent; none when a socket, a file or a timer spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cause(Option<u64>);

impl Cause {
    /// Not a letter: a socket, a file or a timer.
    pub const OUTSIDE: Self = Self(None);
}

impl From<u64> for Cause {
    fn from(seq: u64) -> Self {
        Self(Some(seq))
    }
}

/// One line of the log.
///
/// Only its body is JSON from the start, for that is made of what the addressee takes along. The rest is put in words
/// (`Display`) when somebody reads the line, which most of them never see: that would take as long again.
#[derive(Debug, Clone)]
pub struct Line {
    seq: u64,
    at: Timestamp,
    moment: Moment,
    from: Name,
    to: Name,
    kind: &'static str,
    cause: Cause,
    dead: bool,
    body: Arc<str>,
}

impl Line {
    /// The number of its letter, from 1.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.body.len()
    }
}

/// One record as JSON, without a line end. Nothing in it needs an escape: names and kinds are words of our own.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            at,
            moment: Moment(moment),
            from,
            to,
            kind,
            cause: Cause(cause),
            dead,
            body,
        } = self;
        write!(
            f,
            r#"{{"v":{FORMAT},"seq":{seq},"at":"{at}","moment":{moment},"#
        )?;
        write!(f, r#""from":"{from}","to":"{to}","kind":"{kind}","cause":"#)?;
        match cause {
            Some(cause) => write!(f, "{cause}")?,
            None => f.write_str("null")?,
        }
        write!(f, r#","dead":{dead},"body":{body}}}"#)
    }
}

/// The newest lines, bounded in number and in bytes.
#[derive(Default)]
struct Ring {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Where bodies are written, so that each costs one block of memory, of its own size.
    draft: Vec<u8>,
}

impl Ring {
    /// A body as JSON.
    fn body<M: Serialize>(&mut self, body: &M) -> serde_json::Result<Arc<str>> {
        self.draft.clear();
        self.draft.shrink_to(DRAFT_MAX);
        serde_json::to_writer(&mut self.draft, body)?;
        // JSON is text.
        Ok(str::from_utf8(&self.draft).unwrap_or_default().into())
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.bytes();
        self.lines.push_back(line);
        while self.lines.len() > RING_MAX || self.bytes > RING_BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes();
        }
    }
}

/// Takes the log's lines as they come; must not block.
pub trait Sink: Send + Sync {
    /// One record.
    fn take(&self, line: &Line);
}

/// The log of one process; clones write to the same one.
#[derive(Clone)]
pub struct MessageLog(Arc<Inner>);

struct Inner {
    clock: Clock,
    last_seq: AtomicU64,
    ring: Mutex<Ring>,
    sink: Option<Box<dyn Sink>>,
}

impl MessageLog {
    /// A log that starts with number 1 and passes every line to the sink, if there is one.
    pub fn new(clock: Clock, sink: Option<Box<dyn Sink>>) -> Self {
        Self(Arc::new(Inner {
            clock,
            last_seq: AtomicU64::new(0),
            ring: Mutex::default(),
            sink,
        }))
    }

    /// The number of the next letter.
    pub(crate) fn next_seq(&self) -> u64 {
        self.0.last_seq.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Writes one letter down.
    pub(crate) fn write<M: Serialize>(
        &self,
        seq: u64,
        (from, to): (Name, Name),
        cause: Cause,
        letter: Written<'_, M>,
    ) {
        let Written { kind, body, dead } = letter;
        let moment = self.0.clock.now();
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let body = match ring.body(body) {
            Ok(body) => body,
            Err(error) => return tracing::warn!(kind, "failed to log a letter: {error}"),
        };
        let line = Line {
            seq,
            at: self.0.clock.wall(moment),
            moment,
            from,
            to,
            kind,
            cause,
            dead,
            body,
        };
        if let Some(sink) = &self.0.sink {
            sink.take(&line);
        }
        ring.push(line);
    }

    /// The newest records, oldest first.
    pub fn recent(&self) -> Vec<Line> {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.lines.iter().cloned().collect()
    }
}

/// What of a letter is written down.
pub(crate) struct Written<'a, M> {
    pub(crate) kind: &'static str,
    pub(crate) body: &'a M,
    pub(crate) dead: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, body: &str) -> Line {
        Line {
            seq,
            at: Timestamp::UNIX_EPOCH,
            moment: Moment(5),
            from: Name::numbered("peer_session", 3),
            to: Name::one("registry"),
            kind: "PeerHeard",
            cause: Cause::from(17),
            dead: true,
            body: body.into(),
        }
    }

    #[test]
    fn a_line_is_written_as_the_format_says() {
        let heard = line(12, r#"{"beat":true}"#);
        assert_eq!(
            heard.to_string(),
            r#"{"v":1,"seq":12,"at":"1970-01-01T00:00:00Z","moment":5,"from":"peer_session#3","to":"registry","kind":"PeerHeard","cause":17,"dead":true,"body":{"beat":true}}"#
        );
        let cause = Cause::OUTSIDE;
        let from_outside = Line { cause, ..heard }.to_string();
        assert!(from_outside.contains(r#","cause":null,"dead":true,"#));
    }

    #[test]
    fn the_ring_keeps_the_newest_and_neither_many_nor_long_letters_fill_the_memory() {
        let mut ring = Ring::default();
        for number in 0..=RING_MAX as u64 {
            ring.push(line(number, "{}"));
        }
        assert_eq!(ring.lines.len(), RING_MAX);
        assert_eq!(ring.lines.back().unwrap().seq, RING_MAX as u64);
        let long = "x".repeat((64 << 10) - size_of::<Line>());
        for number in 0..1_000 {
            ring.push(line(number, &long));
        }
        assert_eq!(ring.lines.len(), RING_BYTES_MAX / (64 << 10));
        assert_eq!(ring.bytes, RING_BYTES_MAX);
        ring.push(line(1, &"x".repeat(RING_BYTES_MAX + 1)));
        assert!(ring.lines.is_empty() && ring.bytes == 0);
    }
}
