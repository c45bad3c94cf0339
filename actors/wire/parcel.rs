//! A message on its way out: its words, and a payload that becomes base64 only while it is sent.
//!
//! Rule: a payload of any length needs no second buffer of its length.

use bytes::{Buf, Bytes};

use super::base64;

/// Bytes of a payload that become base64 at once: with their text they fit the processor's second cache, and calls of the
/// system do not matter. A multiple of three, so that no part but the last is padded.
const PART: usize = 48 << 10;

/// One message, of which nothing or something was sent.
#[derive(Debug)]
pub struct Parcel {
    /// What is to be sent next, and how far that has come; empty only when nothing follows either.
    part: Vec<u8>,
    at: usize,
    /// What follows of the payload.
    payload: Bytes,
    /// The words behind it; empty once they are in the part.
    after: Vec<u8>,
}

impl Parcel {
    /// Words, with the base64 of a payload between them.
    pub(super) fn new(before: Vec<u8>, payload: Bytes, after: Vec<u8>) -> Self {
        let mut parcel = Self {
            part: before,
            at: 0,
            payload,
            after,
        };
        parcel.fill();
        parcel
    }

    /// Puts what follows behind what is in the part.
    fn fill(&mut self) {
        let now = self.payload.split_to(PART.min(self.payload.len()));
        base64::encode(&now, &mut self.part);
        if self.payload.is_empty() {
            self.part.append(&mut self.after);
        }
    }

    /// All of it at once.
    pub fn into_vec(mut self) -> Vec<u8> {
        let mut whole = std::mem::take(&mut self.part);
        whole.drain(..self.at);
        whole.reserve_exact(base64::encoded_len(self.payload.len()) + self.after.len());
        base64::encode(&self.payload, &mut whole);
        whole.append(&mut self.after);
        whole
    }
}

/// A message without a payload.
impl From<Vec<u8>> for Parcel {
    fn from(words: Vec<u8>) -> Self {
        Self::new(words, Bytes::new(), Vec::new())
    }
}

impl Buf for Parcel {
    fn remaining(&self) -> usize {
        self.chunk().len() + base64::encoded_len(self.payload.len()) + self.after.len()
    }

    fn chunk(&self) -> &[u8] {
        self.part.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 && self.has_remaining() {
            let step = count.min(self.chunk().len());
            self.at += step;
            count -= step;
            if self.at == self.part.len() {
                self.part.clear();
                self.at = 0;
                self.fill();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole_however_they_are_taken() {
        for length in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 2] {
            let payload = Bytes::from(vec![7; length]);
            let parcel = || Parcel::new(b"{\"a\":\"".to_vec(), payload.clone(), b"\"}".to_vec());
            let whole = parcel().into_vec();
            for step in [1, 1000, PART, usize::MAX] {
                let (mut parcel, mut parts) = (parcel(), Vec::new());
                while parcel.has_remaining() {
                    assert_eq!(parcel.remaining(), whole.len() - parts.len());
                    let taken = step.min(parcel.chunk().len());
                    assert!(taken > 0, "nothing comes, and more is to follow");
                    parts.extend_from_slice(&parcel.chunk()[..taken]);
                    parcel.advance(taken);
                }
                assert!(parts == whole, "{length} in steps of {step}");
            }
        }
    }

    #[test]
    fn a_payload_is_in_memory_once() {
        let mut parcel = Parcel::new(Vec::new(), vec![7; 10 * PART].into(), Vec::new());
        while parcel.has_remaining() {
            assert!(parcel.part.capacity() <= 2 * base64::encoded_len(PART));
            parcel.advance(parcel.chunk().len());
        }
    }

    #[test]
    fn all_at_once_is_as_long_as_it_must_be() {
        let whole = Parcel::new(b"{".to_vec(), vec![7; 10 * PART].into(), b"}".to_vec()).into_vec();
        assert!(whole.capacity() < whole.len() + 1024);
    }
}
