//! The master's cast list: its ports made, its actors started, its connections let in.

use std::net::SocketAddr;
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
    CloseQueue, FoldersInbox, HeartbeatInbox, OutputsInbox, RegistryInbox, SchedulerInbox,
    StoreInbox,
};
use mutirao_actors::outputs::{self, Outputs};
use mutirao_actors::peer_session::{Desk, MasterDesk, MasterIdentity};
use mutirao_actors::port::Port;
use mutirao_actors::registry::{self, Registry};
use mutirao_actors::scheduler::{self, Cast};
use mutirao_actors::schedulers::Entry;
use mutirao_actors::wire::{CAPABILITIES, PROTOCOL};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::disk::Volume;
use crate::doorway::Doorway;
use crate::folders::claim::{Claim, ClaimError};
use crate::folders::{self, Folders, Places, Ports};
use crate::ground::Ground;
use crate::sockets::SocketError;
use crate::sockets::net::{Net, RealNet};
use crate::sockets::seats::Host;
use crate::store::desk::{self, Scribes};
use crate::store::{self, Recalled, SqliteStore, Store, StoreDesk, StoreError};
use crate::web::{Changes, Web};

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
    /// Who may change something over HTTP.
    pub changes: Changes,
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
    _claim: Option<Claim>,
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
pub struct Memory {
    /// Where.
    pub store: Box<dyn Store>,
    /// What.
    pub recalled: Recalled,
}

/// What it stands on.
pub struct Footing {
    /// The disk, who works on it, and where ids come from.
    pub ground: Ground,
    /// The network.
    pub net: Arc<dyn Net>,
    /// What it remembers.
    pub memory: Memory,
    /// Its right to the folder, where somebody else may want that.
    pub claim: Option<Claim>,
}

impl Memory {
    /// Reads what earlier lives wrote down, and says what of it cannot be read any more.
    async fn open(root: &Path, clock: &Clock) -> Result<Self, StoreError> {
        let (root, clock) = (root.to_owned(), clock.clone());
        let open = tokio::task::spawn_blocking(move || {
            let (mut store, mut recalled) = SqliteStore::open(&root.join(store::FOLDER), clock)?;
            reopen(&root, &mut store, &mut recalled)?;
            Ok::<_, StoreError>((store, recalled))
        });
        // Only a bug panics there, and it is one here as well.
        let opened = open
            .await
            .unwrap_or_else(|broke| resume_unwind(broke.into_panic()));
        let (store, recalled) = opened?;
        for lost in store::shown(&recalled.damage) {
            tracing::warn!("the store was damaged: {lost}");
        }
        let store = Box::new(store);
        Ok(Self { store, recalled })
    }
}

/// Has the tasks run again whose result a disk has damaged, and writes that down.
fn reopen(root: &Path, store: &mut SqliteStore, recalled: &mut Recalled) -> Result<(), StoreError> {
    let places = Places::under(root, Volume::real().into());
    let records = match folders::reopen_damaged(&places, &mut recalled.tasks) {
        Ok(records) => records,
        // The folders say what is wrong when they are opened.
        Err(error) => {
            tracing::warn!("{error}; whether results that lay there are whole is not known");
            return Ok(());
        }
    };
    if !records.is_empty() {
        store.commit(&records.concat())?;
        let reopened = records.len() as u64;
        recalled.counts.done -= reopened;
        recalled.counts.queued += reopened;
        tracing::warn!(
            "{reopened} done tasks run once more: their results were damaged on the disk before they lay in results/"
        );
    }
    Ok(())
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
    let footing = Footing {
        ground: Ground::real(),
        net: Arc::new(RealNet),
        memory: Memory::open(&config.root, &clock).await?,
        claim: Some(claim),
    };
    Ok(act(config, footing, clock, log).await?)
}

/// Starts the actors of a master, on any footing.
///
/// # Errors
/// When a port is taken, or a socket cannot be opened.
pub async fn act(
    config: Config,
    footing: Footing,
    clock: Clock,
    log: MessageLog,
) -> Result<Master, SocketError> {
    let net = Arc::clone(&footing.net);
    let door = net.listen(config.port, Host::Master).await?;
    let recalled = &footing.memory.recalled;
    let identity = Arc::new(MasterIdentity {
        id: recalled.master,
        name: config.name.clone(),
        epoch: recalled.epoch,
        version: crate::VERSION.to_owned(),
        heartbeat: HEARTBEAT,
    });
    let under_way = TaskTracker::new();
    let before = recalled.counts;
    let Footing {
        ground,
        memory,
        claim,
        ..
    } = footing;
    let desk = start_actors(
        &config,
        (ground, memory),
        &clock,
        &log,
        &identity,
        under_way.clone(),
    );
    let scheduler = desk.scheduler.used_by(PROGRAM);
    let address = door.address;
    answer_who_asks(
        &net,
        &config.discovery_ports,
        address.port(),
        &identity,
        &clock,
    )
    .await?;
    let ports = config.discovery_ports;
    let outputs = start_outputs(&desk.scheduler, &clock, &log);
    let web = Web::start(
        (desk.clone(), outputs),
        ports,
        config.changes,
        clock.clone(),
        log.clone(),
    )
    .await;
    let doorway = Doorway::new(door, Desk::Master(desk), clock, log).with_web(web);
    actix_rt::spawn(doorway.let_in());
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
    (ground, memory): (Ground, Memory),
    clock: &Clock,
    log: &MessageLog,
    identity: &Arc<MasterIdentity>,
    under_way: TaskTracker,
) -> MasterDesk {
    // Actors that know each other are made before either is started; their letters wait.
    let Memory { store, recalled } = memory;
    let past = Arc::new(Past {
        counts: recalled.counts,
        // A store that was just made may stand for one that somebody removed.
        is_whole: !recalled.has_lost && recalled.epoch > 1,
        tasks: recalled.tasks,
        older_parts: recalled.older_parts,
        drained: recalled.drained,
    });
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
        past: Arc::clone(&past),
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

/// Starts who tells readers what tasks print.
fn start_outputs(
    scheduler: &Port<SchedulerInbox>,
    clock: &Clock,
    log: &MessageLog,
) -> Port<OutputsInbox> {
    let desk = Context::<Outputs>::new();
    let to_outputs = port(log, outputs::NAME, OutputsInbox::of(&desk.address()));
    desk.run(Outputs::new(clock.clone(), scheduler, to_outputs.clone()));
    to_outputs
}

fn port<I>(log: &MessageLog, to: Name, inbox: I) -> Port<I> {
    Port::new(log.clone(), to, to, inbox)
}

/// One desk answers on every discovery port, each question through the socket on which it came.
async fn answer_who_asks(
    net: &Arc<dyn Net>,
    ports: &[u16],
    tcp: u16,
    identity: &MasterIdentity,
    clock: &Clock,
) -> Result<(), SocketError> {
    for udp in ports {
        let datagrams = net.hear_questions(*udp).await?;
        let said = Identity {
            master_id: identity.id,
            name: identity.name.clone(),
            epoch: identity.epoch,
            protocol: PROTOCOL,
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            port: tcp,
        };
        let routes = Arc::clone(net);
        let routes = Box::new(move |asker| routes.route_towards(asker));
        Answerer::new(said, clock.clone(), datagrams.outgoing, routes).hearing(datagrams.heard);
    }
    Ok(())
}
