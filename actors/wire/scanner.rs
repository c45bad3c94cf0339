//! Finds where one JSON value ends in a stream of them, for the protocol has no framing.
//!
//! Rule: every byte is looked at once, however the stream is split, and what cannot become a message is refused as soon as
//! it shows. Only boundaries are found here; whether the value between them is JSON is for the parser to say.

mod caps;
mod length;

use std::ops::Range;

use bytes::{Buf as _, BytesMut};

pub use caps::{ARCHIVE_MAX, Caps, ENVELOPE_MAX, PAYLOAD_MAX, REPLY_ENVELOPE_MAX};
use length::Length;

use super::message::Message;

/// Deepest nesting. Our messages need four levels; a bomb of brackets costs these few bytes and no more.
pub const DEPTH_MAX: u32 = 32;
/// How many bytes of a string are looked at together; a multiple of every vector register's width.
const STRIDE: usize = 64;

/// The keys whose strings are payloads, at the top and in an envelope's `data`.
const PAYLOAD_KEYS: [&str; 2] = ["task_data", "result_data"];

/// Why the stream cannot be read on. Its boundaries are lost, so the connection ends after any of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// What stands where a message should begin is none.
    #[error("a message is a JSON object and begins with {{, not with {}", .0.escape_ascii())]
    NotAnObject(u8),
    /// More nesting than [`DEPTH_MAX`].
    #[error("the message nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// More bytes outside of payloads than the cap.
    #[error("the message has more than {0} bytes besides its payload")]
    EnvelopeTooLarge(usize),
    /// More bytes of payload than the cap.
    #[error("the payload has more than {0} bytes of base64")]
    PayloadTooLarge(usize),
    /// More bytes behind the message than the cap.
    #[error("the payload behind the message has more than {0} bytes")]
    RawTooLarge(usize),
    /// A length of what is behind the message that cannot be told.
    #[error(
        "`raw` must stand once, as a whole number that is not negative, in a message that carries a payload"
    )]
    BadRaw,
}

/// What the member that is being read is called, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Action,
    Data,
    Payload(&'static str),
    Raw,
    Other,
}

/// What the string that is being read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A key of the message or of its `data`.
    Key,
    /// The value of `action` or `type`.
    Action,
    /// The value of this payload key, allowed to be large.
    Payload(&'static str),
    /// Any other.
    Other,
}

/// A string that has begun.
#[derive(Debug, Clone, Copy)]
struct Text {
    /// Where its first byte is, after the quote.
    start: usize,
    role: Role,
    /// Whether it holds escapes, as far as it was looked at.
    escapes: bool,
}

/// A whole message in a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its JSON value.
    pub value: Range<usize>,
    /// The payload in it, without its quotes, and under which key; none if it is not one or holds escapes.
    pub payload: Option<(&'static str, Range<usize>)>,
    /// The bytes behind the value that are its payload.
    pub raw: Option<Range<usize>>,
}

/// The scanner of one stream, in one direction.
#[derive(Debug)]
pub struct Scanner {
    caps: Caps,
    /// Everything before this was looked at.
    at: usize,
    /// Where the value begins, once it has.
    start: Option<usize>,
    depth: u32,
    text: Option<Text>,
    /// Whether a value comes next in the current object, and not a key.
    after_colon: bool,
    key: Key,
    /// Whether the second level, while in it, is an envelope's `data`.
    in_data: bool,
    /// Whether a payload is still possible, by what is known of the action.
    may_carry: bool,
    /// Bytes of the payloads that have ended.
    payload: usize,
    /// The longest of them, if it holds no escapes.
    longest: Option<(&'static str, Range<usize>)>,
    /// Whether the other side may send payloads behind its messages.
    takes_raw: bool,
    /// How much of that this message announces.
    raw: Length,
}

impl Scanner {
    /// A scanner at the beginning of a stream.
    pub fn new(caps: Caps) -> Self {
        Self {
            caps,
            at: 0,
            start: None,
            depth: 0,
            text: None,
            after_colon: false,
            key: Key::Other,
            in_data: false,
            may_carry: true,
            payload: 0,
            longest: None,
            takes_raw: false,
            raw: Length::default(),
        }
    }

