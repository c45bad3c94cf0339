//! ZIPs as the wire carries them: base64 in a JSON string.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};

use super::error::WireError;

/// A ZIP on its way: raw bytes when it is to be written, base64 text when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The bytes themselves; encoding turns them into base64 straight into the message's buffer.
    Raw(&'a [u8]),
    /// Base64 as it stands in a message, not yet decoded.
    Text(Cow<'a, str>),
}

impl Payload<'_> {
    /// How many bytes the payload takes on the wire, without its quotes.
    pub fn wire_len(&self) -> usize {
        match self {
            Self::Raw(bytes) => bytes.len().div_ceil(3).saturating_mul(4),
            Self::Text(text) => text.len(),
        }
    }

    /// The ZIP's bytes. Large ones take milliseconds: do it off the arbiter.
    pub fn decode(&self) -> Result<Vec<u8>, WireError> {
        match self {
            Self::Raw(bytes) => Ok(bytes.to_vec()),
            Self::Text(text) => decode_payload(text),
        }
    }

    /// Appends the base64 of the payload as a JSON string.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(bytes) => {
                out.push(b'"');
                write_base64(bytes, out);
                out.push(b'"');
            }
            Self::Text(text) => super::json::write_json(text, out),
        }
    }
}

/// Decodes standard base64. Missing padding and white space inside are taken, for some speakers wrap their lines.
///
/// # Errors
/// [`WireError::Base64`] if it is not base64.
pub fn decode_payload(text: &str) -> Result<Vec<u8>, WireError> {
    let decode = |text: &[u8]| {
        STANDARD_PAD_INDIFFERENT
            .decode(text)
            .map_err(|error| WireError::Base64(error.to_string()))
    };
    if !text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return decode(text.as_bytes());
    }
    let joined: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    decode(&joined)
}

/// Appends base64 without a buffer in between.
fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3).saturating_mul(4), 0);
    // The room is exact, so the encoder cannot find it short.
    let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(bytes: Vec<u8>) {
            let mut out = Vec::new();
            write_base64(&bytes, &mut out);
            let payload = Payload::Text(String::from_utf8(out).unwrap().into());
            prop_assert_eq!(payload.wire_len(), Payload::Raw(&bytes).wire_len());
            prop_assert_eq!(payload.decode().unwrap(), bytes);
        }
    }

    #[test]
    fn missing_padding_and_wrapped_lines_are_taken() {
        assert_eq!(decode_payload("UEsDBA").unwrap(), b"PK\x03\x04");
        assert_eq!(decode_payload("UEs\r\nDBA==\n").unwrap(), b"PK\x03\x04");
        assert_eq!(decode_payload("").unwrap(), b"");
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        assert!(matches!(decode_payload("não é"), Err(WireError::Base64(_))));
        assert!(matches!(decode_payload("A"), Err(WireError::Base64(_))));
    }
}
