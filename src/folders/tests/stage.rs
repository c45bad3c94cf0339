//! One life of the folders, and the test's ears.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use mutirao_actors::clock::Clock;
use mutirao_actors::logic::effect::End;
use mutirao_actors::logic::ledger::Counts;
use mutirao_actors::logic::record::{Past, Record, Remembered};
use mutirao_actors::message_log::{Cause, MessageLog, Name};
use mutirao_actors::messages::{
    FoldersInbox, ReplyTo, SchedulerInbox, SessionInbox, StoreInbox, TaskEnded, WriteDown,
    WrittenDown,
};
use mutirao_actors::model::{RequestId, TaskId, TaskName};
use mutirao_actors::port::{Hears, Letter, Port};
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::archive::{Compression, pack};
use crate::folders::intake::STILL;
use crate::folders::{Folders, Ports};
use crate::ground::Ground;

/// Longest virtual time that anything awaited may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The scheduler, or a session: the log writes down what it is told.
struct Listener;

impl Actor for Listener {
    type Context = Context<Self>;
}

impl<M: Send + 'static> Handler<Letter<M>> for Listener
where
    Letter<M>: Message<Result = ()>,
{
    type Result = ();

    fn handle(&mut self, _: Letter<M>, _: &mut Self::Context) {}
}

/// A store that remembers as long as the test does, and says at once that it is safe.
struct Writer {
    folders: Rc<OnceCell<Port<FoldersInbox>>>,
    records: Records,
}

type Records = Rc<RefCell<Vec<Record>>>;

impl Actor for Writer {
    type Context = Context<Self>;
}

impl Handler<Letter<WriteDown>> for Writer {
    type Result = ();

    fn handle(&mut self, letter: Letter<WriteDown>, _: &mut Self::Context) {
        let (message, cause) = letter.open();
        self.records.borrow_mut().extend(message.records);
        let ticket = message.ticket;
        self.folders
            .get()
            .unwrap()
            .tell(WrittenDown { ticket }, cause);
    }
}

/// One life of a master's folders.
pub struct Stage {
    /// Removed with the stage, unless the next life takes it over.
    pub root: TempDir,
    log: MessageLog,
    folders: Port<FoldersInbox>,
    session: Port<SessionInbox>,
    /// What was written down in this life.
    pub records: Records,
    /// How many letters the test has heard.
    heard: usize,
}

impl Stage {
    pub fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    pub fn in_folder(root: TempDir) -> Self {
        Self::remembering(root, Vec::new())
    }

    /// Another life in the same folder.
    pub fn remembering(root: TempDir, tasks: Vec<Remembered>) -> Self {
        let is_whole = true;
        let counts = Counts::default();
        Self::after(
            root,
            &Past {
                tasks,
                counts,
                is_whole,
                older_parts: Vec::new(),
                drained: Vec::new(),
            },
        )
    }

    /// Another life in the same folder, which lost all that was written down.
    pub fn damaged(root: TempDir) -> Self {
        Self::after(root, &Past::default())
    }

    /// Another life in the same folder, which lost some of what was written down.
    pub fn forgetful(root: TempDir, tasks: Vec<Remembered>) -> Self {
        let past = Past {
            tasks,
            ..Past::default()
        };
        Self::after(root, &past)
    }

