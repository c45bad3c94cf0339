//! One run: hosts, weather, and what is left when it has cleared.

mod cast;
mod end;
mod faults;
pub mod panics;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use mutirao_actors::logic::record::Record;
use mutirao_rig::dice::Dice;
use turmoil::Sim;

use crate::addresses::{MASTERS, PEERS};
use crate::checker::{Dropped, Verdict};
use crate::disk::{Loss, SimDisk};
use crate::hosts::Seat;
use crate::hosts::submitter::Receipts;
use crate::store::Witness;
use crate::storm::Storm;
use crate::tally::{Counts, Tally};
use crate::tap::Acks;
use crate::transcript::Transcript;
use crate::work::{Piece, Works};

use faults::Due;

/// A step of the simulation: no message is faster.
const TICK: Duration = Duration::from_millis(20);
/// How long the quiet may take until every task is terminal (promise R4): a lease, the longest task as often as it may be
/// tried, and 30 s.
const QUIET_MAX: Duration = Duration::from_secs(80 + 20 * 8 + 30);
/// How long the world goes on when all is done, so that late results come in.
const AFTERMATH: Duration = Duration::from_secs(3);

/// What is broken on purpose, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Mutant {
    /// Nothing.
    #[default]
    None,
    /// The disk says that it flushed a file, and did not.
    FilesUnflushed,
    /// The same for folders.
    FoldersUnflushed,
    /// Results are sent under the name of the task that was handed out last.
    Misattribution,
    /// A task that has its result takes another, or the same once more.
    Unfenced,
    /// The store says that it wrote down what it did not.
    ForgetsEverything,
    /// The store does not write down how tasks end.
    ForgetsEndings,
}

/// What a run is to be like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What decides everything else.
    pub seed: u64,
    /// What is broken on purpose.
    pub mutant: Mutant,
    /// Whether everything that is said is kept.
    pub is_recorded: bool,
}

/// How a run went.
#[derive(Debug)]
pub struct Report {
    /// What was found.
    pub verdict: Verdict,
    /// How long it took in its own time.
    pub lasted: Duration,
    /// How much of that was quiet.
    pub quiet: Duration,
    /// What was met how often.
    pub met: Counts,
    /// What tells everything that was said from that of another run.
    pub fingerprint: u64,
    /// Everything that was said, if it was to be kept.
    pub transcript: Vec<String>,
}

/// Runs one seed.
pub fn run(options: Options) -> Report {
    panics::forget();
    let mut world = World::new(options);
    let unfinished = world.play();
    world.finish(unfinished)
}

/// A task that is put into the folder.
struct Delivery {
    at: Duration,
    piece: Piece,
    /// Whether whoever does it waits until it is flushed.
    is_flushed: bool,
}

struct World {
    sim: Sim<'static>,
    options: Options,
    dice: Dice,
    storm: Storm,
    due: BTreeMap<(Duration, u64), Due>,
    last_due: u64,
    transcript: Transcript,
    /// The master's two addresses, then the peers.
    seats: Vec<Seat>,
    is_down: Vec<bool>,
    active: Arc<AtomicUsize>,
    disk: SimDisk,
    /// The peers' disks.
    peer_disks: Vec<SimDisk>,
    witness: Witness,
    works: Works,
    acks: Acks,
    receipts: Receipts,
    /// How many are to be accepted over the wire.
    submitted: usize,
    /// Tasks that are still to be put into the folder.
    to_drop: Vec<Delivery>,
    /// Those that were.
    dropped: Vec<Dropped>,
    has_stranger: bool,
    /// How the machine dies whose disk has blown its fuse.
    fuse_loss: Loss,
    /// Datagrams of a hundred that are lost now.
    loss: Arc<AtomicU64>,
    tally: Tally,
}

