//! The files of terminal tasks are put where they belong, behind: their ends are written down already.
//!
//! Rule: one job settles all that wait, and flushes each folder once for all of them. Nobody waits for it, so each waits a
//! moment for others. Meanwhile nothing is put into
//! `tasks/`: of a task that ends before it lies there, only one of the two jobs may move the ZIP.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext as _, Context};
use mutirao_actors::logic::record::Record;
use mutirao_actors::message_log::Cause;
use mutirao_actors::model::TaskId;

use super::Folders;
use super::jobs::{self, Settled, Settling, Shelved};
use super::packs::Key;
use crate::disk::DiskError;

/// Tasks that are settled by one job: enough that its flushes cost next to nothing each, few enough that the first are not
/// kept waiting for more than a moment, and that no folder holds more unnamed copies.
const BATCH_MAX: usize = 4096;

/// How long a task waits for others: its flushes cost as much as those of many, and to a person it is at once.
const GATHERING: Duration = Duration::from_millis(50);

/// Terminal tasks whose files are not where they belong; no more than there are open tasks, and those of the last
/// seconds.
#[derive(Debug, Default)]
pub(super) struct Settlements {
    waiting: VecDeque<Settling>,
    /// Those, and what is being settled.
    unsettled: HashSet<TaskId>,
    /// Whether some are being settled.
    is_busy: bool,
    /// Whether they are to be when a moment has passed.
    is_due: bool,
}

impl Settlements {
    /// One more.
    pub fn add(&mut self, settling: Settling) {
        self.unsettled.insert(settling.task);
        self.waiting.push_back(settling);
    }

    /// Whether the files of this task, which has ended, are not where they belong yet.
    pub fn has(&self, task: TaskId) -> bool {
        self.unsettled.contains(&task)
    }

    /// Whether some are being settled.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// The payloads that are to be moved, and so not to be cleared away.
    pub fn payloads(&self) -> impl Iterator<Item = Key> {
        let payloads = |settling: &Settling| {
            let kept = settling.kept.as_ref().map(|kept| kept.sha256);
            let leaving = settling.leaving.as_ref().and_then(|leaving| leaving.sha256);
            [kept, leaving].map(|sha256| Some((settling.task, sha256?)))
        };
        self.waiting.iter().flat_map(payloads).flatten()
    }

    fn take(&mut self) -> Vec<Settling> {
        let count = self.waiting.len().min(BATCH_MAX);
        self.waiting.drain(..count).collect()
    }
}

impl Folders {
    /// Settles what waits, and what comes within a moment.
    pub(super) fn settle_soon(&mut self, ctx: &mut Context<Self>) {
        if self.settlements.waiting.is_empty()
            || std::mem::replace(&mut self.settlements.is_due, true)
        {
            return;
        }
        let under_way = self.under_way.token();
        ctx.run_later(GATHERING, move |desk, ctx| {
            desk.settlements.is_due = false;
            desk.settle(ctx);
            drop(under_way);
        });
    }

    /// Settles what waits, unless that is being done.
    pub(super) fn settle(&mut self, ctx: &mut Context<Self>) {
        let is_busy = self.settlements.is_busy || self.layings.is_busy();
        if is_busy || self.settlements.waiting.is_empty() {
            return;
        }
        self.settlements.is_busy = true;
        let batch = self.settlements.take();
        let (places, plans) = (Arc::clone(&self.places), Arc::clone(&self.plans));
        let settle = move || (jobs::settle(&places, &plans, &batch), batch);
        self.work(ctx, settle, |desk, (settled, batch), ctx| {
            desk.settlements.is_busy = false;
            let tasks = desk.places.tasks.clone();
            desk.troubles.hear("settle", &tasks, settled.as_ref().err());
            let again = match settled {
                Ok(settled) => desk.all_settled(batch, settled, ctx),
                Err(_) => batch,
            };
            let all_went = again.is_empty();
            desk.settlements.waiting.extend(again);
            // In turns, so that neither waits for ever.
            desk.lay(ctx);
            if all_went {
                desk.settle_soon(ctx);
            }
        });
    }

    /// Has it written down; gives back those whose files the disk would not move.
    fn all_settled(
        &mut self,
        batch: Vec<Settling>,
        settled: Vec<Result<Settled, DiskError>>,
        ctx: &mut Context<Self>,
    ) -> Vec<Settling> {
        let (mut records, mut again) = (Vec::new(), Vec::new());
        for (settling, settled) in batch.into_iter().zip(settled) {
            let file = settling.leaving.as_ref().map(|leaving| &leaving.file);
            let shown = file.cloned().unwrap_or_default();
            self.hear_of("settle", &shown, settled.as_ref().err());
            match settled {
                Ok(settled) => records.push(self.one_settled(settling, settled)),
                Err(_) => again.push(settling),
            }
        }
        if !records.is_empty() {
            self.write_down(records, Cause::OUTSIDE);
        }
        self.assemble(ctx);
        self.retry(ctx);
        again
    }

    fn one_settled(&mut self, settling: Settling, settled: Settled) -> Record {
        let Settled { file, shelved } = settled;
        self.settlements.unsettled.remove(&settling.task);
        if let Some(leaving) = settling.leaving {
            match shelved {
                Shelved::Left => self.intake.left(&leaving.file),
                Shelved::Stays(copy) => self.intake.rests(&leaving.file, copy),
            }
        }
        if let Some(file) = &file {
            self.results.settled(settling.task, file.clone());
        }
        let result = settling.kept.map(|kept| kept.sha256);
        self.assemblies
            .settled(settling.task, file.clone().zip(result));
        Record::Settled {
            task: settling.task,
            file,
        }
    }
}
