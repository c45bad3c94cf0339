//! Writes one message as one compact JSON value, its fields in the order in which they are given.

use bytes::Bytes;
use serde::Serialize;

use super::dialect::Dialect;
use super::json::write_json;
use super::parcel::Parcel;
use super::payload::Payload;

/// Room for everything but the payload of nearly every message, so that the buffer seldom grows.
const ENVELOPE_ROOM: usize = 512;

/// A message that is being written.
pub(super) struct Writer {
    out: Vec<u8>,
    /// A payload that belongs into the words, and where, or behind them.
    payload: Option<(Option<usize>, Bytes)>,
    close: &'static [u8],
}

impl Writer {
    /// Begins a message: `{"action":word` (or another key than `action`), and in the envelope `{"type":word,"data":{`.
    pub(super) fn new(dialect: Dialect, key: &str, word: &str, id: Option<u64>) -> Self {
        let enveloped = dialect == Dialect::Envelope;
        let mut writer = Self::open()
            .field(if enveloped { "type" } else { key }, word)
            .maybe("id", id);
        if enveloped {
            writer.out.extend_from_slice(br#","data":{"#);
            writer.close = b"}}";
        }
        writer
    }

    /// Begins a message that no word opens, whatever the dialect.
    pub(super) fn bare(id: Option<u64>) -> Self {
        Self::open().maybe("id", id)
    }

    fn open() -> Self {
        let mut out = Vec::with_capacity(ENVELOPE_ROOM);
        out.push(b'{');
        Self {
            out,
            payload: None,
            close: b"}",
        }
    }

    /// Adds a field of any plain type.
    pub(super) fn field(mut self, key: &str, value: impl Serialize) -> Self {
        self.key(key);
        write_json(&value, &mut self.out);
        self
    }

    /// Adds a field if there is something to say.
    pub(super) fn maybe(self, key: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.field(key, value),
            None => self,
        }
    }

    /// Adds the payload of the message: base64 under this key, or the length of what will follow.
    pub(super) fn payload(mut self, key: &str, payload: &Payload<'_>) -> Self {
        match payload {
            Payload::Text(text) => self.field(key, text),
            Payload::Inside(bytes) => {
                self.key(key);
                self.out.push(b'"');
                self.payload = Some((Some(self.out.len()), bytes.clone()));
                self.out.push(b'"');
                self
            }
            Payload::Behind(bytes) => {
                self.payload = Some((None, bytes.clone()));
                self.field("raw", bytes.len())
            }
        }
    }

    /// Adds a field whose value is JSON text already.
    pub(super) fn raw(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    /// Closes the message.
    pub(super) fn finish(mut self) -> Parcel {
        self.out.extend_from_slice(self.close);
        match self.payload {
            None => self.out.into(),
            Some((None, payload)) => Parcel::behind(self.out, payload),
            Some((Some(at), payload)) => {
                let after = self.out.split_off(at);
                Parcel::inside(self.out, payload, after)
            }
        }
    }

    fn key(&mut self, key: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        write_json(key, &mut self.out);
        self.out.push(b':');
    }
}
