//! Of which tasks somebody reads what they print: who is told how they stand, and who can tell what a try prints.
//!
//! Rule: it is said again and again that a task is followed, so one of which nothing was said for a while is forgotten; and
//! where all places are taken, the one of which that is the longest ago gives its own up. Nobody is told the same twice.

use std::collections::BTreeMap;

use super::ledger::{Entry, State};
use super::outputs::{LASTING, Standing, TASKS_MAX};
use crate::model::{Attempt, Endpoint, Moment, TaskId};
use crate::wire::report::TaskState;

/// The mind; what a listener is does not matter to it.
#[derive(Debug)]
pub struct Following<L> {
    tasks: BTreeMap<TaskId, Followed<L>>,
}

/// A task that is followed.
#[derive(Debug)]
struct Followed<L> {
    listener: L,
    until: Moment,
    /// How it stands, as was told last.
    told: Option<Standing>,
}

/// Who can tell what a try prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller<'a> {
    /// Nobody: it does not run any more.
    Nobody,
    /// Nobody before its result is there: a peer that is none of ours runs it.
    Result,
    /// This peer, if it is here.
    Peer(&'a Endpoint),
}

impl<L> Default for Following<L> {
    fn default() -> Self {
        Self {
            tasks: BTreeMap::new(),
        }
    }
}

impl<L> Following<L> {
    /// Somebody reads a task for a while from now on; one that knows nothing of it yet is told how it stands again.
    pub fn follow(&mut self, task: TaskId, knows: bool, listener: L, now: Moment) {
        if !self.tasks.contains_key(&task) {
            self.make_room();
        }
        let followed = self.tasks.entry(task).or_insert(Followed {
            listener,
            until: now,
            told: None,
        });
        followed.until = now.after(LASTING);
        if !knows {
            followed.told = None;
        }
    }

    /// Time has passed: the tasks that are followed still.
    pub fn still(&mut self, now: Moment) -> Vec<TaskId> {
        self.tasks.retain(|_, followed| now < followed.until);
        self.tasks.keys().copied().collect()
    }

    /// Whom to tell how a task stands, if that is news.
    pub fn news(&mut self, task: &TaskId, entry: Option<&Entry>) -> Option<(&L, Standing)> {
        let followed = self.tasks.get_mut(task)?;
        let standing = match entry {
            Some(entry) => standing_of(&entry.story.state)?,
            None => Standing::Unknown,
        };
        if followed.told.as_ref() == Some(&standing) {
            return None;
        }
        followed.told = Some(standing.clone());
        Some((&followed.listener, standing))
    }

    /// Where all places are taken, one becomes free.
    fn make_room(&mut self) {
        if self.tasks.len() < TASKS_MAX {
            return;
        }
        let tasks = self.tasks.iter();
        let oldest = tasks.min_by_key(|(_, followed)| followed.until);
        if let Some(oldest) = oldest.map(|(task, _)| *task) {
            self.tasks.remove(&oldest);
        }
    }
}

/// Who can tell what this try of a task prints.
pub fn teller_of(entry: Option<&Entry>, attempt: Attempt) -> Teller<'_> {
    let lease = entry.and_then(|entry| entry.story.state.lease());
    match lease.filter(|lease| lease.attempt == attempt) {
        None => Teller::Nobody,
        Some(lease) if lease.holder.is_ours() => Teller::Peer(&lease.holder),
        Some(_) => Teller::Result,
    }
}

