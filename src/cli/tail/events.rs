//! Server-sent events of a master, read as they come.
//!
//! Rule: one request, one response of any length, of which no more is kept than one event takes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::control::ControlError;
use crate::http::Answered;
use crate::sockets::tcp::dial;

/// How long a master may take to accept the connection.
const DIAL_WITHIN: Duration = Duration::from_secs(3);
/// How long nothing may come: a master says every few seconds that nothing is new.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest head of a response, event, or answer that is no stream, in bytes: a piece of output as base64 is less than half.
const TEXT_MAX: usize = 256 << 10;
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
    text: BytesMut,
    chunks: Chunks,
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

/// What of a refusal is told.
#[derive(Debug, serde::Deserialize)]
struct Refusal {
    detail: String,
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
            text: BytesMut::new(),
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
            if let Some(end) = find(&self.text, b"\n\n") {
                let event = self.text.split_to(end + 2);
                if let Some(event) = event_of(&event) {
                    return Ok(Some(event));
                }
                continue;
            }
            if self.chunks == Chunks::Over {
                return Ok(None);
            }
            if self.text.len() > TEXT_MAX {
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
        // Only its own refusals say what to do; another program knows nothing of the path.
        let is_refusal = |answered: &Answered| {
            answered.field("content-type") == Some("application/problem+json")
        };
        let refused = Answered::parse(&self.raw).filter(is_refusal);
        let refusal = refused.and_then(|refused| serde_json::from_slice(&refused.body).ok());
        Err(match refusal {
            Some(Refusal { detail }) => ControlError::Refused(detail),
            None => ControlError::Strange(self.address),
        })
    }

    /// Reads some more of the body.
    async fn read_text(&mut self) -> Result<(), ControlError> {
        match take_chunk(&mut self.raw, &mut self.text, &mut self.chunks) {
            Some(true) => Ok(()),
            Some(false) if self.raw.len() > TEXT_MAX => Err(ControlError::Strange(self.address)),
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

/// Takes the marks out of what came; whether it got on, or nothing if that is no chunk.
fn take_chunk(raw: &mut BytesMut, text: &mut BytesMut, chunks: &mut Chunks) -> Option<bool> {
    match *chunks {
        Chunks::Length => {
            let Some(end) = find(raw, b"\r\n") else {
                return Some(false);
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
    Some(Event {
        name: field("event: ")?.to_owned(),
        id: field("id: ").map(str::to_owned),
        data: serde_json::from_str(field("data: ")?).ok()?,
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
        let mut chunks = Chunks::Length;
        let mut raw = BytesMut::from("x\r\n");
        assert_eq!(
            take_chunk(&mut raw, &mut BytesMut::new(), &mut chunks),
            None
        );
    }

    #[test]
    fn a_comment_is_no_event() {
        assert_eq!(event_of(b": nothing new\n\n"), None);
        assert_eq!(event_of(b"event: x\ndata: {\n\n"), None);
    }
}
