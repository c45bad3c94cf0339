//! The master's folders: `tasks/` in, `results/` out.
//!
//! Rule: `tasks/` tells the truth. A ZIP lies there while its task is open and moves to `done/` or `failed/` when it is
//! terminal; what can be no task moves to `rejected/` with a note; deleting takes the task back. Nothing is overwritten.
//! A cancelled task goes to `failed/`, where its note tells it from a failed one. Links are left alone, and said.
//!
//! Hears (`handlers.rs`): `AdoptTask`, `LoadTask`, `LoadResult`, `KeepResult`, `TaskEnded`.
//! Tells the scheduler: `TaskArrived`, `TaskWithdrawn`, `IntakeCounted`, `ResultKept`, `ResultRefused`; tells sessions:
//! `TaskAccepted`, `PayloadLoaded`, `RequestRefused`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context};
use mutirao_actors::clock::Clock;
use mutirao_actors::logic::effect::End;
use mutirao_actors::message_log::{Cause, Name};
use mutirao_actors::messages::{IntakeCounted, SchedulerInbox, TaskArrived, TaskWithdrawn};
use mutirao_actors::model::Moment;
use mutirao_actors::port::Port;
use tokio_util::task::TaskTracker;

use self::crew::Crew;
use self::intake::{Deed, Intake, Leaving, Listing, STILL, TASKS_MAX};
use self::kept::Results;
use self::loads::Loads;
use self::watch::Waker;
use crate::disk::{DiskError, Troubles};
use crate::ground::{Ground, Ids};

pub mod claim;
mod crew;
mod errands;
mod handlers;
mod intake;
mod jobs;
mod kept;
mod loads;
mod stay;
mod watch;

use self::jobs::Places;

/// The folders' name in the message log.
pub const NAME: Name = Name::one("folders");
/// A look this often when nothing wakes: on a network share nothing ever does, and a person waits this long gladly.
const RESCAN: Duration = Duration::from_secs(2);
/// Rest after a look, in multiples of how long it took: looking costs at most a fifth of one thread, however many files.
const REST: u32 = 4;

/// The desk of the folders.
#[derive(Debug)]
pub struct Folders {
    places: Arc<Places>,
    ids: Ids,
    /// Whether the system is to wake us.
    is_woken: bool,
    clock: Clock,
    scheduler: Port<SchedulerInbox>,
    waker: Option<Waker>,
    intake: Intake,
    results: Results,
    crew: Crew,
    loads: Loads,
    /// Holds a token of every job: the program waits for them before it ends.
    under_way: TaskTracker,
    troubles: Troubles,
    /// Ended tasks whose file the disk would not move: tried again after each look.
    unshelved: Vec<(Leaving, End)>,
    /// Whether a look is under way, or the folders are still being opened.
    looking: bool,
    /// No look before this, even when something happened.
    soonest: Moment,
}

impl Folders {
    /// A desk for `tasks/` and `results/` below a folder; they are made and listed when it starts. `under_way` tells
    /// whoever ends the program when nothing is half moved.
    pub fn new(
        root: &Path,
        ground: Ground,
        clock: Clock,
        scheduler: Port<SchedulerInbox>,
        under_way: TaskTracker,
    ) -> Self {
        Self {
            places: Arc::new(Places::under(root, ground.volume)),
            ids: ground.ids,
            is_woken: ground.is_watched,
            clock,
            scheduler,
            waker: None,
            intake: Intake::default(),
            results: Results::default(),
            crew: Crew::opening(ground.hands),
            loads: Loads::default(),
            under_way,
            troubles: Troubles::default(),
            unshelved: Vec::new(),
            looking: false,
            soonest: Moment::default(),
        }
    }

    fn open(&mut self, ctx: &mut Context<Self>) {
        self.looking = true;
        let places = Arc::clone(&self.places);
        let is_woken = self.is_woken;
        let open = move || {
            let opened = jobs::open(&places);
            let waker = if is_woken {
                Waker::of(&places.tasks)
            } else {
                Waker::asleep()
            };
            (opened, waker)
        };
        self.work(ctx, open, |desk, (opened, waker), ctx| {
            let places = Arc::clone(&desk.places);
            desk.troubles
                .hear("open", &places.tasks, opened.as_ref().err());
            desk.waker = Some(waker);
            desk.crew.opened();
            desk.look(ctx);
        });
    }

    /// Looks when there is reason to.
    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        if self.looking || now < self.soonest {
            return;
        }
        let is_due = now >= self.soonest.after(RESCAN) || self.intake.is_hurried();
        if is_due || self.waker.as_mut().is_some_and(Waker::was_woken) {
            self.look(ctx);
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        self.looking = true;
        let began = self.clock.now();
        let (places, resting) = (Arc::clone(&self.places), self.intake.begin_look());
        let look = move || jobs::look(&places, &resting);
        self.work(ctx, look, move |desk, listed, ctx| {
            desk.looked(began, listed, ctx)
        });
    }

    fn looked(
        &mut self,
        began: Moment,
        listed: Result<Listing, DiskError>,
        ctx: &mut Context<Self>,
    ) {
        let now = self.clock.now();
        self.looking = false;
        self.soonest = now.after(now.since(began) * REST);
        let places = Arc::clone(&self.places);
        self.troubles
            .hear("look", &places.tasks, listed.as_ref().err());
        if let Ok(listing) = listed {
            let deeds = self.intake.look(now, &listing);
            self.carry_out(deeds, ctx);
        }
        for (leaving, end) in std::mem::take(&mut self.unshelved) {
            self.shelve(leaving, end, ctx);
        }
    }

    /// Does what the mind says, and has read what it wants read.
    fn carry_out(&mut self, deeds: Vec<Deed>, ctx: &mut Context<Self>) {
        for deed in deeds {
            match deed {
                Deed::Arrive(task) => {
                    self.scheduler
                        .tell(TaskArrived { task: *task }, Cause::OUTSIDE);
                }
                Deed::Withdraw(task, why) => {
                    self.scheduler
                        .tell(TaskWithdrawn { task, why }, Cause::OUTSIDE);
                }
                Deed::Count(arriving) => {
                    self.scheduler
                        .tell(IntakeCounted { arriving }, Cause::OUTSIDE);
                }
                Deed::Reject(leaving, why) => self.reject(leaving, why, ctx),
                Deed::Ignore(name) => tracing::warn!(
                    "{} is a link or a folder and is left alone: copy the ZIP itself there",
                    self.places.tasks.join(name).display()
                ),
                Deed::SayFull => tracing::warn!(
                    "{} holds more than {TASKS_MAX} ZIPs: the rest waits, and deleting one takes no task back until then",
                    self.places.tasks.display()
                ),
            }
        }
        while let Some((name, stamp)) = self.intake.next_to_read() {
            self.read(name, stamp, ctx);
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
