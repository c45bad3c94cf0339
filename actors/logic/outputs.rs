//! What tasks print while they run: who reads which, how far they are, and what is kept for them.
//!
//! ```text
//! nobody reads ── read ──► followed ── nobody has read for a while, or the task is over ──► nobody reads
//! ```
//!
//! Rule: a reader comes back with its place, so that nothing is owed to one that is slow or gone: the last bytes of each
//! stream are kept for all readers together, and who is further behind is told where they go on. Only the try that was
//! said last counts; a late word of another changes nothing. What is not here any more stands in the task's result.

mod ring;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::model::{Attempt, Both, Moment, PeerId, Piece, Stream, TaskId};
use crate::wire::report::TaskState;

use ring::Ring;

/// Tasks that are read at a time: some for everybody in a room, and 32 MiB for what is kept of them.
pub const TASKS_MAX: usize = 256;
/// Readers that wait at a time: as many as there are connections that speak HTTP, and some that have just hung up.
pub const READERS_MAX: usize = 512;
/// The longest that a reader waits for news, whatever it asks for.
const WAIT_MAX: Duration = Duration::from_secs(15);
/// A task that nobody has read for this long is not followed any more: a reader may take so long to write what it was told.
const FORGET_AFTER: Duration = Duration::from_secs(20);
/// How often it is said again that a task is followed: a peer that comes back on another connection is asked so soon.
const AGAIN_EVERY: Duration = Duration::from_secs(2);
/// For how long it is followed each time: some of those may be lost.
pub const LASTING: Duration = Duration::from_secs(8);

/// One reader's wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reader(pub u64);

/// How a task stands, as far as a reader of its output cares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nobody knows it.
    Unknown,
    /// It waits, for the first time or again.
    Waiting,
    /// A peer has it.
    Running {
        /// Which try.
        attempt: Attempt,
        /// Whose.
        peer: PeerId,
    },
    /// It has ended.
    Over {
        /// How.
        state: TaskState,
        /// Why it failed or was cancelled.
        reason: Option<String>,
        /// The try of which the result is, if there is one.
        attempt: Option<Attempt>,
    },
}

/// How far somebody has read the output of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    /// What they were told last besides output.
    pub told: Option<u64>,
    /// The try that they read last, and how many bytes it had printed up to there.
    pub read: Option<(Attempt, Both<u64>)>,
}

/// What is told to a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct News {
    /// How the task stands; none while that is not known yet.
    pub standing: Option<Standing>,
    /// What the try printed that the new place names.
    #[serde(serialize_with = "by_length")]
    pub pieces: Vec<Piece>,
    /// Whether all is told that the try had printed when somebody began to read.
    pub is_caught_up: bool,
    /// Whether its peer tells what it prints only with its result.
    pub is_withheld: bool,
    /// How far the reader is with this.
    pub place: Place,
}

/// Shows no hash in the message log: each piece was hashed when it came, and many may read it.
fn by_length<S: Serializer>(pieces: &[Piece], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told {
        stream: Stream,
        offset: u64,
        bytes: String,
    }
    serializer.collect_seq(pieces.iter().map(|piece| Told {
        stream: piece.stream,
        offset: piece.offset,
        bytes: format!("{} bytes", piece.bytes.len()),
    }))
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer a reader.
    Tell(Reader, News),
    /// A reader cannot be served; in words.
    Refuse(Reader, String),
    /// Say that the task is followed, and what is known: a try, and how much of it.
    Follow(TaskId, Option<(Attempt, Option<Both<u64>>)>),
}

/// What a try has printed, as far as it is kept.
#[derive(Debug)]
struct Print {
    attempt: Attempt,
    rings: Both<Ring>,
    /// Where to begin, if that was known before anything came; none: a little before the end.
    from: Option<Both<u64>>,
    is_withheld: bool,
}

/// A reader that waits for news.
#[derive(Debug)]
struct Parked {
    reader: Reader,
    place: Place,
    until: Moment,
}

/// A task that somebody reads.
#[derive(Debug)]
struct Read {
    read_at: Moment,
    again_at: Moment,
    standing: Option<Standing>,
    /// A new number with each change of anything but the output.
    version: u64,
    print: Option<Print>,
    /// Where its first reader was: it may have read before we knew of it.
    begun: Place,
    parked: Vec<Parked>,
}

/// The mind.
#[derive(Debug, Default)]
pub struct Outputs {
    tasks: BTreeMap<TaskId, Read>,
    versions: u64,
    parked: usize,
}

