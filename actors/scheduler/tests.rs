//! What a desk remembers of those who ask; all else that it does is seen in letters.

use std::time::Duration;

use tokio::task::LocalSet;
use uuid::Uuid;

use super::{Cast, Desk, Takes as _};
use crate::logic::dispatch::Rules;
use crate::message_log::{Cause, Name};
use crate::messages::{FoldersInbox, SessionClosed, TaskRequested};
use crate::model::{BootId, Endpoint, Life, RequestId, SessionId};
use crate::schedulers::Fifo;
use crate::testing::Stage;

fn desk(stage: &Stage) -> Desk<Fifo> {
    let cast = Cast {
        title: "fifo",
        folders: stage.probe(Name::one("folders"), FoldersInbox::of),
        rules: Rules::default(),
        clock: stage.clock(),
    };
    Desk::new(Fifo, cast)
}

fn request(stage: &Stage, session: u64, wait: Duration) -> TaskRequested {
    TaskRequested {
        endpoint: Endpoint {
            peer: format!("p{session}").parse().unwrap(),
            life: Life::Boot(BootId(Uuid::from_u128(session.into()))),
        },
        session: SessionId(session),
        wait,
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
