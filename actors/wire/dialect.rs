//! Which of the protocol's dialects a message speaks; it is recognised from the message itself and answered in kind.

use std::borrow::Cow;

pub use crate::model::Dialect;

use super::error::WireError;
use super::fields::Fields;

impl Dialect {
    /// The dialect of one request. A super-peer's heartbeat looks like anyone's and counts as flat: who has heard its
    /// REGISTER may remember better.
    pub(super) fn of_request(fields: &Fields<'_>, word: &str) -> Self {
        let own_words = matches!(
            word,
            "LIST_PEERS" | "GET_PEER_INFO" | "DISCOVER_SUPER_PEER" | "SUPER_PEER_ANNOUNCEMENT"
        );
        if fields.enveloped {
            Self::Envelope
        } else if own_words || (word == "REGISTER" && fields.has("p2p_port")) {
            Self::SuperPeer
        } else {
            Self::Flat
        }
    }
}

/// How to answer a request that could not be parsed: its dialect and `id` as far as they can be told.
pub fn answer_to(request: &[u8]) -> (Dialect, Option<u64>) {
    let Ok(fields) = Fields::read(request) else {
        return (Dialect::Flat, None);
    };
    let word = word_of_request(&fields).unwrap_or_default();
    (Dialect::of_request(&fields, &word), id_of(&fields))
}

/// What a request calls itself.
pub(super) fn word_of_request<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, WireError> {
    let key = if fields.enveloped { "type" } else { "action" };
    fields.text(key)?.ok_or(WireError::NoWord)
}

/// The number by which we tell requests in flight apart. A stranger's field of that name is of another shape, and ignored.
pub(super) fn id_of(fields: &Fields<'_>) -> Option<u64> {
    fields.number("id", "a whole number").unwrap_or(None)
}
