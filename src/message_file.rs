//! Takes the message log to disk: `.mutirao/messages.jsonl` and the older files beside it.
//!
//! Rule: the log never slows an actor down and never stops one. Lines wait in a bounded queue for one
//! writer thread; what finds no room, or no disk, is counted and the file says so in its place.
//! The format is described in `docs/message-log.md`.

mod files;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use mutirao_actors::message_log::{FORMAT, Line, MessageLog, RING_MAX, Sink};
use serde::{Deserialize, Serialize};

pub use files::{FILE_MAX, FILE_NAME, FILES_MAX, older};
use files::{Files, Limits};
use writer::{Batch, Writer};

/// Lines that wait for the writer: as many as the ring in memory holds, so that a full queue costs as much memory.
pub const LINES_MAX: usize = RING_MAX;

/// A line that is no letter: something that a reader of the file has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Marker {
    /// A process starts to write here; numbers start anew, and causes before this line are of another run.
    RunStarted {
        /// Name and version of the program.
        program: String,
    },
    /// This many letters are missing here: the queue was full, the disk failed, or the ring was too short.
    LinesLost {
        /// How many.
        lost: u64,
    },
}

impl Marker {
    /// A run of this program.
    pub fn run_started() -> Self {
        Self::RunStarted {
            program: concat!("mutirao ", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// As a line of the log, without its end.
    pub fn line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            v: u32,
            #[serde(flatten)]
            marker: &'a Marker,
        }
        let line = Line {
            v: FORMAT,
            marker: self,
        };
        // Neither a word nor a number can fail to be made JSON.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// What the writer thread is handed.
enum Entry {
    Line(Line),
    Lost(u64),
    Close,
}

/// The file that a running process logs to; dropping it without [`MessageFile::close`] loses nothing
/// either once every sink is gone, but nobody waits for it.
#[derive(Debug)]
pub struct MessageFile {
    tail: Tail,
    writer: JoinHandle<()>,
}

impl MessageFile {
    /// Starts to log into this folder, after whatever an earlier run left there.
    ///
    /// # Errors
    ///
    /// Only when no thread can be started: a disk that fails is waited for.
    pub fn start(dir: &Path) -> io::Result<Self> {
        Self::within(dir, Limits::default())
    }

    fn within(dir: &Path, limits: Limits) -> io::Result<Self> {
        let (entries, queue) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let tail = Tail {
            entries,
            lost: Arc::clone(&lost),
        };
        let writer = Writer::new(Files::new(dir, limits));
        let writer = std::thread::Builder::new()
            .name("message-log".into())
            .spawn(move || writer.run(&queue, &lost))?;
        Ok(Self { tail, writer })
    }

    /// The end that the message log writes to.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.tail.clone())
    }

    /// Waits until all that was logged so far is in the file; what is logged later is not.
    pub fn close(self) {
        // Both fail only if the writer has panicked, which has been told by then.
        let _ = self.tail.entries.send(Entry::Close);
        self.writer.thread().unpark();
        let _ = self.writer.join();
    }
}

/// Writes down what a process still has in memory at its end, for a run that did not log to disk.
/// An older file is moved aside.
///
/// # Errors
///
/// Whatever the disk says.
pub fn leave(dir: &Path, log: &MessageLog) -> io::Result<()> {
    let lines = log.recent();
    let mut files = Files::new(dir, Limits::default());
    files.rotate()?;
    let mut batch = Batch::default();
    batch.mark(&Marker::run_started());
    let before = lines.first().map_or(1, Line::seq).saturating_sub(1);
    batch.lose(before);
    for line in lines {
        batch.push(&line);
        if batch.is_full() {
            files.append(&batch.bytes)?;
            batch = Batch::default();
        }
    }
    files.append(&batch.bytes)
}

/// The end of the queue at which lines come in.
#[derive(Debug, Clone)]
struct Tail {
    entries: SyncSender<Entry>,
    /// Lines that found no room since the last one that did.
    lost: Arc<AtomicU64>,
}

impl Sink for Tail {
    fn take(&self, line: Line) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 && self.entries.try_send(Entry::Lost(lost)).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        } else if self.entries.try_send(Entry::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
