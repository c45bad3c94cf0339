//! What a desk remembers of those who ask; all else that it does is seen in letters.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::LocalSet;
use uuid::Uuid;

use super::retries::LEFT_AFTER;
use super::{Cast, Desk, Takes as _};
use crate::logic::dispatch::Rules;
use crate::logic::fixtures::{kind_of, task};
use crate::logic::ledger::Meant;
use crate::message_log::{Cause, Name};
use crate::messages::{
    CancelGroup, CancelTask, DescribeQueue, FoldersInbox, PeerJoined, Retry, RetrySome, RetryTask,
    SessionClosed, StoreChanged, StoreInbox, TaskArrived, TaskRequested, TasksRetried, WrittenDown,
};
use crate::model::{BootId, Endpoint, Life, Part, RequestId, SessionId};
use crate::schedulers::Fifo;
use crate::testing::Stage;
use crate::wire::report::Sought;

/// A desk, and two peers of ours that are here.
fn desk(stage: &Stage) -> Desk<Fifo> {
    let cast = Cast {
        title: "fifo",
        folders: stage.probe(Name::one("folders"), FoldersInbox::of),
        store: stage.probe(Name::one("store"), StoreInbox::of),
        past: Arc::default(),
        rules: Rules::default(),
        clock: stage.clock(),
    };
    let mut desk = Desk::new(Fifo, cast);
    for number in [1, 2] {
        let session = SessionId(number);
        let joined = PeerJoined {
            endpoint: peer(number),
            holds: Some(Vec::new()),
            slots: 1,
            session,
            orders: stage.reply_to(session, RequestId(0)).session,
        };
        desk.take(joined, Cause::OUTSIDE);
    }
    desk
}

/// A peer of ours, which speaks on the session of the same number.
fn peer(number: u64) -> Endpoint {
    Endpoint {
        peer: format!("p{number}").parse().unwrap(),
        life: Life::Boot(BootId(Uuid::from_u128(number.into()))),
    }
}

fn desk_with_a_task(stage: &Stage) -> Desk<Fifo> {
    let mut desk = desk(stage);
    let task = Arc::new(task(1));
    desk.take(TaskArrived { task }, Cause::OUTSIDE);
    desk
}

