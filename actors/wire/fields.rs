//! A message taken apart: the fields that the protocol knows, each as the raw text of its value.
//!
//! Rule: values are read only when asked for and only as the type asked for, so that nothing is copied that need not be
//! and an error can name its field. A field that the protocol does not know is skipped; a known one may stand only once.

mod keys;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use self::keys::KEYS;
use super::error::WireError;
use super::message::Apart;
use super::payload::Payload;
use crate::model::TaskId;

/// What a string field must be.
const TEXT: &str = "a string";
/// What a port must be.
pub(super) const PORT: &str = "a port from 0 to 65535";
/// What a count or a duration must be.
pub(super) const WHOLE: &str = "a whole number that is not negative";
/// What a digest must be.
pub(super) const DIGEST: &str = "64 hexadecimal digits";
/// What an id of ours must be.
pub(super) const UUID: &str = "a UUID";

/// The known fields of one message. Those inside an envelope's `data` come first, so that they win over its outside.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    present: Vec<(&'static str, &'a RawValue)>,
    /// Whether the message wears the envelope: `type` and `data` instead of `action` and fields.
    pub(super) enveloped: bool,
    /// The text of the payload, and under which key, if it was taken out of the message.
    text: Option<(&'static str, &'a str)>,
    /// The payload behind the message.
    raw: Option<&'a Bytes>,
}

impl<'a> Fields<'a> {
    /// Takes one whole message apart whose payload is no longer among its words.
    pub(super) fn of(message: &'a Apart<'_>) -> Result<Self, WireError> {
        let fields = Self::read(message.words())?;
        Ok(Self {
            text: message.text,
            raw: message.raw,
            ..fields
        })
    }

