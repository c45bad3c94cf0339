//! The last bytes of a stream.

use bytes::Bytes;

use crate::model::{PIECE_MAX, Piece};

/// Bytes of a stream that are kept: as much as a reader takes at twice, who reads as fast as it is printed.
pub(super) const RING_MAX: usize = 2 * PIECE_MAX;

/// What is kept of a stream. It is put together anew with each piece that comes, so that all who read it share it.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// How many bytes came before what is kept; none while nothing has come.
    start: Option<u64>,
    bytes: Bytes,
    /// Whether all has come at some time that was printed up to then: a piece that was not full.
    has_caught_up: bool,
}

impl Ring {
    /// Whether something has come, if only that there is nothing.
    pub fn is_begun(&self) -> bool {
        self.start.is_some()
    }

    /// How many bytes there were up to the end of what is kept.
    pub fn end(&self) -> u64 {
        let length = self.bytes.len() as u64;
        self.start.unwrap_or_default().saturating_add(length)
    }

    /// Whether nobody can have read so far, whoever told it: that was not printed yet when all else had come.
    pub fn is_beyond(&self, at: u64) -> bool {
        self.has_caught_up && at > self.end()
    }

    /// Takes what came, but for what is there already; after a gap the rest is forgotten.
    pub fn add(&mut self, piece: &Piece) {
        self.has_caught_up |= piece.bytes.len() < PIECE_MAX;
        if self.start.is_none() || piece.offset > self.end() {
            self.bytes = Bytes::new();
            self.start = Some(piece.offset);
        }
        let known = self.end().saturating_sub(piece.offset);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let new = piece.bytes.get(known..).unwrap_or_default();
        if new.is_empty() {
            return;
        }
        let excess = (self.bytes.len() + new.len()).saturating_sub(RING_MAX);
        let old = self.bytes.get(excess..).unwrap_or_default();
        let new = new.get(excess.saturating_sub(self.bytes.len())..);
        self.bytes = [old, new.unwrap_or_default()].concat().into();
        self.start = self.start.map(|start| start.saturating_add(excess as u64));
    }

    /// What follows this many bytes, and where it begins: later, if they are not kept any more. Nothing if nothing does.
    pub fn after(&self, at: u64) -> Option<(u64, Bytes)> {
        // Behind the highest number there is nothing, though the end of what is there is no higher.
        let start = self.start.filter(|_| at < self.end())?;
        let offset = at.max(start);
        let passed = usize::try_from(offset - start).ok()?;
        let end = self.bytes.len().min(passed.saturating_add(PIECE_MAX));
        (passed < end).then(|| (offset, self.bytes.slice(passed..end)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Stream;

    fn piece(offset: u64, bytes: &[u8]) -> Piece {
        Piece {
            stream: Stream::Stdout,
            offset,
            bytes: bytes.to_vec().into(),
        }
    }

    #[test]
    fn what_comes_twice_is_kept_once_and_a_gap_begins_anew() {
        let mut ring = Ring::default();
        assert_eq!(ring.after(0), None);
        ring.add(&piece(3, b"abc"));
        ring.add(&piece(3, b"abc"));
        ring.add(&piece(5, b"cd"));
        assert_eq!(ring.after(0), Some((3, "abcd".into())));
        assert_eq!(ring.after(5), Some((5, "cd".into())));
        assert_eq!(ring.after(7), None);
        ring.add(&piece(9, b"x"));
        assert_eq!(ring.after(5), Some((9, "x".into())));
    }

    #[test]
    fn what_many_read_is_copied_for_none_of_them() {
        let mut ring = Ring::default();
        ring.add(&piece(0, b"abc"));
        let [one, other] = [0, 1].map(|at| ring.after(at).unwrap().1);
        assert_eq!(one[1..].as_ptr(), other.as_ptr());
        ring.add(&piece(3, b"d"));
        assert_eq!((one, other), ("abc".into(), "bc".into()));
    }

    #[test]
    fn what_cannot_be_counted_is_told_once_at_most() {
        let mut ring = Ring::default();
        // Of the second byte nobody can say where it is, and whoever reads on from the end would read it for ever.
        for offset in [u64::MAX - 1, u64::MAX] {
            ring.add(&piece(offset, b"yz"));
            assert_eq!(ring.after(ring.end()), None);
        }
    }

    #[test]
    fn what_was_not_printed_is_known_once_all_else_has_come() {
        let mut ring = Ring::default();
        assert!(!ring.is_beyond(1));
        // More may be on its way.
        ring.add(&piece(0, &[0; PIECE_MAX]));
        let end = ring.end();
        assert!(!ring.is_beyond(end + 1));
        ring.add(&piece(end, b"a"));
        assert!(ring.is_beyond(end + 2) && !ring.is_beyond(end + 1));
    }

    #[test]
    fn nothing_is_news_too_once() {
        let mut ring = Ring::default();
        assert!(!ring.is_begun());
        ring.add(&piece(0, b""));
        assert!(ring.is_begun());
        assert_eq!(ring.after(0), None);
    }

    proptest! {
        // Each carries some hundred kilobytes, byte by byte.
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// However it is cut and repeated, a reader that is fast enough reads all of it, and once.
        #[test]
        fn a_reader_reads_all_and_nothing_twice(
            text in prop::collection::vec(any::<u8>(), 0..(3 * RING_MAX)),
            cuts in prop::collection::vec(1_usize..PIECE_MAX, 1..40),
            back in 0_u64..1_000,
        ) {
            let (mut ring, mut read, mut rest) = (Ring::default(), Vec::new(), &text[..]);
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*cut));
                let offset = (text.len() - rest.len()) as u64;
                let again = offset.min(back);
                let from = (offset - again) as usize;
                ring.add(&piece(offset - again, &text[from..offset as usize + now.len()]));
                rest = later;
                while let Some((offset, bytes)) = ring.after(read.len() as u64) {
                    prop_assert_eq!(offset, read.len() as u64);
                    read.extend_from_slice(&bytes);
                }
                prop_assert!(ring.bytes.len() <= RING_MAX);
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(read, text);
        }
    }
}
