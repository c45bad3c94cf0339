//! Tasks, peers and a desk to try the minds with.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::attribution::Claim;
use super::dispatch::{Arrival, Ask, Dispatch, Rules, Submission};
use super::effect::{Asker, Effect, End, Offer, Verdict};
use super::ledger::{Entry, State};
use super::policy::Policy;
use super::queue::Queue;
use super::seats::{Seat, Seated, Seats};
use crate::model::{
    Attempt, BootId, Digest, Ending, Endpoint, Kind, Life, Moment, Outcome, RequestId, SessionId,
    Task, TaskId, Wishes,
};
use crate::schedulers::Fifo;

/// The task of this number: `task-1.zip`, alone with its code, in the group `all`.
pub(crate) fn task(number: u128) -> Task {
    Task {
        id: TaskId(Uuid::from_u128(number)),
        name: format!("task-{number}.zip").parse().unwrap(),
        size: 1,
        nth: None,
        sha256: Digest::of(&number.to_be_bytes()),
        kind: Arc::new(Kind {
            code: Digest::of(&number.to_le_bytes()),
            group: "all".into(),
            parts: None,
            wishes: Wishes::default(),
        }),
    }
}

/// The kind of a task, to give it another.
pub(crate) fn kind_of(task: &mut Task) -> &mut Kind {
    Arc::make_mut(&mut task.kind)
}

/// A queue that gives its tasks their seats itself.
pub(crate) struct Line<P: Policy> {
    pub(crate) queue: Queue<P>,
    tasks: Seats<Task>,
}

impl Seated for Task {
    type Key = TaskId;

    fn key(&self) -> &TaskId {
        &self.id
    }
}

impl<P: Policy> Line<P> {
    pub(crate) fn new(policy: P) -> Self {
        Self {
            queue: Queue::new(policy),
            tasks: Seats::default(),
        }
    }

    fn seat(&mut self, task: &Task) -> Seat {
        let known = self.tasks.find(&task.id);
        known.unwrap_or_else(|| self.tasks.insert(task.clone()).unwrap())
    }

    pub(crate) fn push(&mut self, task: &Task) {
        let seat = self.seat(task);
        self.queue.push(seat, task);
    }

    pub(crate) fn push_again(&mut self, task: &Task) {
        let seat = self.seat(task);
        self.queue.push_again(seat, task);
    }

    pub(crate) fn next(&self, may_have: impl Fn(&TaskId) -> bool) -> Option<TaskId> {
        let id = |seat| self.tasks.at(seat).unwrap().id;
        self.queue.next(|seat| may_have(&id(seat))).map(id)
    }

    /// Its seat is free for another from now on.
    pub(crate) fn remove(&mut self, id: &TaskId) -> bool {
        let Some(seat) = self.tasks.find(id) else {
            return false;
        };
        let task = self.tasks.remove(id).unwrap();
        self.queue.remove(seat, &task)
    }

    pub(crate) fn handed_out(&mut self, task: &Task) {
        self.queue.handed_out(task);
    }

    pub(crate) fn finished(&mut self, task: &Task, took: Duration) {
        self.queue.finished(task, took);
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// A peer of ours, in its first life.
pub(crate) fn ours(name: &str) -> Endpoint {
    ours_in_life(name, 1)
}

/// A peer of ours in this life.
pub(crate) fn ours_in_life(name: &str, life: u128) -> Endpoint {
    Endpoint {
        peer: name.parse().unwrap(),
        life: Life::Boot(BootId(Uuid::from_u128(life))),
    }
}

/// A peer of section 1 at `10.0.0.1`.
pub(crate) fn plain(name: &str) -> Endpoint {
    plain_at(name, 1)
}

/// A peer of section 1 at `10.0.0.<host>`.
pub(crate) fn plain_at(name: &str, host: u8) -> Endpoint {
    Endpoint {
        peer: name.parse().unwrap(),
        life: Life::Address(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host))),
    }
}

/// A claim by ids.
pub(crate) fn by_id(offer: &Offer) -> Claim {
    Claim {
        attempt: Some((offer.task, offer.attempt)),
        name: None,
    }
}

