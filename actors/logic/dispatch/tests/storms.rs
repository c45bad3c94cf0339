//! Whatever happens in whatever order: no task is lost, none ends twice, nobody is answered twice.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::logic::attribution::Claim;
use crate::logic::dispatch::{Arrival, Ask, Dispatch, Rules, Submission};
use crate::logic::effect::{Asker, Effect, End, Offer};
use crate::logic::fixtures::{by_id, by_name, kind_of, ours, ours_in_life, plain, plain_at, task};

use crate::logic::record::{Place, Record};
use crate::model::{
    Attempt, Digest, Ending, Endpoint, Moment, Outcome, Part, RequestId, SessionId, Stamp, TaskId,
};
use crate::schedulers::Fair;

use super::restart::{past, read_back};

const TASKS: u128 = 6;

/// Two of ours, one of them in two lives; two plain ones, one of them at two addresses.
fn peers() -> [Endpoint; 6] {
    [
        ours("a"),
        ours_in_life("a", 2),
        ours("b"),
        plain("c"),
        plain_at("c", 2),
        plain("d"),
    ]
}

#[derive(Debug, Clone, Copy)]
enum Naming {
    Ids,
    Echo,
    Decorated,
    Nothing,
}

/// Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Fact {
    Arrives(u8),
    /// On one of its connections, for so many at once.
    Asks(u8, u64, bool, u32),
    Submits {
        peer: u8,
        offer: u8,
        naming: Naming,
        bytes: u8,
        ending: Ending,
    },
    Kept(u8),
    Refused(u8),
    NotStored(u8),
    /// On one of its connections. Ours may say what they hold: what we believe, nothing, or anything;
    /// and that they leave.
    Joins(u8, u8, bool),
    Leaves(u8, bool),
    Closes(u8),
    Cancels(u8),
    /// Somebody wants it tried again, and its ZIP is still there or not.
    Retries(u8, bool),
    OfferFails(u8),
    Passes(u64),
    /// The store does not take what happens, or takes it again.
    Stalls(bool),
    /// The master is killed and started again, with what its store knows.
    Restarts,
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let naming = prop::sample::select(vec![
        Naming::Ids,
        Naming::Ids,
        Naming::Echo,
        Naming::Decorated,
        Naming::Nothing,
    ]);
    let ending = prop::sample::select(vec![Ending::Exit(0), Ending::Exit(1), Ending::Unsaid]);
    let wait = prop::sample::select(vec![0, 0, 20, 90]);
    let count = prop::sample::select(vec![1, 1, 2, 4, 16]);
    let jump = prop::sample::select(vec![0, 1, 1, 5, 60, 125, 700]);
    let second = prop::bool::weighted(0.2);
    let submits = (any::<u8>(), any::<u8>(), naming, 0u8..3, ending);
    let fact = prop_oneof![
        3 => any::<u8>().prop_map(Fact::Arrives),
        6 => (any::<u8>(), wait, second, count).prop_map(|(peer, wait, second, count)| Fact::Asks(
            peer, wait, second, count
        )),
        6 => submits.prop_map(|(peer, offer, naming, bytes, ending)| Fact::Submits {
            peer, offer, naming, bytes, ending
        }),
        3 => any::<u8>().prop_map(Fact::Kept),
        2 => any::<u8>().prop_map(Fact::Refused),
        1 => any::<u8>().prop_map(Fact::NotStored),
        3 => (any::<u8>(), 0u8..5, second).prop_map(|(peer, says, second)| Fact::Joins(peer, says, second)),
        2 => any::<(u8, bool)>().prop_map(|(peer, planned)| Fact::Leaves(peer, planned)),
        1 => any::<u8>().prop_map(Fact::Closes),
        1 => any::<u8>().prop_map(Fact::Cancels),
        2 => (any::<u8>(), prop::bool::weighted(0.9)).prop_map(|(task, is_there)| Fact::Retries(task, is_there)),
        1 => any::<u8>().prop_map(Fact::OfferFails),
        4 => jump.prop_map(Fact::Passes),
        1 => any::<bool>().prop_map(Fact::Stalls),
        1 => Just(Fact::Restarts),
    ];
    prop::collection::vec(fact, 0..120)
}

mod checks;

