//! Results that were handed in: looked over, and written where no crash loses them.
//!
//! Rule: small ones that come while others are being written wait, and then all of them cost one job, one file and one
//! flush. A large one is written for itself, beside the others.

use std::collections::HashMap;
use std::sync::Arc;

use actix::Context;
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{KeepResult, ResultKept, ResultRefused};
use mutirao_actors::model::{Archive, Attempt, Digest, TaskId};

use super::Folders;
use super::gathering::Gathering;
use super::jobs::{self, Keeping, Refused};
use super::kept::Kept;
use super::packs::{BATCH_MAX, LIGHT_MAX};

/// Results that are not written yet; no more than one of each open task.
#[derive(Debug, Default)]
pub(super) struct Keepings {
    /// Whether the task of each was cancelled meanwhile.
    under_way: HashMap<TaskId, bool>,
    /// Small ones that wait.
    small: Gathering<(Keeping, Asked)>,
}

/// Of which try a result is, and where it comes from.
#[derive(Debug, Clone, Copy)]
struct Asked {
    attempt: Attempt,
    cause: Cause,
}

/// A result, without its bytes.
#[derive(Debug, Clone, Copy)]
struct Label {
    task: TaskId,
    success: bool,
    sha256: Digest,
    size: u64,
}

impl Label {
    fn of(result: &Keeping) -> Self {
        Self {
            task: result.task,
            success: result.success,
            sha256: result.archive.digest(),
            size: result.archive.bytes().len() as u64,
        }
    }
}

impl Keepings {
    /// The task of a result that is being written was cancelled.
    pub fn cancel(&mut self, task: TaskId) {
        if let Some(is_cancelled) = self.under_way.get_mut(&task) {
            *is_cancelled = true;
        }
    }
}

impl Folders {
    /// Has a result kept, and tells the scheduler.
    pub(super) fn keep(&mut self, result: KeepResult, cause: Cause, ctx: &mut Context<Self>) {
        let KeepResult {
            task,
            name,
            attempt,
            success,
            archive,
        } = result;
        let asked = Asked { attempt, cause };
        let result = Keeping {
            task,
            name,
            success,
            archive,
        };
        if let Some((by_disk, why)) = self.refusal(task, &result.archive) {
            let refused = ResultRefused {
                task,
                attempt,
                by_disk,
                why,
            };
            return self.scheduler.tell(refused, cause);
        }
        self.keepings.under_way.insert(task, false);
        if result.archive.bytes().len() <= LIGHT_MAX {
            self.keepings.small.add((result, asked));
            return self.keep_waiting(ctx);
        }
        let label = Label::of(&result);
        let (places, plans) = (Arc::clone(&self.places), Arc::clone(&self.plans));
        let keep = move || jobs::keep(&places, &plans, &result);
        self.work(ctx, keep, move |desk, kept, ctx| {
            desk.was_kept(label, asked, kept, ctx);
        });
    }

    /// Why a result cannot be kept, whatever is in it; and whether the disk is to blame.
    fn refusal(&self, task: TaskId, archive: &Archive) -> Option<(bool, String)> {
        if let Some(trouble) = &self.unopened {
            return Some((true, trouble.clone()));
        }
        let (_, open) = self.intake.find(task)?;
        // Both would lie under one name until they are put where they belong.
        let is_own = open.sha256 == archive.digest();
        is_own.then(|| (false, "it is the task itself and no result of it".into()))
    }

    /// Has the small ones kept that wait, unless others are being written.
    fn keep_waiting(&mut self, ctx: &mut Context<Self>) {
        let Some(batch) = self.keepings.small.begin(1, BATCH_MAX) else {
            return;
        };
        let (results, asked): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let labels: Vec<_> = results.iter().map(Label::of).zip(asked).collect();
        let (places, plans) = (Arc::clone(&self.places), Arc::clone(&self.plans));
        let keep = move || jobs::keep_together(&places, &plans, &results);
        self.work(ctx, keep, move |desk, kept, ctx| {
            desk.keepings.small.ended();
            for ((label, asked), kept) in labels.into_iter().zip(kept) {
                desk.was_kept(label, asked, kept, ctx);
            }
            desk.keep_waiting(ctx);
        });
    }

    fn was_kept(
        &mut self,
        label: Label,
        asked: Asked,
        kept: Result<String, Refused>,
        ctx: &mut Context<Self>,
    ) {
        let task = label.task;
        let Asked { attempt, cause } = asked;
        let under_way = self.keepings.under_way.remove(&task);
        let is_cancelled = under_way.unwrap_or_default();
        let by_disk = matches!(kept, Err(Refused::Disk(_)));
        let bytes = usize::try_from(label.size).unwrap_or(usize::MAX);
        match self.heard("keep", bytes, kept) {
            Ok(file) => {
                let kept = Kept {
                    file: file.clone(),
                    sha256: label.sha256,
                    size: label.size,
                    success: label.success,
                    is_settled: false,
                };
                if is_cancelled {
                    return self.discard(task, kept, ctx);
                }
                self.results.add(task, kept);
                let kept = ResultKept {
                    task,
                    attempt,
                    file,
                };
                self.scheduler.tell(kept, cause);
            }
            Err(why) => {
                let refused = ResultRefused {
                    task,
                    attempt,
                    by_disk,
                    why,
                };
                self.scheduler.tell(refused, cause);
            }
        }
    }
}