/// A claim by name.
pub(crate) fn by_name(name: impl ToString) -> Claim {
    Claim {
        attempt: None,
        name: Some(name.to_string()),
    }
}

/// A mind with a clock that moves by hand, and the words to talk to it.
pub(crate) struct Desk {
    pub(crate) mind: Dispatch<Fifo>,
    pub(crate) now: Moment,
    /// The connection on which everybody speaks from now on.
    pub(crate) session: SessionId,
    requests: u64,
}

impl Desk {
    /// The shipped rules and these peers of whichever kind.
    pub(crate) fn with(peers: &[&Endpoint]) -> Self {
        Self::ruled(Rules::default(), peers)
    }

    /// Other rules.
    pub(crate) fn ruled(rules: Rules, peers: &[&Endpoint]) -> Self {
        let mut desk = Self {
            mind: Dispatch::new(Fifo, rules),
            now: Moment(1),
            session: SessionId(1),
            requests: 0,
        };
        for peer in peers {
            desk.join(peer);
        }
        desk
    }

    /// A peer registers and says nothing of what it holds.
    pub(crate) fn join(&mut self, peer: &Endpoint) -> Vec<Effect> {
        self.join_with(peer, 1, None)
    }

    /// A peer with so many slots registers, and may say what it holds.
    pub(crate) fn join_with(
        &mut self,
        peer: &Endpoint,
        slots: u32,
        holds: Option<&[(TaskId, Attempt)]>,
    ) -> Vec<Effect> {
        let arrival = Arrival {
            peer: peer.clone(),
            session: self.session,
            slots,
            holds: holds.map(<[_]>::to_vec),
        };
        self.mind.peer_joined(arrival, self.now)
    }

    fn asker(&mut self) -> Asker {
        self.requests += 1;
        Asker {
            session: self.session,
            request: RequestId(self.requests),
        }
    }

    pub(crate) fn arrive(&mut self, task: Task) -> Vec<Effect> {
        self.mind.task_arrived(Arc::new(task), self.now)
    }

    /// Asks without waiting; everything that follows.
    pub(crate) fn ask(&mut self, peer: &Endpoint) -> Vec<Effect> {
        self.ask_waiting(peer, 0)
    }

    /// Asks for a task to hold.
    pub(crate) fn ask_to_spare(&mut self, peer: &Endpoint) -> Option<Offer> {
        let ask = Ask {
            peer: peer.clone(),
            asker: self.asker(),
            wait: Duration::from_secs(60),
            is_spare: true,
            count: 1,
        };
        let asker = ask.asker;
        let effects = self.mind.task_requested(ask, self.now);
        let offer = offered(&effects);
        assert_eq!(offer.is_none(), effects.contains(&Effect::Nothing(asker)));
        offer
    }

    /// Asks for so many tasks to hold; everything that follows.
    pub(crate) fn ask_several_to_spare(&mut self, peer: &Endpoint, count: u32) -> Vec<Effect> {
        let ask = Ask {
            peer: peer.clone(),
            asker: self.asker(),
            wait: Duration::ZERO,
            is_spare: true,
            count,
        };
        self.mind.task_requested(ask, self.now)
    }

    pub(crate) fn ask_waiting(&mut self, peer: &Endpoint, seconds: u64) -> Vec<Effect> {
        self.ask_several(peer, 1, seconds)
    }

    /// Asks for so many tasks at once; everything that follows.
    pub(crate) fn ask_several(&mut self, peer: &Endpoint, count: u32, seconds: u64) -> Vec<Effect> {
        let ask = Ask {
            peer: peer.clone(),
            asker: self.asker(),
            wait: Duration::from_secs(seconds),
            is_spare: false,
            count,
        };
        self.mind.task_requested(ask, self.now)
    }

    /// Asks and gets a task.
    pub(crate) fn take(&mut self, peer: &Endpoint) -> Offer {
        let effects = self.ask(peer);
        offered(&effects).unwrap_or_else(|| panic!("{peer} got nothing: {effects:?}"))
    }

