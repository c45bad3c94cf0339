//! The tasks of a run, and a runner that pretends to run them.
//!
//! Rule: whatever ran and whatever it gave is counted here, outside the hosts, so that no crash takes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mutirao::archive::{Compression, PackError, Packer};
use mutirao_actors::model::{Archive, Attempt, Digest, Ending, Outcome, TaskId};
use mutirao_actors::runner::{Finished, Job, Runner};
use mutirao_rig::dice::Dice;
use tokio_util::sync::CancellationToken;

use crate::life::Life;

/// What a task does when it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// It succeeds.
    Succeeds,
    /// It fails at first, so many times.
    FailsAtFirst(u32),
    /// It always fails.
    Fails,
    /// It takes its peer with it, so many times.
    KillsItsPeer(u32),
    /// It runs until somebody stops it.
    Hangs,
}

/// A task.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its name, which no other has.
    pub name: String,
    /// Its ZIP.
    pub archive: Archive,
    /// What it does.
    pub habit: Habit,
    /// How long it runs.
    pub takes: Duration,
    /// Whether each of its runs gives other bytes.
    pub is_fickle: bool,
}

impl Piece {
    /// Draws a task.
    ///
    /// # Errors
    /// When its ZIP cannot be made.
    pub fn draw(name: String, dice: &mut Dice) -> Result<Self, PackError> {
        let habit = match dice.below(20) {
            0 => Habit::Fails,
            1 => Habit::KillsItsPeer(1 + u32::from(dice.percent(20)) * 9),
            2 => Habit::FailsAtFirst(1 + u32::from(dice.percent(50))),
            3 => Habit::Hangs,
            _ => Habit::Succeeds,
        };
        let mut packer = Packer::new(Compression::Fast);
        packer.add("main.py", format!("print('{name}')\n").as_bytes())?;
        packer.add("input.csv", &b"x\n1\n"[..])?;
        Ok(Self {
            name,
            archive: Archive::new(packer.finish()?),
            habit,
            takes: dice.millis(20..4_000),
            is_fickle: dice.percent(70),
        })
    }
}

/// What a run gave, and of which piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The piece's name.
    pub of: String,
    /// Whether the run succeeded.
    pub success: bool,
}

/// All tasks, and what was done about them.
#[derive(Debug, Clone, Default)]
pub struct Works(Arc<Mutex<Book>>);

/// What is known of all tasks.
#[derive(Debug, Default)]
pub struct Book {
    /// Each by the digest of its ZIP.
    pub pieces: BTreeMap<Digest, Piece>,
    /// Runs begun, by name.
    pub runs: BTreeMap<String, u32>,
    /// Every result that a run gave.
    pub made: BTreeMap<Digest, Made>,
    /// ZIPs that were handed out and that nobody had put in.
    pub strange: Vec<Digest>,
}

impl Works {
    /// The book, to read it or to write in it.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run of the piece with this ZIP; says which it is and the how manieth.
    fn begin(&self, zip: &Archive) -> Option<(Piece, u32)> {
        let mut book = self.book();
        let Some(piece) = book.pieces.get(&zip.digest()).cloned() else {
            book.strange.push(zip.digest());
            return None;
        };
        let runs = book.runs.entry(piece.name.clone()).or_default();
        *runs += 1;
        let runs = *runs;
        Some((piece, runs))
    }

    /// The result of a run, which tells of which piece it is.
    fn finish(&self, piece: &Piece, run: u32, success: bool) -> Result<Archive, PackError> {
        let number = if piece.is_fickle { run } else { 0 };
        let text = format!("{} {number} {success}\n", piece.name);
        let mut packer = Packer::new(Compression::Fast);
        packer.add("stdout.txt", text.as_bytes())?;
        packer.add("stderr.txt", &b""[..])?;
        let archive = Archive::new(packer.finish()?);
        let of = piece.name.clone();
        self.book()
            .made
            .insert(archive.digest(), Made { of, success });
        Ok(archive)
    }

    /// Runs a task to its end; none when its peer is to die of it.
    pub async fn run(
        &self,
        zip: &Archive,
        limit: Option<Duration>,
        stop: &CancellationToken,
    ) -> Option<Finished> {
        let trouble = |why: String| Finished {
            outcome: outcome(Ending::PeerTrouble(why), Duration::ZERO),
            result: Archive::new(""),
        };
        let Some((piece, run)) = self.begin(zip) else {
            return Some(trouble("nobody put this in".into()));
        };
        let limit = limit.unwrap_or(Duration::MAX);
        let wants = if piece.habit == Habit::Hangs {
            Duration::MAX
        } else {
            piece.takes
        };
        let takes = wants.min(limit);
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                let result = self.finish(&piece, run, false);
                return Some(ended(Ending::Cancelled, takes, result));
            }
            () = tokio::time::sleep(takes) => {}
        }
        let ending = match piece.habit {
            _ if wants > limit => Ending::TimeLimit,
            Habit::KillsItsPeer(times) if run <= times => return None,
            Habit::FailsAtFirst(times) if run <= times => Ending::Exit(1),
            Habit::Fails | Habit::Hangs => Ending::Exit(1),
            Habit::Succeeds | Habit::KillsItsPeer(_) | Habit::FailsAtFirst(_) => Ending::Exit(0),
        };
        let result = self.finish(&piece, run, ending.is_success());
        Some(ended(ending, takes, result))
    }
}

fn outcome(ending: Ending, took: Duration) -> Outcome {
    Outcome {
        ending,
        took,
        peak_rss: None,
    }
}

fn ended(ending: Ending, took: Duration, result: Result<Archive, PackError>) -> Finished {
    match result {
        Ok(result) => Finished {
            outcome: outcome(ending, took),
            result,
        },
        Err(error) => Finished {
            outcome: outcome(Ending::PeerTrouble(error.to_string()), took),
            result: Archive::new(""),
        },
    }
}

/// Runs the tasks of one peer.
#[derive(Debug, Clone)]
pub struct Pretence {
    /// All tasks.
    pub works: Works,
    /// The peer that a task may kill.
    pub life: Life,
}

impl Runner for Pretence {
    fn run(&self, job: Job, stop: CancellationToken) -> BoxFuture<'static, Finished> {
        let (works, life) = (self.works.clone(), self.life.clone());
        async move {
            match works.run(&job.archive, job.time_limit, &stop).await {
                Some(finished) => finished,
                None => {
                    life.wish_to_die();
                    std::future::pending().await
                }
            }
        }
        .boxed()
    }

    fn forget(&self, _: TaskId, _: Attempt) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}
