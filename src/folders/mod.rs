//! The master's folders: `tasks/` in, `results/` out.
//!
//! Rule: `tasks/` tells the truth. A ZIP lies there while its task is open and moves to `done/` or `failed/` when it is
//! terminal; what can be no task moves to `rejected/` with a note; deleting takes the task back. Nothing is overwritten.
//! A cancelled task goes to `failed/`, where its note tells it from a failed one. Links are left alone, and said.
//!
//! Nobody hears of a task before it is written down; what a crash leaves half moved is moved on at the next start.
//!
//! Hears (`handlers.rs`, `groups.rs`): `AdoptTask`, `OpenGroup`, `DescribeGathered`, `FindGathered`, `LoadTask`, `LoadResult`, `KeepResult`, `TaskEnded`,
//! `WrittenDown`, `StoreChanged`.
//! Tells the scheduler: `TaskArrived`, `TaskWithdrawn`, `IntakeCounted`, `FoldersChanged`, `ResultKept`,
//! `ResultRefused`; the store:
//! `WriteDown`; sessions: `TaskAccepted`, `GroupOpened`, `GatheredDescribed`, `GatheredFound`, `PayloadLoaded`,
//! `RequestRefused`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context};
use mutirao_actors::clock::Clock;
use mutirao_actors::logic::record::{Past, Record};
use mutirao_actors::logic::withheld::Withheld;
use mutirao_actors::message_log::{Cause, Name};
use mutirao_actors::messages::{FoldersChanged, SchedulerInbox, Scribe, StoreInbox, WriteDown};
use mutirao_actors::model::{Moment, TaskId};
use mutirao_actors::port::Port;
use tokio_util::task::TaskTracker;

use self::adopting::Adoptions;
use self::assembling::Assemblies;
use self::crew::Crew;
use self::fetching::Fetches;
use self::hot::Hot;
use self::intake::{Intake, STILL};
use self::jobs::MaybeEnded;
use self::keeping::Keepings;
use self::kept::Results;
use self::laying::Layings;
use self::loads::Loads;
use self::packs::Key;
use self::plans::Plans;
use self::probing::Probing;
use self::retrying::Retries;
use self::settling::Settlements;
use self::watch::Watch;
use crate::disk::{Mark, Troubles};
use crate::ground::{Ground, Ids};

mod adopting;
mod answers;
mod aside;
mod assembling;
pub mod claim;
mod crew;
mod errands;
mod fetching;
mod gathering;
mod groups;
mod handlers;
mod hot;
mod intake;
mod jobs;
mod keeping;
mod kept;
mod laying;
mod loads;
mod looking;
mod packs;
mod places;
mod plans;
mod probing;
mod reopening;
mod restart;
mod retrying;
mod settling;
mod stay;
mod strangers;
mod watch;

pub use assembling::folder_of;
pub use intake::{ZIP_DAMAGED, ZIP_DELETED, ZIP_REPLACED};

pub(crate) use self::places::Places;
pub(crate) use self::reopening::reopen_damaged;
pub(crate) use self::strangers::Strangers;

/// The folders' name in the message log.
pub const NAME: Name = Name::one("folders");
/// How long after folders that could not be opened it is tried again.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// The desk of the folders.
#[derive(Debug)]
pub struct Folders {
    places: Arc<Places>,
    ids: Ids,
    /// Whether the system is to tell what happens in `tasks/`.
    is_watched: bool,
    clock: Clock,
    scheduler: Port<SchedulerInbox>,
    store: Port<StoreInbox>,
    /// What is to be told once what was decided before it is written down.
    withheld: Withheld<Told>,
    /// Why nothing can be written down now, if so.
    store_trouble: Option<String>,
    /// Why the folders cannot be opened now, if so: what an earlier life left there is not known yet.
    unopened: Option<String>,
    watch: Watch,
    intake: Intake,
    results: Results,
    plans: Arc<Plans>,
    keepings: Keepings,
    settlements: Settlements,
    layings: Layings,
    adoptions: Adoptions,
    retries: Retries,
    assemblies: Assemblies,
    /// Whether a result that nobody uses is being written.
    is_setting_aside: bool,
    crew: Crew,
    loads: Loads,
    fetches: Fetches,
    hot: Hot,
    /// Holds a token of every job: the program waits for them before it ends.
    under_way: TaskTracker,
    troubles: Troubles,
    probing: Probing,
    /// What of them the scheduler was told.
    told_trouble: Option<String>,
    /// Whether all that was written down in earlier lives is known.
    past_is_whole: bool,
    /// Open tasks of earlier lives in whose file's place there is another task's.
    superseded: Vec<TaskId>,
    /// Open tasks of earlier lives whose end may be lost, until the first look.
    maybe_ended: Arc<Vec<MaybeEnded>>,
    /// Whether a look is under way, or the folders are still being opened.
    looking: bool,
    /// Before this no flush has failed that was not heeded.
    flushed_well: Mark,
    /// What lies in `tasks/`, is no ZIP and was told.
    strangers: strangers::Said,
    /// No look at everything before this, even when something happened.
    soonest: Moment,
    /// When the disk was last asked again for what it had refused.
    retried: Moment,
}

