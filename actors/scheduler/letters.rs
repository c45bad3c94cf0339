//! What the desk does about each letter of a scheduler's inbox, in the order of a task's life.

use std::sync::Arc;

use super::{Desk, NAME, Takes, report};
use crate::logic::dispatch::{Arrival, DRAINED_MAX, Submission};
use crate::logic::effect::Asker;
use crate::logic::ledger::{Entry, Sweep};
use crate::logic::policy::Policy;
use crate::message_log::Cause;
use crate::messages::{
    AdoptAfter, CancelGroup, CancelSome, CancelTask, CloseQueue, DescribeGroup, DescribeQueue,
    DescribeTask, DrainPeer, FoldersChanged, GroupDescribed, GroupsListed, IntakeCounted,
    ListGroups, ListTasks, OfferFailed, PeerDrained, PeerJoined, PeerLeft, PeersListed,
    PredecessorUnknown, QueueDescribed, ReplyTo, RequestRefused, ResultKept, ResultRefused,
    ResultSubmitted, SessionClosed, StoreChanged, TallyPeers, TaskArrived, TaskDescribed,
    TaskRequested, TaskWithdrawn, TasksListed, TasksSwept, WrittenDown,
};
use crate::model::{RequestId, TaskChoice};
use crate::wire::report::{DrainReport, GroupReport, LIST_ROWS_MAX, SweepReport, TaskReport};

/// Why tasks that were named are not cancelled.
const NOT_OPEN: &str = "they have ended already, or are not known";

impl<P: Policy> Takes<AdoptAfter> for Desk<P> {
    fn take(&mut self, AdoptAfter { after, adopt }: AdoptAfter, cause: Cause) {
        if self.mind.may_lead(&after) {
            return self.cast.folders.tell(adopt, cause);
        }
        let ReplyTo { session, request } = adopt.reply;
        let unknown = PredecessorUnknown { request, after };
        session.used_by(NAME).tell(unknown, cause);
    }
}

