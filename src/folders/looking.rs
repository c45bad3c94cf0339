//! Looks at `tasks/`, and what follows from them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::Context;
use mutirao_actors::logic::record::Record;
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{IntakeCounted, TaskArrived, TaskWithdrawn};
use mutirao_actors::model::Moment;

use super::Folders;
use super::intake::{Deed, Listing, TASKS_MAX};
use super::jobs::{self, Look};
use super::strangers::Strangers;
use crate::disk::DiskError;

/// Everything is looked at this often when there is no news: on a network share there never is any, and a person waits
/// this long gladly. What the disk refused is tried again as often.
const RESCAN: Duration = Duration::from_secs(2);
/// Rest after a look at everything, in multiples of how long it took: looking costs a fiftieth of one thread, however
/// many files there are.
const REST: u32 = 49;
/// Unless the rest would be longer than this: a file of which there is no news must not wait for minutes.
const REST_MAX: Duration = Duration::from_secs(30);
/// Then it may cost a fifth, and so where files wait for the next look.
const REST_LEAST: u32 = 4;

impl Folders {
    /// Looks where there is reason to.
    pub(super) fn tick(&mut self, ctx: &mut Context<Self>) {
        self.tell_trouble();
        self.probe(ctx);
        if self.looking {
            return;
        }
        let now = self.clock.now();
        if now >= self.retried.after(RESCAN) {
            self.retried = now;
            self.settle(ctx);
            self.lay(ctx);
            self.assemble(ctx);
            self.retry(ctx);
        }
        let is_due = now >= self.soonest.after(RESCAN);
        if is_due || (now >= self.soonest && self.watch.is_everywhere()) {
            self.look(ctx);
        } else {
            self.glance(ctx);
        }
    }

    /// Looks at the files of which there is news, and at those that are to be seen once more.
    fn glance(&mut self, ctx: &mut Context<Self>) {
        let names = self.intake.begin_glance(self.watch.take_names());
        if names.is_empty() {
            return;
        }
        self.looking = true;
        let places = Arc::clone(&self.places);
        let glance = move || jobs::glance(&places, names);
        self.work(ctx, glance, |desk, glance, ctx| {
            desk.looking = false;
            let places = Arc::clone(&desk.places);
            desk.troubles
                .hear("look", &places.tasks, glance.as_ref().err());
            if let Ok(glance) = glance {
                let deeds = desk.intake.glance(desk.clock.now(), &glance);
                desk.carry_out(deeds, ctx);
            }
        });
    }

    /// Looks at everything.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        self.looking = true;
        self.watch.forget();
        let began = self.clock.now();
        let maybe_ended = Arc::clone(&self.maybe_ended);
        let look = Look::new(self.intake.begin_look(), maybe_ended);
        self.look_on(began, look, ctx);
    }

    /// However many files there are, the desk hears of some of them at a time.
    fn look_on(&mut self, began: Moment, mut look: Look, ctx: &mut Context<Self>) {
        let places = Arc::clone(&self.places);
        let go_on = move || (look.go_on(&places), look);
        self.work(ctx, go_on, move |desk, (listed, look), ctx| match listed {
            Ok(part) if !part.is_last => {
                let deeds = desk.intake.look(desk.clock.now(), &part);
                desk.carry_out(deeds, ctx);
                desk.look_on(began, look, ctx);
            }
            listed => desk.looked(began, listed.map(|part| (part, look.strangers)), ctx),
        });
    }

    fn looked(
        &mut self,
        began: Moment,
        listed: Result<(Listing, Strangers), DiskError>,
        ctx: &mut Context<Self>,
    ) {
        let now = self.clock.now();
        self.looking = false;
        let took = now.since(began);
        let places = Arc::clone(&self.places);
        self.troubles
            .hear("look", &places.tasks, listed.as_ref().err());
        if let Ok((listing, strangers)) = listed {
            if let Some(said) = self.strangers.hear(&places.tasks, &strangers) {
                tracing::warn!("{said}");
            }
            self.maybe_ended = Arc::default();
            let deeds = self.intake.look(now, &listing);
            // What was in the way when they were opened is said by other work, if it still is.
            self.troubles.hear("open", &places.tasks, None);
            self.forget_troubles(&listing);
            self.carry_out(deeds, ctx);
        }
        let least = took * REST_LEAST;
        let rest = match self.intake.has_passed_over() {
            true => least,
            false => (took * REST).min(REST_MAX.max(least)),
        };
        self.soonest = now.after(rest);
    }

    /// A file that nobody sees or remembers troubles nobody.
    fn forget_troubles(&mut self, listing: &Listing) {
        let (tasks, intake) = (&self.places.tasks, &self.intake);
        let is_gone = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            path.parent() == Some(tasks) && !listing.cut && !intake.knows(name)
        };
        self.troubles.forget(is_gone);
    }

    /// Does what the mind says, and has read what it wants read.
    pub(super) fn carry_out(&mut self, deeds: Vec<Deed>, ctx: &mut Context<Self>) {
        let adopted: Vec<_> = deeds.iter().filter_map(adopted).collect();
        if !adopted.is_empty() {
            self.write_down(adopted, Cause::OUTSIDE);
        }
        for deed in deeds {
            match deed {
                Deed::Arrive(task, _) => {
                    self.once_written_down(|desk| {
                        desk.scheduler.tell(TaskArrived { task }, Cause::OUTSIDE);
                    });
                }
                Deed::Withdraw(task, why) => {
                    self.hot.remove(task);
                    self.once_written_down(move |desk| {
                        desk.scheduler
                            .tell(TaskWithdrawn { task, why }, Cause::OUTSIDE);
                    });
                }
                Deed::Count(arriving) => self.once_written_down(move |desk| {
                    desk.scheduler
                        .tell(IntakeCounted { arriving }, Cause::OUTSIDE);
                }),
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
        loop {
            let batch = self.intake.next_to_read();
            if batch.is_empty() {
                break;
            }
            self.read(batch, ctx);
        }
    }
}

/// What is to be written down of a deed.
fn adopted(deed: &Deed) -> Option<Record> {
    let Deed::Arrive(task, lies) = deed else {
        return None;
    };
    Some(Record::Adopted {
        task: Arc::clone(task),
        lies: lies.clone(),
    })
}