    /// Asks and gets none.
    pub(crate) fn in_vain(&mut self, peer: &Endpoint) -> bool {
        matches!(self.ask(peer).last(), Some(Effect::Nothing(_)))
    }

    pub(crate) fn submit(
        &mut self,
        peer: &Endpoint,
        claim: Claim,
        bytes: &[u8],
        ending: Ending,
    ) -> Vec<Effect> {
        let submission = Submission {
            peer: peer.clone(),
            asker: self.asker(),
            claim,
            sha256: Digest::of(bytes),
            size: 1,
            outcome: Outcome {
                ending,
                took: Duration::from_secs(2),
                peak_rss: None,
            },
        };
        self.mind.result_submitted(submission, self.now)
    }

    /// Hands in a success by its ids.
    pub(crate) fn succeed(&mut self, peer: &Endpoint, offer: &Offer) -> Vec<Effect> {
        self.submit(peer, by_id(offer), b"good", Ending::Exit(0))
    }

    /// Hands in a failure by its ids.
    pub(crate) fn fail(&mut self, peer: &Endpoint, offer: &Offer) -> Vec<Effect> {
        self.submit(peer, by_id(offer), b"bad", Ending::Exit(1))
    }

    pub(crate) fn kept(&mut self, task: TaskId) -> Vec<Effect> {
        self.mind.result_kept(&task, "task.zip".into(), self.now)
    }

    pub(crate) fn refused(&mut self, task: TaskId) -> Vec<Effect> {
        self.mind.result_refused(&task, "no ZIP".into(), self.now)
    }

    pub(crate) fn not_stored(&mut self, task: TaskId) -> Vec<Effect> {
        self.mind
            .result_not_stored(&task, "the disk is full".into(), self.now)
    }

    pub(crate) fn leave(&mut self, peer: &Endpoint, planned: bool) -> Vec<Effect> {
        self.mind.peer_left(peer, planned, "gone", self.now)
    }

    /// Time passes, then a tick.
    pub(crate) fn pass(&mut self, seconds: u64) -> Vec<Effect> {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.mind.tick(self.now)
    }

    pub(crate) fn entry(&self, task: TaskId) -> &Entry {
        self.mind.ledger().get(&task).unwrap()
    }

    pub(crate) fn state(&self, task: TaskId) -> &State {
        &self.entry(task).story.state
    }
}

/// The first offer among the effects.
pub(crate) fn offered(effects: &[Effect]) -> Option<Offer> {
    effects.iter().find_map(|effect| match effect {
        Effect::Offer(_, offer) => Some(offer.clone()),
        _ => None,
    })
}

/// All verdicts among the effects.
pub(crate) fn verdicts(effects: &[Effect]) -> Vec<Verdict> {
    let verdict = |effect: &Effect| match effect {
        Effect::Answer(_, verdict) => Some(verdict.clone()),
        _ => None,
    };
    effects.iter().filter_map(verdict).collect()
}

/// All ends among the effects.
pub(crate) fn ends(effects: &[Effect]) -> Vec<End> {
    let end = |effect: &Effect| match effect {
        Effect::End(_, _, end) => Some(end.clone()),
        _ => None,
    };
    effects.iter().filter_map(end).collect()
}

/// All tries that are called off among the effects.
pub(crate) fn cancels(effects: &[Effect]) -> Vec<(Endpoint, TaskId, Attempt)> {
    let cancel = |effect: &Effect| match effect {
        Effect::Cancel(peer, task, attempt) => Some((peer.clone(), *task, *attempt)),
        _ => None,
    };
    effects.iter().filter_map(cancel).collect()
}

/// The try whose result is to be looked over, and whether as a success.
pub(crate) fn keeps(effects: &[Effect]) -> Vec<(TaskId, Attempt, bool)> {
    let keep = |effect: &Effect| match effect {
        Effect::Keep {
            task,
            attempt,
            success,
            ..
        } => Some((*task, *attempt, *success)),
        _ => None,
    };
    effects.iter().filter_map(keep).collect()
}