fn request(stage: &Stage, session: u64, wait: Duration) -> TaskRequested {
    TaskRequested {
        endpoint: peer(session),
        session: SessionId(session),
        wait,
        is_spare: false,
        count: 1,
        reply: stage.reply_to(SessionId(session), RequestId(1)),
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_answered_is_forgotten() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk(&stage);
        desk.take(request(&stage, 1, Duration::ZERO), Cause::OUTSIDE);
        assert!(desk.asked.is_empty());
        desk.take(request(&stage, 1, Duration::from_secs(5)), Cause::OUTSIDE);
        assert_eq!(desk.asked.len(), 1);
        tokio::time::sleep(Duration::from_secs(5)).await;
        desk.tick();
        assert!(desk.asked.is_empty());
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_session_is_forgotten_and_no_other() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk(&stage);
        for session in [1, 2] {
            let request = request(&stage, session, Duration::from_secs(5));
            desk.take(request, Cause::OUTSIDE);
        }
        let session = SessionId(1);
        desk.take(SessionClosed { session }, Cause::OUTSIDE);
        let left: Vec<_> = desk.asked.keys().map(|asker| asker.session).collect();
        assert_eq!(left, [SessionId(2)]);
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test]
async fn nobody_is_told_of_a_lease_before_it_is_written_down() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_task(&stage);
        desk.take(request(&stage, 1, Duration::ZERO), Cause::OUTSIDE);
        desk.take(request(&stage, 2, Duration::ZERO), Cause::OUTSIDE);
        assert_eq!(stage.said("WriteDown").len(), 1);
        assert_eq!(stage.said("TaskOffered").len(), 0);
        assert_eq!(stage.said("NothingWaits").len(), 0, "told in order");
        desk.take(WrittenDown { ticket: 1 }, Cause::OUTSIDE);
        assert_eq!(stage.said("TaskOffered").len(), 1);
        assert_eq!(stage.said("NothingWaits").len(), 1);
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_peer_hung_up_while_its_lease_was_written_down_goes_to_the_next_and_is_held_against_nobody()
 {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_task(&stage);
        desk.take(request(&stage, 1, Duration::ZERO), Cause::OUTSIDE);
        let session = SessionId(1);
        desk.take(SessionClosed { session }, Cause::OUTSIDE);
        desk.take(WrittenDown { ticket: 1 }, Cause::OUTSIDE);
        assert_eq!(stage.said("TaskOffered").len(), 0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        desk.tick();
        desk.take(request(&stage, 2, Duration::ZERO), Cause::OUTSIDE);
        desk.take(WrittenDown { ticket: 3 }, Cause::OUTSIDE);
        assert_eq!(stage.said("TaskOffered").len(), 1);
        let entry = desk.mind.ledger().get(&task(1).id).unwrap();
        assert_eq!((entry.story.failures, entry.story.losses), (0, 0));
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test]
async fn while_nothing_can_be_written_down_nothing_is_handed_out_and_whoever_asks_hears_why() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_task(&stage);
        let full = StoreChanged {
            trouble: Some("the disk is full".into()),
        };
        desk.take(full, Cause::OUTSIDE);
        desk.take(request(&stage, 1, Duration::from_secs(5)), Cause::OUTSIDE);
        assert_eq!(stage.said("NothingWaits").len(), 1);
        let reply = stage.reply_to(SessionId(2), RequestId(1));
        desk.take(DescribeQueue { reply }, Cause::OUTSIDE);
        let queue = &stage.said("QueueDescribed")[0]["queue"];
        assert_eq!(queue["trouble"], "the disk is full");
        desk.take(StoreChanged { trouble: None }, Cause::OUTSIDE);
        desk.take(request(&stage, 1, Duration::ZERO), Cause::OUTSIDE);
        assert_eq!(stage.said("WriteDown").len(), 1);
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test]
async fn whoever_asked_while_something_was_written_hears_why_when_that_fails() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_task(&stage);
        desk.take(request(&stage, 1, Duration::ZERO), Cause::OUTSIDE);
        let reply = stage.reply_to(SessionId(2), RequestId(1));
        desk.take(DescribeQueue { reply }, Cause::OUTSIDE);
        assert_eq!(stage.said("QueueDescribed").len(), 0);
        let full = StoreChanged {
            trouble: Some("the disk is full".into()),
        };
        desk.take(full, Cause::OUTSIDE);
        let queue = &stage.said("QueueDescribed")[0]["queue"];
        assert_eq!(queue["trouble"], "the disk is full");
        assert_eq!(stage.said("TaskOffered").len(), 0, "nobody relies on it");
        desk.take(WrittenDown { ticket: 1 }, Cause::OUTSIDE);
        assert_eq!(stage.said("TaskOffered").len(), 1);
        assert_eq!(stage.said("QueueDescribed").len(), 1);
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test]
async fn nobody_is_told_that_a_task_is_cancelled_before_that_is_written_down() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_task(&stage);
        let cancel = |request| CancelTask {
            task: Arc::new(task(1)).id,
            why: "enough".into(),
            reply: stage.reply_to(SessionId(1), RequestId(request)),
        };
        let full = StoreChanged {
            trouble: Some("the disk is full".into()),
        };
        desk.take(full.clone(), Cause::OUTSIDE);
        desk.take(cancel(1), Cause::OUTSIDE);
        let why = stage.said("RequestRefused")[0]["why"].to_string();
        assert!(why.contains("the disk is full"), "{why}");
        assert_eq!(stage.said("WriteDown").len(), 0, "it is still open");

        desk.take(StoreChanged { trouble: None }, Cause::OUTSIDE);
        desk.take(cancel(2), Cause::OUTSIDE);
        // It fails before it has taken what was just decided.
        desk.take(full, Cause::OUTSIDE);
        assert_eq!(stage.said("TaskDescribed").len(), 0);
        assert_eq!(stage.said("TaskEnded").len(), 0);
        desk.take(WrittenDown { ticket: 1 }, Cause::OUTSIDE);
        let report = &stage.said("TaskDescribed")[0]["report"];
        assert_eq!(report["state"], "cancelled");
        assert_eq!(stage.said("TaskEnded").len(), 1);
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test]
async fn a_zip_is_not_asked_back_before_the_folders_know_that_its_task_ended() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_task(&stage);
        let reply = |request| stage.reply_to(SessionId(1), RequestId(request));
        let cancel = CancelTask {
            task: task(1).id,
            why: "enough".into(),
            reply: reply(1),
        };
        desk.take(cancel, Cause::OUTSIDE);
        let retry = RetryTask {
            task: task(1).id,
            reply: reply(2),
        };
        desk.take(retry, Cause::OUTSIDE);
        assert_eq!(stage.said("RetryTasks").len(), 0);
        desk.take(WrittenDown { ticket: 1 }, Cause::OUTSIDE);
        assert_eq!(stage.said("TaskEnded").len(), 1);
        assert_eq!(stage.said("RetryTasks").len(), 1);
    };
    LocalSet::new().run_until(play).await;
}

