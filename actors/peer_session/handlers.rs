//! What a session hears from the other actors: each is the answer to one request, save the orders about a run.

use actix::{Context, Handler};

use super::PeerSession;
use crate::messages::{
    AttemptCancelled, FollowOutput, GatheredDescribed, GatheredFound, GroupDescribed, GroupOpened,
    GroupsListed, HangUp, NothingWaits, OutputTold, PayloadLoaded, PeerDescribed, PeerDrained,
    PeerReported, PeerWelcomed, PeersListed, PredecessorUnknown, QueueDescribed, RequestRefused,
    ResultAnswered, TaskAccepted, TaskDescribed, TaskOffered, TasksListed, TasksSwept,
};
use crate::port::Letter;
use crate::wire::{Dialect, Extension, Reply, encode_reply};

impl Handler<Letter<PeerWelcomed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerWelcomed>, _: &mut Context<Self>) {
        let (welcomed, _) = letter.open();
        self.welcome(welcomed.request);
    }
}

impl Handler<Letter<RequestRefused>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<RequestRefused>, _: &mut Context<Self>) {
        let (refused, cause) = letter.open();
        self.refuse(refused, cause);
    }
}

impl Handler<Letter<PredecessorUnknown>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PredecessorUnknown>, _: &mut Context<Self>) {
        let (PredecessorUnknown { request, after }, _) = letter.open();
        let why = format!("the field after names no task that is known here: {after}");
        self.answer_error(request, &why, "bad_field");
    }
}

impl Handler<Letter<TaskOffered>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskOffered>, _: &mut Context<Self>) {
        let (offered, cause) = letter.open();
        self.fetch_offered(offered, cause);
    }
}

impl Handler<Letter<NothingWaits>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<NothingWaits>, _: &mut Context<Self>) {
        let (nothing, _) = letter.open();
        self.answer(nothing.request, &Reply::NoTask);
    }
}

impl Handler<Letter<PayloadLoaded>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PayloadLoaded>, _: &mut Context<Self>) {
        let (loaded, cause) = letter.open();
        self.send_payload(loaded, cause);
    }
}

impl Handler<Letter<ResultAnswered>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<ResultAnswered>, _: &mut Context<Self>) {
        let (answered, _) = letter.open();
        self.send_verdict(answered);
    }
}

impl Handler<Letter<AttemptCancelled>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<AttemptCancelled>, _: &mut Context<Self>) {
        let (cancelled, _) = letter.open();
        // Whoever does not expect an order would take it for the reply to something; its result comes too late.
        if !self.knows(Extension::Cancel) {
            return;
        }
        let order = Reply::CancelAttempt {
            task_id: cancelled.task,
            attempt: cancelled.attempt,
        };
        self.writer
            .send(encode_reply(Dialect::Flat, None, &order), None);
    }
}

impl Handler<Letter<FollowOutput>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<FollowOutput>, _: &mut Context<Self>) {
        let (follow, cause) = letter.open();
        self.follow(follow, cause);
    }
}

/// What a task has printed is told to readers alone, and none of them is on a connection of a peer.
impl Handler<Letter<OutputTold>> for PeerSession {
    type Result = ();

    fn handle(&mut self, _: Letter<OutputTold>, _: &mut Context<Self>) {}
}

impl Handler<Letter<HangUp>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<HangUp>, _: &mut Context<Self>) {
        let (HangUp {}, _) = letter.open();
        self.writer.close();
    }
}

impl Handler<Letter<PeersListed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeersListed>, _: &mut Context<Self>) {
        let (listed, _) = letter.open();
        self.send_peers(&listed);
    }
}

impl Handler<Letter<PeerDescribed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerDescribed>, _: &mut Context<Self>) {
        let (described, _) = letter.open();
        self.send_peer_address(described);
    }
}

impl Handler<Letter<PeerDrained>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerDrained>, _: &mut Context<Self>) {
        let (PeerDrained { request, report }, _) = letter.open();
        self.answer(request, &Reply::report(&report));
    }
}

impl Handler<Letter<QueueDescribed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<QueueDescribed>, _: &mut Context<Self>) {
        let (described, _) = letter.open();
        self.send_status(described);
    }
}

impl Handler<Letter<TaskDescribed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskDescribed>, _: &mut Context<Self>) {
        let (described, _) = letter.open();
        match described.report {
            Some(report) => self.answer(described.request, &Reply::TaskState(report)),
            None => self.answer_error(
                described.request,
                "no such task is known here",
                "no_such_task",
            ),
        }
    }
}

impl Handler<Letter<TasksListed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<TasksListed>, _: &mut Context<Self>) {
        let (TasksListed { request, tasks }, _) = letter.open();
        self.answer(request, &Reply::report(&tasks));
    }
}

impl Handler<Letter<TasksSwept>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<TasksSwept>, _: &mut Context<Self>) {
        let (TasksSwept { request, report }, _) = letter.open();
        self.answer(request, &Reply::report(&report));
    }
}

impl Handler<Letter<GroupsListed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<GroupsListed>, _: &mut Context<Self>) {
        let (GroupsListed { request, groups }, _) = letter.open();
        self.answer(request, &Reply::report(&groups));
    }
}

impl Handler<Letter<GroupDescribed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<GroupDescribed>, _: &mut Context<Self>) {
        let (GroupDescribed { request, report }, _) = letter.open();
        match report {
            Some(report) => self.answer(request, &Reply::report(&report)),
            None => self.answer_error(
                request,
                "no group of this name that has parts is known here",
                "no_such_group",
            ),
        }
    }
}

impl Handler<Letter<TaskAccepted>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskAccepted>, _: &mut Context<Self>) {
        let (accepted, _) = letter.open();
        let task_name = accepted.name.as_str().into();
        self.answer(
            accepted.request,
            &Reply::Accepted {
                task_id: accepted.task,
                task_name,
            },
        );
    }
}

impl Handler<Letter<GroupOpened>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<GroupOpened>, _: &mut Context<Self>) {
        let (GroupOpened { request, group }, _) = letter.open();
        let group = group.into();
        self.answer(request, &Reply::GroupOpen { group });
    }
}

impl Handler<Letter<GatheredDescribed>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<GatheredDescribed>, _: &mut Context<Self>) {
        let (GatheredDescribed { request, report }, _) = letter.open();
        self.answer(request, &Reply::report(&report));
    }
}

/// What a group made is read over HTTP alone.
impl Handler<Letter<GatheredFound>> for PeerSession {
    type Result = ();

    fn handle(&mut self, _: Letter<GatheredFound>, _: &mut Context<Self>) {}
}

impl Handler<Letter<PeerReported>> for PeerSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerReported>, _: &mut Context<Self>) {
        let (reported, _) = letter.open();
        self.answer(reported.request, &Reply::report(&reported.report));
    }
}