    /// From here on `raw` at the top of a message is the length of a payload that follows it; until then it is a field
    /// like any other.
    pub fn take_raw(&mut self, takes: bool) {
        self.takes_raw = takes;
    }

    /// Looks on in a buffer that has grown at its end since the last call, and gives the first whole message in it. The
    /// caller then drops everything up to its end and calls [`Scanner::consumed`].
    ///
    /// # Errors
    /// [`ScanError`] if no message can come of this; the stream cannot be read on.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<Found>, ScanError> {
        loop {
            if let (Some(start), 0) = (self.start, self.depth) {
                return Ok(self.found(start, buf.len()));
            }
            let Some(&byte) = buf.get(self.at) else {
                return Ok(None);
            };
            match self.text {
                Some(Text { start, .. }) => {
                    let ended = self.skip_text(buf);
                    self.check_size()?;
                    if !ended {
                        return Ok(None);
                    }
                    let content = buf.get(start..self.at - 1);
                    self.end_text(content.unwrap_or_default());
                }
                None => {
                    self.at += 1;
                    self.step(byte)?;
                    self.check_size()?;
                }
            }
        }
    }

    /// The message whose value has ended, once it is in a buffer of this length.
    fn found(&self, start: usize, length: usize) -> Option<Found> {
        let raw = self.raw.bytes().map(|bytes| self.at..self.at + bytes);
        let end = raw.as_ref().map_or(self.at, |raw| raw.end);
        (end <= length).then(|| Found {
            value: start..self.at,
            payload: self.longest.clone(),
            raw,
        })
    }

    /// The caller has dropped the message that was found, with all before it: the buffer begins anew.
    pub fn consumed(&mut self) {
        *self = Self {
            takes_raw: self.takes_raw,
            ..Self::new(self.caps)
        };
    }

    /// Takes the first whole message off a buffer, and the white space before it.
    ///
    /// # Errors
    /// As [`Scanner::scan`].
    pub fn split(&mut self, buf: &mut BytesMut) -> Result<Option<Message>, ScanError> {
        if self.at == 0 {
            let blank = buf.iter().take_while(|byte| is_space(**byte)).count();
            buf.advance(blank);
        }
        let Some(found) = self.scan(buf)? else {
            return Ok(None);
        };
        self.consumed();
        Ok(Some(Message::take(buf, found)))
    }

    /// One byte outside of strings.
    fn step(&mut self, byte: u8) -> Result<(), ScanError> {
        match byte {
            byte if self.start.is_none() => return self.begin(byte),
            byte if self.is_at_raw() => self.raw.read(byte, self.caps.raw)?,
            _ => {}
        }
        match byte {
            b'"' => self.begin_text(),
            b':' => self.begin_value()?,
            b',' => self.after_colon = false,
            b'{' | b'[' => self.descend()?,
            b'}' | b']' => {
                self.depth -= 1;
                self.after_colon = false;
                return self.check_carrier();
            }
            _ => {}
        }
        Ok(())
    }

    fn begin_value(&mut self) -> Result<(), ScanError> {
        self.after_colon = true;
        if self.is_at_raw() {
            self.raw.begin()?;
        }
        Ok(())
    }

    /// Whether the length of the payload behind the message comes.
    fn is_at_raw(&self) -> bool {
        self.takes_raw && self.after_colon && self.key == Key::Raw && self.depth == 1
    }

    /// A message that has ended has something behind it only if it may carry that.
    fn check_carrier(&self) -> Result<(), ScanError> {
        let is_wrong = self.depth == 0 && self.raw.bytes().is_some() && !self.may_carry;
        if is_wrong {
            return Err(ScanError::BadRaw);
        }
        Ok(())
    }

    fn begin(&mut self, byte: u8) -> Result<(), ScanError> {
        match byte {
            b'{' => {
                self.start = Some(self.at - 1);
                self.depth = 1;
                Ok(())
            }
            byte if is_space(byte) => Ok(()),
            byte => Err(ScanError::NotAnObject(byte)),
        }
    }

