//! ZIPs as the wire carries them: base64 in a JSON string.

use std::borrow::Cow;

use bytes::Bytes;

use super::base64;
use super::error::WireError;

/// A ZIP on its way: the bytes themselves when it is to be written, base64 text when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The bytes themselves, which are sent inside of the message as base64.
    Inside(Bytes),
    /// Base64 as it stands in a message, not yet decoded.
    Text(Cow<'a, str>),
}

impl Payload<'_> {
    /// The ZIP's bytes. Large ones take a while: do it off the arbiter.
    ///
    /// # Errors
    /// [`WireError::Base64`] if it is not base64.
    pub fn decode(&self) -> Result<Bytes, WireError> {
        match self {
            Self::Inside(bytes) => Ok(bytes.clone()),
            Self::Text(text) => base64::decode(text).map(Bytes::from),
        }
    }
}
