//! The number that says how many bytes follow a message, read digit by digit.

use super::{ScanError, is_space};

/// How far the number has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Length {
    /// Nothing is announced.
    #[default]
    Unsaid,
    /// Its first digit has not come.
    Begun,
    /// This many, and maybe more digits.
    Bytes(usize),
}

impl Length {
    /// The key and the colon have come.
    pub(super) fn begin(&mut self) -> Result<(), ScanError> {
        if *self != Self::Unsaid {
            return Err(ScanError::BadRaw);
        }
        *self = Self::Begun;
        Ok(())
    }

    /// One more byte of the number, or what ends it.
    pub(super) fn read(&mut self, byte: u8, most: usize) -> Result<(), ScanError> {
        match (byte, *self) {
            (b'0'..=b'9', _) => {
                let digit = usize::from(byte - b'0');
                let bytes = self.bytes().unwrap_or(0).saturating_mul(10) + digit;
                *self = Self::Bytes(bytes);
                if bytes > most {
                    return Err(ScanError::RawTooLarge(most));
                }
                Ok(())
            }
            (b',' | b'}', Self::Bytes(_)) => Ok(()),
            (byte, _) if is_space(byte) => Ok(()),
            _ => Err(ScanError::BadRaw),
        }
    }

    /// The number.
    pub(super) fn bytes(self) -> Option<usize> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Unsaid | Self::Begun => None,
        }
    }
}
