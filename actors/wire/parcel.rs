//! A message on its way out: its words, and a payload that follows them as it is or becomes base64 only while it is sent.
//!
//! Rule: a payload of any length needs no second buffer of its length.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::base64;

/// Bytes of a payload that become base64 at once: with their text they fit the processor's second cache, and calls of the
/// system do not matter. A multiple of three, so that no part but the last is padded.
const PART: usize = 48 << 10;

/// One message, of which nothing or something was sent.
#[derive(Debug)]
pub struct Parcel {
    /// What is to be sent next, and how far that has come.
    part: Vec<u8>,
    at: usize,
    /// What follows of the payload, and how.
    payload: Bytes,
    lane: Lane,
    /// The words behind it; empty once they are in the part.
    after: Vec<u8>,
}

/// How a payload travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// As base64 between words.
    Inside,
    /// As it is, behind the words.
    Behind,
}

impl Parcel {
    /// Words, with the base64 of a payload between them.
    pub(super) fn inside(before: Vec<u8>, payload: Bytes, after: Vec<u8>) -> Self {
        let mut parcel = Self {
            part: before,
            at: 0,
            payload,
            lane: Lane::Inside,
            after,
        };
        parcel.fill();
        parcel
    }

    /// Words, with a payload behind them.
    pub(super) fn behind(words: Vec<u8>, payload: Bytes) -> Self {
        Self {
            part: words,
            at: 0,
            payload,
            lane: Lane::Behind,
            after: Vec::new(),
        }
    }

    /// Puts what follows behind what is in the part.
    fn fill(&mut self) {
        let now = self.payload.split_to(PART.min(self.payload.len()));
        base64::encode(&now, &mut self.part);
        if self.payload.is_empty() {
            self.part.append(&mut self.after);
        }
    }

    /// How many bytes the rest of the payload takes.
    fn payload_len(&self) -> usize {
        match self.lane {
            Lane::Inside => base64::encoded_len(self.payload.len()),
            Lane::Behind => self.payload.len(),
        }
    }

    fn words(&self) -> &[u8] {
        self.part.get(self.at..).unwrap_or_default()
    }

    /// All of it at once.
    pub fn into_vec(mut self) -> Vec<u8> {
        let follows = self.payload_len() + self.after.len();
        let mut whole = std::mem::take(&mut self.part);
        whole.drain(..self.at);
        whole.reserve_exact(follows);
        match self.lane {
            Lane::Inside => base64::encode(&self.payload, &mut whole),
            Lane::Behind => whole.extend_from_slice(&self.payload),
        }
        whole.append(&mut self.after);
        whole
    }
}

/// A message without a payload.
impl From<Vec<u8>> for Parcel {
    fn from(words: Vec<u8>) -> Self {
        Self::behind(words, Bytes::new())
    }
}

impl Buf for Parcel {
    fn remaining(&self) -> usize {
        self.words().len() + self.payload_len() + self.after.len()
    }

    fn chunk(&self) -> &[u8] {
        match (self.words(), self.lane) {
            ([], Lane::Behind) => &self.payload,
            (words, _) => words,
        }
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 && self.has_remaining() {
            let step = count.min(self.chunk().len());
            count -= step;
            if self.words().is_empty() {
                self.payload.advance(step);
                continue;
            }
            self.at += step;
            if self.lane == Lane::Inside && self.words().is_empty() {
                self.part.clear();
                self.at = 0;
                self.fill();
            }
        }
    }

    /// The words and what follows them go out in one call.
    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        match (slices, self.lane) {
            ([first, second, ..], Lane::Behind) if !self.words().is_empty() => {
                *first = IoSlice::new(self.words());
                *second = IoSlice::new(&self.payload);
                2
            }
            ([first, ..], _) if self.has_remaining() => {
                *first = IoSlice::new(self.chunk());
                1
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcels(length: usize) -> [Parcel; 2] {
        let payload = Bytes::from(vec![7; length]);
        [
            Parcel::inside(b"{\"a\":\"".to_vec(), payload.clone(), b"\"}".to_vec()),
            Parcel::behind(b"{\"raw\":1}".to_vec(), payload),
        ]
    }

    /// What goes out when so much at most is taken at once.
    fn taken(mut parcel: Parcel, step: usize) -> Vec<u8> {
        let (mut taken, whole) = (Vec::new(), parcel.remaining());
        while parcel.has_remaining() {
            assert_eq!(parcel.remaining(), whole - taken.len());
            let mut slices = [IoSlice::new(&[]); 4];
            let count = parcel.chunks_vectored(&mut slices);
            let given = slices[..count].iter().flat_map(|slice| slice.to_vec());
            let given: Vec<u8> = given.collect();
            assert!(given.starts_with(parcel.chunk()) && !parcel.chunk().is_empty());
            let now = step.min(given.len());
            taken.extend_from_slice(&given[..now]);
            parcel.advance(now);
        }
        taken
    }

    #[test]
    fn the_parts_are_the_whole_however_they_are_taken() {
        for length in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 2] {
            for step in [1000, PART, usize::MAX] {
                let wholes = parcels(length).map(Parcel::into_vec);
                let parts = parcels(length).map(|parcel| taken(parcel, step));
                assert!(parts == wholes, "{length} in steps of {step}");
            }
        }
        assert_eq!(
            parcels(5).map(|parcel| taken(parcel, 1)),
            parcels(5).map(Parcel::into_vec)
        );
    }

    #[test]
    fn a_payload_is_in_memory_once() {
        for mut parcel in parcels(10 * PART) {
            while parcel.has_remaining() {
                assert!(parcel.part.capacity() <= 2 * base64::encoded_len(PART));
                parcel.advance(parcel.chunk().len());
            }
        }
    }

    #[test]
    fn all_at_once_is_as_long_as_it_must_be() {
        for whole in parcels(10 * PART).map(Parcel::into_vec) {
            assert!(whole.capacity() < whole.len() + 1024);
        }
    }
}
