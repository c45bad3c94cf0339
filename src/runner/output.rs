//! What a script prints, kept so that it cannot fill the disk: the beginning and the very end are kept, for one tells
//! what was done and the other why it ended.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use mutirao_actors::model::PIECE_MAX;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serde::Serialize;
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::printed::Printed;
use super::windows::{Look, Looks, Seen, beginning};

/// Most bytes of one stream that are kept, the end included: more than anyone reads, and a result stays one message.
pub const OUTPUT_MAX: usize = 16 << 20;
/// How much of that is kept of the end, in bytes: a traceback and what was printed before it.
pub const TAIL_MAX: usize = 64 << 10;
/// Longest line that says how much is left out, in bytes: the words and a 64-bit number.
pub const MARK_MAX: u64 = 80;
/// Read at once, in bytes: what a Linux pipe holds.
const CHUNK: usize = 64 << 10;
/// What is printed within this time is read together: to wake up for each print costs far more than its bytes.
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

/// Keeps what comes out of our end of a pipe until its end, or until `give_up`. It reads on whatever happens, so that a
/// script never blocks or dies of what it prints; from `over` on, when the script has ended, without a pause. Whoever looks
/// is shown what is kept, until both are over: a script may close one stream, or both, and go on.
pub async fn pump(
    from: OwnedFd,
    into: Printed,
    mut looks: Looks,
    over: CancellationToken,
    give_up: CancellationToken,
) -> (Tally, Printed) {
    let mut kept = Keeping {
        into,
        capped: Capped::new(OUTPUT_MAX - TAIL_MAX, TAIL_MAX),
        bytes: 0,
        done: Ok(()),
    };
    kept.read_all(from.into(), &mut looks, &over, &give_up)
        .await;
    loop {
        tokio::select! {
            biased;
            () = over.cancelled() => break,
            () = give_up.cancelled() => break,
            look = looks.next() => kept.show(look).await,
        }
    }
    kept.end().await
}

/// What is kept of a stream while it is read.
struct Keeping {
    into: Printed,
    capped: Capped,
    /// How much it has carried.
    bytes: u64,
    /// The first failure; after it nothing more is kept.
    done: io::Result<()>,
}

impl Keeping {
    /// Reads the stream to its end, and shows it meanwhile to whoever looks.
    async fn read_all(
        &mut self,
        mut from: File,
        looks: &mut Looks,
        over: &CancellationToken,
        give_up: &CancellationToken,
    ) {
        let (mut chunk, mut hurried, mut goes_on) = (Vec::new(), 0_u32, true);
        while goes_on {
            let mut ready = pin!(readable(from));
            from = loop {
                tokio::select! {
                    biased;
                    () = give_up.cancelled() => return,
                    // A script that prints all the time is looked at too, and a look takes it no time.
                    look = looks.next() => self.show(look).await,
                    from = &mut ready => match from {
                        Ok(from) => break from,
                        // What follows is not read: whoever reads the result is to know.
                        Err(error) => return self.failed(error),
                    },
                }
            };
            match hurried.checked_sub(1) {
                Some(left) => hurried = left,
                // It ends early when the script does.
                None => drop(timeout(PAUSE, over.cancelled()).await),
            }
            goes_on = read(&from, &mut chunk);
            // Prints of a little more than half a page fill a pipe with half of what it could hold.
            if chunk.len() >= CHUNK / 2 {
                hurried = HURRIED;
            }
            self.add(&chunk).await;
            chunk.clear();
        }
    }

    async fn add(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        let head = self.capped.head_of(chunk);
        if self.done.is_ok() && !head.is_empty() {
            self.done = self.into.add(head).await;
        }
    }

    fn failed(&mut self, error: io::Error) {
        if self.done.is_ok() {
            self.done = Err(error);
        }
    }

    /// Shows what is kept from there on; a piece of it, and where that begins.
    async fn show(&mut self, look: Look) {
        let seen = self.see(look.from).await;
        look.answer(seen);
    }

    async fn see(&mut self, from: Option<u64>) -> Seen {
        let (bytes, capped) = (self.bytes, &self.capped);
        let start = beginning(from, bytes);
        let head = bytes - capped.left_out - capped.tail.len() as u64;
        if start < head {
            let most = usize::try_from(head - start).unwrap_or(usize::MAX);
            let seen = self.into.part(start, most.min(PIECE_MAX)).await;
            // What the disk does not give back is in no result either.
            return (start, seen.unwrap_or_default().into());
        }
        let tail = head + capped.left_out;
        let start = start.max(tail);
        let passed = usize::try_from(start - tail).unwrap_or(usize::MAX);
        let seen = capped.tail.iter().skip(passed).take(PIECE_MAX);
        (start, seen.copied().collect())
    }

