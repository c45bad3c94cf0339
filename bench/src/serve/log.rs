//! One log with group commit: whatever waits is written together and flushed once, and then all of it is answered.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::Context as _;
use tokio::sync::oneshot;

/// Most bytes that are written together: an answer is not to wait for everybody's megabytes.
const BATCH_MAX: usize = 8 << 20;

/// Where results are appended.
pub struct Log(Sender<Entry>);

struct Entry {
    bytes: Vec<u8>,
    stored: oneshot::Sender<()>,
}

impl Log {
    /// A log in a new file, with a thread that writes it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path)?;
        let (sender, entries) = channel();
        thread::spawn(move || {
            // Whoever waits sees its entry dropped.
            if let Err(error) = write(file, &entries) {
                eprintln!("error: the log cannot be written: {error}");
            }
        });
        Ok(Self(sender))
    }

    /// Comes back when these bytes would outlast a power cut.
    pub async fn append(&self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let (stored, waits) = oneshot::channel();
        let entry = Entry { bytes, stored };
        self.0.send(entry).ok().context("the log has ended")?;
        Ok(waits.await?)
    }
}

fn write(mut file: File, entries: &Receiver<Entry>) -> std::io::Result<()> {
    let (mut batch, mut waiting) = (Vec::new(), Vec::new());
    while let Ok(first) = entries.recv() {
        let mut next = Some(first);
        while let Some(entry) = next.take() {
            batch.extend_from_slice(&entry.bytes);
            waiting.push(entry.stored);
            if batch.len() < BATCH_MAX {
                next = entries.try_recv().ok();
            }
        }
        file.write_all(&batch)?;
        file.sync_data()?;
        batch.clear();
        for stored in waiting.drain(..) {
            // The connection may be gone.
            let _ = stored.send(());
        }
    }
    Ok(())
}