type Told = Box<dyn FnOnce(&mut Folders)>;

/// Whom the folders speak to.
#[derive(Debug)]
pub struct Ports {
    /// Hears of tasks and results.
    pub scheduler: Port<SchedulerInbox>,
    /// Has it written down what must survive.
    pub store: Port<StoreInbox>,
}

impl Folders {
    /// A desk for `tasks/` and `results/` below a folder, with the tasks of earlier lives; they are made and listed
    /// when it starts. `under_way` tells whoever ends the program when nothing is half moved.
    pub fn new(
        root: &Path,
        ground: Ground,
        clock: Clock,
        ports: Ports,
        past: &Past,
        under_way: TaskTracker,
    ) -> Self {
        let mut folders = Self {
            places: Arc::new(Places::under(root, ground.volume)),
            ids: ground.ids,
            is_watched: ground.is_watched,
            clock,
            scheduler: ports.scheduler.used_by(NAME),
            store: ports.store.used_by(NAME),
            withheld: Withheld::default(),
            store_trouble: None,
            unopened: None,
            watch: Watch::nothing(),
            intake: Intake::default(),
            results: Results::default(),
            plans: Arc::default(),
            keepings: Keepings::default(),
            settlements: Settlements::default(),
            layings: Layings::default(),
            adoptions: Adoptions::default(),
            retries: Retries::default(),
            assemblies: Assemblies::default(),
            is_setting_aside: false,
            crew: Crew::opening(ground.hands),
            loads: Loads::default(),
            fetches: Fetches::default(),
            hot: Hot::default(),
            under_way,
            troubles: Troubles::default(),
            probing: Probing::default(),
            told_trouble: None,
            past_is_whole: past.is_whole,
            superseded: Vec::new(),
            maybe_ended: Arc::default(),
            looking: false,
            flushed_well: Mark::default(),
            strangers: strangers::Said::default(),
            soonest: Moment::default(),
            retried: Moment::default(),
        };
        folders.recall(past);
        folders
    }

    /// Has it written down what must survive.
    fn write_down(&mut self, records: Vec<Record>, cause: Cause) {
        let write_down = WriteDown {
            scribe: Scribe::Folders,
            ticket: self.withheld.ticket(),
            records,
        };
        self.store.tell(write_down, cause);
    }

    /// Tells something when all that was decided before it is written down.
    fn once_written_down(&mut self, told: impl FnOnce(&mut Self) + 'static) {
        if self.withheld.is_clear() {
            told(self);
        } else {
            self.withheld.hold(Box::new(told));
        }
    }

    fn open(&mut self, ctx: &mut Context<Self>) {
        self.looking = true;
        let places = Arc::clone(&self.places);
        let is_watched = self.is_watched;
        let mut wanted: Vec<Key> = self.settlements.payloads().collect();
        wanted.extend(self.intake.payloads());
        wanted.sort_unstable();
        let past_is_whole = self.past_is_whole;
        let open = move || {
            let opened = jobs::open(&places, &wanted, past_is_whole);
            let watch = match is_watched {
                true => Watch::of(&places.tasks),
                false => Watch::nothing(),
            };
            (opened, watch)
        };
        self.work_first(ctx, open, |desk, (opened, watch), ctx| {
            let places = Arc::clone(&desk.places);
            let trouble = match &opened {
                Ok(opened) => opened.trouble.as_ref(),
                Err(error) => Some(error),
            };
            desk.troubles.hear("open", &places.tasks, trouble);
            desk.unopened = opened.as_ref().err().map(ToString::to_string);
            let Ok(opened) = opened else {
                ctx.run_later(OPEN_AGAIN, Self::open);
                return;
            };
            desk.find_unlaid(opened.found);
            desk.find_damaged(&opened.missing);
            desk.watch = watch;
            desk.crew.opened();
            desk.withdraw_superseded();
            desk.settle(ctx);
            desk.lay(ctx);
            desk.assemble(ctx);
            desk.look(ctx);
        });
    }

    /// Lets the scheduler know how the disk does, for whoever asks there.
    fn tell_trouble(&mut self) {
        let trouble = self.troubles.any().map(str::to_owned);
        let trouble = trouble.or_else(|| self.places.packs.trouble());
        if trouble != self.told_trouble {
            self.told_trouble.clone_from(&trouble);
            self.scheduler
                .tell(FoldersChanged { trouble }, Cause::OUTSIDE);
        }
    }
}

impl Actor for Folders {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.open(ctx);
        ctx.run_interval(STILL, Self::tick);
    }
}

#[cfg(test)]
mod tests;
