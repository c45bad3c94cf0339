//! What the desk does when somebody wants something tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::letters::{describe_group, describe_task, refuse, tell_swept};
use super::{Desk, Takes, report};
use crate::logic::effect::End;
use crate::logic::ledger::{Entry, State, Sweep};
use crate::logic::policy::Policy;
use crate::message_log::Cause;
use crate::messages::{
    GroupReopened, ReplyTo, Retry, RetryGroup, RetrySome, RetryTask, RetryTasks, TaskEnded,
    TasksRetried,
};
use crate::model::{Moment, TaskId};
use crate::wire::report::{EXAMPLES_MAX, SweepReport};

/// How long after its last turn a sweep is taken for one that nobody goes on with: a turn takes less than a second where a disk
/// does well.
pub(super) const LEFT_AFTER: Duration = Duration::from_secs(5);

/// Groups of which a sweep has opened parts, and that are reopened when it is through: each costs a look at all of its parts,
/// which a sweep of a million would else take a thousand times. No more than there are groups.
#[derive(Debug, Default)]
pub(super) struct Reopening {
    /// One of the parts of each.
    groups: BTreeMap<Arc<str>, TaskId>,
    /// When the last turn was.
    last: Moment,
}

impl<P: Policy> Takes<RetryTask> for Desk<P> {
    fn take(&mut self, RetryTask { task, reply }: RetryTask, cause: Cause) {
        if self.refuses("the task is to be tried again", &reply, cause) {
            return;
        }
        let Some(entry) = self.mind.ledger().get(&task) else {
            return describe_task(None, reply, cause);
        };
        let name = &entry.task.name;
        let why_not = match &entry.story.state {
            State::Done { .. } => Some(format!("{name} is done: there is nothing to mend")),
            state if !state.is_terminal() => Some(format!("{name} has not ended")),
            _ => None,
        };
        match why_not {
            Some(why) => refuse(&reply, why, cause),
            None => self.retry(Retry::Task(task), vec![task], reply, cause),
        }
    }
}

impl<P: Policy> Takes<RetryGroup> for Desk<P> {
    fn take(&mut self, message: RetryGroup, cause: Cause) {
        let RetryGroup {
            group,
            states,
            reply,
        } = message;
        if self.refuses("the group is to be tried again", &reply, cause) {
            return;
        }
        let ledger = self.mind.ledger();
        let Some((group, _)) = ledger.tallies().find(&group) else {
            return describe_group(None, reply, cause);
        };
        let is_meant = |entry: &&Entry| {
            let state = report::state_of(&entry.story.state);
            states.is_empty() || states.contains(&state)
        };
        let meant = ledger.parts_of(group).into_values().filter(is_meant);
        let meant = meant.map(|entry| entry.task.id).collect();
        let group = Arc::clone(group);
        self.retry(Retry::Group(group), meant, reply, cause);
    }
}

impl<P: Policy> Takes<RetrySome> for Desk<P> {
    fn take(&mut self, message: RetrySome, cause: Cause) {
        let RetrySome {
            sought,
            meant,
            reply,
        } = message;
        if self.refuses("the tasks are to be tried again", &reply, cause) {
            return;
        }
        let is_meant = |entry: &Entry| {
            entry.story.state.is_over_without_result() && report::is_sought(entry, &sought)
        };
        let Sweep { tasks, left, next } = self.mind.ledger().sweep(meant, is_meant);
        self.retry(Retry::Some { left, next }, tasks, reply, cause);
    }
}

impl<P: Policy> Takes<TasksRetried> for Desk<P> {
    fn take(&mut self, message: TasksRetried, cause: Cause) {
        let TasksRetried {
            retry,
            open,
            left,
            why,
            reply,
        } = message;
        self.mind.not_retried(&left);
        let effects = self.mind.retried(&open, self.now());
        self.carry_out(effects, None, cause);
        match &retry {
            Retry::Some { next, .. } => self.turned(&open, *next, cause),
            Retry::Task(_) | Retry::Group(_) => self.reopen_groups(&open, cause),
        }
        let nothing = || "nothing of it failed or was cancelled".to_owned();
        match retry {
            Retry::Some { left: others, next } => {
                let ledger = self.mind.ledger();
                let examples = left.iter().filter_map(|task| ledger.get(task));
                let examples = examples.map(|entry| entry.task.name.clone());
                let report = SweepReport {
                    tasks: open.len() as u64,
                    left: left.len() as u64 + others,
                    examples: examples.take(EXAMPLES_MAX).collect(),
                    reason: why_some_left(why, left.len(), others),
                    next,
                };
                self.once_written_down(move |_| tell_swept(report, reply, cause));
            }
            _ if open.is_empty() => refuse(&reply, why.unwrap_or_else(nothing), cause),
            Retry::Task(task) => {
                let report = self.mind.ledger().get(&task).map(report::of_task);
                self.once_written_down(move |_| describe_task(report, reply, cause));
            }
            Retry::Group(group) => {
                let report = report::of_group(&self.mind, &group);
                self.once_written_down(move |_| describe_group(report, reply, cause));
            }
        }
    }
}