impl<P: Policy> Takes<TaskArrived> for Desk<P> {
    fn take(&mut self, message: TaskArrived, cause: Cause) {
        let effects = self.mind.task_arrived(message.task, self.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Takes<TaskWithdrawn> for Desk<P> {
    fn take(&mut self, message: TaskWithdrawn, cause: Cause) {
        let effects = self.mind.task_withdrawn(&message.task, message.why);
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Takes<IntakeCounted> for Desk<P> {
    fn take(&mut self, message: IntakeCounted, _: Cause) {
        self.arriving = message.arriving;
    }
}

impl<P: Policy> Takes<TaskRequested> for Desk<P> {
    fn take(&mut self, message: TaskRequested, cause: Cause) {
        let ask = self.ask(message);
        self.request(ask, cause);
    }
}

impl<P: Policy> Takes<OfferFailed> for Desk<P> {
    fn take(&mut self, message: OfferFailed, cause: Cause) {
        let OfferFailed { task, attempt, why } = message;
        tracing::warn!(%task, %attempt, "failed to hand a task out: {why}");
        let effects = self.mind.offer_failed(&task, attempt, why, self.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Takes<ResultSubmitted> for Desk<P> {
    fn take(&mut self, message: ResultSubmitted, cause: Cause) {
        let submission = Submission {
            peer: message.endpoint,
            asker: self.expect(message.reply, message.session),
            claim: message.claim,
            sha256: message.archive.digest(),
            size: message.archive.bytes().len() as u64,
            outcome: message.outcome,
        };
        let effects = self.mind.result_submitted(submission, self.now());
        self.carry_out(effects, Some(message.archive), cause);
    }
}

impl<P: Policy> Takes<ResultKept> for Desk<P> {
    fn take(&mut self, message: ResultKept, cause: Cause) {
        let effects = self
            .mind
            .result_kept(&message.task, message.file, self.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Takes<ResultRefused> for Desk<P> {
    fn take(&mut self, message: ResultRefused, cause: Cause) {
        let ResultRefused {
            task,
            attempt,
            by_disk,
            why,
        } = message;
        tracing::warn!(%task, %attempt, "refused a result: {why}");
        let now = self.now();
        let effects = if by_disk {
            self.mind.result_not_stored(&task, why, now)
        } else {
            self.mind.result_refused(&task, why, now)
        };
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Takes<PeerJoined> for Desk<P> {
    fn take(&mut self, message: PeerJoined, cause: Cause) {
        let PeerJoined {
            endpoint,
            holds,
            slots,
            session,
            orders,
        } = message;
        self.holders.insert(endpoint.clone(), orders.used_by(NAME));
        let arrival = Arrival {
            peer: endpoint,
            session,
            slots,
            holds,
        };
        let effects = self.mind.peer_joined(arrival, self.now());
        self.carry_out(effects, None, cause);
    }
}

impl<P: Policy> Takes<PeerLeft> for Desk<P> {
    fn take(&mut self, message: PeerLeft, cause: Cause) {
        let PeerLeft {
            endpoint,
            planned,
            why,
        } = message;
        let effects = self.mind.peer_left(&endpoint, planned, &why, self.now());
        self.carry_out(effects, None, cause);
        self.holders.remove(&endpoint);
    }
}

impl<P: Policy> Takes<SessionClosed> for Desk<P> {
    fn take(&mut self, message: SessionClosed, _: Cause) {
        let SessionClosed { session } = message;
        self.mind.session_closed(session);
        let of_it = |request| Asker { session, request };
        let all = of_it(RequestId(0))..=of_it(RequestId(u64::MAX));
        let asked: Vec<Asker> = self.asked.range(all).map(|(asker, _)| *asker).collect();
        for asker in asked {
            self.asked.remove(&asker);
        }
    }
}

impl<P: Policy> Takes<DescribeQueue> for Desk<P> {
    fn take(&mut self, message: DescribeQueue, cause: Cause) {
        let ReplyTo { session, request } = message.reply;
        let mut queue = report::of_queue(&self.mind, self.cast.title, self.arriving, self.now());
        self.report(move |desk| {
            let trouble = desk.trouble.as_ref().or(desk.folders_trouble.as_ref());
            queue.trouble = trouble.cloned();
            let described = QueueDescribed { request, queue };
            session.used_by(NAME).tell(described, cause);
        });
    }
}

impl<P: Policy> Takes<DescribeTask> for Desk<P> {
    fn take(&mut self, message: DescribeTask, cause: Cause) {
        let DescribeTask { task, why, reply } = message;
        let report = self.chosen(&task).map(|entry| {
            entry.map(|entry| match why {
                true => report::in_full(&self.mind, entry, self.now(), |moment| {
                    self.cast.clock.wall(moment)
                }),
                false => report::of_task(entry),
            })
        });
        self.report(move |_| match report {
            Ok(report) => describe_task(report, reply, cause),
            Err(why) => refuse(&reply, why, cause),
        });
    }
}

impl<P: Policy> Takes<ListTasks> for Desk<P> {
    fn take(&mut self, message: ListTasks, cause: Cause) {
        let ListTasks {
            sought,
            before,
            limit,
            reply,
        } = message;
        let is_wanted = |entry: &Entry| report::is_sought(entry, &sought);
        let limit = limit.min(LIST_ROWS_MAX);
        let page = self.mind.ledger().page(before, limit, is_wanted);
        let tasks = page.into_iter().map(report::in_short).collect();
        let ReplyTo { session, request } = reply;
        let listed = TasksListed { request, tasks };
        self.report(move |_| session.used_by(NAME).tell(listed, cause));
    }
}

impl<P: Policy> Takes<ListGroups> for Desk<P> {
    fn take(&mut self, message: ListGroups, cause: Cause) {
        let ListGroups {
            before,
            limit,
            reply,
        } = message;
        let limit = limit.min(LIST_ROWS_MAX);
        let page = self.mind.ledger().tallies().page(before.as_deref(), limit);
        let groups = page.into_iter().map(report::of_tally).collect();
        let ReplyTo { session, request } = reply;
        let listed = GroupsListed { request, groups };
        self.report(move |_| session.used_by(NAME).tell(listed, cause));
    }
}

impl<P: Policy> Takes<CancelTask> for Desk<P> {
    fn take(&mut self, message: CancelTask, cause: Cause) {
        if self.refuses("the task is cancelled", &message.reply, cause) {
            return;
        }
        let CancelTask { task, why, reply } = message;
        let effects = self.mind.task_withdrawn(&task, why);
        self.carry_out(effects, None, cause);
        let report = self.mind.ledger().get(&task).map(report::of_task);
        self.once_written_down(move |_| describe_task(report, reply, cause));
    }
}

impl<P: Policy> Takes<DescribeGroup> for Desk<P> {
    fn take(&mut self, DescribeGroup { group, why, reply }: DescribeGroup, cause: Cause) {
        let report = match why {
            true => report::of_group_in_full(&self.mind, &group, self.now()),
            false => report::of_group(&self.mind, &group),
        };
        self.report(move |_| describe_group(report, reply, cause));
    }
}

impl<P: Policy> Takes<CancelGroup> for Desk<P> {
    fn take(&mut self, message: CancelGroup, cause: Cause) {
        let CancelGroup { group, why, reply } = message;
        if self.refuses("the group is cancelled", &reply, cause) {
            return;
        }
        let found = self.mind.ledger().tallies().find(&group);
        let Some(group) = found.map(|(name, _)| Arc::clone(name)) else {
            return describe_group(None, reply, cause);
        };
        let effects = self.mind.group_withdrawn(&group, &why);
        self.carry_out(effects, None, cause);
        let report = report::of_group(&self.mind, &group);
        self.once_written_down(move |_| describe_group(report, reply, cause));
    }
}

impl<P: Policy> Takes<CancelSome> for Desk<P> {
    fn take(&mut self, message: CancelSome, cause: Cause) {
        let CancelSome {
            sought,
            meant,
            why,
            reply,
        } = message;
        if self.refuses("the tasks are cancelled", &reply, cause) {
            return;
        }
        let ledger = self.mind.ledger();
        let before = ledger.counts().cancelled;
        let is_meant =
            |entry: &Entry| !entry.story.state.is_terminal() && report::is_sought(entry, &sought);
        let Sweep { tasks, left, next } = ledger.sweep(meant, is_meant);
        let effects = self.mind.tasks_withdrawn(tasks, &why);
        self.carry_out(effects, None, cause);
        let report = SweepReport {
            tasks: self.mind.ledger().counts().cancelled - before,
            left,
            reason: (left > 0).then(|| NOT_OPEN.to_owned()),
            next,
            ..SweepReport::default()
        };
        self.once_written_down(move |_| tell_swept(report, reply, cause));
    }
}

impl<P: Policy> Takes<DrainPeer> for Desk<P> {
    fn take(&mut self, message: DrainPeer, cause: Cause) {
        let DrainPeer {
            peer,
            is_drained,
            reply,
        } = message;
        if self.refuses("the peer is drained", &reply, cause) {
            return;
        }
        if !self.mind.drain(&peer, is_drained) {
            let why = format!("{DRAINED_MAX} peers are drained already: give some their work back");
            return refuse(&reply, why, cause);
        }
        let effects = self.mind.serve(self.now());
        self.carry_out(effects, None, cause);
        let report = DrainReport {
            leases: self.mind.held_by(&peer),
            peer_id: peer,
            drained: is_drained,
        };
        let ReplyTo { session, request } = reply;
        let drained = PeerDrained { request, report };
        self.once_written_down(move |_| session.used_by(NAME).tell(drained, cause));
    }
}

impl<P: Policy> Takes<TallyPeers> for Desk<P> {
    fn take(&mut self, message: TallyPeers, cause: Cause) {
        let ReplyTo { session, request } = message.reply;
        let peers = report::of_peers(&self.mind, message.peers, self.now());
        let listed = PeersListed { request, peers };
        self.report(move |_| session.used_by(NAME).tell(listed, cause));
    }
}

impl<P: Policy> Takes<CloseQueue> for Desk<P> {
    fn take(&mut self, CloseQueue {}: CloseQueue, _: Cause) {
        self.mind.close();
    }
}

impl<P: Policy> Takes<WrittenDown> for Desk<P> {
    fn take(&mut self, WrittenDown { ticket }: WrittenDown, _: Cause) {
        self.written_down(ticket);
    }
}

impl<P: Policy> Takes<StoreChanged> for Desk<P> {
    fn take(&mut self, StoreChanged { trouble }: StoreChanged, _: Cause) {
        self.mind.stall(trouble.is_some());
        self.trouble = trouble;
        if self.trouble.is_some() {
            self.tell_readers();
        }
    }
}

impl<P: Policy> Takes<FoldersChanged> for Desk<P> {
    fn take(&mut self, FoldersChanged { trouble }: FoldersChanged, _: Cause) {
        self.folders_trouble = trouble;
    }
}

impl<P: Policy> Desk<P> {
    /// What was not written down is undone by a restart: it is not begun, and nobody waits for the disk.
    pub(super) fn refuses(&self, what: &str, reply: &ReplyTo, cause: Cause) -> bool {
        let Some(trouble) = &self.trouble else {
            return false;
        };
        let why = format!("the master cannot write down that {what}: {trouble}");
        refuse(reply, why, cause);
        true
    }

    /// The task that is meant; in words, if the beginning of an id does not tell which.
    fn chosen(&self, choice: &TaskChoice) -> Result<Option<&Entry>, String> {
        let ledger = self.mind.ledger();
        match choice {
            TaskChoice::Id(id) => Ok(ledger.get(id)),
            TaskChoice::Last => Ok(ledger.newest(None)),
            TaskChoice::Named(name) => match ledger.newest(Some(name)) {
                Some(entry) => Ok(Some(entry)),
                None => ledger.beginning(name.stem()).map_err(|tasks| {
                    let stem = name.stem();
                    format!("{tasks} tasks have an id that begins with {stem}: give more of it")
                }),
            },
        }
    }
}

pub(super) fn refuse(reply: &ReplyTo, why: String, cause: Cause) {
    let request = reply.request;
    let refused = RequestRefused { request, why };
    reply.session.used_by(NAME).tell(refused, cause);
}

/// How far a change of many tasks has come.
pub(super) fn tell_swept(report: SweepReport, reply: ReplyTo, cause: Cause) {
    let ReplyTo { session, request } = reply;
    let swept = TasksSwept { request, report };
    session.used_by(NAME).tell(swept, cause);
}

pub(super) fn describe_group(report: Option<GroupReport>, reply: ReplyTo, cause: Cause) {
    let ReplyTo { session, request } = reply;
    let described = GroupDescribed { request, report };
    session.used_by(NAME).tell(described, cause);
}

pub(super) fn describe_task(report: Option<TaskReport>, reply: ReplyTo, cause: Cause) {
    let ReplyTo { session, request } = reply;
    let described = TaskDescribed { request, report };
    session.used_by(NAME).tell(described, cause);
}
