//! Base64 as this machine does it best.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::PAD_INDIFFERENT;

use super::error::WireError;

/// What finds out which instructions the processor has; there is one for each processor that has some for this.
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon")
))]
type Engine = base64::engine::Simd;

#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon")
))]
static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::standard(PAD_INDIFFERENT));

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon")
)))]
type Engine = base64::engine::GeneralPurpose;

#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon")
)))]
static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(&base64::alphabet::STANDARD, PAD_INDIFFERENT));

/// How long the base64 of this many bytes is, with its padding.
pub(super) fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Appends base64 without a buffer in between.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoded_len(bytes.len()), 0);
    let room = out.get_mut(start..).unwrap_or_default();
    // The room is exact, so the encoder cannot find it short.
    let written = ENGINE.encode_slice(bytes, room).unwrap_or(0);
    out.truncate(start + written);
}

/// Decodes standard base64. Missing padding and white space inside are taken, for some speakers wrap their lines.
///
/// # Errors
/// [`WireError::Base64`] if it is not base64.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, WireError> {
    let refused = match ENGINE.decode(text) {
        Ok(bytes) => return Ok(bytes),
        Err(refused) => refused,
    };
    // White space is no base64: only what was refused is worth looking through for some.
    let joined: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if joined.len() == text.len() {
        return Err(WireError::Base64(refused.to_string()));
    }
    ENGINE
        .decode(&joined)
        .map_err(|error| WireError::Base64(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(bytes: Vec<u8>) {
            let mut out = Vec::new();
            encode(&bytes, &mut out);
            prop_assert_eq!(out.len(), encoded_len(bytes.len()));
            prop_assert_eq!(decode(std::str::from_utf8(&out).unwrap()).unwrap(), bytes);
        }

        #[test]
        fn what_is_long_is_encoded_as_anybody_would(bytes in prop::collection::vec(any::<u8>(), 100..500)) {
            let mut out = Vec::new();
            encode(&bytes, &mut out);
            let plain = base64::engine::general_purpose::STANDARD.encode(&bytes);
            prop_assert_eq!(out, plain.into_bytes());
        }
    }

    #[test]
    fn missing_padding_and_wrapped_lines_are_taken() {
        assert_eq!(decode("UEsDBA").unwrap(), b"PK\x03\x04");
        assert_eq!(decode("UEs\r\nDBA==\n").unwrap(), b"PK\x03\x04");
        assert_eq!(decode("").unwrap(), b"");
        let wrapped = "UEsD\n".repeat(100);
        assert_eq!(decode(&wrapped).unwrap(), b"PK\x03".repeat(100));
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["não é", "A", "UEsD\\n", "A B", "UE=sDBA="] {
            assert!(matches!(decode(text), Err(WireError::Base64(_))), "{text}");
        }
    }
}
