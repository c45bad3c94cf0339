//! The message log: every letter that an actor sends, in the order of sending.
//!
//! Rule: only [`Port::tell`](crate::port::Port::tell) writes it. The newest records are always kept in
//! a ring in memory; a [`Sink`] may take all of them. The format is described in `docs/message-log.md`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::clock::Clock;
use crate::model::Moment;

/// Version of the record's format; readers refuse what they do not know.
pub const FORMAT: u32 = 1;
/// Records kept in memory: the last few minutes of a busy master in about 2 MB.
pub const RING_MAX: usize = 8192;
/// Bytes of bodies kept in memory: a letter may carry a list of all peers, or a long name that a stranger made up.
pub const RING_BYTES_MAX: usize = 16 << 20;
/// Bytes of bodies that are told at a time, give or take one letter: whoever reads slowly holds no more of them.
pub const SHARE_BYTES_MAX: usize = 256 << 10;
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

/// What is known of a letter beside its body.
#[derive(Debug, Clone, Copy)]
struct Head {
    seq: u64,
    at: Timestamp,
    moment: Moment,
    from: Name,
    to: Name,
    kind: &'static str,
    cause: Cause,
    dead: bool,
}

/// One line of the log.
///
/// Only its body is JSON from the start, for the addressee takes along what that is made of. The rest is put in words
/// (`Display`) when somebody reads the line, which happens to few of them.
#[derive(Debug, Clone)]
pub struct Line {
    head: Head,
    body: Arc<str>,
}

impl Line {
    fn new(head: Head, body: &[u8]) -> Self {
        // JSON is text.
        let body = str::from_utf8(body).unwrap_or_default().into();
        Self { head, body }
    }

    /// The number of its letter, from 1.
    pub fn seq(&self) -> u64 {
        self.head.seq
    }

    /// The name of its letter's type.
    pub fn kind(&self) -> &'static str {
        self.head.kind
    }
}

/// One record as JSON, without a line end. Nothing in it needs an escape: names and kinds are words of our own.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head {
            seq,
            at,
            moment: Moment(moment),
            from,
            to,
            kind,
            cause: Cause(cause),
            dead,
        } = self.head;
        write!(
            f,
            r#"{{"v":{FORMAT},"seq":{seq},"at":"{at}","moment":{moment},"#
        )?;
        write!(f, r#""from":"{from}","to":"{to}","kind":"{kind}","cause":"#)?;
        match cause {
            Some(cause) => write!(f, "{cause}")?,
            None => f.write_str("null")?,
        }
        write!(f, r#","dead":{dead},"body":{}}}"#, self.body)
    }
}

/// The newest letters, bounded in number and in bytes. Their bodies lie one behind the other: a block of memory for
/// each, taken and given back some thousand letters later, costs as much as writing it.
#[derive(Default)]
struct Ring {
    /// Each with the length of its body.
    heads: VecDeque<(Head, usize)>,
    bodies: VecDeque<u8>,
    /// The body of the newest letter.
    draft: Vec<u8>,
}

impl Ring {
    /// Writes the body of the next letter.
    fn draft<M: Serialize>(&mut self, body: &M) -> serde_json::Result<()> {
        self.draft.clear();
        self.draft.shrink_to(DRAFT_MAX);
        serde_json::to_writer(&mut self.draft, body)
    }

    /// Takes the letter whose body was written, in place of the oldest ones.
    fn push(&mut self, head: Head) {
        let length = self.draft.len();
        while self.heads.len() >= RING_MAX || self.bodies.len() + length > RING_BYTES_MAX {
            let Some((_, oldest)) = self.heads.pop_front() else {
                return;
            };
            self.bodies.drain(..oldest);
        }
        self.heads.push_back((head, length));
        self.bodies.extend(&self.draft);
    }

    /// The oldest letters behind this one: so many at most, and none more once their bodies have so many bytes.
    ///
    /// Letters wait while somebody reads, so this looks at what is newer alone.
    fn lines_after(&self, seq: u64, most: usize, mut room: usize) -> Vec<Line> {
        // Numbers are given before letters are written, so two that are written at once may stand in either order.
        let newest_first = self.heads.iter().rev();
        let newer = newest_first.take_while(|(head, _)| head.seq > seq);
        let (newer, bytes) = newer.fold((0, 0), |(count, bytes), (_, length)| {
            (count + 1, bytes + length)
        });
        let mut at = self.bodies.len() - bytes;
        let lines = self
            .heads
            .range(self.heads.len() - newer..)
            .take(most)
            .take_while(|(_, length)| {
                let has_room = room > 0;
                room = room.saturating_sub(*length);
                has_room
            })
            .map(|(head, length)| {
                let body = self.bodies.range(at..at + length);
                at += length;
                Line::new(*head, &body.copied().collect::<Vec<_>>())
            });
        lines.collect()
    }
}

