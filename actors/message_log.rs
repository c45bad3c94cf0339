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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
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
#[derive(Debug, Serialize)]
struct Record<'a, M> {
    v: u32,
    seq: u64,
    at: Timestamp,
    moment: Moment,
    from: Name,
    to: Name,
    kind: &'a str,
    cause: Cause,
    dead: bool,
    body: &'a M,
}

/// The newest lines, bounded in number and in bytes.
#[derive(Default)]
struct Ring {
    lines: VecDeque<Arc<str>>,
    bytes: usize,
}

impl Ring {
    fn push(&mut self, line: Arc<str>) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > RING_MAX || self.bytes > RING_BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= oldest.len();
        }
    }
}

/// Takes the log's lines as they come; must not block.
pub trait Sink: Send + Sync {
    /// One record as a line of JSON without its line end.
    fn take(&self, line: Arc<str>);
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
        route: (Name, Name),
        cause: Cause,
        letter: Written<'_, M>,
    ) {
        let moment = self.0.clock.now();
        let record = Record {
            v: FORMAT,
            seq,
            at: self.0.clock.wall(moment),
            moment,
            from: route.0,
            to: route.1,
            kind: letter.kind,
            cause,
            dead: letter.dead,
            body: letter.body,
        };
        match serde_json::to_string(&record) {
            Ok(line) => self.keep(line.into()),
            Err(error) => tracing::warn!(kind = letter.kind, "failed to log a letter: {error}"),
        }
    }

    fn keep(&self, line: Arc<str>) {
        if let Some(sink) = &self.0.sink {
            sink.take(Arc::clone(&line));
        }
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.push(line);
    }

    /// The newest records, oldest first, each a line of JSON.
    pub fn recent(&self) -> Vec<Arc<str>> {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.lines.iter().cloned().collect()
    }
}

/// What of a letter is written down.
pub(crate) struct Written<'a, M> {
    pub(crate) kind: &'a str,
    pub(crate) body: &'a M,
    pub(crate) dead: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_neither_many_nor_long_letters_fill_the_memory() {
        let mut ring = Ring::default();
        for number in 0..=RING_MAX {
            ring.push(number.to_string().into());
        }
        assert_eq!(ring.lines.len(), RING_MAX);
        assert_eq!(ring.lines.back().unwrap().as_ref(), RING_MAX.to_string());
        for _ in 0..1_000 {
            ring.push("x".repeat(64 << 10).into());
        }
        assert_eq!(ring.lines.len(), RING_BYTES_MAX / (64 << 10));
        assert_eq!(ring.bytes, RING_BYTES_MAX);
        ring.push("x".repeat(RING_BYTES_MAX + 1).into());
        assert!(ring.lines.is_empty() && ring.bytes == 0);
    }
}