/// The mind, and what an attentive bystander knows.
struct Storm {
    mind: Dispatch<Fair>,
    now: Moment,
    requests: u64,
    /// What the store knows.
    written: Vec<Record>,
    arrived: BTreeSet<TaskId>,
    offers: Vec<Offer>,
    /// Who has not been answered, and how many more were announced to whoever has in part.
    asking: BTreeMap<Asker, (Endpoint, Option<u32>)>,
    submitting: BTreeSet<Asker>,
    keeping: Vec<TaskId>,
    kept: HashSet<TaskId>,
    ended: BTreeMap<TaskId, End>,
}

impl Storm {
    fn new() -> Self {
        Self {
            mind: Dispatch::new(Fair::default(), Rules::default()),
            now: Moment(1),
            requests: 0,
            written: Vec::new(),
            arrived: BTreeSet::new(),
            offers: Vec::new(),
            asking: BTreeMap::new(),
            submitting: BTreeSet::new(),
            keeping: Vec::new(),
            kept: HashSet::new(),
            ended: BTreeMap::new(),
        }
    }

    fn asker(&mut self, session: u64) -> Asker {
        self.requests += 1;
        Asker {
            session: SessionId(session),
            request: RequestId(self.requests),
        }
    }

    fn happens(&mut self, fact: &Fact) {
        let effects = match fact {
            Fact::Arrives(number) => self.arrives(*number),
            Fact::Asks(peer, wait, second, count) => self.asks(*peer, *wait, *second, *count),
            Fact::Submits {
                peer,
                offer,
                naming,
                bytes,
                ending,
            } => {
                let offer = pick(&self.offers, *offer).cloned();
                let claim = claim(*naming, offer.as_ref());
                self.submits(*peer, claim, *bytes, ending.clone())
            }
            Fact::Kept(number) => self.is_kept(*number),
            Fact::Refused(number) => match self.no_longer_keeping(*number) {
                Some(task) => self.mind.result_refused(&task, "no".into(), self.now),
                None => Vec::new(),
            },
            Fact::NotStored(number) => match self.no_longer_keeping(*number) {
                Some(task) => self.mind.result_not_stored(&task, "full".into(), self.now),
                None => Vec::new(),
            },
            Fact::Joins(number, says, second) => self.joins(*number, *says, *second),
            Fact::Leaves(number, planned) => {
                self.mind
                    .peer_left(&peer(*number), *planned, "gone", self.now)
            }
            Fact::Closes(number) => {
                let session = session(*number, false);
                self.asking.retain(|asker, _| asker.session != session);
                self.mind.session_closed(session);
                Vec::new()
            }
            Fact::Cancels(number) => {
                let id = task(u128::from(*number) % TASKS).id;
                self.mind.task_withdrawn(&id, "no".into())
            }
            Fact::Retries(number, is_there) => self.retries(*number, *is_there),
            Fact::OfferFails(number) => match pick(&self.offers, *number).cloned() {
                Some(offer) => {
                    let why = "unreadable".to_owned();
                    self.mind
                        .offer_failed(&offer.task, offer.attempt, why, self.now)
                }
                None => Vec::new(),
            },
            Fact::Passes(seconds) => {
                self.now = self.now.after(Duration::from_secs(*seconds));
                self.mind.tick(self.now)
            }
            Fact::Stalls(stalled) => {
                self.mind.stall(*stalled);
                Vec::new()
            }
            Fact::Restarts => {
                self.restarts();
                Vec::new()
            }
        };
        self.written.extend(self.mind.take_news());
        self.hear(effects);
        self.check();
    }

    fn arrives(&mut self, number: u8) -> Vec<Effect> {
        let before = task(u128::from(number) % TASKS / 2).id;
        let mut task = task(u128::from(number) % TASKS);
        // All of one name, half of them limited, one of them to be tried once.
        task.name = "exemplo.zip".parse().unwrap();
        kind_of(&mut task).group = format!("group {}", number % 2).into();
        kind_of(&mut task).wishes.time_limit =
            number.is_multiple_of(2).then_some(Duration::from_secs(50));
        kind_of(&mut task).wishes.retries = (u128::from(number) % TASKS == 3).then_some(0);
        // Those of one group run one by one, and some wait for one that came before.
        kind_of(&mut task).wishes.max_running =
            NonZeroU32::new(1).filter(|_| !number.is_multiple_of(2));
        let after = Some(before)
            .filter(|before| !number.is_multiple_of(3) && self.arrived.contains(before));
        kind_of(&mut task).wishes.after = after.filter(|before| *before != task.id);
        // Those of the other are its parts.
        let part = u128::from(number) % TASKS / 2;
        task.set_part(Part::new(part as u32, 3).filter(|_| number.is_multiple_of(2)));
        let task = Arc::new(task);
        if self.arrived.insert(task.id) {
            self.written.push(Record::Adopted {
                task: Arc::clone(&task),
                lies: Place {
                    file: "exemplo.zip".into(),
                    stamp: Stamp::default(),
                },
            });
        }
        self.mind.task_arrived(task, self.now)
    }

