//! A restart: what the tasks of earlier lives mean for the files.
//!
//! Rule: the next look at `tasks/` decides about open tasks: a file that is gone takes its task back, one that changed
//! is read. Files of terminal tasks are moved on to where they belong.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use mutirao_actors::logic::effect::End;
use mutirao_actors::logic::ledger::Submitted;
use mutirao_actors::logic::record::{Fate, Remembered};

use super::Folders;
use super::intake::{Adopted, Leaving};
use super::jobs::Settling;
use super::kept::Kept;

impl Folders {
    /// Takes the tasks of earlier lives.
    pub(super) fn recall(&mut self, remembered: &[Remembered]) {
        for known in remembered {
            let file = OsString::from_vec(known.lies.file.clone());
            let Some(end) = end_of(&known.fate) else {
                let adopted = Adopted::of(&known.task, known.lies.stamp);
                self.intake.recall(file, adopted);
                continue;
            };
            let kept = kept_of(known);
            if let Some(kept) = kept.clone() {
                self.results.add(known.task.id, kept);
            }
            if known.settled {
                continue;
            }
            if let Some(kept) = &kept {
                self.plans.promise(known.task.id, kept.file.clone());
            }
            self.intake.recall_leaving(file.clone());
            self.settlements.add(Settling {
                task: known.task.id,
                name: known.task.name.clone(),
                end,
                kept,
                leaving: Some(Leaving {
                    file,
                    stamp: known.lies.stamp,
                    sha256: Some(known.task.sha256),
                }),
            });
        }
    }
}

fn end_of(fate: &Fate) -> Option<End> {
    match fate {
        Fate::Queued | Fate::Leased(_) => None,
        Fate::Done { .. } => Some(End::Done),
        Fate::Failed { why, .. } => Some(End::Failed(why.clone())),
        Fate::Cancelled { why } => Some(End::Cancelled(why.clone())),
    }
}

fn kept_of(known: &Remembered) -> Option<Kept> {
    let kept = |submitted: &Submitted, file: &str, success| Kept {
        file: file.to_owned(),
        sha256: submitted.sha256,
        size: submitted.size,
        success,
        is_settled: known.settled,
    };
    match &known.fate {
        Fate::Done { submitted, file } => Some(kept(submitted, file, true)),
        Fate::Failed {
            output: Some((submitted, file)),
            ..
        } => Some(kept(submitted, file, false)),
        _ => None,
    }
}