/// A desk with a group of three parts that were cancelled.
fn desk_with_a_group(stage: &Stage) -> Desk<Fifo> {
    let mut desk = desk(stage);
    for number in 0..3_u32 {
        let mut part = task(number.into());
        kind_of(&mut part).group = "rows".into();
        part.set_part(Part::new(number, 3));
        let task = Arc::new(part);
        desk.take(TaskArrived { task }, Cause::OUTSIDE);
    }
    let cancel = CancelGroup {
        group: "rows".into(),
        why: "enough".into(),
        reply: stage.reply_to(SessionId(1), RequestId(1)),
    };
    desk.take(cancel, Cause::OUTSIDE);
    written_down(&mut desk, stage);
    desk
}

/// All that was said to the store is done.
fn written_down(desk: &mut Desk<Fifo>, stage: &Stage) {
    for said in stage.said("WriteDown") {
        let ticket = said["ticket"].as_u64().unwrap();
        desk.take(WrittenDown { ticket }, Cause::OUTSIDE);
    }
}

/// A turn of a sweep has opened this one, and the next begins there.
fn turned(desk: &mut Desk<Fifo>, stage: &Stage, number: u128, next: Option<u32>) {
    let open = desk.mind.begin_retry([task(number).id]);
    let retried = TasksRetried {
        retry: Retry::Some { left: 0, next },
        open: open.iter().map(|task| task.id).collect(),
        left: Vec::new(),
        why: None,
        reply: stage.reply_to(SessionId(1), RequestId(2)),
    };
    desk.take(retried, Cause::OUTSIDE);
    written_down(desk, stage);
}

#[tokio::test]
async fn both_reasons_are_told_why_some_that_were_named_are_not_tried_again() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_group(&stage);
        let swept = |stage: &Stage| {
            let said = stage.said("TasksSwept");
            let report = &said.last().unwrap()["report"];
            (report["left"].clone(), report["reason"].to_string())
        };
        let mut left = |stage: &Stage, left: u64| {
            let gone = desk.mind.begin_retry([task(0).id]);
            let retried = TasksRetried {
                retry: Retry::Some { left, next: None },
                open: Vec::new(),
                left: gone.iter().map(|task| task.id).collect(),
                why: Some("its ZIP is gone".to_owned()),
                reply: stage.reply_to(SessionId(1), RequestId(2)),
            };
            desk.take(retried, Cause::OUTSIDE);
            written_down(&mut desk, stage);
        };
        left(&stage, 0);
        assert_eq!(swept(&stage), (1.into(), "\"its ZIP is gone\"".to_owned()));
        left(&stage, 2);
        let (sum, why) = swept(&stage);
        assert_eq!(sum, 3);
        assert!(
            why.contains("1: its ZIP is gone; 2: they") && why.contains("not known"),
            "{why}"
        );
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test]
async fn a_group_of_which_a_sweep_opens_parts_is_reopened_once_when_that_is_through() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_group(&stage);
        turned(&mut desk, &stage, 0, Some(1));
        turned(&mut desk, &stage, 1, Some(2));
        assert_eq!(stage.said("GroupReopened").len(), 0);
        let rest = RetrySome {
            sought: Sought::default(),
            meant: Meant::From(2),
            reply: stage.reply_to(SessionId(1), RequestId(3)),
        };
        desk.mind.begin_retry([task(2).id]);
        desk.take(rest, Cause::OUTSIDE);
        let said = stage.said("GroupReopened");
        assert_eq!(said.len(), 1, "there is nothing to be opened behind them");
        assert_eq!(
            (&said[0]["open"], &said[0]["ended"]),
            (&2.into(), &1.into())
        );
    };
    LocalSet::new().run_until(play).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_of_which_a_sweep_opened_a_part_is_reopened_when_nobody_goes_on_with_it() {
    let play = async {
        let stage = Stage::new();
        let mut desk = desk_with_a_group(&stage);
        turned(&mut desk, &stage, 0, Some(1));
        tokio::time::sleep(LEFT_AFTER / 2).await;
        turned(&mut desk, &stage, 1, Some(2));
        tokio::time::sleep(LEFT_AFTER / 2).await;
        desk.tick();
        assert_eq!(stage.said("GroupReopened").len(), 0, "it goes on");
        tokio::time::sleep(LEFT_AFTER / 2).await;
        desk.tick();
        assert_eq!(stage.said("GroupReopened").len(), 1);
        tokio::time::sleep(LEFT_AFTER).await;
        desk.tick();
        assert_eq!(stage.said("GroupReopened").len(), 1);
    };
    LocalSet::new().run_until(play).await;
}
