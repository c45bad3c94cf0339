//! The thread that writes the message log: what comes within a few milliseconds goes to the disk together.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::park_timeout;
use std::time::Duration;

use mutirao_actors::message_log::Line;

use super::files::Files;
use super::{Entry, Marker};

/// Bytes written at a time, give or take one line: more saves no time, less costs system calls.
const BATCH_MAX: usize = 64 * 1024;

/// How long letters gather after the first that comes to an empty queue. To wake this thread costs a sender as much as
/// ten letters do; so it is done 200 times a second at most, while the queue has room for all that one actor can say.
const GATHER: Duration = Duration::from_millis(5);

/// Lines that go to the disk together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    /// Letters among them, those said to be lost included.
    letters: u64,
}

impl Batch {
    pub(super) fn push(&mut self, line: &Line) {
        // Memory takes all that is written to it.
        let _ = writeln!(self.bytes, "{line}");
        self.letters += 1;
    }

    pub(super) fn lose(&mut self, lost: u64) {
        if lost > 0 {
            self.mark(&Marker::LinesLost { lost });
            self.letters += lost;
        }
    }

    pub(super) fn mark(&mut self, marker: &Marker) {
        let _ = writeln!(self.bytes, "{}", marker.line());
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_MAX
    }
}

/// The thread that owns the files. It keeps its own buffer, not a `BufWriter`: after a failed write it
/// has to know which letters are missing.
pub(super) struct Writer {
    files: Files,
    pub(super) batch: Batch,
    /// Whether the run's first line is still to be written.
    unmarked: bool,
    /// Letters that the disk did not take since it last took any.
    missing: u64,
    pub(super) failing: bool,
}

impl Writer {
    pub(super) fn new(files: Files) -> Self {
        Self {
            files,
            batch: Batch::default(),
            unmarked: true,
            missing: 0,
            failing: false,
        }
    }

    /// Writes until told to stop, or until nobody can log any more. Whoever tells it to stop may unpark it.
    pub(super) fn run(mut self, queue: &Receiver<Entry>, lost: &AtomicU64) {
        self.write();
        while let Ok(mut entry) = queue.recv() {
            park_timeout(GATHER);
            loop {
                match entry {
                    Entry::Line(line) => self.batch.push(&line),
                    Entry::Lost(lost) => self.batch.lose(lost),
                    Entry::Close => return self.finish(lost),
                }
                if self.batch.is_full() {
                    self.write();
                }
                match queue.try_recv() {
                    Ok(next) => entry = next,
                    Err(_) => break,
                }
            }
            self.write();
        }
        self.finish(lost);
    }

    fn finish(mut self, lost: &AtomicU64) {
        self.batch.lose(lost.swap(0, Ordering::Relaxed));
        self.write();
    }

    /// Gives the batch to the disk, with what has to be said before it.
    pub(super) fn write(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let mut head = Batch::default();
        if self.unmarked {
            head.mark(&Marker::run_started());
        }
        head.lose(self.missing);
        head.bytes.extend_from_slice(&batch.bytes);
        if head.bytes.is_empty() {
            return;
        }
        match self.files.append(&head.bytes) {
            Ok(()) => self.wrote(),
            Err(error) => self.failed(batch.letters, &error),
        }
    }

    fn wrote(&mut self) {
        if self.failing {
            tracing::warn!(lost = self.missing, "the message log is written again");
        }
        self.unmarked = false;
        self.failing = false;
        self.missing = 0;
    }

    fn failed(&mut self, letters: u64, error: &io::Error) {
        if !self.failing {
            let file = self.files.path().display();
            tracing::warn!(
                "failed to write the message log {file}: {error}; letters are counted until it can be"
            );
        }
        self.failing = true;
        self.missing += letters;
    }
}
