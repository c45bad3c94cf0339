//! The master's actors, peers at the other ends of pipes, and speakers that are only bytes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix::{AsyncContext as _, Context};
use bytes::BytesMut;
use futures_util::FutureExt as _;
use mutirao_actors::connection::Room;
use mutirao_actors::executor::{self, Executor};
use mutirao_actors::heartbeat::{self, Heartbeat};
use mutirao_actors::logic::client::Master;
use mutirao_actors::logic::dispatch::Rules;
use mutirao_actors::logic::effect::End;
use mutirao_actors::master_session::{
    self, Cast as SessionCast, Dial, Dialled, MasterSession, PeerIdentity,
};
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{
    ExecutorInbox, FoldersInbox, HeartbeatInbox, LeaveMaster, MasterSessionInbox, OutputsInbox,
    RegistryInbox, TaskArrived,
};
use mutirao_actors::model::{
    Archive, BootId, Digest, Ending, Kind, PeerId, SessionId, Task, TaskId, TaskName, Wishes,
};
use mutirao_actors::outputs::{self, Outputs};
use mutirao_actors::peer_session::{Connection, Desk, MasterDesk, MasterIdentity, PeerSession};
use mutirao_actors::port::Port;
use mutirao_actors::registry::{self, Registry};
use mutirao_actors::scheduler::{self, Cast};
use mutirao_actors::schedulers::SCHEDULERS;
use mutirao_actors::testing::Stage;
use mutirao_actors::wire::scanner::Caps;
use mutirao_actors::wire::{Message, Scanner};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, copy, duplex, split};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::folders::{self, Folders, Shelves};
use super::runner::{Runs, Sleeper};

/// What a pipe holds before its writer waits; as little as a socket may.
const PIPE: usize = 4 << 10;
/// Longer than any conversation of these tests has to take.
const LONG: Duration = Duration::from_secs(3600);
/// How long a speaker waits for its reply: what the least patient of them do.
const PATIENCE: Duration = Duration::from_secs(5);

/// A master and all that happens to it.
pub struct World {
    pub stage: Stage,
    pub runner: Sleeper,
    pub outputs: Port<OutputsInbox>,
    shelves: Arc<Mutex<Shelves>>,
    door: Door,
}

/// The master's door.
#[derive(Clone)]
pub struct Door {
    desk: MasterDesk,
    stage: Arc<(
        mutirao_actors::clock::Clock,
        mutirao_actors::message_log::MessageLog,
    )>,
    room: Room,
    sessions: Arc<AtomicU64>,
    seats: Arc<()>,
}

/// Runs a test with a master that has no peers yet.
pub async fn with_master(play: impl AsyncFnOnce(World)) {
    LocalSet::new()
        .run_until(async { play(World::new()).await })
        .await;
}

impl World {
    fn new() -> Self {
        let stage = Stage::new();
        let shelves = Arc::<Mutex<Shelves>>::default();
        let (desk, watch) = (Context::<Registry>::new(), Context::<Heartbeat>::new());
        let keeper = Context::<Folders>::new();
        let registry = stage.port(registry::NAME, RegistryInbox::of(&desk.address()));
        let heartbeat = stage.port(heartbeat::NAME, HeartbeatInbox::of(&watch.address()));
        let folders = stage.port(folders::NAME, FoldersInbox::of(&keeper.address()));
        let notebook = stage.notebook();
        let cast = Cast {
            title: SCHEDULERS[0].name,
            folders: folders.clone(),
            store: notebook.port.clone(),
            past: Arc::default(),
            rules: Rules::default(),
            clock: stage.clock(),
        };
        let scheduler = stage.port(scheduler::NAME, (SCHEDULERS[0].start)(cast));
        notebook.serve(&scheduler);
        keeper.run(Folders::new(Arc::clone(&shelves), &scheduler));
        watch.run(Heartbeat::new(stage.clock(), &registry));
        desk.run(Registry::new(stage.clock(), &scheduler, &heartbeat));
        let desk_of_outputs = Context::<Outputs>::new();
        let outputs = stage.port(outputs::NAME, OutputsInbox::of(&desk_of_outputs.address()));
        desk_of_outputs.run(Outputs::new(stage.clock(), &scheduler, outputs.clone()));
        let identity = Arc::new(MasterIdentity {
            id: Uuid::from_u128(1),
            name: "lab".into(),
            epoch: 1,
            version: "0".into(),
            heartbeat: Duration::from_secs(5),
        });
        let desk = MasterDesk {
            registry,
            scheduler,
            folders,
            identity,
        };
        let door = Door {
            desk,
            stage: Arc::new((stage.clock(), stage.log())),
            room: Room::new(),
            sessions: Arc::default(),
            seats: Arc::default(),
        };
        Self {
            stage,
            runner: Sleeper::default(),
            outputs,
            shelves,
            door,
        }
    }