    fn descend(&mut self) -> Result<(), ScanError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(ScanError::TooDeep);
        }
        if self.depth == 2 {
            self.in_data = self.key == Key::Data && self.after_colon;
        }
        self.after_colon = false;
        Ok(())
    }

    fn begin_text(&mut self) {
        let watched = self.depth == 1 || (self.depth == 2 && self.in_data);
        let role = match (watched, self.after_colon, self.key) {
            (false, ..) => Role::Other,
            (true, false, _) => Role::Key,
            (true, true, Key::Action) if self.depth == 1 => Role::Action,
            (true, true, Key::Payload(key)) if self.may_carry => Role::Payload(key),
            _ => Role::Other,
        };
        self.text = Some(Text {
            start: self.at,
            role,
            escapes: false,
        });
    }

    /// Runs to the end of the string or of the buffer; true if the string ended. An escape whose second byte has not come
    /// is left for the next call.
    fn skip_text(&mut self, buf: &[u8]) -> bool {
        while let Some(rest) = buf.get(self.at..) {
            self.at += plain_len(rest);
            match (buf.get(self.at), buf.get(self.at + 1)) {
                (Some(b'"'), _) => {
                    self.at += 1;
                    return true;
                }
                (Some(_), Some(_)) => {
                    self.at += 2;
                    self.text.iter_mut().for_each(|text| text.escapes = true);
                }
                _ => return false,
            }
        }
        false
    }

    fn end_text(&mut self, content: &[u8]) {
        let Some(text) = self.text.take() else {
            return;
        };
        match text.role {
            Role::Key => self.key = key_of(content),
            Role::Action => {
                let carries = |word: &&str| word.as_bytes() == content;
                self.may_carry = self.caps.carriers.iter().any(carries);
            }
            Role::Payload(key) => {
                self.payload += content.len();
                let longest = self.longest.as_ref().map_or(0, |(_, range)| range.len());
                if !text.escapes && content.len() > longest {
                    self.longest = Some((key, text.start..text.start + content.len()));
                }
            }
            Role::Other => {}
        }
    }

    /// Holds the bytes seen against the caps.
    fn check_size(&self) -> Result<(), ScanError> {
        let open = match self.text {
            Some(Text {
                role: Role::Payload(_),
                start,
                ..
            }) => self.at - start,
            _ => 0,
        };
        let payload = self.payload + open;
        // The closing quote was counted in when the string has just ended, hence the one byte of grace.
        if payload > self.caps.payload + 1 {
            return Err(ScanError::PayloadTooLarge(self.caps.payload));
        }
        if self.at - payload > self.caps.envelope {
            return Err(ScanError::EnvelopeTooLarge(self.caps.envelope));
        }
        Ok(())
    }
}

fn key_of(key: &[u8]) -> Key {
    match key {
        b"action" | b"type" => Key::Action,
        b"data" => Key::Data,
        b"raw" => Key::Raw,
        key => {
            let mut payloads = PAYLOAD_KEYS.iter();
            let payload = payloads.find(|payload| payload.as_bytes() == key);
            payload.map_or(Key::Other, |payload| Key::Payload(payload))
        }
    }
}

/// White space as JSON has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many bytes come before the first quote or backslash. A whole stride is judged without a branch a byte, which the
/// compiler turns into vector instructions.
fn plain_len(bytes: &[u8]) -> usize {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
    let has_special = |stride: &[u8; STRIDE]| {
        let marks = stride.map(|byte| u8::from(byte == b'"') | u8::from(byte == b'\\'));
        marks.iter().fold(0, |any, mark| any | mark) != 0
    };
    let (strides, _) = bytes.as_chunks::<STRIDE>();
    let plain = strides.iter().position(has_special);
    let looked = STRIDE * plain.unwrap_or(strides.len());
    let rest = bytes.get(looked..).unwrap_or_default();
    looked + rest.iter().position(is_special).unwrap_or(rest.len())
}

#[cfg(test)]
mod raw_tests;
#[cfg(test)]
mod tests;
