//! What a script prints, into a file that cannot fill the disk: the beginning and the very end are kept, for one tells
//! what was done and the other why it ended.

use std::collections::VecDeque;

use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

/// Most bytes of one stream that are kept, the end included: more than anyone reads, and a result stays one message.
pub const OUTPUT_MAX: usize = 16 << 20;
/// How much of that is kept of the end, in bytes: a traceback and what was printed before it.
const TAIL_MAX: usize = 64 << 10;
/// Longest line that says how much is left out, in bytes: the words and a 64-bit number.
pub const MARK_MAX: u64 = 80;
/// Read at once, in bytes: what a Linux pipe holds.
const CHUNK: usize = 64 << 10;

/// How much a stream carried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// What the script printed, in bytes.
    pub bytes: u64,
    /// How much of that is not in the file, in bytes.
    pub left_out: u64,
    /// Why the file could not be written; the script was not disturbed by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Copies a stream into an open file until its end, or until `give_up`: a name is the script's to replace, while it runs,
/// by a link to somewhere else. It reads on whatever happens, so that a script never
/// blocks or dies of what it prints.
pub async fn pump(
    mut from: impl AsyncRead + Unpin,
    into: std::fs::File,
    give_up: CancellationToken,
) -> Tally {
    let mut capped = Capped::new(OUTPUT_MAX - TAIL_MAX, TAIL_MAX);
    let mut file = Ok(File::from_std(into));
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut bytes = 0;
    loop {
        chunk.clear();
        let length = tokio::select! {
            biased;
            () = give_up.cancelled() => 0,
            read = from.read_buf(&mut chunk) => read.unwrap_or(0),
        };
        if length == 0 {
            break;
        }
        bytes += length as u64;
        write(&mut file, capped.head_of(&chunk)).await;
    }
    let (left_out, end) = capped.end();
    write(&mut file, &end).await;
    if let Ok(open) = &mut file
        && let Err(error) = open.flush().await
    {
        file = Err(error);
    }
    Tally {
        bytes,
        left_out,
        failed: file.err().map(|error| error.to_string()),
    }
}

/// After the first failure nothing more is written, and the failure is kept.
async fn write(file: &mut std::io::Result<File>, bytes: &[u8]) {
    if let Ok(open) = file
        && let Err(error) = open.write_all(bytes).await
    {
        *file = Err(error);
    }
}

/// The first and the last bytes of a stream.
#[derive(Debug)]
struct Capped {
    head_left: usize,
    tail: VecDeque<u8>,
    tail_max: usize,
    left_out: u64,
}

impl Capped {
    fn new(head_max: usize, tail_max: usize) -> Self {
        Self {
            head_left: head_max,
            tail: VecDeque::new(),
            tail_max,
            left_out: 0,
        }
    }

    /// The part of `bytes` that belongs to the head; the rest is remembered while it may be the tail.
    fn head_of<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_left));
        self.head_left -= head.len();
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(self.tail_max);
        self.tail.drain(..excess);
        self.left_out += excess as u64;
        head
    }

    /// How much is left out, and what ends the file: a line that says so, where it happened, and the tail.
    fn end(self) -> (u64, Vec<u8>) {
        let mut end = Vec::from(self.tail);
        if self.left_out > 0 {
            let mark = format!("\n[mutirao: {} bytes are left out here]\n", self.left_out);
            end.splice(..0, mark.into_bytes());
        }
        (self.left_out, end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn capped(chunks: &[&[u8]]) -> (u64, String) {
        let mut capped = Capped::new(5, 3);
        let mut kept: Vec<u8> = chunks
            .iter()
            .flat_map(|chunk| capped.head_of(chunk).to_vec())
            .collect();
        let (left_out, end) = capped.end();
        kept.extend(end);
        (left_out, String::from_utf8(kept).unwrap())
    }

    #[test]
    fn what_fits_is_kept_whole_and_unmarked() {
        assert_eq!(capped(&[]), (0, "".into()));
        assert_eq!(capped(&[b"abc", b"defgh"]), (0, "abcdefgh".into()));
    }

    #[test]
    fn what_does_not_fit_keeps_its_beginning_and_its_end() {
        let expected = (
            1,
            "abcde\n[mutirao: 1 bytes are left out here]\nghi".to_owned(),
        );
        assert_eq!(capped(&[b"abcdefghi"]), expected);
        assert_eq!(capped(&[b"abcd", b"ef", b"ghi"]), expected);
    }

    proptest! {
        #[test]
        fn where_the_stream_is_split_does_not_matter(
            bytes in proptest::collection::vec(b'a'..=b'z', 0..40),
            at in any::<prop::sample::Index>(),
        ) {
            let (left, right) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(capped(&[&bytes]), capped(&[left, right]));
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_does_not_stop_the_stream() {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let full = full.unwrap();
        let tally = pump(&b"hello"[..], full, CancellationToken::new()).await;
        assert_eq!(tally.bytes, 5);
        assert!(tally.failed.is_some());
    }

    #[tokio::test]
    async fn a_stream_that_does_not_end_is_given_up_on_request() {
        let file = tempfile::tempfile().unwrap();
        let (_open, reader) = tokio::io::duplex(16);
        let give_up = CancellationToken::new();
        give_up.cancel();
        assert_eq!(pump(reader, file, give_up).await, Tally::default());
    }
}