impl<P: Policy> Desk<P> {
    /// Has the ZIPs brought back of those that can be tried again.
    fn retry(&mut self, retry: Retry, chosen: Vec<TaskId>, reply: ReplyTo, cause: Cause) {
        let mut tasks = self.mind.begin_retry(chosen);
        if let (true, Retry::Some { left, next }) = (tasks.is_empty(), &retry) {
            let (left, next) = (*left, *next);
            self.turned(&[], next, cause);
            let report = SweepReport {
                left,
                reason: why_left(left),
                next,
                ..SweepReport::default()
            };
            return self.once_written_down(move |_| tell_swept(report, reply, cause));
        }
        if tasks.is_empty() {
            let why = "nothing of it failed or was cancelled, or it is tried again already";
            return refuse(&reply, why.to_owned(), cause);
        }
        tasks.sort_unstable_by_key(|task| task.id);
        let bring_back = RetryTasks {
            retry,
            tasks,
            reply,
        };
        // Before it is written down that they ended the folders do not know it, nor have they put the ZIPs away.
        self.once_written_down(move |desk| desk.cast.folders.tell(bring_back, cause));
    }

    /// A turn of a sweep has opened these; with the last one the groups are reopened.
    fn turned(&mut self, open: &[TaskId], next: Option<u32>, cause: Cause) {
        let ledger = self.mind.ledger();
        let tasks = open.iter().filter_map(|task| ledger.get(task));
        let parts = tasks.filter(|entry| entry.task.part().is_some());
        let parts = parts.map(|entry| (Arc::clone(&entry.task.kind.group), entry.task.id));
        // Under a name that is used again the newest part is of the group that goes by it now.
        for (group, part) in parts {
            let newest = self.reopening.groups.entry(group).or_insert(part);
            *newest = part.max(*newest);
        }
        self.reopening.last = self.cast.clock.now();
        if next.is_none() {
            self.reopen_swept(cause);
        }
    }

    /// Reopens what a sweep has opened with which nobody goes on.
    pub(super) fn reopen_left(&mut self) {
        let is_any = !self.reopening.groups.is_empty();
        if is_any && self.now().since(self.reopening.last) >= LEFT_AFTER {
            self.reopen_swept(Cause::OUTSIDE);
        }
    }

    fn reopen_swept(&mut self, cause: Cause) {
        let groups = std::mem::take(&mut self.reopening.groups);
        let parts: Vec<_> = groups.into_values().collect();
        self.reopen_groups(&parts, cause);
    }

    /// What the groups of these parts made is put together anew. Whatever ended before was told before.
    fn reopen_groups(&mut self, open: &[TaskId], cause: Cause) {
        let ledger = self.mind.ledger();
        let tasks = open.iter().filter_map(|task| ledger.get(task));
        // The folder is of the group that goes by the name now.
        let tasks = tasks.filter(|entry| ledger.tallies().is_current(&entry.task));
        let parts = tasks.filter_map(|entry| Some((&entry.task.kind.group, entry.task.part()?)));
        let groups: BTreeMap<_, _> = parts
            .map(|(group, part)| (Arc::clone(group), part.of()))
            .collect();
        if groups.is_empty() {
            return;
        }
        let mut known = ledger.parts_of_each(groups.keys().map(|group| &**group));
        let reopened: Vec<_> = groups
            .iter()
            .map(|(group, parts)| {
                let known = known.remove(&**group).unwrap_or_default();
                self.reopened(Arc::clone(group), *parts, known)
            })
            .collect();
        for reopened in reopened {
            self.once_written_down(move |desk| desk.cast.folders.tell(reopened, cause));
        }
    }

    fn reopened(&self, group: Arc<str>, parts: u32, known: BTreeMap<u32, &Entry>) -> GroupReopened {
        let (mut open, mut ended) = (BTreeSet::new(), Vec::new());
        for (number, entry) in known {
            let Some(end) = end_of(&entry.story.state) else {
                open.insert(number);
                continue;
            };
            ended.push(TaskEnded {
                task: entry.task.id,
                name: entry.task.name.clone(),
                end,
                part: self.ended_part(&entry.task.id),
            });
        }
        GroupReopened {
            group,
            parts,
            open,
            ended,
        }
    }
}

/// Why so many that were named are not tried again.
fn why_left(tasks: u64) -> Option<String> {
    let why = "they have not failed nor were cancelled, or are not known";
    (tasks > 0).then(|| why.to_owned())
}

/// Why so many that failed or were cancelled stay as they are, if some do, and why so many others that were named are not
/// tried again: of both it is told how many, for they are told as one sum.
fn why_some_left(why: Option<String>, left: usize, others: u64) -> Option<String> {
    match (why, why_left(others)) {
        (Some(why), Some(others_why)) => Some(format!("{left}: {why}; {others}: {others_why}")),
        (why, others_why) => why.or(others_why),
    }
}

fn end_of(state: &State) -> Option<End> {
    match state {
        State::Done { .. } => Some(End::Done),
        State::Failed { why, .. } => Some(End::Failed(why.clone())),
        State::Cancelled { why } => Some(End::Cancelled(why.clone())),
        State::Waiting | State::Resting | State::Leased(_) | State::Keeping { .. } => None,
    }
}