    /// Puts a task in that takes so many seconds and exits with this code.
    pub fn put_task(&self, seconds: u32, code: i32) -> TaskId {
        self.put(format!("{seconds} {code}").into_bytes())
    }

    /// Puts a task of these bytes in.
    pub fn put(&self, bytes: Vec<u8>) -> TaskId {
        let archive = Archive::new(bytes);
        let mut shelves = self.shelves();
        let name = TaskName::tamed(&format!("task-{}", shelves.tasks.len() + 1));
        let task = Arc::new(Task {
            id: TaskId::new(),
            name: name.clone(),
            size: archive.bytes().len() as u32,
            nth: None,
            sha256: archive.digest(),
            kind: Arc::new(Kind {
                code: Digest::of(b"main.py"),
                group: "test".into(),
                parts: None,
                wishes: Wishes::default(),
            }),
        });
        let id = task.id;
        shelves.tasks.insert(id, (name, archive));
        self.door
            .desk
            .scheduler
            .tell(TaskArrived { task }, Cause::OUTSIDE);
        id
    }

    /// What lies in the folders.
    pub fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap()
    }

    /// How the task ended; none while it is open. Fails if it ended twice.
    pub fn end_of(&self, task: TaskId) -> Option<End> {
        let shelves = self.shelves();
        let ends = shelves.ended.get(&task)?;
        assert_eq!(ends.len(), 1, "{task} ended more than once: {ends:?}");
        ends.first().cloned()
    }

    /// Whether all of these are done with exactly one result each.
    pub fn all_done(&self, tasks: &[TaskId]) -> bool {
        tasks.iter().all(|task| {
            let results = self.shelves().results.get(task).map_or(0, Vec::len);
            assert!(results <= 1, "{task} has {results} results");
            self.end_of(*task) == Some(End::Done) && results == 1
        })
    }

    /// How each run of this task ended, so far.
    pub fn runs_of(&self, task: TaskId) -> Vec<Option<Ending>> {
        let runs: Runs = Arc::clone(&self.runner.runs);
        let runs = runs.lock().unwrap();
        let of_it = runs.iter().filter(|(id, _)| *id == task);
        of_it.map(|(_, ending)| ending.clone()).collect()
    }

    /// Lets time pass until this holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(timeout(LONG, waiting).await.is_ok(), "never: {what}");
    }

    /// A connection from this host of 10.0.0.0/24.
    pub fn connect(&self, host: u8) -> Speaker {
        self.connect_to(Desk::Master(self.door.desk.clone()), host)
    }

    /// The same to any desk.
    pub fn connect_to(&self, desk: Desk, host: u8) -> Speaker {
        Speaker::new(self.door.open_to(desk, host))
    }

    /// Sessions that live, while there is no peer of ours.
    pub fn sessions(&self) -> usize {
        Arc::strong_count(&self.door.seats) - 1
    }

    /// A peer of ours on this host, with so many slots, at the end of this cable.
    pub fn peer(&self, host: u8, slots: u32, cable: &Cable) -> Peer {
        let session = Context::<MasterSession>::new();
        let runs = Context::<Executor>::new();
        let to_session = self.stage.port(
            master_session::NAME,
            MasterSessionInbox::of(&session.address()),
        );
        let executor = self
            .stage
            .port(executor::NAME, ExecutorInbox::of(&runs.address()));
        runs.run(Executor::new(Arc::new(self.runner.clone()), &to_session));
        let id: PeerId = format!("peer-{host}").parse().unwrap();
        let gone = CancellationToken::new();
        session.run(MasterSession::new(SessionCast {
            identity: PeerIdentity {
                id: id.clone(),
                boot: BootId::random(),
                agent: "mutirao/0".into(),
                version: "0".into(),
                slots,
                port: 50021,
                python: None,
            },
            time_limit: None,
            fixed: Some(Master {
                name: "lab".into(),
                addresses: vec![SocketAddr::from(([10, 0, 0, 1], 50020))],
                dialect: None,
            }),
            lonely: String::new(),
            kept: Vec::new(),
            dial: dial(self.door.clone(), host, cable.clone()),
            clock: self.stage.clock(),
            discovery: None,
            executor,
            gone: gone.clone(),
        }));
        Peer {
            session: to_session,
            gone,
        }
    }
}