    fn after(root: TempDir, past: &Past) -> Self {
        let clock = Clock::start();
        let log = MessageLog::new(clock.clone(), None);
        let (me, test) = (Name::one("folders"), Name::one("test"));
        let listener = Listener.start();
        let scheduler = Port::new(
            log.clone(),
            me,
            Name::one("scheduler"),
            SchedulerInbox::of(&listener),
        );
        let session = Port::new(
            log.clone(),
            me,
            Name::one("session"),
            SessionInbox::of(&listener),
        );
        let ground = Ground::real();
        let under_way = TaskTracker::new();
        let (answers, records) = (Rc::new(OnceCell::new()), Records::default());
        let writer = Writer {
            folders: Rc::clone(&answers),
            records: Rc::clone(&records),
        };
        let store = Name::one("store");
        let ports = Ports {
            scheduler,
            store: Port::new(log.clone(), me, store, StoreInbox::of(&writer.start())),
        };
        let folders = Folders::new(root.path(), ground, clock, ports, past, under_way);
        let folders = Port::new(log.clone(), test, me, FoldersInbox::of(&folders.start()));
        answers.set(folders.used_by(store)).unwrap();
        Self {
            root,
            log,
            folders,
            session,
            records,
            heard: 0,
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub fn put(&self, path: &str, bytes: &[u8]) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), bytes).unwrap();
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap()
    }

    pub fn note(&self, path: &str) -> String {
        String::from_utf8(self.read(path)).unwrap()
    }

    pub fn names(&self, folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    pub fn tell<M: Serialize + Send + 'static>(&self, message: M)
    where
        FoldersInbox: Hears<M>,
    {
        self.folders.tell(message, Cause::OUTSIDE);
    }

    pub fn reply(&self) -> ReplyTo {
        ReplyTo {
            session: self.session.clone(),
            request: RequestId(7),
        }
    }

    pub fn end(&self, task: TaskId, end: End) {
        self.tell(TaskEnded {
            task,
            name: TaskName::tamed("any"),
            end,
            part: None,
        });
    }

    /// What the folders have said since this was asked last, without the counts.
    pub fn news(&mut self) -> Vec<(String, Value)> {
        let lines = self.log.recent();
        let is_news = |letter: &Value| {
            let aside = ["IntakeCounted", "WriteDown", "FoldersChanged"];
            let is_aside = aside.iter().any(|kind| letter["kind"] == *kind);
            letter["from"] == "folders" && !is_aside
        };
        let new = lines[self.heard..]
            .iter()
            .map(|line| serde_json::from_str::<Value>(&line.to_string()).unwrap());
        let said = new.filter(is_news).map(|letter| {
            (
                letter["kind"].as_str().unwrap().into(),
                letter["body"].clone(),
            )
        });
        self.heard = lines.len();
        said.collect()
    }

    /// What the scheduler was told last of how the disk does.
    pub fn trouble(&self) -> Option<String> {
        let lines = self.log.recent();
        let letters = lines
            .iter()
            .rev()
            .map(|line| serde_json::from_str::<Value>(&line.to_string()).unwrap());
        let last = letters
            .into_iter()
            .find(|letter| letter["kind"] == "FoldersChanged")?;
        last["body"]["trouble"].as_str().map(str::to_owned)
    }

    /// Waits for the folders' next words, which must be of these kinds.
    pub async fn hear<const N: usize>(&mut self, kinds: [&str; N]) -> [Value; N] {
        let mut news = Vec::new();
        let all = async {
            while news.len() < N {
                tokio::time::sleep(STILL).await;
                news.extend(self.news());
            }
        };
        let heard = tokio::time::timeout(PATIENCE, all).await;
        assert!(heard.is_ok(), "waited for {kinds:?}, heard {news:?}");
        assert!(
            news.iter().map(|(kind, _)| kind).eq(kinds.iter()),
            "{kinds:?} is not {news:?}"
        );
        let bodies: Vec<_> = news.into_iter().map(|(_, body)| body).collect();
        bodies.try_into().unwrap()
    }

    pub async fn arrival(&mut self) -> TaskId {
        let [arrived] = self.hear(["TaskArrived"]).await;
        id(&arrived["task"]["id"])
    }

    /// Long enough for anything that would happen by itself.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub async fn until(&self, what: impl Fn(&Self) -> bool) {
        let come = async {
            while !what(self) {
                tokio::time::sleep(STILL).await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, come).await.is_ok(),
            "it did not come"
        );
    }
}

pub fn id(body: &Value) -> TaskId {
    serde_json::from_value(body.clone()).unwrap()
}

pub fn task_zip(script: &str) -> Vec<u8> {
    pack([("main.py", script.as_bytes())], Compression::Fast).unwrap()
}

pub fn result_zip(output: &str) -> Vec<u8> {
    pack([("stdout.txt", output.as_bytes())], Compression::Fast).unwrap()
}

/// Runs a play on one thread, as the master does.
pub async fn play<F: Future>(play: F) -> F::Output {
    tokio::task::LocalSet::new().run_until(play).await
}
