//! Turns a [`Policy`] into an actor: who runs what, and what became of it.
//!
//! Rule: decides nothing by itself; the mind does ([`Dispatch`]), this desk carries its answers out.
//!
//! Hears: [`SchedulerInbox`]. Tells: the folders what to keep and what has ended, sessions what they asked for.

mod report;

use std::collections::HashMap;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler};
use serde::Serialize;

use crate::clock::Clock;
use crate::logic::dispatch::{Ask, Dispatch, Rules, Submission};
use crate::logic::effect::{Asker, Effect};
use crate::logic::policy::Policy;
use crate::message_log::{Cause, Name};
use crate::messages::{
    AttemptCancelled, CancelTask, CloseQueue, DescribeQueue, DescribeTask, FoldersInbox,
    IntakeCounted, KeepResult, NothingWaits, OfferFailed, PeerJoined, PeerLeft, PeersListed,
    QueueDescribed, ReplyTo, ResultAnswered, ResultKept, ResultRefused, ResultSubmitted,
    SchedulerInbox, SessionClosed, SessionInbox, TallyPeers, TaskArrived, TaskDescribed, TaskEnded,
    TaskOffered, TaskRequested, TaskWithdrawn,
};
use crate::model::{Archive, Endpoint, RequestId, SessionId};
use crate::port::{Hears, Letter, Port};

/// How often due leases, rests and waits are looked at: a retry may be this late.
const TICK: Duration = Duration::from_millis(100);
/// The scheduler's name in the message log.
pub const NAME: Name = Name::one("scheduler");

/// What any scheduler actor is given.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The name by which it was chosen, for reports.
    pub title: &'static str,
    /// Where results and ended tasks go.
    pub folders: Port<FoldersInbox>,
    /// How often a task may go wrong.
    pub rules: Rules,
    /// The time.
    pub clock: Clock,
}

/// A scheduler that follows a policy.
pub struct Scheduler<P: Policy> {
    mind: Dispatch<P>,
    cast: Cast,
    asked: HashMap<Asker, Port<SessionInbox>>,
    holders: HashMap<Endpoint, Port<SessionInbox>>,
    arriving: u32,
}

impl<P: Policy> Scheduler<P> {
    /// Starts a scheduler with an empty queue.
    pub fn start(policy: P, cast: Cast) -> SchedulerInbox {
        let scheduler = Self {
            mind: Dispatch::new(policy, cast.rules),
            cast: Cast {
                folders: cast.folders.used_by(NAME),
                ..cast
            },
            asked: HashMap::new(),
            holders: HashMap::new(),
            // Until the folders have been looked at there may be something.
            arriving: 1,
        };
        SchedulerInbox::of(&Actor::start(scheduler))
    }

    /// Remembers where the answer to a request goes.
    fn expect(&mut self, reply: ReplyTo, session: SessionId) -> Asker {
        let asker = Asker {
            session,
            request: reply.request,
        };
        self.asked.insert(asker, reply.session.used_by(NAME));
        asker
    }

    /// Carries out what the mind decided; a result that is to be kept is the one that was just handed in.
    fn carry_out(&mut self, effects: Vec<Effect>, handed_in: Option<&Archive>, cause: Cause) {
        for effect in effects {
            match effect {
                Effect::Offer(asker, offer) => {
                    self.answer(asker, cause, |request| TaskOffered { request, offer });
                }
                Effect::Nothing(asker) => {
                    self.answer(asker, cause, |request| NothingWaits { request });
                }
                Effect::Answer(asker, verdict) => {
                    self.answer(asker, cause, |request| ResultAnswered { request, verdict });
                }
                Effect::Keep {
                    task,
                    name,
                    attempt,
                    success,
                } => {
                    if let Some(archive) = handed_in.cloned() {
                        self.cast.folders.tell(
                            KeepResult {
                                task,
                                name,
                                attempt,
                                success,
                                archive,
                            },
                            cause,
                        );
                    }
                }
                Effect::End(task, name, end) => {
                    tracing::info!(%task, %name, "task {}", report::in_words(&end));
                    self.cast.folders.tell(TaskEnded { task, name, end }, cause);
                }
                Effect::Cancel(peer, task, attempt) => {
                    if let Some(session) = self.holders.get(&peer) {
                        session.tell(AttemptCancelled { task, attempt }, cause);
                    }
                }
            }
        }
    }

    fn answer<M>(&mut self, asker: Asker, cause: Cause, message: impl FnOnce(RequestId) -> M)
    where
        M: Serialize + Send + 'static,
        SessionInbox: Hears<M>,
    {
        if let Some(session) = self.asked.remove(&asker) {
            session.tell(message(asker.request), cause);
        }
    }
}

impl<P: Policy> Actor for Scheduler<P> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(TICK, |scheduler, _| {
            let effects = scheduler.mind.tick(scheduler.cast.clock.now());
            scheduler.carry_out(effects, None, Cause::OUTSIDE);
        });
    }
}

impl<P: Policy> Handler<Letter<TaskArrived>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskArrived>, _: &mut Context<Self>) {
        let (TaskArrived { task }, cause) = letter.open();
        let effects = self.mind.task_arrived(task, self.cast.clock.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Handler<Letter<TaskWithdrawn>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskWithdrawn>, _: &mut Context<Self>) {
        let (TaskWithdrawn { task, why }, cause) = letter.open();
        let effects = self.mind.task_withdrawn(&task, why);
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Handler<Letter<IntakeCounted>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<IntakeCounted>, _: &mut Context<Self>) {
        let (IntakeCounted { arriving }, _) = letter.open();
        self.arriving = arriving;
    }
}

