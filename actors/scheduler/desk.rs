//! The desk of any scheduler actor: a mind, and all that it takes to carry its answers out.

use std::sync::Arc;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::retries::Reopening;
use super::{Cast, NAME, report};
use crate::logic::dispatch::{Ask, Dispatch};
use crate::logic::effect::{Asker, Effect, Offer};
use crate::logic::following::Following;
use crate::logic::policy::Policy;
use crate::logic::withheld::Withheld;
use crate::message_log::Cause;
use crate::messages::{
    AttemptCancelled, EndedPart, KeepResult, NothingWaits, OutputsInbox, ReplyTo, ResultAnswered,
    Scribe, SessionInbox, SetAside, TaskEnded, TaskOffered, TaskRequested, WriteDown,
};
use crate::model::{Archive, Endpoint, Moment, RequestId, SessionId, TaskId};
use crate::port::{Hears, Port};

/// A scheduler's mind and its voice. It knows what to do about every letter of a scheduler's inbox: see
/// [`Takes`](super::Takes).
pub struct Desk<P: Policy> {
    pub(super) mind: Dispatch<P>,
    pub(super) cast: Cast,
    /// Where the answers go that somebody still waits for; a closed session's are forgotten.
    pub(super) asked: BTreeMap<Asker, Port<SessionInbox>>,
    /// Where orders to each peer go that is here.
    pub(super) holders: HashMap<Endpoint, Port<SessionInbox>>,
    pub(super) arriving: u32,
    /// What is to be told once all that was decided before it is written down.
    withheld: Withheld<Held<P>>,
    /// Why nothing can be written down now, if so.
    pub(super) trouble: Option<String>,
    /// What the disk under the folders refuses, if anything.
    pub(super) folders_trouble: Option<String>,
    /// Tasks of which somebody reads what they print; none most of the time.
    pub(super) following: Following<Port<OutputsInbox>>,
    /// Groups that are reopened when a sweep is through; none most of the time.
    pub(super) reopening: Reopening,
}

type Told<P> = Box<dyn FnOnce(&mut Desk<P>)>;

/// Something that is to be told.
enum Held<P: Policy> {
    /// Somebody relies on it.
    Promise(Told<P>),
    /// Tells a reader how things stand.
    Report(Told<P>),
}

impl<P: Policy> Desk<P> {
    /// A desk with the tasks of earlier lives.
    pub fn new(policy: P, mut cast: Cast) -> Self {
        let mut mind = Dispatch::new(policy, cast.rules);
        mind.restore(&cast.past, cast.clock.now());
        // Nobody needs it any more, and it may be large.
        cast.past = Arc::default();
        Self {
            mind,
            cast: Cast {
                folders: cast.folders.used_by(NAME),
                store: cast.store.used_by(NAME),
                ..cast
            },
            asked: BTreeMap::new(),
            holders: HashMap::new(),
            // Until the folders have been looked at there may be something.
            arriving: 1,
            withheld: Withheld::default(),
            trouble: None,
            folders_trouble: None,
            following: Following::default(),
            reopening: Reopening::default(),
        }
    }

    /// What is known of tasks and peers.
    pub fn mind(&self) -> &Dispatch<P> {
        &self.mind
    }

    /// The present time.
    pub fn now(&self) -> Moment {
        self.cast.clock.now()
    }

    /// Time has passed: leases may be over, rests and waits too.
    pub fn tick(&mut self) {
        let effects = self.mind.tick(self.now());
        self.carry_out(effects, None, Cause::OUTSIDE);
        self.tell_followers();
        self.reopen_left();
    }

    /// Remembers where the answer to a request for a task goes. It is then owed: by [`Self::request`], or
    /// sooner by an [`Self::offer`] that comes true.
    pub fn ask(&mut self, request: TaskRequested) -> Ask {
        Ask {
            peer: request.endpoint,
            asker: self.expect(request.reply, request.session),
            wait: request.wait,
            is_spare: request.is_spare,
            count: request.count,
        }
    }

    /// Answers the request as soon as there is a task, or when it has waited as long as it may.
    pub fn request(&mut self, ask: Ask, cause: Cause) {
        if self.trouble.is_some() {
            self.answer(ask.asker, cause, |request| NothingWaits { request });
            return;
        }
        let effects = self.mind.task_requested(ask, self.now());
        self.carry_out(effects, None, cause);
    }

    /// Answers the request if there is a task for its peer now; whether there was.
    pub fn offer(&mut self, ask: &Ask, cause: Cause) -> bool {
        if self.trouble.is_some() {
            return false;
        }
        let at_once = Ask {
            wait: Duration::ZERO,
            ..ask.clone()
        };
        let mut effects = self.mind.task_requested(at_once, self.now());
        let before = effects.len();
        effects.retain(|effect| *effect != Effect::Nothing(ask.asker));
        let offered = effects.len() == before;
        self.carry_out(effects, None, cause);
        offered
    }

    /// Remembers where the answer to a request goes.
    pub(super) fn expect(&mut self, reply: ReplyTo, session: SessionId) -> Asker {
        let asker = Asker {
            session,
            request: reply.request,
        };
        self.asked.insert(asker, reply.session.used_by(NAME));
        asker
    }