/// Takes the log's lines as they come; must not block.
pub trait Sink: Send + Sync {
    /// One record.
    fn take(&self, line: Line);
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
        let head = Head {
            seq,
            at: self.0.clock.wall(moment),
            moment,
            from,
            to,
            kind,
            cause,
            dead,
        };
        let mut ring = self.ring();
        if let Err(error) = ring.draft(body) {
            return tracing::warn!(kind, "failed to log a letter: {error}");
        }
        if let Some(sink) = &self.0.sink {
            sink.take(Line::new(head, &ring.draft));
        }
        ring.push(head);
    }

    /// The newest records, oldest first.
    pub fn recent(&self) -> Vec<Line> {
        self.ring().lines_after(0, RING_MAX, RING_BYTES_MAX)
    }

    /// The oldest so many of those that came after the letter of this number, oldest first; fewer where they are long,
    /// and none only if there is none. They need not follow it closely: what is older is forgotten.
    pub fn since(&self, seq: u64, most: usize) -> Vec<Line> {
        self.ring().lines_after(seq, most, SHARE_BYTES_MAX)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the newest letter; zero if there is none.
    pub fn last_seq(&self) -> u64 {
        self.0.last_seq.load(Ordering::Relaxed)
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

    const HEAD: Head = Head {
        seq: 12,
        at: Timestamp::UNIX_EPOCH,
        moment: Moment(5),
        from: Name::numbered("peer_session", 3),
        to: Name::one("registry"),
        kind: "PeerHeard",
        cause: Cause(Some(17)),
        dead: true,
    };

    fn push(ring: &mut Ring, seq: u64, body: &str) {
        ring.draft(&body).unwrap();
        ring.push(Head { seq, ..HEAD });
    }

    #[test]
    fn a_line_is_written_as_the_format_says() {
        let body = br#"{"beat":true}"#;
        assert_eq!(
            Line::new(HEAD, body).to_string(),
            r#"{"v":1,"seq":12,"at":"1970-01-01T00:00:00Z","moment":5,"from":"peer_session#3","to":"registry","kind":"PeerHeard","cause":17,"dead":true,"body":{"beat":true}}"#
        );
        let cause = Cause::OUTSIDE;
        let from_outside = Line::new(Head { cause, ..HEAD }, body).to_string();
        assert!(from_outside.contains(r#","cause":null,"dead":true,"#));
    }

    #[test]
    fn the_ring_keeps_the_newest_and_neither_many_nor_long_letters_fill_the_memory() {
        let mut ring = Ring::default();
        for number in 0..=RING_MAX as u64 {
            push(&mut ring, number, &number.to_string());
        }
        let lines = ring.lines_after(0, RING_MAX, RING_BYTES_MAX);
        assert_eq!(lines.len(), RING_MAX);
        for (line, number) in lines.iter().zip(1..) {
            let body = format!("\"{number}\"");
            assert_eq!((line.seq(), &*line.body), (number, body.as_str()));
        }
        let long = "x".repeat((64 << 10) - 2);
        (0..1_000).for_each(|number| push(&mut ring, number, &long));
        assert_eq!(
            ring.lines_after(0, RING_MAX, RING_BYTES_MAX).len(),
            RING_BYTES_MAX / (64 << 10)
        );
        let share = ring.lines_after(0, RING_MAX, SHARE_BYTES_MAX);
        assert_eq!(share.len(), SHARE_BYTES_MAX / (64 << 10));
        assert_eq!(ring.bodies.len(), RING_BYTES_MAX);
        let share = ring.lines_after(0, RING_MAX, 1);
        assert_eq!(share.len(), 1, "a letter that is longer is told alone");
        push(&mut ring, 1, &"x".repeat(RING_BYTES_MAX));
        assert!(ring.heads.is_empty() && ring.bodies.is_empty());
    }

    #[test]
    fn whoever_has_seen_some_is_told_the_rest() {
        let mut ring = Ring::default();
        for number in 1..=5 {
            push(&mut ring, number, &number.to_string());
        }
        let after = |ring: &mut Ring, seq| {
            let lines = ring.lines_after(seq, 4, SHARE_BYTES_MAX);
            let told = lines.iter().map(|line| (line.seq(), line.body.to_string()));
            told.collect::<Vec<_>>()
        };
        assert_eq!(
            after(&mut ring, 3),
            [(4, "\"4\"".into()), (5, "\"5\"".into())]
        );
        assert_eq!(after(&mut ring, 0).len(), 4);
        assert_eq!(after(&mut ring, 0)[0].0, 1);
        assert_eq!(after(&mut ring, 9), []);
    }
}
