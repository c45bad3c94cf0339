//! Tasks that were handed in over the wire: looked over, and written where no crash loses them.
//!
//! Rule: small ones that come while others are being written wait, and then all of them cost one job, one file and one
//! flush. A large one is written for itself, beside the others.

use std::sync::Arc;

use actix::Context;
use mutirao_actors::logic::record::{Place, Record};
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{ReplyTo, TaskAccepted, TaskArrived};
use mutirao_actors::model::{Stamp, Task, TaskName};

use super::answers::refuse;
use super::gathering::Gathering;
use super::jobs::{self, Adopted, Draft, Refused};
use super::packs::{BATCH_MAX, LIGHT_MAX};
use super::{Folders, NAME};

/// Names tried for a task that came over the wire; each failure means that a file was put there just then.
const NAMES_MAX: u32 = 16;

/// A task that is to be written.
#[derive(Debug, Clone)]
pub(super) struct Adopting {
    /// With the name that is kept for it.
    draft: Draft,
    /// The name that was asked for.
    wanted: TaskName,
    whose: (ReplyTo, Cause),
    tries: u32,
}

/// Small ones that wait.
pub(super) type Adoptions = Gathering<Adopting>;

impl Folders {
    /// Has a task from the wire written for a free name, and answers.
    pub(super) fn adopt(
        &mut self,
        mut draft: Draft,
        whose: (ReplyTo, Cause),
        tries: u32,
        ctx: &mut Context<Self>,
    ) {
        let wanted = draft.name.clone();
        draft.name = self.intake.reserve(self.clock.now(), &wanted);
        let adopting = Adopting {
            draft,
            wanted,
            whose,
            tries,
        };
        if adopting.draft.archive.bytes().len() <= LIGHT_MAX {
            self.adoptions.add(adopting);
            return self.adopt_waiting(ctx);
        }
        self.adopt_together(vec![adopting], ctx, |_, _| {});
    }

    /// Has the small ones written that wait, unless others are being written.
    fn adopt_waiting(&mut self, ctx: &mut Context<Self>) {
        let Some(batch) = self.adoptions.begin(1, BATCH_MAX) else {
            return;
        };
        self.adopt_together(batch, ctx, |desk, ctx| {
            desk.adoptions.ended();
            desk.adopt_waiting(ctx);
        });
    }

    fn adopt_together(
        &mut self,
        batch: Vec<Adopting>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) {
        let places = Arc::clone(&self.places);
        let drafts: Vec<_> = batch.iter().map(|one| one.draft.clone()).collect();
        let adopt = move || jobs::adopt_together(&places, drafts);
        self.work(ctx, adopt, move |desk, adopted, ctx| {
            for (adopting, adopted) in batch.into_iter().zip(adopted) {
                desk.was_adopted(adopting, adopted, ctx);
            }
            then(desk, ctx);
        });
    }

    fn was_adopted(
        &mut self,
        adopting: Adopting,
        adopted: Result<Adopted, Refused>,
        ctx: &mut Context<Self>,
    ) {
        let Adopting {
            mut draft,
            wanted,
            whose,
            tries,
        } = adopting;
        let (reply, cause) = &whose;
        match self.heard("adopt", draft.archive.bytes().len(), adopted) {
            Ok(Some((stamp, task))) => {
                let task = self.intake.adopt(stamp, task);
                self.hot.insert(task.id, &draft.archive);
                self.accept(task, stamp, whose);
            }
            Ok(None) => {
                self.intake.name_was_taken(&draft.name);
                if tries < NAMES_MAX {
                    draft.name = wanted;
                    self.adopt(draft, whose, tries + 1, ctx);
                } else {
                    let why = format!("{wanted} and its like are taken: use another name");
                    refuse(reply, why, *cause);
                }
            }
            Err(why) => {
                self.intake.left(draft.name.as_str().as_ref());
                refuse(reply, why, *cause);
            }
        }
    }

    /// A task from the wire is safe: when that is written down, it is accepted, and may be put into its place.
    fn accept(&mut self, task: Arc<Task>, stamp: Stamp, (reply, cause): (ReplyTo, Cause)) {
        let lies = Place {
            file: task.name.as_str().into(),
            stamp,
        };
        let adopted = Record::Adopted {
            task: Arc::clone(&task),
            lies,
        };
        self.layings.add(Arc::clone(&task));
        self.write_down(vec![adopted], cause);
        self.once_written_down(move |desk| {
            desk.layings.may_be_laid(task.id);
            let accepted = TaskAccepted {
                request: reply.request,
                task: task.id,
                name: task.name.clone(),
            };
            desk.scheduler.tell(TaskArrived { task }, cause);
            reply.session.used_by(NAME).tell(accepted, cause);
        });
    }
}