impl Outputs {
    /// Somebody reads on from their place, and waits for so long if nothing is new.
    pub fn read(
        &mut self,
        task: TaskId,
        place: Place,
        wait: Duration,
        reader: Reader,
        now: Moment,
    ) -> Vec<Effect> {
        if self.parked >= READERS_MAX {
            let why = format!("{READERS_MAX} read the output of tasks already: try again later");
            return vec![Effect::Refuse(reader, why)];
        }
        let is_known = self.tasks.contains_key(&task);
        if !is_known && !self.has_room() {
            let why = format!("the output of {TASKS_MAX} tasks is read already: try again later");
            return vec![Effect::Refuse(reader, why)];
        }
        let read = self.tasks.entry(task).or_insert_with(|| Read {
            read_at: now,
            again_at: now.after(AGAIN_EVERY),
            standing: None,
            version: 0,
            print: None,
            begun: place,
            parked: Vec::new(),
        });
        read.read_at = now;
        let mut effects = Vec::new();
        if !is_known {
            effects.push(Effect::Follow(task, None));
        }
        match read.news(&place) {
            Some(news) => effects.push(Effect::Tell(reader, news)),
            None => {
                let until = now.after(wait.min(WAIT_MAX));
                read.parked.push(Parked {
                    reader,
                    place,
                    until,
                });
                self.parked += 1;
            }
        }
        effects
    }

    /// A reader does not wait any more.
    pub fn left(&mut self, reader: Reader) {
        for read in self.tasks.values_mut() {
            let before = read.parked.len();
            read.parked.retain(|parked| parked.reader != reader);
            self.parked -= before - read.parked.len();
        }
    }

    /// How a task stands that is read.
    pub fn stands(&mut self, task: TaskId, standing: Standing, now: Moment) -> Vec<Effect> {
        let Some(read) = self.tasks.get_mut(&task) else {
            return Vec::new();
        };
        let mut effects = Vec::new();
        if let Standing::Running { attempt, .. } = &standing {
            let attempt = *attempt;
            let is_new = read
                .print
                .as_ref()
                .is_none_or(|print| print.attempt != attempt);
            if is_new {
                let from = read.beginning_of(attempt);
                read.print = Some(Print {
                    attempt,
                    rings: Both::default(),
                    from,
                    is_withheld: false,
                });
            }
            read.again_at = now.after(AGAIN_EVERY);
            effects.push(Effect::Follow(task, read.known()));
        }
        if read.standing.as_ref() != Some(&standing) {
            read.standing = Some(standing);
            self.changed(task);
        }
        effects.extend(self.wake(task));
        // Whoever comes later finds what is left in its result, and a task that is tried again is asked after anew.
        let is_over = |read: &Read| {
            let over = matches!(
                read.standing,
                Some(Standing::Over { .. } | Standing::Unknown)
            );
            over && read.parked.is_empty()
        };
        if self.tasks.get(&task).is_some_and(is_over) {
            self.tasks.remove(&task);
        }
        effects
    }

    /// A try has printed something.
    pub fn came(&mut self, task: TaskId, attempt: Attempt, piece: &Piece) -> Vec<Effect> {
        let print = self.print(task, attempt);
        let Some(print) = print else {
            return Vec::new();
        };
        let was_caught_up = print.is_caught_up();
        print.rings[piece.stream].add(piece);
        print.is_withheld = false;
        if print.is_caught_up() != was_caught_up {
            self.changed(task);
        }
        self.wake(task)
    }

    /// The peer tells what the try prints only with its result.
    pub fn withheld(&mut self, task: TaskId, attempt: Attempt) -> Vec<Effect> {
        match self.print(task, attempt) {
            Some(print) if !print.is_withheld => print.is_withheld = true,
            _ => return Vec::new(),
        }
        self.changed(task);
        self.wake(task)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (task, read) in &mut self.tasks {
            let mut waits = Vec::new();
            for parked in std::mem::take(&mut read.parked) {
                if parked.until > now {
                    waits.push(parked);
                    continue;
                }
                self.parked -= 1;
                read.read_at = now;
                let news = read.all(&parked.place);
                effects.push(Effect::Tell(parked.reader, news));
            }
            read.parked = waits;
            if read.again_at <= now {
                read.again_at = now.after(AGAIN_EVERY);
                effects.push(Effect::Follow(*task, read.known()));
            }
        }
        self.tasks
            .retain(|_, read| !read.parked.is_empty() || now.since(read.read_at) < FORGET_AFTER);
        effects
    }

