//! The master's cast list: its ports made, its actors started, its connections let in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext as _, Context};
use mutirao_actors::clock::Clock;
use mutirao_actors::discovery::Answerer;
use mutirao_actors::heartbeat::{self, Heartbeat};
use mutirao_actors::logic::answering::Identity;
use mutirao_actors::logic::dispatch::Rules;
use mutirao_actors::logic::ledger::Counts;
use mutirao_actors::logic::record::Past;
use mutirao_actors::message_log::{Cause, MessageLog, Name};
use mutirao_actors::messages::{
    CloseQueue, FoldersInbox, HeartbeatInbox, RegistryInbox, SchedulerInbox, StoreInbox,
};
use mutirao_actors::peer_session::{Desk, MasterDesk, MasterIdentity};
use mutirao_actors::port::Port;
use mutirao_actors::registry::{self, Registry};
use mutirao_actors::scheduler::{self, Cast};
use mutirao_actors::schedulers::Entry;
use mutirao_actors::wire::{CAPABILITIES, PROTOCOL};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::doorway::Doorway;
use crate::folders::claim::{Claim, ClaimError};
use crate::folders::{self, Folders, Ports};
use crate::ground::Ground;
use crate::sockets::SocketError;
use crate::sockets::places::routes_towards;
use crate::sockets::tcp::{listen_tcp, local_address};
use crate::sockets::udp::{Everywhere, datagrams, discovery_listener, outgoing};
use crate::store::desk::{self, Scribes};
use crate::store::{self, Recalled, SqliteStore, Store, StoreDesk, StoreError};

/// How often peers of ours are to send a heartbeat: three missed ones are noticed within 15 s.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a master that ends waits for its disk: some times as long as a slow one takes, and not for ever for a
/// full one.
const TIDY_MAX: Duration = Duration::from_secs(10);
/// The program's own voice in the message log: it says when to end.
const PROGRAM: Name = Name::one("program");

/// What a master is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, for people.
    pub name: String,
    /// The folder that holds `tasks/`, `results/` and `.mutirao/`.
    pub root: PathBuf,
    /// Its TCP port; 0 for any free one.
    pub port: u16,
    /// The UDP ports on which it answers who asks.
    pub discovery_ports: Vec<u16>,
    /// Who decides the order.
    pub scheduler: &'static Entry,
    /// How often a task may go wrong.
    pub rules: Rules,
}

/// A running master; its actors end with their arbiter.
#[derive(Debug)]
pub struct Master {
    /// Where it listens.
    pub address: SocketAddr,
    /// Who it is.
    pub identity: Arc<MasterIdentity>,
    scheduler: Port<SchedulerInbox>,
    under_way: TaskTracker,
    /// How many tasks stood how when it started.
    pub before: Counts,
    _claim: Claim,
}

/// Why a master cannot start.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// A socket could not be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Its folder cannot be had.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// What it wrote down in earlier lives cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a master remembers, and where it goes on to write it down.
struct Memory {
    store: Box<dyn Store>,
    recalled: Recalled,
}

impl Memory {
    /// Reads what earlier lives wrote down, and says what of it cannot be read any more.
    async fn open(root: &Path, clock: &Clock) -> Result<Self, StoreError> {
        let (folder, clock) = (root.join(store::FOLDER), clock.clone());
        let open = tokio::task::spawn_blocking(move || SqliteStore::open(&folder, clock));
        // Only a bug panics there, and it is one here as well.
        let opened = open
            .await
            .unwrap_or_else(|broke| resume_unwind(broke.into_panic()));
        let (store, recalled) = opened?;
        for lost in &recalled.damage {
            tracing::warn!("the store was damaged: {lost}");
        }
        let store = Box::new(store);
        Ok(Self { store, recalled })
    }
}

impl Master {
    /// Comes back when all is written down and nothing in the folders is half moved, or when the disk does not let
    /// that come about: then the next start goes on with it.
    pub async fn tidied(&self) {
        self.under_way.close();
        if timeout(TIDY_MAX, self.under_way.wait()).await.is_err() {
            tracing::warn!(
                "the disk does not take what is to be written: the next start goes on with it"
            );
        }
    }

    /// Hands nothing out any more; what runs still comes in.
    pub fn close_queue(&self) {
        self.scheduler.tell(CloseQueue {}, Cause::OUTSIDE);
    }
}

