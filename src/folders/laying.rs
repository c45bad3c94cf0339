//! Tasks that came over the wire are put into `tasks/` behind: that they were accepted is written down already. So are
//! those of which a flush that failed may have lost the file.
//!
//! Rule: their ZIPs lie among the payloads first. Before the record that is a file of nobody, which the next start
//! removes; after it the next start puts it in its place. So no crash leaves a task without its wishes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use actix::Context;
use mutirao_actors::logic::record::{Place, Record};
use mutirao_actors::message_log::Cause;
use mutirao_actors::model::{Stamp, Task, TaskId};

use super::Folders;
use super::jobs::{self, Laid, Unlaid};
use crate::disk::DiskError;

/// Tasks that are put in their place by one job: enough that its flushes cost next to nothing each, few enough that the
/// first are not kept waiting for more than a moment.
const BATCH_MAX: usize = 4096;

/// Accepted tasks whose ZIP is not in `tasks/` yet; no more than there may be tasks.
#[derive(Debug, Default)]
pub(super) struct Layings {
    tasks: HashMap<TaskId, Arc<Task>>,
    /// Whether those are among them that an earlier life left.
    are_found: bool,
    /// Those of which it is written down where they are to lie; may name tasks that ended.
    waiting: VecDeque<TaskId>,
    /// Whether some are being put there.
    is_busy: bool,
}

impl Layings {
    /// One more, which may not be put into its place yet.
    pub fn add(&mut self, task: Arc<Task>) {
        self.tasks.insert(task.id, task);
    }

    /// Where it is to lie is written down.
    pub fn may_be_laid(&mut self, task: TaskId) {
        self.waiting.push_back(task);
    }

    /// Whether some are being put into their place.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Whether the task's ZIP may still be among the payloads.
    pub fn has(&self, task: TaskId) -> bool {
        !self.are_found || self.tasks.contains_key(&task)
    }

    /// Of the tasks that an earlier life knew, these are still among the payloads.
    pub fn found(&mut self, found: Vec<Arc<Task>>) {
        self.are_found = true;
        for task in found {
            self.may_be_laid(task.id);
            self.add(task);
        }
    }
}

impl Folders {
    /// Puts what waits in its place, unless that is being done.
    pub(super) fn lay(&mut self, ctx: &mut Context<Self>) {
        if self.layings.is_busy || self.settlements.is_busy() {
            return;
        }
        let batch = self.next_to_lay();
        if batch.is_empty() {
            return;
        }
        self.layings.is_busy = true;
        let places = Arc::clone(&self.places);
        let lay = move || (jobs::lay(&places, &batch), batch);
        self.work(ctx, lay, |desk, (laid, batch), ctx| {
            desk.layings.is_busy = false;
            let tasks = desk.places.tasks.clone();
            desk.troubles.hear("lay", &tasks, laid.as_ref().err());
            match laid {
                Ok(laid) => desk.all_laid(batch, laid, ctx),
                Err(_) => desk
                    .layings
                    .waiting
                    .extend(batch.iter().map(|unlaid| unlaid.task)),
            }
        });
    }

    /// The ZIP of a task that is written down lies among the payloads, and is to be put over its file.
    pub(super) fn lay_over(&mut self, task: Arc<Task>) {
        let id = task.id;
        self.intake.is_unlaid(id);
        self.layings.add(task);
        self.once_written_down(move |desk| desk.layings.may_be_laid(id));
    }

    /// The next batch; what ended meanwhile went elsewhere.
    fn next_to_lay(&mut self) -> Vec<Unlaid> {
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX {
            let Some(task) = self.layings.waiting.pop_front() else {
                break;
            };
            match self.intake.find(task) {
                Some((file, open)) => batch.push(Unlaid {
                    task,
                    sha256: open.sha256,
                    file: file.to_owned(),
                }),
                None => drop(self.layings.tasks.remove(&task)),
            }
        }
        batch
    }

    fn all_laid(
        &mut self,
        batch: Vec<Unlaid>,
        laid: Vec<Result<Laid, DiskError>>,
        ctx: &mut Context<Self>,
    ) {
        let mut all_went = true;
        for (unlaid, laid) in batch.into_iter().zip(laid) {
            self.hear_of("lay", &unlaid.file, laid.as_ref().err());
            match laid {
                Ok(Laid::Here(stamp)) => self.one_laid(unlaid.task, stamp),
                Ok(Laid::Taken(stamp)) => self.lay_elsewhere(unlaid.task, stamp),
                // It was put there before, or somebody removed it: then the next look takes the task back.
                Ok(Laid::Gone) => {
                    self.layings.tasks.remove(&unlaid.task);
                    self.intake.is_for_looks(unlaid.task);
                }
                Ok(Laid::Damaged) => {
                    self.layings.tasks.remove(&unlaid.task);
                    self.intake.is_damaged(unlaid.task);
                }
                Err(_) => {
                    all_went = false;
                    self.layings.waiting.push_back(unlaid.task);
                }
            }
        }
        if all_went {
            self.settle(ctx);
            self.lay(ctx);
        }
    }

    /// With its new stamp the next life need not read the file again.
    fn one_laid(&mut self, task: TaskId, stamp: Stamp) {
        let task = self.layings.tasks.remove(&task);
        let place = task.and_then(|task| Some((self.intake.laid(task.id, stamp)?, task)));
        if let Some((lies, task)) = place {
            self.write_down(vec![Record::Adopted { task, lies }], Cause::OUTSIDE);
        }
    }

    /// Somebody put a file there after the name was chosen. The new one is written down before the file has it, so that
    /// the next life does not take the stranger's file for a replacement.
    fn lay_elsewhere(&mut self, id: TaskId, stamp: Stamp) {
        let task = self.layings.tasks.get(&id).cloned();
        let now = self.clock.now();
        let place = task.and_then(|task| Some((self.intake.lie_elsewhere(now, id)?, task)));
        let Some((file, task)) = place else {
            self.layings.tasks.remove(&id);
            return;
        };
        let lies = Place { file, stamp };
        self.write_down(vec![Record::Adopted { task, lies }], Cause::OUTSIDE);
        self.once_written_down(move |desk| desk.layings.may_be_laid(id));
    }
}
