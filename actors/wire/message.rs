//! One whole message as it came, and its payload apart from its words: what is long is not parsed.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Buf as _, Bytes, BytesMut};

use super::error::WireError;
use super::fields::Fields;
use super::reply::{self, Heard};
use super::request::{self, Spoken};
use super::scanner::Found;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    value: Bytes,
    /// Where in it the text of the payload is, without its quotes, and under which key.
    payload: Option<(&'static str, Range<usize>)>,
    raw: Option<Bytes>,
}

/// A message whose payload is not among its words.
#[derive(Debug)]
pub struct Apart<'a> {
    words: Cow<'a, [u8]>,
    /// The text of the payload, and under which key; in the words it is empty.
    pub(super) text: Option<(&'static str, &'a str)>,
    /// The payload that came behind the message.
    pub(super) raw: Option<&'a Bytes>,
}

impl Message {
    /// Takes a message off the beginning of a buffer, where it was found.
    pub(super) fn take(buf: &mut BytesMut, found: Found) -> Self {
        let Found {
            value: Range { start, end },
            payload,
            raw,
        } = found;
        let mut value = buf.split_to(end);
        value.advance(start);
        Self {
            value: value.freeze(),
            payload: payload.map(|(key, range)| (key, range.start - start..range.end - start)),
            raw: raw.map(|raw| buf.split_to(raw.len()).freeze()),
        }
    }

    /// Its JSON value, the payload in it.
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// The payload that came behind it.
    pub fn raw(&self) -> Option<&Bytes> {
        self.raw.as_ref()
    }

    /// How many bytes it has in all.
    pub fn length(&self) -> usize {
        self.value.len() + self.raw.as_ref().map_or(0, Bytes::len)
    }

    /// Its words, without the text of its payload, which is copied nowhere.
    pub fn apart(&self) -> Apart<'_> {
        let cut = self.payload.as_ref().and_then(|(key, range)| {
            let before = self.value.get(..range.start)?;
            let text = self.value.get(range.clone())?;
            let after = self.value.get(range.end..)?;
            Some((
                [before, after].concat(),
                *key,
                std::str::from_utf8(text).ok()?,
            ))
        });
        let raw = self.raw.as_ref();
        match cut {
            Some((words, key, text)) => Apart {
                words: words.into(),
                text: Some((key, text)),
                raw,
            },
            None => Apart {
                words: Cow::Borrowed(&self.value),
                text: None,
                raw,
            },
        }
    }
}