    fn retries(&mut self, number: u8, is_there: bool) -> Vec<Effect> {
        let chosen = task(u128::from(number) % TASKS).id;
        let tasks = self.mind.begin_retry([chosen]);
        let tasks: Vec<_> = tasks.iter().map(|task| task.id).collect();
        if !is_there {
            self.mind.not_retried(&tasks);
            return Vec::new();
        }
        for task in tasks.iter().copied() {
            self.written.push(Record::Retried { task });
            self.ended.remove(&task).expect("tried again though open");
        }
        self.mind.retried(&tasks, self.now)
    }

    /// Whoever waited for an answer gets none: its connection is gone.
    fn restarts(&mut self) {
        self.mind = Dispatch::new(Fair::default(), Rules::default());
        self.mind
            .restore(&past(read_back(self.written.clone())), self.now);
        self.asking.clear();
        self.submitting.clear();
        self.keeping.clear();
    }

    fn joins(&mut self, number: u8, says: u8, second: bool) -> Vec<Effect> {
        let peer = peer(number);
        let believed = self.mind.peers.get(&peer).map(|known| known.holds.clone());
        let newest = self.offers.iter().rev().take(3);
        let holds = match says {
            0 | 4 => Some(believed.unwrap_or_default()),
            1 => Some(newest.map(|offer| (offer.task, offer.attempt)).collect()),
            2 => Some(Vec::new()),
            _ => None,
        };
        let holds = holds.filter(|_| peer.is_ours());
        let arrival = Arrival {
            session: session(number, second),
            peer,
            slots: u32::from(says < 4),
            holds,
        };
        self.mind.peer_joined(arrival, self.now)
    }

    fn asks(&mut self, number: u8, wait: u64, second: bool, count: u32) -> Vec<Effect> {
        let ask = Ask {
            peer: peer(number),
            asker: self.asker(session(number, second).0),
            wait: Duration::from_secs(wait),
            is_spare: false,
            count,
        };
        let (asker, at_once) = (ask.asker, wait == 0 || !ask.peer.is_ours());
        self.asking.insert(asker, (ask.peer.clone(), None));
        let effects = self.mind.task_requested(ask, self.now);
        let answers = |effect: &Effect| match effect {
            Effect::Offer(to, _) | Effect::Nothing(to) => *to == asker,
            _ => false,
        };
        let given = effects.iter().filter(|effect| answers(effect)).count();
        assert!(!at_once || given > 0, "kept waiting");
        assert!(given <= count as usize, "more than it takes");
        effects
    }

    fn submits(&mut self, number: u8, claim: Claim, bytes: u8, ending: Ending) -> Vec<Effect> {
        let asker = self.asker(session(number, false).0);
        self.submitting.insert(asker);
        let submission = Submission {
            peer: peer(number),
            asker,
            claim,
            sha256: Digest::of(&[bytes]),
            size: 1,
            outcome: Outcome {
                ending,
                took: Duration::from_secs(u64::from(bytes)),
                peak_rss: None,
            },
        };
        self.mind.result_submitted(submission, self.now)
    }

    fn no_longer_keeping(&mut self, number: u8) -> Option<TaskId> {
        let task = pick(&self.keeping, number).copied()?;
        self.keeping.retain(|other| *other != task);
        Some(task)
    }

    fn is_kept(&mut self, number: u8) -> Vec<Effect> {
        let Some(task) = pick(&self.keeping, number).copied() else {
            return Vec::new();
        };
        self.keeping.retain(|other| *other != task);
        self.kept.insert(task);
        self.mind.result_kept(&task, "exemplo.zip".into(), self.now)
    }