/// How a task stands for a reader of its output; nothing while that is about to change.
fn standing_of(state: &State) -> Option<Standing> {
    let over = |state, why: Option<&String>, attempt| Standing::Over {
        state,
        reason: why.cloned(),
        attempt,
    };
    Some(match state {
        State::Waiting | State::Resting => Standing::Waiting,
        State::Leased(lease) => Standing::Running {
            attempt: lease.attempt,
            peer: lease.holder.peer.clone(),
        },
        State::Keeping { .. } => return None,
        State::Done { submitted, .. } => over(TaskState::Done, None, Some(submitted.attempt)),
        State::Failed { why, output } => {
            let of_result = output.as_ref().map(|(submitted, _)| submitted.attempt);
            over(TaskState::Failed, Some(why), of_result)
        }
        State::Cancelled { why } => over(TaskState::Cancelled, Some(why), None),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::logic::fixtures::{Desk, ours, plain, task};

    const FIRST: Attempt = Attempt(1);

    fn id(number: u128) -> TaskId {
        TaskId(Uuid::from_u128(number))
    }

    /// How it stands, if that is news to whoever follows it.
    fn news(following: &mut Following<()>, desk: &Desk, number: u128) -> Option<Standing> {
        let task = id(number);
        let entry = desk.mind.ledger().get(&task);
        following.news(&task, entry).map(|(_, standing)| standing)
    }

    #[test]
    fn how_a_task_stands_is_told_with_each_change_and_once() {
        let peer = ours("p1");
        let mut desk = Desk::with(&[&peer]);
        let mut following = Following::default();
        following.follow(id(1), false, (), desk.now);
        assert_eq!(news(&mut following, &desk, 1), Some(Standing::Unknown));
        desk.arrive(task(1));
        assert_eq!(news(&mut following, &desk, 1), Some(Standing::Waiting));
        assert_eq!(news(&mut following, &desk, 1), None);
        let offer = desk.take(&peer);
        let running = Standing::Running {
            attempt: FIRST,
            peer: peer.peer.clone(),
        };
        assert_eq!(news(&mut following, &desk, 1), Some(running.clone()));
        // It is said again for one that knows how far it is, and for one that knows nothing.
        following.follow(id(1), true, (), desk.now);
        assert_eq!(news(&mut following, &desk, 1), None);
        following.follow(id(1), false, (), desk.now);
        assert_eq!(news(&mut following, &desk, 1), Some(running));
        desk.succeed(&peer, &offer);
        assert_eq!(news(&mut following, &desk, 1), None, "it may be refused");
        desk.kept(offer.task);
        let done = Standing::Over {
            state: TaskState::Done,
            reason: None,
            attempt: Some(FIRST),
        };
        assert_eq!(news(&mut following, &desk, 1), Some(done));
    }

    #[test]
    fn why_a_task_ended_without_a_result_is_told() {
        let mut desk = Desk::with(&[]);
        desk.arrive(task(1));
        desk.mind.task_withdrawn(&id(1), "not needed".into());
        let mut following = Following::default();
        following.follow(id(1), false, (), desk.now);
        let cancelled = Standing::Over {
            state: TaskState::Cancelled,
            reason: Some("not needed".into()),
            attempt: None,
        };
        assert_eq!(news(&mut following, &desk, 1), Some(cancelled));
    }

    #[test]
    fn nothing_is_told_of_a_task_that_nobody_follows_any_more() {
        let mut desk = Desk::with(&[]);
        let mut following = Following::default();
        following.follow(id(1), false, (), desk.now);
        desk.now = desk
            .now
            .after(LASTING.saturating_sub(Duration::from_millis(1)));
        assert_eq!(following.still(desk.now), [id(1)]);
        desk.now = desk.now.after(Duration::from_millis(1));
        assert!(following.still(desk.now).is_empty());
        assert_eq!(news(&mut following, &desk, 1), None);
        assert_eq!(news(&mut following, &desk, 2), None);
    }

    #[test]
    fn only_who_runs_the_try_can_tell_what_it_prints() {
        let (our, other) = (ours("p1"), plain("p2"));
        let mut desk = Desk::with(&[&our, &other]);
        (1..=2).for_each(|number| drop(desk.arrive(task(number))));
        assert_eq!(teller_of(None, FIRST), Teller::Nobody);
        let entry = |desk: &Desk, task| desk.entry(task).clone();
        let of_ours = entry(&desk, id(1));
        assert_eq!(teller_of(Some(&of_ours), FIRST), Teller::Nobody);
        let (ours, others) = (desk.take(&our).task, desk.take(&other).task);
        let (of_ours, of_others) = (entry(&desk, ours), entry(&desk, others));
        assert_eq!(teller_of(Some(&of_ours), FIRST), Teller::Peer(&our));
        assert_eq!(teller_of(Some(&of_ours), Attempt(2)), Teller::Nobody);
        assert_eq!(teller_of(Some(&of_others), FIRST), Teller::Result);
    }

    proptest! {
        /// However many are followed, there are no more than there is room for, and those that were said last stay.
        #[test]
        fn the_places_are_of_those_that_were_said_last(
            said in prop::collection::vec((0_u128..2 * TASKS_MAX as u128, 1_u64..30), 0..3 * TASKS_MAX),
        ) {
            let (mut following, mut now) = (Following::default(), Moment(1));
            let mut last_said: BTreeMap<TaskId, Moment> = BTreeMap::new();
            for (number, millis) in said {
                now = now.after(Duration::from_millis(millis));
                following.follow(id(number), true, number, now);
                last_said.insert(id(number), now);
                let told = following.news(&id(number), None);
                prop_assert!(told.is_none_or(|(listener, _)| *listener == number));
            }
            let mut newest: Vec<_> = last_said.into_iter().collect();
            newest.sort_unstable_by_key(|(_, said)| std::cmp::Reverse(*said));
            let newest = newest.into_iter().take(TASKS_MAX);
            let newest = newest.filter(|(_, said)| now.since(*said) < LASTING);
            let newest: BTreeSet<TaskId> = newest.map(|(task, _)| task).collect();
            let still: BTreeSet<TaskId> = following.still(now).into_iter().collect();
            prop_assert_eq!(still, newest);
        }
    }
}