impl<P: Policy> Handler<Letter<TaskRequested>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskRequested>, _: &mut Context<Self>) {
        let (
            TaskRequested {
                endpoint,
                session,
                wait,
                reply,
            },
            cause,
        ) = letter.open();
        let asker = self.expect(reply, session);
        let ask = Ask {
            peer: endpoint,
            asker,
            wait,
        };
        let effects = self.mind.task_requested(ask, self.cast.clock.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Handler<Letter<OfferFailed>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<OfferFailed>, _: &mut Context<Self>) {
        let (OfferFailed { task, attempt, why }, cause) = letter.open();
        tracing::warn!(%task, %attempt, "failed to hand a task out: {why}");
        let effects = self
            .mind
            .offer_failed(&task, attempt, why, self.cast.clock.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Handler<Letter<ResultSubmitted>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<ResultSubmitted>, _: &mut Context<Self>) {
        let (
            ResultSubmitted {
                endpoint,
                session,
                claim,
                archive,
                outcome,
                reply,
            },
            cause,
        ) = letter.open();
        let asker = self.expect(reply, session);
        let sha256 = archive.digest();
        let submission = Submission {
            peer: endpoint,
            asker,
            claim,
            sha256,
            outcome,
        };
        let effects = self
            .mind
            .result_submitted(submission, self.cast.clock.now());
        self.carry_out(effects, Some(&archive), cause);
    }
}

impl<P: Policy> Handler<Letter<ResultKept>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<ResultKept>, _: &mut Context<Self>) {
        let (ResultKept { task, file, .. }, cause) = letter.open();
        let effects = self.mind.result_kept(&task, file);
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Handler<Letter<ResultRefused>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<ResultRefused>, _: &mut Context<Self>) {
        let (ResultRefused { task, attempt, why }, cause) = letter.open();
        tracing::warn!(%task, %attempt, "refused a result: {why}");
        let effects = self.mind.result_refused(&task, why, self.cast.clock.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Handler<Letter<PeerJoined>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerJoined>, _: &mut Context<Self>) {
        let (
            PeerJoined {
                endpoint,
                holds,
                session,
            },
            cause,
        ) = letter.open();
        self.holders.insert(endpoint.clone(), session.used_by(NAME));
        let effects = self
            .mind
            .peer_joined(&endpoint, holds.as_deref(), self.cast.clock.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Handler<Letter<PeerLeft>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerLeft>, _: &mut Context<Self>) {
        let (
            PeerLeft {
                endpoint,
                planned,
                why,
            },
            cause,
        ) = letter.open();
        let effects = self
            .mind
            .peer_left(&endpoint, planned, &why, self.cast.clock.now());
        self.carry_out(effects, None, cause);
        self.holders.remove(&endpoint);
    }
}

impl<P: Policy> Handler<Letter<SessionClosed>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<SessionClosed>, _: &mut Context<Self>) {
        let (SessionClosed { session }, _) = letter.open();
        self.mind.session_closed(session);
        self.asked.retain(|asker, _| asker.session != session);
    }
}

impl<P: Policy> Handler<Letter<DescribeQueue>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<DescribeQueue>, _: &mut Context<Self>) {
        let (DescribeQueue { reply }, cause) = letter.open();
        let now = self.cast.clock.now();
        let queue = report::of_queue(&self.mind, self.cast.title, self.arriving, now);
        let request = reply.request;
        reply
            .session
            .used_by(NAME)
            .tell(QueueDescribed { request, queue }, cause);
    }
}

impl<P: Policy> Handler<Letter<DescribeTask>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<DescribeTask>, _: &mut Context<Self>) {
        let (DescribeTask { task, reply }, cause) = letter.open();
        let report = self.mind.ledger().get(&task).map(report::of_task);
        let request = reply.request;
        reply
            .session
            .used_by(NAME)
            .tell(TaskDescribed { request, report }, cause);
    }
}

impl<P: Policy> Handler<Letter<CancelTask>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<CancelTask>, _: &mut Context<Self>) {
        let (CancelTask { task, reply }, cause) = letter.open();
        let effects = self
            .mind
            .task_withdrawn(&task, "cancelled by command".into());
        self.carry_out(effects, None, cause);
        let report = self.mind.ledger().get(&task).map(report::of_task);
        let request = reply.request;
        reply
            .session
            .used_by(NAME)
            .tell(TaskDescribed { request, report }, cause);
    }
}

impl<P: Policy> Handler<Letter<TallyPeers>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<TallyPeers>, _: &mut Context<Self>) {
        let (TallyPeers { peers, reply }, cause) = letter.open();
        let peers = report::of_peers(&self.mind, peers);
        let request = reply.request;
        reply
            .session
            .used_by(NAME)
            .tell(PeersListed { request, peers }, cause);
    }
}

impl<P: Policy> Handler<Letter<CloseQueue>> for Scheduler<P> {
    type Result = ();

    fn handle(&mut self, letter: Letter<CloseQueue>, _: &mut Context<Self>) {
        let (CloseQueue {}, _) = letter.open();
        self.mind.close();
    }
}

impl<P: Policy> std::fmt::Debug for Scheduler<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scheduler({})", self.cast.title)
    }
}