    fn hear(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Offer(asker, offer) => {
                    let asking = self.asking.get(&asker);
                    let (peer, announced) = asking.cloned().expect("answered twice");
                    assert!(announced.is_none_or(|more| more == offer.more + 1));
                    match offer.more {
                        0 => self.asking.remove(&asker),
                        more => self.asking.insert(asker, (peer.clone(), Some(more))),
                    };
                    let reached = self.mind.peers.is_reached_on(&peer, asker.session);
                    assert!(reached, "given to nobody");
                    let held = self.mind.peers.get(&peer).map(|known| known.holds.clone());
                    let alone = held == Some(vec![(offer.task, offer.attempt)]);
                    assert!(peer.is_ours() || alone, "{peer} holds {held:?}");
                    self.check_room(offer.task);
                    self.offers.push(offer);
                }
                Effect::Nothing(asker) => {
                    let asked = self.asking.remove(&asker);
                    assert!(matches!(asked, Some((_, None))), "answered twice");
                }
                Effect::Answer(asker, _) => {
                    assert!(self.submitting.remove(&asker), "answered twice");
                }
                Effect::Keep { task, .. } => {
                    assert!(!self.keeping.contains(&task), "two effects at a time");
                    assert!(!self.ended.contains_key(&task), "an effect after the end");
                    self.keeping.push(task);
                }
                Effect::End(task, _, end) => {
                    assert!(end != End::Done || self.kept.contains(&task), "not kept");
                    assert_eq!(self.ended.insert(task, end), None, "ended twice");
                    self.keeping.retain(|other| *other != task);
                }
                Effect::Cancel(peer, ..) => assert!(peer.is_ours(), "others cannot be told"),
                Effect::Quarantine(..) | Effect::SetAside(..) => {}
            }
        }
    }

    /// The faults stop and one honest peer stays.
    fn quiet(&mut self) {
        self.happens(&Fact::Stalls(false));
        while !self.keeping.is_empty() {
            self.happens(&Fact::Kept(0));
        }
        for number in 0..peers().len() as u8 {
            self.happens(&Fact::Leaves(number, false));
        }
        const HONEST: u8 = 2;
        self.happens(&Fact::Joins(HONEST, 2, false));
        for _ in 0..200 {
            self.happens(&Fact::Passes(5));
            let before = self.offers.len();
            self.happens(&Fact::Asks(HONEST, 0, false, 1));
            if let Some(offer) = self.offers.get(before).cloned() {
                let effects = self.submits(HONEST, by_id(&offer), 1, Ending::Exit(0));
                self.written.extend(self.mind.take_news());
                self.hear(effects);
                self.happens(&Fact::Kept(0));
            }
        }
        let open = self.mind.ledger().counts().open();
        assert_eq!(open, 0, "an honest peer and no faults: {:?}", self.mind);
        self.happens(&Fact::Passes(3600));
        assert!(self.asking.is_empty(), "never answered: {:?}", self.asking);
        assert!(self.mind.due.is_empty(), "alarms for tasks that are over");
    }
}

fn pick<T>(from: &[T], number: u8) -> Option<&T> {
    // The newest first: these are the likeliest to matter.
    from.iter().rev().cycle().nth(usize::from(number) % 8)
}

fn peer(number: u8) -> Endpoint {
    peers()[usize::from(number) % peers().len()].clone()
}

fn session(number: u8, second: bool) -> SessionId {
    SessionId(u64::from(number) % peers().len() as u64 + 100 * u64::from(second))
}

fn claim(naming: Naming, offer: Option<&Offer>) -> Claim {
    match (naming, offer) {
        (Naming::Ids, Some(offer)) => by_id(offer),
        (Naming::Ids, None) => Claim {
            attempt: Some((task(99).id, Attempt(1))),
            name: None,
        },
        (Naming::Echo, Some(offer)) => by_name(&offer.name),
        (Naming::Decorated, Some(offer)) => by_name(format!("result_{}", offer.name)),
        _ => Claim::default(),
    }
}

proptest! {
    #[test]
    fn whatever_happens_no_task_is_lost_and_in_the_quiet_after_it_every_task_ends(
        facts in facts()
    ) {
        let mut storm = Storm::new();
        for fact in &facts {
            storm.happens(fact);
        }
        storm.quiet();
    }
}
