//! Server-sent events of a master, read as they come.
//!
//! Rule: one request, one response of any length, of which no more is kept than one event takes, and nothing is looked at
//! twice: whoever answers may send it byte by byte. What an event says is tamed before it is told.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::control::ControlError;
use crate::http::Answered;
use crate::said;
use crate::sockets::tcp::dial;

/// How long a master may take to accept the connection.
const DIAL_WITHIN: Duration = Duration::from_secs(3);
/// How long nothing may come: a master says every few seconds that nothing is new.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest head of a response, event, or answer that is no stream, in bytes: a piece of output as base64 is less than half.
const TEXT_MAX: usize = 256 << 10;
/// Longest line that tells the length of a chunk, in bytes: 16 digits, and what may be said behind them.
const LENGTH_MAX: usize = 256;
/// What ends the head of a response.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Read at once, in bytes.
const READ: usize = 16 << 10;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What kind.
    pub name: String,
    /// How far we are with it, if it says so.
    pub id: Option<String>,
    /// What it tells.
    pub data: Value,
}

/// A stream of them.
#[derive(Debug)]
pub struct Events {
    address: SocketAddr,
    stream: TcpStream,
    /// As it came.
    raw: BytesMut,
    /// Without the marks between chunks.
    text: Text,
    chunks: Chunks,
}

/// Text in which events end.
#[derive(Debug, Default)]
struct Text {
    bytes: BytesMut,
    /// How much of it was looked at, and ends no event.
    searched: usize,
}

/// How far the chunks of a body are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunks {
    /// The length of the next one comes.
    Length,
    /// So many bytes of it come, and a line end.
    Bytes(usize),
    /// There are no more.
    Over,
}

impl Events {
    /// Asks for them, or for those behind the one that was seen last.
    ///
    /// # Errors
    /// When the master cannot be reached, or refuses.
    pub async fn open(
        address: SocketAddr,
        path: &str,
        seen: Option<&str>,
    ) -> Result<Self, ControlError> {
        let mut stream = dial(address, DIAL_WITHIN).await?;
        let seen = seen.map(|id| format!("last-event-id: {id}\r\n"));
        let seen = seen.unwrap_or_default();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n{seen}connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut events = Self {
            address,
            stream,
            raw: BytesMut::new(),
            text: Text::default(),
            chunks: Chunks::Length,
        };
        events.read_head().await?;
        Ok(events)
    }

    /// The next one; none when the master has told all.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no event.
    pub async fn next(&mut self) -> Result<Option<Event>, ControlError> {
        loop {
            if let Some(event) = self.text.split() {
                if let Some(event) = event_of(&event) {
                    return Ok(Some(event));
                }
                continue;
            }
            if self.chunks == Chunks::Over {
                return Ok(None);
            }
            if self.text.bytes.len() > TEXT_MAX {
                return Err(ControlError::Strange(self.address));
            }
            self.read_text().await?;
        }
    }

    /// Reads the head of the response, and all of it if it is a refusal.
    async fn read_head(&mut self) -> Result<(), ControlError> {
        let head = loop {
            if let Some(head) = Answered::parse(&self.raw) {
                break head;
            }
            if self.raw.len() > TEXT_MAX || self.read().await? == 0 {
                return Err(ControlError::Strange(self.address));
            }
        };
        if head.status == 200 && head.field("transfer-encoding") == Some("chunked") {
            let end = find(&self.raw, HEAD_END).unwrap_or_default();
            self.raw.advance(end + HEAD_END.len());
            return Ok(());
        }
        while self.raw.len() <= TEXT_MAX && self.read().await? > 0 {}
        let answered = Answered::parse(&self.raw);
        Err(match answered.and_then(|answered| answered.problem()) {
            Some(why) => ControlError::Refused(said::refusal(&why)),
            None => ControlError::Strange(self.address),
        })
    }

    /// Reads some more of the body.
    async fn read_text(&mut self) -> Result<(), ControlError> {
        match take_chunk(&mut self.raw, &mut self.text.bytes, &mut self.chunks) {
            Some(true) => Ok(()),
            Some(false) if self.read().await? > 0 => Ok(()),
            Some(false) => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            None => Err(ControlError::Strange(self.address)),
        }
    }

    async fn read(&mut self) -> Result<usize, ControlError> {
        self.raw.reserve(READ);
        let read = timeout(SILENCE_MAX, self.stream.read_buf(&mut self.raw)).await;
        Ok(read.map_err(|_| ControlError::Silent)??)
    }
}