/// Starts a master in the current arbiter.
///
/// # Errors
/// When a port is taken, a socket cannot be opened, or another master has the folder.
pub async fn start(config: Config, clock: Clock, log: MessageLog) -> Result<Master, MasterError> {
    let claim = Claim::of(&config.root)?;
    let memory = Memory::open(&config.root, &clock).await?;
    let listener = listen_tcp(SocketAddr::new(
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        config.port,
    ))?;
    let address = local_address(&listener, config.port)?;
    let identity = Arc::new(MasterIdentity {
        id: memory.recalled.master,
        name: config.name.clone(),
        epoch: memory.recalled.epoch,
        version: crate::VERSION.to_owned(),
        heartbeat: HEARTBEAT,
    });
    let under_way = TaskTracker::new();
    let before = memory.recalled.counts;
    let desk = start_actors(&config, memory, &clock, &log, &identity, under_way.clone());
    let scheduler = desk.scheduler.used_by(PROGRAM);
    answer_who_asks(&config.discovery_ports, address.port(), &identity, &clock)?;
    let doorway = Doorway::new(Desk::Master(desk), clock, log);
    actix_rt::spawn(doorway.let_in(listener));
    Ok(Master {
        address,
        identity,
        scheduler,
        under_way,
        before,
        _claim: claim,
    })
}

fn start_actors(
    config: &Config,
    memory: Memory,
    clock: &Clock,
    log: &MessageLog,
    identity: &Arc<MasterIdentity>,
    under_way: TaskTracker,
) -> MasterDesk {
    // Actors that know each other are made before either is started; their letters wait.
    let Memory { store, recalled } = memory;
    let past = Past {
        counts: recalled.counts,
        // A store that was just made may stand for one that somebody removed.
        is_whole: recalled.damage.is_empty() && recalled.epoch > 1,
        tasks: recalled.tasks,
    };
    let ground = Ground::real();
    let folders = Context::<Folders>::new();
    let writer = Context::<StoreDesk>::new();
    let registry = Context::<Registry>::new();
    let heartbeat = Context::<Heartbeat>::new();
    let to_folders = port(log, folders::NAME, FoldersInbox::of(&folders.address()));
    let to_registry = port(log, registry::NAME, RegistryInbox::of(&registry.address()));
    let to_heartbeat = port(
        log,
        heartbeat::NAME,
        HeartbeatInbox::of(&heartbeat.address()),
    );
    let to_store = port(log, desk::NAME, StoreInbox::of(&writer.address()));
    let cast = Cast {
        title: config.scheduler.name,
        folders: to_folders.clone(),
        store: to_store.clone(),
        past: past.clone(),
        rules: config.rules,
        clock: clock.clone(),
    };
    let to_scheduler = port(log, scheduler::NAME, (config.scheduler.start)(cast));
    let scribes = Scribes {
        scheduler: to_scheduler.clone(),
        folders: to_folders.clone(),
    };
    let hands = Arc::clone(&ground.hands);
    writer.run(StoreDesk::new(store, &scribes, hands, under_way.clone()));
    let ports = Ports {
        scheduler: to_scheduler.clone(),
        store: to_store,
    };
    folders.run(Folders::new(
        &config.root,
        ground,
        clock.clone(),
        ports,
        &past,
        under_way,
    ));
    heartbeat.run(Heartbeat::new(clock.clone(), &to_registry));
    registry.run(Registry::new(clock.clone(), &to_scheduler, &to_heartbeat));
    MasterDesk {
        registry: to_registry,
        scheduler: to_scheduler,
        folders: to_folders,
        identity: Arc::clone(identity),
    }
}

fn port<I>(log: &MessageLog, to: Name, inbox: I) -> Port<I> {
    Port::new(log.clone(), to, to, inbox)
}

/// One desk answers on every discovery port, each question through the socket on which it came.
fn answer_who_asks(
    ports: &[u16],
    tcp: u16,
    identity: &MasterIdentity,
    clock: &Clock,
) -> Result<(), SocketError> {
    for udp in ports {
        let socket = Arc::new(discovery_listener(*udp)?);
        let out = outgoing(Arc::clone(&socket), Everywhere::default());
        let said = Identity {
            master_id: identity.id,
            name: identity.name.clone(),
            epoch: identity.epoch,
            protocol: PROTOCOL,
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            port: tcp,
        };
        Answerer::new(said, clock.clone(), out, Box::new(routes_towards))
            .hearing(datagrams(socket));
    }
    Ok(())
}