    /// Takes one whole message apart.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut text = serde_json::Deserializer::from_slice(bytes);
        let outside = object(&mut text)?;
        text.end().map_err(not_json)?;
        let fields = Self {
            present: outside,
            ..Self::default()
        };
        if fields.has("action") || !fields.has("type") {
            return Ok(fields);
        }
        fields.unwrapped()
    }

    /// Looks into the envelope; one without `data` is read as if its fields lay inside.
    fn unwrapped(mut self) -> Result<Self, WireError> {
        self.enveloped = true;
        if let Some(data) = self.raw("data") {
            if !data.get().starts_with('{') {
                return Err(WireError::Field {
                    field: "data",
                    wanted: "an object",
                });
            }
            let inside = object(&mut serde_json::Deserializer::from_str(data.get()))?;
            self.present.splice(0..0, inside);
        }
        Ok(self)
    }

    /// The raw JSON text of a field; none if it is absent or null.
    pub(super) fn raw(&self, key: &'static str) -> Option<&'a RawValue> {
        debug_assert!(KEYS.contains(&key), "{key} is not in KEYS");
        let found = self.present.iter().find(|(known, _)| *known == key);
        found.map(|(_, raw)| *raw).filter(|raw| raw.get() != "null")
    }

    /// Whether a field is there and not null.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.raw(key).is_some()
    }

    /// A string, borrowed unless it holds escapes.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<Cow<'a, str>>, WireError> {
        let Some(raw) = self.raw(key) else {
            return Ok(None);
        };
        let wrong = WireError::Field {
            field: key,
            wanted: TEXT,
        };
        text_of(raw).map(Some).ok_or(wrong)
    }

    /// A string that must be there.
    pub(super) fn need_text(&self, key: &'static str) -> Result<Cow<'a, str>, WireError> {
        self.text(key)?.ok_or(WireError::Missing(key))
    }

    /// The payload, which stands under this key or follows the message.
    pub(super) fn payload(&self, key: &'static str) -> Result<Payload<'a>, WireError> {
        match (self.raw, self.text) {
            (Some(_), _) if self.has(key) => Err(WireError::TwoPayloads),
            // In base64 a lost byte shows by itself, here only by the digest.
            (Some(_), _) if !self.has("sha256") => Err(WireError::Missing("sha256")),
            (Some(raw), _) => Ok(Payload::Behind(raw.clone())),
            (None, Some((taken, text))) if taken == key => Ok(Payload::Text(text.into())),
            _ if !self.has(key) && self.has("raw") => Err(WireError::RawNotAgreed),
            _ => Ok(Payload::Text(self.need_text(key)?)),
        }
    }

    /// A value that a string spells, such as an id or a digest.
    pub(super) fn spelled<T: FromStr>(
        &self,
        key: &'static str,
        wanted: &'static str,
    ) -> Result<Option<T>, WireError> {
        let Some(raw) = self.raw(key) else {
            return Ok(None);
        };
        let wrong = WireError::Field { field: key, wanted };
        let value = text_of(raw).and_then(|text| text.parse().ok());
        value.map(Some).ok_or(wrong)
    }

    /// Whether something is so; it is not when nothing is said.
    pub(super) fn flag(&self, key: &'static str) -> Result<bool, WireError> {
        let wanted = "true or false";
        match self.raw(key).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(WireError::Field { field: key, wanted }),
        }
    }

    /// A whole number, written as a number or as a string.
    pub(super) fn number<T: FromStr>(
        &self,
        key: &'static str,
        wanted: &'static str,
    ) -> Result<Option<T>, WireError> {
        let Some(raw) = self.raw(key) else {
            return Ok(None);
        };
        let wrong = WireError::Field { field: key, wanted };
        number_of(raw).map(Some).ok_or(wrong)
    }

    /// An id of ours, if the field is one: a stranger's field of the same name is an unknown field.
    pub(super) fn uuid(&self, key: &'static str) -> Option<Uuid> {
        self.spelled(key, UUID).unwrap_or(None)
    }

    /// The task that a message of ours is about.
    pub(super) fn need_task(&self) -> Result<TaskId, WireError> {
        let task = self.spelled("task_id", UUID)?;
        task.map(TaskId).ok_or(WireError::Missing("task_id"))
    }

    /// A list, item by item as raw text.
    pub(super) fn list(&self, key: &'static str) -> Result<Option<Vec<&'a RawValue>>, WireError> {
        let Some(raw) = self.raw(key) else {
            return Ok(None);
        };
        let wrong = WireError::Field {
            field: key,
            wanted: "a list",
        };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| wrong)
    }

    /// A list of strings; an absent one is empty.
    pub(super) fn texts(&self, key: &'static str) -> Result<Vec<Cow<'a, str>>, WireError> {
        let wrong = || WireError::Field {
            field: key,
            wanted: "a list of strings",
        };
        let items = self.list(key)?.unwrap_or_default();
        items
            .into_iter()
            .map(|item| text_of(item).ok_or_else(wrong))
            .collect()
    }
}

/// The string that this raw value is: what stands between its quotes, for it is JSON already, unless it holds escapes.
pub(super) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inside = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inside))
}

/// The whole number that this raw value is, or that it spells as a string: some speakers quote their ports.
pub(super) fn number_of<T: FromStr>(raw: &RawValue) -> Option<T> {
    raw.get().trim_matches('"').trim().parse().ok()
}

fn not_json(error: serde_json::Error) -> WireError {
    WireError::NotJson(error.to_string())
}

/// Reads the members of one object.
fn object<'a, R: serde_json::de::Read<'a>>(
    text: &mut serde_json::Deserializer<R>,
) -> Result<Vec<(&'static str, &'a RawValue)>, WireError> {
    let members = text.deserialize_map(MembersVisitor).map_err(not_json)?;
    match members.twice {
        Some(key) => Err(WireError::Twice(key)),
        None => Ok(members.known),
    }
}

#[derive(Default)]
struct Members<'a> {
    known: Vec<(&'static str, &'a RawValue)>,
    twice: Option<&'static str>,
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some(key) = map.next_key_seed(KnownKey)? {
            let Some(key) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value()?;
            if members.known.iter().any(|(seen, _)| *seen == key) {
                members.twice = Some(key);
            } else {
                members.known.push((key, value));
            }
        }
        Ok(members)
    }
}

/// Finds a key in [`KEYS`]; none for one that the protocol does not know.
struct KnownKey;

impl<'de> DeserializeSeed<'de> for KnownKey {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for KnownKey {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(KEYS.iter().find(|known| **known == key).copied())
    }
}