impl Text {
    /// The next event; none before all of it is there.
    fn split(&mut self) -> Option<BytesMut> {
        // The first of two line ends may be the last of what was looked at.
        let from = self.searched.saturating_sub(1);
        let found = find(self.bytes.get(from..).unwrap_or_default(), b"\n\n");
        self.searched = match found {
            Some(_) => 0,
            None => self.bytes.len(),
        };
        found.map(|at| self.bytes.split_to(from + at + 2))
    }
}

/// Takes the marks out of what came; whether it got on, or nothing if that is no chunk.
fn take_chunk(raw: &mut BytesMut, text: &mut BytesMut, chunks: &mut Chunks) -> Option<bool> {
    match *chunks {
        Chunks::Length => {
            let looked_at = raw.get(..LENGTH_MAX).unwrap_or(raw);
            let Some(end) = find(looked_at, b"\r\n") else {
                return (looked_at.len() < LENGTH_MAX).then_some(false);
            };
            let line = raw.split_to(end + 2);
            let digits = str::from_utf8(line.get(..end)?).ok()?;
            let length = usize::from_str_radix(digits.trim(), 16).ok()?;
            *chunks = match length {
                0 => Chunks::Over,
                length => Chunks::Bytes(length),
            };
        }
        Chunks::Bytes(0) => {
            if raw.len() < 2 {
                return Some(false);
            }
            raw.advance(2);
            *chunks = Chunks::Length;
        }
        Chunks::Bytes(left) => {
            let now = left.min(raw.len());
            if now == 0 {
                return Some(false);
            }
            text.extend_from_slice(&raw.split_to(now));
            *chunks = Chunks::Bytes(left - now);
        }
        Chunks::Over => {}
    }
    Some(true)
}

/// The event that these lines are; none if they are a comment.
fn event_of(lines: &[u8]) -> Option<Event> {
    let text = str::from_utf8(lines).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let mut data = serde_json::from_str(field("data: ")?).ok()?;
    said::tame(&mut data);
    Some(Event {
        name: field("event: ")?.to_owned(),
        id: field("id: ").map(str::to_owned),
        data,
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together_however_they_arrive() {
        let body = b"5\r\nevent\r\n10\r\n: output\ndata: 1\r\n3\r\n2\n\n\r\n0\r\n\r\n";
        for size in [1, 2, 7, body.len()] {
            let (mut raw, mut text) = (BytesMut::new(), BytesMut::new());
            let mut chunks = Chunks::Length;
            for piece in body.chunks(size) {
                raw.extend_from_slice(piece);
                while chunks != Chunks::Over {
                    if !take_chunk(&mut raw, &mut text, &mut chunks).unwrap() {
                        break;
                    }
                }
            }
            assert_eq!(chunks, Chunks::Over);
            assert_eq!(text, b"event: output\ndata: 12\n\n"[..]);
            let event = event_of(&text).unwrap();
            assert_eq!((event.name.as_str(), event.data), ("output", 12.into()));
        }
        for wrong in ["x\r\n", &"1".repeat(LENGTH_MAX)] {
            let (mut raw, mut chunks) = (BytesMut::from(wrong), Chunks::Length);
            let taken = take_chunk(&mut raw, &mut BytesMut::new(), &mut chunks);
            assert_eq!(taken, None, "{wrong}");
        }
    }

    #[test]
    fn an_event_is_found_wherever_it_is_cut_and_nothing_is_looked_at_twice() {
        for size in [1, 2, 3, 100] {
            let (mut text, mut found) = (Text::default(), Vec::new());
            for piece in b"one\n\ntwo\nlines\n\n\n\nrest".chunks(size) {
                text.bytes.extend_from_slice(piece);
                while let Some(event) = text.split() {
                    found.push(event);
                }
                assert_eq!(text.searched, text.bytes.len());
            }
            assert_eq!(found, ["one\n\n", "two\nlines\n\n", "\n\n"]);
            assert_eq!(text.bytes, "rest");
        }
    }

    #[test]
    fn what_an_event_says_commands_no_terminal() {
        let said = b"event: try\ndata: {\"peer_id\":\"a\\u001b[2Jb\",\"attempt\":1}\n\n";
        let told = serde_json::json!({ "peer_id": "a[2Jb", "attempt": 1 });
        assert_eq!(event_of(said).unwrap().data, told);
    }

    #[test]
    fn a_comment_is_no_event() {
        assert_eq!(event_of(b": nothing new\n\n"), None);
        assert_eq!(event_of(b"event: x\ndata: {\n\n"), None);
    }
}
