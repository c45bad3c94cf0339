//! A master's house around one scheduler of the table: the test speaks for sessions, registry and folders.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use mutirao_actors::logic::attribution::Claim;
use mutirao_actors::logic::dispatch::Rules;
use mutirao_actors::message_log::{Cause, Name};
use mutirao_actors::messages::{
    FoldersInbox, PeerJoined, ReplyTo, ResultKept, ResultSubmitted, SchedulerInbox, TaskArrived,
    TaskRequested,
};
use mutirao_actors::model::{
    Archive, Attempt, BootId, Digest, Ending, Endpoint, Kind, Life, Outcome, RequestId, SessionId,
    Task, TaskId, TaskName, Wishes,
};
use mutirao_actors::port::{Hears, Port};
use mutirao_actors::scheduler::{self, Cast};
use mutirao_actors::schedulers;
use mutirao_actors::testing::Stage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::LocalSet;
use uuid::Uuid;

/// How long requests wait, as those of our peers do.
pub const WAIT: Duration = Duration::from_secs(25);

/// A scheduler, and all that speak to it.
pub struct House {
    pub stage: Stage,
    pub scheduler: Port<SchedulerInbox>,
    requests: Cell<u64>,
}

/// Plays in a house with the scheduler of this name.
pub async fn in_house(scheduler: &str, play: impl AsyncFnOnce(House)) {
    let stay = async { play(House::with(scheduler)).await };
    LocalSet::new().run_until(stay).await;
}

/// The only life of the peer `p1`, `p2`, …, which speaks on the session of the same number.
pub fn peer(number: u64) -> Endpoint {
    Endpoint {
        peer: format!("p{number}").parse().unwrap(),
        life: Life::Boot(BootId(Uuid::from_u128(number.into()))),
    }
}

/// A field of a logged body, as the type that it was.
pub fn field<T: DeserializeOwned>(body: &Value, path: &str) -> T {
    serde_json::from_value(body.pointer(path).unwrap().clone()).unwrap()
}

impl House {
    fn with(scheduler: &str) -> Self {
        let stage = Stage::new();
        let entry = schedulers::named(scheduler).unwrap();
        let notebook = stage.notebook();
        let cast = Cast {
            title: entry.name,
            folders: stage.probe(Name::one("folders"), FoldersInbox::of),
            store: notebook.port.clone(),
            past: Arc::default(),
            rules: Rules::default(),
            clock: stage.clock(),
        };
        let scheduler = stage.port(scheduler::NAME, (entry.start)(cast));
        notebook.serve(&scheduler);
        Self {
            stage,
            scheduler,
            requests: Cell::new(0),
        }
    }

    /// Tells the scheduler, and lets everybody answer.
    pub async fn tell<M: Serialize + Send + 'static>(&self, message: M)
    where
        SchedulerInbox: Hears<M>,
    {
        self.scheduler.tell(message, Cause::OUTSIDE);
        self.stage.settle().await;
    }

    /// A new request on a session.
    pub fn reply(&self, session: u64) -> ReplyTo {
        self.requests.set(self.requests.get() + 1);
        let request = RequestId(self.requests.get());
        self.stage.reply_to(SessionId(session), request)
    }

    pub async fn task_arrives(&self, name: &str) -> TaskId {
        let task = Arc::new(Task {
            id: TaskId::new(),
            name: TaskName::tamed(name),
            size: 3,
            nth: None,
            sha256: Digest::of(name.as_bytes()),
            kind: Arc::new(Kind {
                code: Digest::of(b"main.py"),
                group: "here".into(),
                parts: None,
                wishes: Wishes::default(),
            }),
        });
        let id = task.id;
        self.tell(TaskArrived { task }).await;
        id
    }

    pub async fn peer_joins(&self, number: u64) {
        let joined = PeerJoined {
            endpoint: peer(number),
            holds: Some(Vec::new()),
            slots: 1,
            session: SessionId(number),
            orders: self.reply(number).session,
        };
        self.tell(joined).await;
    }

    pub async fn peer_asks(&self, number: u64) -> RequestId {
        self.peer_asks_for(1, number).await
    }

    /// Asks for so many tasks at once.
    pub async fn peer_asks_for(&self, count: u32, number: u64) -> RequestId {
        let reply = self.reply(number);
        let request = reply.request;
        let requested = TaskRequested {
            endpoint: peer(number),
            session: SessionId(number),
            wait: WAIT,
            is_spare: false,
            count,
            reply,
        };
        self.tell(requested).await;
        request
    }

    /// The peer hands in what it was offered.
    pub async fn peer_submits(&self, number: u64, offered: &Value, ending: Ending) -> RequestId {
        let reply = self.reply(number);
        let request = reply.request;
        let (task, attempt): (TaskId, Attempt) = (
            field(offered, "/offer/task"),
            field(offered, "/offer/attempt"),
        );
        let submitted = ResultSubmitted {
            endpoint: peer(number),
            session: SessionId(number),
            claim: Claim {
                attempt: Some((task, attempt)),
                name: None,
            },
            archive: Archive::new(format!("{task} {attempt}")),
            outcome: Outcome {
                ending,
                took: Duration::from_secs(1),
                peak_rss: None,
            },
            reply,
        };
        self.tell(submitted).await;
        request
    }

    /// The folders have kept what they were told to keep.
    pub async fn result_is_kept(&self, keep: &Value) {
        let kept = ResultKept {
            task: field(keep, "/task"),
            attempt: field(keep, "/attempt"),
            file: field::<String>(keep, "/name"),
        };
        self.tell(kept).await;
    }

    /// The last body of this kind that the scheduler sent.
    #[track_caller]
    pub fn last(&self, kind: &str) -> Value {
        let said = self.stage.said(kind).pop();
        said.unwrap_or_else(|| panic!("the scheduler sent no {kind}"))
    }

    /// To which sessions a kind was sent, in order.
    pub fn told(&self, kind: &str) -> Vec<String> {
        let letters = self.stage.letters().into_iter();
        let mine = letters.filter(|letter| letter["kind"] == kind && letter["from"] != "test");
        mine.map(|letter| letter["to"].as_str().unwrap().to_owned())
            .collect()
    }
}
