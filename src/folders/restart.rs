//! A restart: what the tasks of earlier lives mean for the files.
//!
//! Rule: the next look at `tasks/` decides about open tasks: a file that is gone takes its task back, one that changed
//! is read. Files of terminal tasks are moved on to where they belong. Where records were lost, an open task may have
//! ended: then its file is not gone but in `done/` or `failed/`, and comes back.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

use mutirao_actors::logic::effect::End;
use mutirao_actors::logic::ledger::Submitted;
use mutirao_actors::logic::record::{Fate, Past, Remembered};
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::TaskWithdrawn;

use super::Folders;
use super::intake::{Leaving, Mark, ZIP_REPLACED};
use super::jobs::{MaybeEnded, Settling};
use super::kept::Kept;
use super::packs::Key;

impl Folders {
    /// Takes the tasks of earlier lives.
    pub(super) fn recall(&mut self, past: &Past) {
        let unsettled = past.tasks.iter().filter(|known| !known.settled);
        let count = unsettled.clone().count();
        self.intake.expect(count);
        // A file that was replaced is the later task's, whatever a crash kept from being said of the earlier one.
        let mut owners = HashMap::with_capacity(count);
        owners.extend(unsettled.map(|known| (&known.lies.file, known.task.id)));
        let mut maybe_ended = Vec::new();
        for known in &past.tasks {
            let file = OsString::from_vec(known.lies.file.to_vec());
            let is_owner = owners.get(&known.lies.file) == Some(&known.task.id);
            let Some(end) = end_of(&known.course.fate) else {
                if !is_owner {
                    self.superseded.push(known.task.id);
                    continue;
                }
                if !past.is_whole {
                    maybe_ended.push(MaybeEnded {
                        task: known.task.id,
                        file: file.clone(),
                        size: known.task.size.into(),
                        sha256: known.task.sha256,
                    });
                }
                self.intake.recall(&file, &known.task, known.lies.stamp);
                if let Some(part) = known.task.part() {
                    self.assemblies.is_open(&known.task.kind.group, part);
                }
                continue;
            };
            let kept = kept_of(known);
            self.assemblies.recall(known, &end, kept.as_ref());
            if let Some(kept) = kept.clone() {
                self.results.add(known.task.id, kept);
            }
            if known.settled {
                continue;
            }
            if let Some(kept) = &kept {
                self.plans.promise(known.task.id, kept.file.clone());
            }
            let leaving = is_owner.then(|| Leaving {
                file: file.clone(),
                mark: Mark::of(&known.lies.stamp),
                sha256: Some(known.task.sha256),
            });
            if is_owner {
                self.intake.recall_leaving(&file);
            }
            self.settlements.add(Settling {
                task: known.task.id,
                name: known.task.name.clone(),
                end,
                kept,
                leaving,
                may_be_unlaid: true,
            });
        }
        for older in &past.older_parts {
            self.assemblies.recall_older(older);
        }
        self.maybe_ended = Arc::new(maybe_ended);
    }

    /// Of the payloads that are there, those of open tasks are put into `tasks/`.
    pub(super) fn find_unlaid(&mut self, payloads: Vec<Key>) {
        let mut found = Vec::new();
        for (task, sha256) in payloads {
            let open = self.intake.find(task).map(|(_, open)| Arc::clone(open));
            if let Some(open) = open.filter(|open| open.sha256 == sha256) {
                self.intake.is_unlaid(task);
                found.push(open);
            }
        }
        self.layings.found(found);
    }

    /// What is nowhere of these was in a pack that a disk has damaged.
    pub(super) fn find_damaged(&mut self, missing: &[Key]) {
        for (task, sha256) in missing {
            let open = self.intake.find(*task).map(|(_, open)| open.sha256);
            if open == Some(*sha256) && self.intake.is_packed(*task) {
                self.intake.is_damaged(*task);
            }
        }
    }

    /// Takes back the tasks whose file was replaced by another just before the crash.
    pub(super) fn withdraw_superseded(&mut self) {
        for task in std::mem::take(&mut self.superseded) {
            let why = ZIP_REPLACED.to_owned();
            self.scheduler
                .tell(TaskWithdrawn { task, why }, Cause::OUTSIDE);
        }
    }
}

pub(super) fn end_of(fate: &Fate) -> Option<End> {
    match fate {
        Fate::Queued | Fate::Leased(_) => None,
        Fate::Done { .. } => Some(End::Done),
        Fate::Failed { why, .. } => Some(End::Failed(why.clone())),
        Fate::Cancelled { why } => Some(End::Cancelled(why.clone())),
    }
}

pub(super) fn kept_of(known: &Remembered) -> Option<Kept> {
    let kept = |submitted: &Submitted, file: &str, success| Kept {
        file: file.to_owned(),
        sha256: submitted.sha256,
        size: submitted.size,
        success,
        is_settled: known.settled,
    };
    match &known.course.fate {
        Fate::Done { submitted, file } => Some(kept(submitted, file, true)),
        Fate::Failed {
            output: Some((submitted, file)),
            ..
        } => Some(kept(submitted, file, false)),
        _ => None,
    }
}