    /// Nothing more comes.
    async fn end(mut self) -> (Tally, Printed) {
        let (left_out, end) = self.capped.end();
        if self.done.is_ok() && !end.is_empty() {
            self.done = self.into.add(&end).await;
        }
        let tally = Tally {
            bytes: self.bytes,
            left_out,
            failed: self.done.err().map(|error| error.to_string()),
        };
        (tally, self.into)
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
    use std::mem;

    use proptest::prelude::*;
    use tokio::time::sleep;

    use mutirao_actors::logic::client::RunKey;
    use mutirao_actors::model::{Attempt, Both, Stream, TaskId};

    use super::super::windows::Windows;
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

    /// Pumps what is written into the pipe meanwhile; what is kept then, too.
    async fn pumped(write: impl FnOnce(File) + Send + 'static, is_over: bool) -> (Tally, String) {
        let (ours, scripts) = pipe().unwrap();
        let home = tempfile::tempdir().unwrap();
        let over = CancellationToken::new();
        if is_over {
            over.cancel();
        }
        let ended = over.clone();
        let writer = std::thread::spawn(move || {
            write(scripts.into());
            ended.cancel();
        });
        let into = Printed::in_memory(home.path());
        let pumped = pump(ours, into, Looks::default(), over, CancellationToken::new());
        let (tally, mut printed) = pumped.await;
        writer.join().unwrap();
        let mut text = String::new();
        printed.read().unwrap().read_to_string(&mut text).unwrap();
        (tally, text)
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
                assert!(found == expected, "{pieces} {is_over}");
                assert_eq!(tally.bytes, expected.len() as u64);
                assert_eq!((tally.left_out, tally.failed), (0, None));
            }
        }
    }

    #[tokio::test]
    async fn whoever_looks_sees_what_is_kept_where_it_was_printed() {
        let length = OUTPUT_MAX + (1 << 20);
        let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let (ours, scripts) = pipe().unwrap();
        let home = tempfile::tempdir().unwrap();
        let (windows, run) = (Windows::default(), (TaskId::new(), Attempt(1)));
        let looks = windows.open(run);
        let [over, give_up] = [(); 2].map(|()| CancellationToken::new());
        let into = Printed::in_memory(home.path());
        let pumping = tokio::spawn(pump(
            ours,
            into,
            looks.stdout,
            over.clone(),
            give_up.clone(),
        ));
        let (nobody, silent) = pipe().unwrap();
        let silence = pump(
            nobody,
            Printed::default(),
            looks.stderr,
            over.clone(),
            give_up.clone(),
        );
        let silence = tokio::spawn(silence);
        let mut scripts = File::from(scripts);
        let mut printed = 0;
        // In memory, in a file, and where the middle is left out.
        for end in [10, 300_000, length - 7, length] {
            let more = text[printed..end].to_vec();
            scripts = tokio::task::spawn_blocking(move || {
                scripts.write_all(&more).unwrap();
                scripts
            })
            .await
            .unwrap();
            printed = end;
            for back in [None, Some(0), Some(5), Some(40_000), Some(500_000)] {
                let from = back.map(|back| Both {
                    stdout: end.saturating_sub(back) as u64,
                    stderr: 0,
                });
                let seen = windows.look(run, from).await.unwrap();
                let at = seen.stdout.offset as usize;
                assert_eq!(seen.stdout.bytes, text[at..at + seen.stdout.bytes.len()]);
                // What lies in the pipe yet is seen the next time.
                let whole = (end - at).min(PIECE_MAX);
                assert!(seen.stdout.bytes.len() <= whole);
                let asked = from.map_or(0, |from| from.stdout as usize);
                assert!(at >= asked.min(end), "{back:?} of {end}");
                assert!(seen.stderr.bytes.is_empty());
            }
        }
        drop((scripts, silent));
        over.cancel();
        assert_eq!(pumping.await.unwrap().0.bytes, length as u64);
        silence.await.unwrap();
    }

    /// Looks until that is there on the stream.
    async fn look_for(text: &str, on: Stream, windows: &Windows, run: RunKey) {
        let found = async {
            loop {
                let from = Some(Both::default());
                let seen = windows.look(run, from).await.expect("nothing is seen");
                if seen[on].bytes == text {
                    return;
                }
                sleep(PAUSE).await;
            }
        };
        let found = timeout(Duration::from_secs(20), found).await;
        assert!(found.is_ok(), "{text} is never seen on {on}");
    }

    #[tokio::test]
    async fn a_stream_that_a_script_closes_is_looked_at_as_before_and_so_is_the_other() {
        let (windows, run) = (Windows::default(), (TaskId::new(), Attempt(1)));
        let mut looks = windows.open(run);
        let [over, give_up] = [(); 2].map(|()| CancellationToken::new());
        let mut pumped = |stream| {
            let (ours, scripts) = pipe().unwrap();
            let looks = mem::take(&mut looks[stream]);
            let pump = pump(
                ours,
                Printed::default(),
                looks,
                over.clone(),
                give_up.clone(),
            );
            (File::from(scripts), tokio::spawn(pump))
        };
        let (mut stdout, of_stdout) = pumped(Stream::Stdout);
        let (mut stderr, of_stderr) = pumped(Stream::Stderr);
        stderr.write_all(b"bye").unwrap();
        drop(stderr);
        look_for("bye", Stream::Stderr, &windows, run).await;
        stdout.write_all(b"still here").unwrap();
        look_for("still here", Stream::Stdout, &windows, run).await;
        drop(stdout);
        look_for("bye", Stream::Stderr, &windows, run).await;
        over.cancel();
        assert_eq!(of_stdout.await.unwrap().0.bytes, 10);
        assert_eq!(of_stderr.await.unwrap().0.bytes, 3);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_does_not_stop_the_stream() {
        let full = File::options().write(true).open("/dev/full");
        let (ours, scripts) = pipe().unwrap();
        File::from(scripts).write_all(b"hello").unwrap();
        let [over, give_up] = [CancellationToken::new(), CancellationToken::new()];
        over.cancel();
        let into = Printed::in_file(full.unwrap());
        let (tally, _) = pump(ours, into, Looks::default(), over, give_up).await;
        assert_eq!(tally.bytes, 5);
        assert!(tally.failed.is_some());
    }

    #[tokio::test]
    async fn a_stream_that_does_not_end_is_given_up_on_request() {
        let (ours, _open) = pipe().unwrap();
        let [over, give_up] = [CancellationToken::new(), CancellationToken::new()];
        give_up.cancel();
        let nobody = Looks::default();
        let (tally, _) = pump(ours, Printed::default(), nobody, over, give_up).await;
        assert_eq!(tally, Tally::default());
    }
}
