//! Tasks that had ended are to be tried again: their ZIPs come back from `tasks/failed/`.
//!
//! Rule: a ZIP is copied among the payloads first; then it is written down, in one piece, that its task is open and where
//! the ZIP will lie; from there on it is a task like one that came over the wire. So no crash leaves it half open, and only
//! what had ended and was put away whole begins anew.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use actix::{Context, Handler};
use mutirao_actors::logic::record::{Place, Record};
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{GroupReopened, RetryTasks, TasksRetried};
use mutirao_actors::model::TaskId;
use mutirao_actors::port::Letter;

use super::jobs::{self, Again};
use super::{Folders, assembling};
use crate::disk::DiskError;

/// Why a task stays as it ended.
const NOT_THERE: &str = "its ZIP is not in tasks/failed/ any more: hand it in again";

/// What is to be tried again; as much as the scheduler asked for and has heard nothing of.
#[derive(Debug, Default)]
pub(super) struct Retries {
    waiting: VecDeque<(RetryTasks, Cause)>,
    is_busy: bool,
    /// What was put away of tasks that are open again.
    put_away: Vec<PathBuf>,
}

impl Folders {
    /// Brings back what waits for it, once all of it was put away.
    pub(super) fn retry(&mut self, ctx: &mut Context<Self>) {
        let unsettled = |retry: &RetryTasks| {
            let mut tasks = retry.tasks.iter();
            tasks.any(|task| self.settlements.has(task.id))
        };
        let next = self.retries.waiting.front();
        if self.retries.is_busy || next.is_none_or(|(retry, _)| unsettled(retry)) {
            return;
        }
        let Some((retry, cause)) = self.retries.waiting.pop_front() else {
            return;
        };
        self.retries.is_busy = true;
        let places = Arc::clone(&self.places);
        let copy_back = move || (jobs::copy_back(&places, &retry.tasks), retry);
        self.work(ctx, copy_back, move |desk, (copied, retry), ctx| {
            desk.retries.is_busy = false;
            desk.were_copied(copied, retry, cause);
            desk.retry(ctx);
        });
    }

    /// Has it written down that those are open again of which there is a copy.
    fn were_copied(
        &mut self,
        copied: Result<Vec<Option<Again>>, DiskError>,
        retry: RetryTasks,
        cause: Cause,
    ) {
        let failed = self.places.failed();
        let trouble = copied.as_ref().err();
        self.troubles.hear("bring back", &failed, trouble);
        let why = trouble.map_or_else(|| NOT_THERE.to_owned(), ToString::to_string);
        let copied = copied.unwrap_or_else(|_| retry.tasks.iter().map(|_| None).collect());
        let (mut open, mut left, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for (task, again) in retry.tasks.iter().zip(copied) {
            let id = task.id;
            let now = self.clock.now();
            let lies = again.as_ref().and_then(|again| {
                let file = self.intake.open_again(now, task, again.stamp)?;
                Some((file, again.stamp))
            });
            let (Some(Again { put_away, .. }), Some((file, stamp))) = (again, lies) else {
                left.push(id);
                continue;
            };
            let (task, lies) = (Arc::clone(task), Place { file, stamp });
            self.layings.add(Arc::clone(&task));
            self.results.forget(id);
            records.push(Record::Retried { task: id });
            records.push(Record::Adopted { task, lies });
            // A file that stays in tasks/ is not run again by itself as long as its copy is there.
            if !self.intake.rests_on(&put_away) {
                self.retries.put_away.push(put_away);
            }
            open.push(id);
        }
        if !records.is_empty() {
            self.write_down(records, cause);
        }
        let retried = TasksRetried {
            retry: retry.retry,
            why: (!left.is_empty()).then_some(why),
            open,
            left,
            reply: retry.reply,
        };
        self.once_written_down(move |desk| desk.are_open(retried, cause));
    }

    fn are_open(&mut self, retried: TasksRetried, cause: Cause) {
        let open: &[TaskId] = &retried.open;
        open.iter().for_each(|task| self.layings.may_be_laid(*task));
        self.scheduler.tell(retried, cause);
    }

    /// What was put away of tasks of which it is written down that they are open is of no use any more.
    pub(super) fn clear_put_away(&mut self, ctx: &mut Context<Self>) {
        if self.retries.put_away.is_empty() || !self.withheld.is_clear() {
            return;
        }
        let (places, files) = (
            Arc::clone(&self.places),
            std::mem::take(&mut self.retries.put_away),
        );
        let clear = move || jobs::clear_put_away(&places, &files);
        self.work(ctx, clear, |desk, cleared, _| {
            desk.hear_asked("clear", 0, cleared.err().as_ref());
        });
    }
}

impl Handler<Letter<RetryTasks>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<RetryTasks>, ctx: &mut Self::Context) {
        let (retry, cause) = letter.open();
        let trouble = self.store_trouble.as_ref().or(self.unopened.as_ref());
        let why = match trouble {
            Some(trouble) => Some(format!("the master's disk takes nothing now: {trouble}")),
            None if self.intake.is_full() => Some("the master has as many tasks as it can".into()),
            None => None,
        };
        if why.is_none() {
            self.retries.waiting.push_back((retry, cause));
            return self.retry(ctx);
        }
        let retried = TasksRetried {
            left: retry.tasks.iter().map(|task| task.id).collect(),
            open: Vec::new(),
            retry: retry.retry,
            why,
            reply: retry.reply,
        };
        self.scheduler.tell(retried, cause);
    }
}

impl Handler<Letter<GroupReopened>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<GroupReopened>, ctx: &mut Self::Context) {
        let (
            GroupReopened {
                group,
                parts,
                open,
                ended,
            },
            _,
        ) = letter.open();
        // The others come when they were put away.
        let settled = ended
            .into_iter()
            .filter(|ended| !self.settlements.has(ended.task));
        let settled: Vec<_> = settled
            .map(|ended| {
                let kept = self.results.find(ended.task);
                let result = kept.map(|kept| (kept.file.clone(), kept.sha256));
                (ended, result)
            })
            .collect();
        let folder = self.places.results.join(&*group);
        if !self.assemblies.reopen(group, parts, open, settled) && folder.is_dir() {
            assembling::stays(&folder, assembling::TOO_MANY);
        }
        self.assemble(ctx);
    }
}
