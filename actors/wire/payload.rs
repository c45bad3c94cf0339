//! ZIPs as the wire carries them: base64 in a JSON string, or the bytes themselves behind the message.

use std::borrow::Cow;

use bytes::Bytes;

use super::base64;
use super::error::WireError;

/// A ZIP on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// To be sent inside of the message, as base64.
    Inside(Bytes),
    /// Sent as it is, right behind the message: only where both sides named [`Extension::Raw`](super::Extension::Raw).
    Behind(Bytes),
    /// Base64 as it stood in a message, not yet decoded.
    Text(Cow<'a, str>),
}

impl Payload<'_> {
    /// The ZIP's bytes. Large ones take a while: do it off the arbiter.
    ///
    /// # Errors
    /// [`WireError::Base64`] if it is not base64.
    pub fn decode(&self) -> Result<Bytes, WireError> {
        match self {
            Self::Inside(bytes) | Self::Behind(bytes) => Ok(bytes.clone()),
            Self::Text(text) => base64::decode(text).map(Bytes::from),
        }
    }
}