impl Door {
    fn open(&self, host: u8) -> DuplexStream {
        self.open_to(Desk::Master(self.desk.clone()), host)
    }

    fn open_to(&self, desk: Desk, host: u8) -> DuplexStream {
        let (theirs, ours) = duplex(PIPE);
        let number = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Connection {
            stream: ours,
            remote: SocketAddr::from(([10, 0, 0, host], 40_000)),
            id: SessionId(number),
            room: self.room.clone(),
            seat: Box::new(Arc::clone(&self.seats)),
        };
        let (clock, log) = self.stage.as_ref().clone();
        PeerSession::start(connection, desk, clock, log);
        theirs
    }
}

/// A peer of ours.
pub struct Peer {
    pub session: Port<MasterSessionInbox>,
    pub gone: CancellationToken,
}

impl Peer {
    pub fn leave(&self, now: bool) {
        self.session.tell(LeaveMaster { now }, Cause::OUTSIDE);
    }
}

/// What lies between a peer and the master.
#[derive(Clone, Default)]
pub struct Cable {
    /// Each connection is cut when the master has said so much on it.
    cut_after: Arc<Mutex<Option<u64>>>,
    /// Nothing passes any more, either way, and nobody is told.
    silent: CancellationToken,
}

impl Cable {
    pub fn cut_after(bytes: u64) -> Self {
        let cable = Self::default();
        *cable.cut_after.lock().unwrap() = Some(bytes);
        cable
    }

    pub fn mend(&self) {
        *self.cut_after.lock().unwrap() = None;
    }

    pub fn pull(&self) {
        self.silent.cancel();
    }
}

fn dial(door: Door, host: u8, cable: Cable) -> Dial {
    Arc::new(move |_| {
        let (door, cable) = (door.clone(), cable.clone());
        async move {
            let (theirs, ours) = duplex(PIPE);
            tokio::spawn(relay(ours, door.open(host), cable));
            Ok(Dialled {
                stream: Box::new(theirs),
                local: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host))),
            })
        }
        .boxed()
    })
}

async fn relay(peer: DuplexStream, master: DuplexStream, cable: Cable) {
    let bytes = cable.cut_after.lock().unwrap().unwrap_or(u64::MAX);
    let ((mut from_peer, mut to_peer), (from_master, mut to_master)) = (split(peer), split(master));
    let mut from_master = from_master.take(bytes);
    tokio::select! {
        _ = copy(&mut from_peer, &mut to_master) => {}
        _ = copy(&mut from_master, &mut to_peer) => {}
        () = cable.silent.cancelled() => std::future::pending().await,
    }
}

/// Somebody who is only bytes.
pub struct Speaker {
    pub stream: DuplexStream,
    scanner: Scanner,
    buffer: BytesMut,
}

impl Speaker {
    fn new(stream: DuplexStream) -> Self {
        Self {
            stream,
            scanner: Scanner::new(Caps::REPLIES),
            buffer: BytesMut::new(),
        }
    }

    pub async fn say(&mut self, words: impl AsRef<[u8]>) {
        self.stream.write_all(words.as_ref()).await.unwrap();
    }

    /// Reads payloads behind messages from here on.
    pub fn take_raw(&mut self) {
        self.scanner.take_raw(true);
    }

    /// The next reply as it stands on the wire; none when the connection is closed.
    pub async fn next(&mut self) -> Option<String> {
        let reply = self.next_message().await?;
        Some(String::from_utf8(reply.value().to_vec()).unwrap())
    }

    /// The same with what stands behind it.
    pub async fn next_message(&mut self) -> Option<Message> {
        let reading = async {
            loop {
                if let Some(reply) = self.scanner.split(&mut self.buffer).unwrap() {
                    return Some(reply);
                }
                if self.stream.read_buf(&mut self.buffer).await.unwrap() == 0 {
                    return None;
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("no reply came")
    }

    /// Says something and reads the reply to it.
    pub async fn ask(&mut self, words: impl AsRef<[u8]>) -> String {
        self.say(words).await;
        self.next().await.expect("the connection was closed")
    }

    /// The same, with the reply as a value.
    pub async fn ask_value(&mut self, words: impl AsRef<[u8]>) -> Value {
        serde_json::from_str(&self.ask(words).await).unwrap()
    }
}
