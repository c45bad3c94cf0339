//! Why a message was not understood, in words fit for whoever sent it.

/// A message whose end was found but whose meaning was not. The connection can live on: answer with
/// [`Reply::Error`](super::Reply::Error) in the dialect that [`answer_to`](super::dialect::answer_to) tells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes are not one JSON object.
    #[error("the message is not a JSON object: {0}")]
    NotJson(String),
    /// No `action`, `type` or `status` tells what the message is.
    #[error("the message says neither `action` nor `type` nor `status`")]
    NoWord,
    /// A field that the message cannot do without is absent or null.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field has another type or range than it must.
    #[error("the field `{field}` must be {wanted}")]
    Field {
        /// Its key.
        field: &'static str,
        /// What would have been taken.
        wanted: &'static str,
    },
    /// A field stands twice, and taking either would be a guess.
    #[error("the field `{0}` stands twice")]
    Twice(&'static str),
    /// A payload is not base64.
    #[error("the payload is not base64: {0}")]
    Base64(String),
    /// A payload is said to follow the message, where nobody agreed to that.
    #[error(
        "the payload is said to follow the message, but `raw` was not agreed on this connection: REGISTER names it"
    )]
    RawNotAgreed,
    /// A payload stands in the message and another follows it.
    #[error("the message has a payload inside and another behind it")]
    TwoPayloads,
    /// A payload's bytes are not those that its `sha256` was made of.
    #[error("the payload was damaged on the way: its bytes do not have the sha256 that is said")]
    Damaged,
    /// A datagram is longer than any of the protocol's.
    #[error("the datagram has {0} bytes, more than any discovery message")]
    LongDatagram(usize),
    /// A datagram is a message, but not one of discovery.
    #[error("`{0}` is not a discovery message")]
    NotDiscovery(String),
}

impl WireError {
    /// The short word for machines that goes with the message for readers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::NoWord => "no_action",
            Self::Missing(_) => "missing_field",
            Self::Field { .. } => "bad_field",
            Self::Twice(_) => "duplicate_field",
            Self::Base64(_) => "bad_base64",
            Self::RawNotAgreed => "raw_not_agreed",
            Self::TwoPayloads => "two_payloads",
            Self::Damaged => "damaged",
            Self::LongDatagram(_) => "long_datagram",
            Self::NotDiscovery(_) => "not_discovery",
        }
    }
}
