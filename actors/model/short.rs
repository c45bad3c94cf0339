//! Short names without a block of memory of their own: a million of them cost a third.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest text that is held in place: with it the value is as large as a `String`, and `task-0000001.zip` fits.
const HERE_MAX: usize = 22;

/// Bytes that do not change; cloning is cheap.
#[derive(Clone)]
pub(super) enum Short {
    Here(u8, [u8; HERE_MAX]),
    There(Arc<[u8]>),
}

impl Short {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Here(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::There(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Short {
    fn from(bytes: &[u8]) -> Self {
        let mut here = [0; HERE_MAX];
        match (here.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(bytes);
                Self::Here(length, here)
            }
            _ => Self::There(bytes.into()),
        }
    }
}

impl PartialEq for Short {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Short {}

impl PartialOrd for Short {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Short {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Short {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// A file's name, byte for byte as the file system has it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<u8>", into = "Vec<u8>")]
pub struct FileName(Short);

impl Deref for FileName {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<&[u8]> for FileName {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for FileName {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for FileName {
    fn from(bytes: Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl From<FileName> for Vec<u8> {
    fn from(name: FileName) -> Self {
        name.to_vec()
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_given_back_as_it_was() {
        for length in 0..300 {
            let bytes = vec![b'x'; length];
            let name = FileName::from(bytes.clone());
            assert_eq!(*name, *bytes);
            assert_eq!(matches!(name.0, Short::Here(..)), length <= HERE_MAX);
        }
    }
}