impl World {
    fn new(options: Options) -> Self {
        let mut dice = Dice::of(options.seed);
        let storm = Storm::draw(&mut dice.fork("storm"));
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(options.seed)
            .epoch(SystemTime::UNIX_EPOCH)
            .tick_duration(TICK)
            .simulation_duration(Duration::MAX)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(Duration::from_millis(20))
            .tcp_capacity(4096)
            .udp_capacity(1024);
        let sim = builder.build();
        let transcript = if options.is_recorded {
            Transcript::kept()
        } else {
            Transcript::default()
        };
        let seats = MASTERS.iter().chain(&PEERS);
        let seats: Vec<Seat> = seats
            .map(|name| Seat::new(name, &dice, transcript.clone(), storm.clock_jumps))
            .collect();
        let tally = Tally::default();
        let disk = SimDisk::counted(tally.clone());
        disk.ail(|ills| {
            ills.files_unflushed = options.mutant == Mutant::FilesUnflushed;
            ills.folders_unflushed = options.mutant == Mutant::FoldersUnflushed;
        });
        let has_stranger = dice.percent(35);
        let loss = Arc::new(AtomicU64::new(storm.loss));
        let mut world = Self {
            sim,
            options,
            storm,
            due: BTreeMap::new(),
            last_due: 0,
            transcript,
            is_down: vec![false; seats.len()],
            seats,
            active: Arc::default(),
            disk,
            peer_disks: PEERS
                .iter()
                .map(|_| SimDisk::counted(tally.clone()))
                .collect(),
            witness: Witness::counted(tally.clone()),
            works: Works::default(),
            acks: Acks::counted(tally.clone()),
            receipts: Receipts::default(),
            submitted: 0,
            to_drop: Vec::new(),
            dropped: Vec::new(),
            has_stranger,
            fuse_loss: Loss::Process,
            loss,
            tally,
            dice,
        };
        world.start_masters();
        world.start_peers();
        world.draw_tasks();
        world
    }

    /// Plays until all is done or the time is up; what is not done then.
    fn play(&mut self) -> Option<String> {
        let mut events = std::mem::take(&mut self.storm.events)
            .into_iter()
            .peekable();
        let (mut is_quiet, mut done_since) = (false, None);
        loop {
            let now = self.sim.elapsed();
            while let Some((_, event)) = events.next_if(|(at, _)| *at <= now) {
                self.strike(event);
            }
            while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
                let due = entry.remove();
                self.fall_due(due);
            }
            self.drop_files(now);
            self.bury_the_dying();
            if !is_quiet && now >= self.storm.ends {
                is_quiet = true;
                self.clear_up();
            }
            if let Err(error) = self.sim.step() {
                return Some(format!("a host failed: {error}"));
            }
            if panics::count() > 0 {
                return Some("somebody panicked".into());
            }
            if is_quiet && now.as_millis() % 500 == 0 {
                if self.unfinished().is_some() {
                    done_since = None;
                } else if now.saturating_sub(*done_since.get_or_insert(now)) >= AFTERMATH {
                    return None;
                }
            }
            if now >= self.storm.ends + QUIET_MAX {
                return self.unfinished();
            }
        }
    }

    /// Somebody copies tasks into the folder, once there is one.
    fn drop_files(&mut self, now: Duration) {
        let (disk, dropped) = (&self.disk, &mut self.dropped);
        self.to_drop.retain(|drop| {
            let piece = &drop.piece;
            let path = Path::new("tasks").join(&piece.name);
            if drop.at > now || !disk.drop_file(&path, piece.archive.bytes().clone()) {
                return true;
            }
            dropped.push(Dropped {
                name: piece.name.clone(),
                zip: piece.archive.digest(),
                is_flushed: drop.is_flushed && disk.settle_file(&path),
            });
            false
        });
    }

    /// What is not accepted, terminal or put away yet, in words.
    fn unfinished(&self) -> Option<String> {
        let accepted = self.receipts.list().len();
        if accepted < self.submitted || !self.to_drop.is_empty() {
            return Some(format!(
                "{accepted} of {} were handed in, {} are still to be put into tasks/",
                self.submitted,
                self.to_drop.len()
            ));
        }
        // What is hidden is half of something, and swept by the next life.
        let is_whole = |path: &Path| path.extension().is_some_and(|ending| ending == "zip");
        let waits = |(path, _): &(PathBuf, Bytes)| {
            path.parent() == Some(Path::new("tasks")) && is_whole(path)
        };
        if let Some((path, _)) = self
            .disk
            .files_below(Path::new("tasks"))
            .into_iter()
            .find(waits)
        {
            return Some(format!("{} lies there", path.display()));
        }
        let mut open = BTreeSet::new();
        for record in self.witness.records().iter() {
            match record {
                Record::Adopted { task, .. } => open.insert(task.id),
                Record::Settled { task, .. } => open.remove(task),
                _ => continue,
            };
        }
        open.first().map(|task| format!("{task} is not settled"))
    }
}