    /// Has written down what the mind decided, and carries out what anybody could rely on when that is done; a result
    /// that is to be kept is the one that was just handed in.
    pub(super) fn carry_out(
        &mut self,
        effects: Vec<Effect>,
        handed_in: Option<Archive>,
        cause: Cause,
    ) {
        let now = self.now();
        for effect in &effects {
            if let Effect::End(task, ..) = effect {
                self.mind.ended_at(task, now);
            }
        }
        let records = self.mind.take_news();
        if !records.is_empty() {
            let write_down = WriteDown {
                scribe: Scribe::Scheduler,
                ticket: self.withheld.ticket(),
                records,
            };
            self.cast.store.tell(write_down, cause);
        }
        let (promises, others): (Vec<_>, Vec<_>) =
            effects.into_iter().partition(Effect::is_promise);
        // Only these need the archive: one that waited for a full disk would hold its memory all the while.
        self.tell(others, handed_in.as_ref(), cause);
        if !promises.is_empty() {
            self.once_written_down(move |desk| desk.tell(promises, None, cause));
        }
    }

    /// Does something when all that was decided before it is written down: nobody is told what a crash undoes.
    pub(super) fn once_written_down(&mut self, told: impl FnOnce(&mut Self) + 'static) {
        if self.withheld.is_clear() {
            told(self);
        } else {
            self.withheld.hold(Held::Promise(Box::new(told)));
        }
    }

    /// Tells a reader how things stand: what is written down, or while nothing can be, what is not yet.
    pub(super) fn report(&mut self, told: impl FnOnce(&mut Self) + 'static) {
        if self.trouble.is_some() || self.withheld.is_clear() {
            told(self);
        } else {
            self.withheld.hold(Held::Report(Box::new(told)));
        }
    }

    pub(super) fn written_down(&mut self, ticket: u64) {
        let held = self.withheld.release(ticket);
        self.tell_held(held);
    }

    /// Whoever asked how things stand hears it now, for nobody knows when more will be written down.
    pub(super) fn tell_readers(&mut self) {
        let is_report = |held: &Held<P>| matches!(held, Held::Report(_));
        let held = self.withheld.waive(is_report);
        self.tell_held(held);
    }

    fn tell_held(&mut self, held: Vec<Held<P>>) {
        for Held::Promise(told) | Held::Report(told) in held {
            told(self);
        }
    }

    fn tell(&mut self, effects: Vec<Effect>, handed_in: Option<&Archive>, cause: Cause) {
        for effect in effects {
            match effect {
                Effect::Offer(asker, offer) => self.tell_offer(asker, offer, cause),
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
                        let keep = KeepResult {
                            task,
                            name,
                            attempt,
                            success,
                            archive,
                        };
                        self.cast.folders.tell(keep, cause);
                    }
                }
                Effect::SetAside(peer, why) => {
                    if let Some(archive) = handed_in.cloned() {
                        let set_aside = SetAside { peer, why, archive };
                        self.cast.folders.tell(set_aside, cause);
                    }
                }
                Effect::End(task, name, end) => {
                    tracing::info!(%task, %name, "task {}", report::in_words(&end));
                    let ended = TaskEnded {
                        part: self.ended_part(&task),
                        task,
                        name,
                        end,
                    };
                    self.cast.folders.tell(ended, cause);
                }
                Effect::Cancel(peer, task, attempt) => {
                    if let Some(session) = self.holders.get(&peer) {
                        session.tell(AttemptCancelled { task, attempt }, cause);
                    }
                }
                Effect::Quarantine(peer, quarantine) => {
                    let how = report::of_quarantine(&quarantine, self.now());
                    tracing::warn!(%peer, "a peer is {how}; `mutirao why {peer}` shows what failed there");
                }
            }
        }
    }

    /// Gives a task to who asked for it; one that hung up while that was written down will never hear of it. With the last
    /// of several the request is answered.
    fn tell_offer(&mut self, asker: Asker, offer: Offer, cause: Cause) {
        let (task, attempt) = (offer.task, offer.attempt);
        let session = match offer.more {
            0 => self.asked.remove(&asker),
            _ => self.asked.get(&asker).cloned(),
        };
        let request = asker.request;
        if !is_told(session, TaskOffered { request, offer }, cause) {
            let why = "the peer hung up before it was given the task".to_owned();
            let effects = self.mind.offer_failed(&task, attempt, why, self.now());
            self.carry_out(effects, None, cause);
        }
    }

    /// What of a task is needed to put its group together, if it is a part of one.
    pub(super) fn ended_part(&self, task: &TaskId) -> Option<Box<EndedPart>> {
        let entry = self.mind.ledger().get(task)?;
        let part = entry.task.part()?;
        let report = report::of_task(entry);
        Some(Box::new(EndedPart {
            group: Arc::clone(&entry.task.kind.group),
            part,
            sha256: entry.task.sha256,
            size: entry.task.size,
            peer: report.peer,
            attempts: report.attempts,
        }))
    }

    fn answer<M>(&mut self, asker: Asker, cause: Cause, message: impl FnOnce(RequestId) -> M)
    where
        M: Serialize + Send + 'static,
        SessionInbox: Hears<M>,
    {
        let session = self.asked.remove(&asker);
        is_told(session, message(asker.request), cause);
    }
}

/// Tells a session something; whether there was one that could hear it.
fn is_told<M>(session: Option<Port<SessionInbox>>, message: M, cause: Cause) -> bool
where
    M: Serialize + Send + 'static,
    SessionInbox: Hears<M>,
{
    let Some(session) = session else {
        return false;
    };
    let is_there = session.is_there::<M>();
    session.tell(message, cause);
    is_there
}

impl<P: Policy> fmt::Debug for Desk<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({})", self.cast.title)
    }
}