    /// Whether one more task can be read: where all places are taken, the one for which nobody waits, and that was read
    /// the longest ago, gives its own up. Whoever comes back to it goes on where it was.
    fn has_room(&mut self) -> bool {
        if self.tasks.len() < TASKS_MAX {
            return true;
        }
        let quiet = self.tasks.iter();
        let quiet = quiet.filter(|(_, read)| read.parked.is_empty());
        let oldest = quiet.min_by_key(|(_, read)| read.read_at);
        let oldest = oldest.map(|(task, _)| *task);
        oldest.is_some_and(|task| self.tasks.remove(&task).is_some())
    }

    fn print(&mut self, task: TaskId, attempt: Attempt) -> Option<&mut Print> {
        let print = self.tasks.get_mut(&task)?.print.as_mut();
        print.filter(|print| print.attempt == attempt)
    }

    fn changed(&mut self, task: TaskId) {
        self.versions += 1;
        if let Some(read) = self.tasks.get_mut(&task) {
            read.version = self.versions;
        }
    }

    /// Tells everybody for whom there is something.
    fn wake(&mut self, task: TaskId) -> Vec<Effect> {
        let Some(read) = self.tasks.get_mut(&task) else {
            return Vec::new();
        };
        let (mut effects, mut waits) = (Vec::new(), Vec::new());
        for parked in std::mem::take(&mut read.parked) {
            match read.news(&parked.place) {
                Some(news) => effects.push(Effect::Tell(parked.reader, news)),
                None => waits.push(parked),
            }
        }
        self.parked -= effects.len();
        read.parked = waits;
        effects
    }
}

impl Read {
    /// What is known of the try that runs, to be said with a follow.
    fn known(&self) -> Option<(Attempt, Option<Both<u64>>)> {
        let print = self.print.as_ref()?;
        let ends = || Both {
            stdout: print.rings.stdout.end(),
            stderr: print.rings.stderr.end(),
        };
        let from = if print.is_caught_up() {
            Some(ends())
        } else {
            print.from
        };
        Some((print.attempt, from))
    }

    /// Where a try is to be read from: where somebody has left off, from its beginning if it began under our eyes, or a
    /// little before its end.
    fn beginning_of(&self, attempt: Attempt) -> Option<Both<u64>> {
        match self.begun.read {
            Some((read, at)) if read == attempt => Some(at),
            Some(_) => Some(Both::default()),
            None => self.standing.as_ref().map(|_| Both::default()),
        }
    }

    /// What is new to somebody who is at this place; nothing if nothing is.
    fn news(&self, place: &Place) -> Option<News> {
        self.standing.as_ref()?;
        let news = self.all(place);
        let is_new = place.told != Some(self.version) || !news.pieces.is_empty();
        is_new.then_some(news)
    }

    /// How it stands, and what follows the place.
    fn all(&self, place: &Place) -> News {
        let mut news = News {
            standing: self.standing.clone(),
            pieces: Vec::new(),
            is_caught_up: false,
            is_withheld: false,
            place: Place {
                told: self.standing.as_ref().map(|_| self.version),
                read: place.read,
            },
        };
        let Some(print) = &self.print else {
            return news;
        };
        let read = place.read.filter(|(read, _)| *read == print.attempt);
        let mut at = read.map_or_else(Both::default, |(_, at)| at);
        for stream in Stream::ALL {
            let ring = &print.rings[stream];
            // Who says to have read what was not printed is told what one who is new is told.
            let (from, here) = match ring.is_beyond(at[stream]) {
                true => (0, ring.end()),
                false => (at[stream], at[stream]),
            };
            at[stream] = here;
            if let Some((offset, bytes)) = ring.after(from) {
                at[stream] = offset.saturating_add(bytes.len() as u64);
                news.pieces.push(Piece {
                    stream,
                    offset,
                    bytes,
                });
            }
        }
        news.place.read = Some((print.attempt, at));
        let rings = Stream::ALL.into_iter();
        let mut rest = rings.filter(|stream| at[*stream] < print.rings[*stream].end());
        news.is_caught_up = print.is_caught_up() && rest.next().is_none();
        news.is_withheld = print.is_withheld;
        news
    }
}

impl Print {
    /// Whether something of each stream has come, if only that it is empty.
    fn is_caught_up(&self) -> bool {
        self.rings.stdout.is_begun() && self.rings.stderr.is_begun()
    }
}