impl Apart<'_> {
    /// Its words, in which the text of the payload is empty.
    pub fn words(&self) -> &[u8] {
        &self.words
    }

    /// Reads it as a request.
    ///
    /// # Errors
    /// As [`parse_request`](super::parse_request).
    pub fn request(&self) -> Result<Spoken<'_>, WireError> {
        request::read_request(&Fields::of(self)?)
    }

    /// Reads it as a reply.
    ///
    /// # Errors
    /// As [`parse_reply`](super::parse_reply).
    pub fn reply(&self) -> Result<Heard<'_>, WireError> {
        reply::read_reply(&Fields::of(self)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::scanner::{Caps, Scanner};
    use crate::wire::{Payload, Request, parse_request};

    fn message(stream: &str) -> Message {
        let mut scanner = Scanner::new(Caps::REQUESTS);
        scanner.take_raw(true);
        let mut buffer = BytesMut::from(stream);
        scanner.split(&mut buffer).unwrap().unwrap()
    }

    fn refusal(stream: &str) -> WireError {
        message(stream).apart().request().unwrap_err()
    }

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_long_payload_is_neither_parsed_nor_copied() {
        let text = "A".repeat(100_000);
        let message = message(&format!(
            r#"{{"action":"SUBMIT_RESULT","peer_id":"a","result_data":"{text}","attempt":3}}"#
        ));
        let apart = message.apart();
        assert!(apart.words().len() < 100);
        let Request::SubmitResult {
            result_data: Payload::Text(Cow::Borrowed(data)),
            attempt,
            ..
        } = apart.request().unwrap().request
        else {
            panic!("another request");
        };
        assert_eq!(
            (data, attempt.unwrap().to_string()),
            (text.as_str(), "3".into())
        );
        assert!(message.value().as_ptr_range().contains(&data.as_ptr()));
    }

    #[test]
    fn escapes_and_what_is_no_text_are_left_to_the_parser() {
        let escaped =
            message(r#"{"action":"SUBMIT_RESULT","peer_id":"a","result_data":"U\u0045s\/"}"#);
        let apart = escaped.apart();
        let Request::SubmitResult { result_data, .. } = apart.request().unwrap().request else {
            panic!("another request");
        };
        assert_eq!(result_data, Payload::Text("UEs/".into()));
        let mut buffer =
            BytesMut::from(&b"{\"action\":\"SUBMIT_RESULT\",\"result_data\":\"\xff\"}"[..]);
        let split = Scanner::new(Caps::REQUESTS).split(&mut buffer).unwrap();
        let refused = split.unwrap().apart().request().unwrap_err();
        assert!(matches!(refused, WireError::NotJson(_)), "{refused}");
    }

    #[test]
    fn the_payload_of_another_action_is_left_where_it_is() {
        let both = message(
            r#"{"action":"SUBMIT_RESULT","peer_id":"a","task_data":"AAAAAAAA","result_data":"UEs"}"#,
        );
        let apart = both.apart();
        let Request::SubmitResult { result_data, .. } = apart.request().unwrap().request else {
            panic!("another request");
        };
        assert_eq!(result_data, Payload::Text("UEs".into()));
        let other = r#"{"action":"SUBMIT_RESULT","peer_id":"a","task_data":"AAAAAAAA"}"#;
        assert_eq!(refusal(other), WireError::Missing("result_data"));
        let twice =
            r#"{"action":"SUBMIT_RESULT","peer_id":"a","result_data":"A","result_data":"AAAA"}"#;
        assert_eq!(refusal(twice), WireError::Twice("result_data"));
    }

    #[test]
    fn a_payload_behind_its_message_is_read_with_it() {
        let stream =
            format!(r#"{{"action":"SUBMIT_RESULT","peer_id":"a","raw":2,"sha256":"{DIGEST}"}}PK"#);
        let message = message(&stream);
        let apart = message.apart();
        let Request::SubmitResult { result_data, .. } = apart.request().unwrap().request else {
            panic!("another request");
        };
        assert_eq!(result_data, Payload::Behind(Bytes::from_static(b"PK")));
    }

    #[test]
    fn a_payload_behind_its_message_needs_a_digest_and_no_other_payload() {
        let bare = r#"{"action":"SUBMIT_RESULT","peer_id":"a","raw":2}PK"#;
        assert_eq!(refusal(bare), WireError::Missing("sha256"));
        let both = r#"{"action":"SUBMIT_RESULT","peer_id":"a","result_data":"UEs","raw":2}PK"#;
        assert_eq!(refusal(both), WireError::TwoPayloads);
    }

    #[test]
    fn a_length_that_nobody_agreed_to_is_said_so() {
        let stream = br#"{"action":"SUBMIT_RESULT","peer_id":"a","raw":2}"#;
        assert_eq!(parse_request(stream).unwrap_err(), WireError::RawNotAgreed);
        let hidden = r#"{"action":"SUBMIT_RESULT","peer_id":"a","r\u0061w":2}PK"#;
        assert_eq!(refusal(hidden), WireError::RawNotAgreed);
    }

    proptest! {
        #[test]
        fn apart_or_not_a_message_means_the_same(
            text in r#"(\\[nu/"\\]|[A-Za-z0-9+/=\n ]|[^"\\]){0,30}"#,
            key in "(task|result)_data|x",
            other in "(task|result)_data|y",
        ) {
            let text = format!(
                r#"{{"action":"SUBMIT_RESULT","{other}":"AAAAAA","{key}":"{text}","peer_id":"a"}}"#
            );
            let mut buffer = BytesMut::from(text.as_str());
            if let Ok(Some(message)) = Scanner::new(Caps::REQUESTS).split(&mut buffer) {
                let whole = parse_request(message.value());
                // Control characters in a payload are for its decoder to refuse, or to pass over.
                if !matches!(whole, Err(WireError::NotJson(_))) {
                    let apart = message.apart();
                    prop_assert_eq!(apart.request(), whole);
                }
            }
        }
    }
}
