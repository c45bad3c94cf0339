//! Measures what the store costs its thread: microseconds of CPU for a record, by its kind, and for a whole task.
//!
//! `cargo run --release --example store_cost [FOLDER]`: below `/dev/shm`, where it writes if nothing is said, a flush
//! costs nothing, and what is left is the store's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mutirao::store::{SqliteStore, Store as _};
use mutirao_actors::clock::Clock;
use mutirao_actors::logic::ledger::Submitted;
use mutirao_actors::logic::record::{Fate, Place, Record};
use mutirao_actors::model::{
    Attempt, BootId, Digest, Endpoint, Kind, Life, PeerId, Stamp, Task, TaskId, TaskName, Wishes,
};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// Tasks of a run.
const TASKS: usize = 50_000;
/// Records of one commit: what half of 64 connections say while the commit before it is flushed.
const BATCH: usize = 32;
/// A batch of tasks ends so many batches after it was leased,
const ENDS_AFTER: usize = 1;
/// and is settled so many after.
const SETTLED_AFTER: usize = 3;
/// The kinds of records in the life of a task.
const KINDS: [&str; 4] = ["Adopted", "Leased", "Ended", "Settled"];

/// A task, and who runs it.
struct Run {
    id: TaskId,
    number: u64,
    name: TaskName,
    holder: Endpoint,
}

impl Run {
    fn new(number: u64, peers: &[Endpoint]) -> anyhow::Result<Self> {
        Ok(Self {
            id: TaskId::new(),
            number,
            name: format!("task-{number:05}.zip").parse()?,
            holder: peers[number as usize % peers.len()].clone(),
        })
    }

    /// Its record of this kind.
    fn record(&self, kind: usize) -> Record {
        match kind {
            0 => self.adopted(),
            1 => Record::Leased {
                task: self.id,
                attempt: Attempt(1),
                name: self.name.clone(),
                holder: self.holder.clone(),
            },
            2 => self.done(),
            _ => Record::Settled {
                task: self.id,
                file: Some(self.name.to_string()),
            },
        }
    }

    fn adopted(&self) -> Record {
        let stamp = Stamp {
            size: 4_321,
            modified: (1_795_000_000, 123_456_789),
            changed: (1_795_000_000, 123_456_789),
            inode: 1_234_567 + self.number,
        };
        let file = self.name.as_str().into();
        Record::Adopted {
            task: Arc::new(Task {
                id: self.id,
                name: self.name.clone(),
                size: 4_321,
                nth: None,
                sha256: Digest::of(&self.number.to_le_bytes()),
                kind: Arc::new(Kind {
                    code: Digest::of(b"code"),
                    group: "ana".into(),
                    parts: None,
                    wishes: Wishes::default(),
                }),
            }),
            lies: Place { file, stamp },
        }
    }

    fn done(&self) -> Record {
        let submitted = Submitted {
            attempt: Attempt(1),
            peer: self.holder.peer.clone(),
            sha256: Digest::of(&self.number.to_be_bytes()),
            size: 1_234,
            took: Duration::from_micros(12_345),
            failure: None,
        };
        let file = self.name.to_string();
        Record::Ended {
            task: self.id,
            fate: Fate::Done { submitted, file },
        }
    }
}

/// A store, and the CPU time that it took of this thread for each kind of records.
struct Measured {
    store: SqliteStore,
    micros: [i64; KINDS.len()],
}

impl Measured {
    fn commit(&mut self, kind: usize, records: &[Record]) -> anyhow::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let before = cpu()?;
        self.store.commit(records)?;
        self.micros[kind] += (cpu()? - before).num_microseconds();
        Ok(())
    }
}

/// CPU time of this thread, in the program and for it in the kernel.
fn cpu() -> nix::Result<TimeVal> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    Ok(usage.user_time() + usage.system_time())
}

/// Runs all tasks through a new store; with `together`, what is said at a time is one commit and counts as its last
/// kind, else each kind is one of its own.
fn measure(folder: &std::path::Path, together: bool) -> anyhow::Result<[f64; KINDS.len()]> {
    let folder = tempfile::tempdir_in(folder)?;
    let (store, _) = SqliteStore::open(folder.path(), Clock::start())?;
    let micros = [0; KINDS.len()];
    let mut measured = Measured { store, micros };
    let peers: Vec<_> = (0..64)
        .map(|_| Endpoint {
            peer: PeerId::random(),
            life: Life::Boot(BootId::random()),
        })
        .collect();
    let runs = (0..TASKS as u64).map(|number| Run::new(number, &peers));
    let runs = runs.collect::<anyhow::Result<Vec<_>>>()?;
    let batches: Vec<_> = runs.chunks(BATCH).collect();
    let records = |at: Option<usize>, kind| -> Vec<Record> {
        let batch = at.and_then(|at| batches.get(at)).copied();
        let runs = batch.unwrap_or_default().iter();
        runs.map(|run| run.record(kind)).collect()
    };
    for at in 0..batches.len() {
        measured.commit(0, &records(Some(at), 0))?;
    }
    for at in 0..batches.len() + SETTLED_AFTER {
        let said = [
            records(at.checked_sub(SETTLED_AFTER), 3),
            records(at.checked_sub(ENDS_AFTER), 2),
            records(Some(at), 1),
        ];
        if together {
            measured.commit(3, &said.concat())?;
        } else {
            for (kind, records) in [3, 2, 1].into_iter().zip(&said) {
                measured.commit(kind, records)?;
            }
        }
    }
    Ok(measured.micros.map(|micros| micros as f64 / TASKS as f64))
}

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1);
    let folder = folder.map_or(PathBuf::from("/dev/shm"), PathBuf::from);
    println!("µs of CPU a record, {TASKS} tasks, commits of {BATCH}");
    let apart = measure(&folder, false)?;
    for (kind, micros) in KINDS.iter().zip(apart) {
        println!("{kind:<28} {micros:>6.1}");
    }
    let after: f64 = apart[1..].iter().sum();
    println!("Leased + Ended + Settled     {after:>6.1}");
    let together = measure(&folder, true)?[3];
    println!("the same, in one commit      {together:>6.1}");
    Ok(())
}
