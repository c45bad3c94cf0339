//! Finds where one JSON value ends in a stream of them, for the protocol has no framing.
//!
//! Rule: every byte is looked at once, however the stream is split, and what cannot become a message is refused as soon as
//! it shows. Only boundaries are found here; whether the value between them is JSON is for the parser to say.

mod caps;

use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};

pub use caps::{ARCHIVE_MAX, Caps, ENVELOPE_MAX, PAYLOAD_MAX, REPLY_ENVELOPE_MAX};

/// Deepest nesting. Our messages need four levels; a bomb of brackets costs these few bytes and no more.
pub const DEPTH_MAX: u32 = 32;
/// How many bytes of a string are looked at together; a multiple of every vector register's width.
const STRIDE: usize = 64;

/// The keys whose strings are payloads, at the top and in an envelope's `data`.
const PAYLOAD_KEYS: [&[u8]; 2] = [b"task_data", b"result_data"];

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
}

/// What the member that is being read is called, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Action,
    Data,
    Payload,
    Other,
}

/// What the string that is being read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A key of the message or of its `data`.
    Key,
    /// The value of `action` or `type`.
    Action,
    /// The value of a payload key, allowed to be large.
    Payload,
    /// Any other.
    Other,
}

/// A string that has begun.
#[derive(Debug, Clone, Copy)]
struct Text {
    /// Where its first byte is, after the quote.
    start: usize,
    role: Role,
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
        }
    }

    /// Looks on in a buffer that has grown at its end since the last call, and gives the first whole value in it. The
    /// caller then drops everything up to the end of that range and calls [`Scanner::consumed`].
    ///
    /// # Errors
    /// [`ScanError`] if no message can come of this; the stream cannot be read on.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<Range<usize>>, ScanError> {
        loop {
            if let (Some(start), 0) = (self.start, self.depth) {
                return Ok(Some(start..self.at));
            }
            let Some(&byte) = buf.get(self.at) else {
                return Ok(None);
            };
            match self.text {
                Some(text) => {
                    let ended = self.skip_text(buf);
                    self.check_size()?;
                    if !ended {
                        return Ok(None);
                    }
                    let content = buf.get(text.start..self.at - 1);
                    self.end_text(text, content.unwrap_or_default());
                }
                None => {
                    self.at += 1;
                    self.step(byte)?;
                    self.check_size()?;
                }
            }
        }
    }

    /// The caller has dropped the value that was found, with all before it: the buffer begins anew.
    pub fn consumed(&mut self) {
        *self = Self::new(self.caps);
    }

    /// Takes the first whole value off a buffer, and the white space before it.
    ///
    /// # Errors
    /// As [`Scanner::scan`].
    pub fn split(&mut self, buf: &mut BytesMut) -> Result<Option<Bytes>, ScanError> {
        if self.at == 0 {
            let blank = buf.iter().take_while(|byte| is_space(**byte)).count();
            buf.advance(blank);
        }
        let Some(found) = self.scan(buf)? else {
            return Ok(None);
        };
        self.consumed();
        let mut value = buf.split_to(found.end);
        value.advance(found.start);
        Ok(Some(value.freeze()))
    }

    /// One byte outside of strings.
    fn step(&mut self, byte: u8) -> Result<(), ScanError> {
        match byte {
            byte if self.start.is_none() => return self.begin(byte),
            b'"' => self.begin_text(),
            b':' => self.after_colon = true,
            b',' => self.after_colon = false,
            b'{' | b'[' => self.descend()?,
            b'}' | b']' => {
                self.depth -= 1;
                self.after_colon = false;
            }
            _ => {}
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
            (true, true, Key::Payload) if self.may_carry => Role::Payload,
            _ => Role::Other,
        };
        self.text = Some(Text {
            start: self.at,
            role,
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
                (Some(_), Some(_)) => self.at += 2,
                _ => return false,
            }
        }
        false
    }

    fn end_text(&mut self, text: Text, content: &[u8]) {
        self.text = None;
        match text.role {
            Role::Key => self.key = key_of(content),
            Role::Action => {
                let carries = |word: &&str| word.as_bytes() == content;
                self.may_carry = self.caps.carriers.iter().any(carries);
            }
            Role::Payload => self.payload += content.len(),
            Role::Other => {}
        }
    }

    /// Holds the bytes seen against the caps.
    fn check_size(&self) -> Result<(), ScanError> {
        let open = match self.text {
            Some(text) if text.role == Role::Payload => self.at - text.start,
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
        key if PAYLOAD_KEYS.contains(&key) => Key::Payload,
        _ => Key::Other,
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
mod tests;
