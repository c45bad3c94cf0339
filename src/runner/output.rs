//! What a script prints, into a file that cannot fill the disk: the beginning and the very end are kept, for one tells
//! what was done and the other why it ended.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde::Serialize;
use tokio::fs;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Most bytes of one stream that are kept, the end included: more than anyone reads, and a result stays one message.
pub const OUTPUT_MAX: usize = 16 << 20;
/// How much of that is kept of the end, in bytes: a traceback and what was printed before it.
const TAIL_MAX: usize = 64 << 10;
/// Longest line that says how much is left out, in bytes: the words and a 64-bit number.
pub const MARK_MAX: u64 = 80;
/// Read at once, in bytes: what a Linux pipe holds.
const CHUNK: usize = 64 << 10;
/// What is printed within this time is read together: a print each would wake us up, and costs far more than its bytes.
const PAUSE: Duration = Duration::from_millis(5);
/// After a full pipe so many reads are made at once: whoever prints that much is not to wait for us.
const HURRIED: u32 = 64;

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

/// A pipe for what a script prints: our end, which never blocks, and the script's.
///
/// # Errors
/// When there are too many open files.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, scripts) = io::pipe()?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours.into(), scripts.into()))
}

/// Copies our end of a pipe into an open file until its end, or until `give_up`: a name is the script's to replace, while
/// it runs, by a link to somewhere else. It reads on whatever happens, so that a script never blocks or dies of what it
/// prints; from `over` on, when the script has ended, without a pause.
pub async fn pump(
    from: OwnedFd,
    into: File,
    over: CancellationToken,
    give_up: CancellationToken,
) -> Tally {
    let mut capped = Capped::new(OUTPUT_MAX - TAIL_MAX, TAIL_MAX);
    let mut file = Ok(fs::File::from_std(into));
    let (mut from, mut chunk) = (File::from(from), Vec::new());
    let (mut bytes, mut hurried, mut goes_on) = (0, 0_u32, true);
    while goes_on {
        from = tokio::select! {
            biased;
            () = give_up.cancelled() => break,
            from = readable(from) => match from {
                Ok(from) => from,
                Err(_) => break,
            },
        };
        match hurried.checked_sub(1) {
            Some(left) => hurried = left,
            // It ends early when the script does.
            None => drop(timeout(PAUSE, over.cancelled()).await),
        }
        goes_on = read(&from, &mut chunk);
        if chunk.len() == CHUNK {
            hurried = HURRIED;
        }
        bytes += chunk.len() as u64;
        write(&mut file, capped.head_of(&chunk)).await;
        chunk.clear();
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

/// Waits for something to read, or the end. Only while it waits does what is printed wake us up.
async fn readable(pipe: File) -> io::Result<File> {
    let pipe = Receiver::from_owned_fd_unchecked(pipe.into())?;
    pipe.readable().await?;
    Ok(pipe.into_nonblocking_fd()?.into())
}

/// Reads what is there, up to [`CHUNK`]; whether the stream goes on.
fn read(pipe: &File, chunk: &mut Vec<u8>) -> bool {
    chunk.reserve(CHUNK);
    match pipe.take(CHUNK as u64).read_to_end(chunk) {
        Ok(length) => length == CHUNK,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// After the first failure nothing more is written, and the failure is kept.
async fn write(file: &mut io::Result<fs::File>, bytes: &[u8]) {
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
    use std::io::Write as _;

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

    /// Pumps what is written into the pipe meanwhile; what the file has then, too.
    async fn pumped(write: impl FnOnce(File) + Send + 'static, is_over: bool) -> (Tally, Vec<u8>) {
        let (ours, scripts) = pipe().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let over = CancellationToken::new();
        if is_over {
            over.cancel();
        }
        let writer = std::thread::spawn(move || write(scripts.into()));
        let into = file.reopen().unwrap();
        let tally = pump(ours, into, over, CancellationToken::new()).await;
        writer.join().unwrap();
        (tally, std::fs::read(file.path()).unwrap())
    }

    #[tokio::test]
    async fn what_is_printed_arrives_whole_and_in_order_however_much_it_is() {
        for pieces in [0, 1, 3, 50_000] {
            for is_over in [false, true] {
                let text = move |piece: usize| format!("{piece} of {pieces}\n");
                let print = move |mut to: File| {
                    for piece in 0..pieces {
                        to.write_all(text(piece).as_bytes()).unwrap();
                    }
                };
                let (tally, found) = pumped(print, is_over).await;
                let expected: String = (0..pieces).map(text).collect();
                assert_eq!(String::from_utf8(found).unwrap(), expected);
                assert_eq!(tally.bytes, expected.len() as u64);
                assert_eq!((tally.left_out, tally.failed), (0, None));
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_does_not_stop_the_stream() {
        let full = File::options().write(true).open("/dev/full");
        let (ours, scripts) = pipe().unwrap();
        File::from(scripts).write_all(b"hello").unwrap();
        let [over, give_up] = [CancellationToken::new(), CancellationToken::new()];
        let tally = pump(ours, full.unwrap(), over, give_up).await;
        assert_eq!(tally.bytes, 5);
        assert!(tally.failed.is_some());
    }

    #[tokio::test]
    async fn a_stream_that_does_not_end_is_given_up_on_request() {
        let file = tempfile::tempfile().unwrap();
        let (ours, _open) = pipe().unwrap();
        let [over, give_up] = [CancellationToken::new(), CancellationToken::new()];
        give_up.cancel();
        assert_eq!(pump(ours, file, over, give_up).await, Tally::default());
    }
}
