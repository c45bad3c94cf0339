//! The peer's cast list: its seat taken, its ports made, its actors started, its own port opened.

pub mod seat;
mod settle;
pub mod spool;
pub mod spooling;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, AsyncContext as _, Context};
use futures_util::FutureExt as _;
use mutirao_actors::clock::Clock;
use mutirao_actors::discovery::{Finder, questions};
use mutirao_actors::executor::{self, Executor};
use mutirao_actors::logic::client::{Kept, Master};
use mutirao_actors::master_session::{self, Cast, Dial, MasterSession, PeerIdentity};
use mutirao_actors::message_log::{Cause, MessageLog, Name};
use mutirao_actors::messages::{DiscoveryInbox, ExecutorInbox, LeaveMaster, MasterSessionInbox};
use mutirao_actors::model::{BootId, PeerId};
use mutirao_actors::peer_session::Desk;
use mutirao_actors::port::Port;
use mutirao_actors::runner::Runner;
use tokio_util::sync::CancellationToken;

use crate::disk::DiskError;
use crate::doorway::Doorway;
use crate::ground::Ground;
use crate::runner::{self, Interpreter, ScriptRunner, Start};
use crate::sockets::SocketError;
use crate::sockets::net::{Datagrams, Net, RealNet};
use crate::sockets::places::Place;
use crate::sockets::seats::Host;
use crate::sockets::udp::Everywhere;

use self::seat::{Seat, SeatError};
use self::settle::{Settled, settle};
use self::spool::Spool;
use self::spooling::Spooling;

/// How long a master may take to accept a connection.
const DIAL_WITHIN: Duration = Duration::from_secs(5);
/// The finder's name in the message log.
const DISCOVERY: Name = Name::one("discovery");
/// The program's own voice in the message log: it says when to leave.
const PROGRAM: Name = Name::one("program");

/// What a peer is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds `work/` and the peer's seat.
    pub root: PathBuf,
    /// Where results lie until they are taken, if not with the seat: for a master that ends with this process.
    pub spool: Option<PathBuf>,
    /// Its own TCP port; 0 for any free one.
    pub port: u16,
    /// Tasks at a time.
    pub slots: u32,
    /// What runs the scripts.
    pub interpreter: Interpreter,
    /// How scripts come to it.
    pub start: Start,
    /// Whether `work/` keeps what the runs left.
    pub keep_work: bool,
    /// A limit on every run, whatever its task asks for.
    pub time_limit: Option<Duration>,
    /// The master, if it is not to be looked for.
    pub master: Option<Master>,
    /// Where to ask for one.
    pub everywhere: Everywhere,
}

/// What it is to be towards its master.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its own TCP port; 0 for any free one.
    pub port: u16,
    /// Tasks at a time.
    pub slots: u32,
    /// A limit on every run, whatever its task asks for.
    pub time_limit: Option<Duration>,
    /// The master, if it is not to be looked for.
    pub master: Option<Master>,
    /// Where to ask for one.
    pub everywhere: Everywhere,
}

/// What it stands on: who it is, what it had, what runs its tasks, and the network.
pub struct Footing {
    /// Who.
    pub id: PeerId,
    /// Which life.
    pub boot: BootId,
    /// Version of the interpreter.
    pub python: Option<String>,
    /// Results that an earlier life could not hand in.
    pub kept: Vec<Kept>,
    /// Runs the tasks.
    pub runner: Arc<dyn Runner>,
    /// The network.
    pub net: Arc<dyn Net>,
}

/// A running peer; its actors end with their arbiter.
pub struct Peer {
    acting: Acting,
    runner: Arc<Spooling<ScriptRunner>>,
    spool: Arc<Spool>,
    /// Held until all is done.
    _seat: Seat,
}

/// The actors of a running peer.
pub struct Acting {
    /// Where it listens.
    pub address: SocketAddr,
    session: Port<MasterSessionInbox>,
    gone: CancellationToken,
}

/// Why a peer cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// A socket could not be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// There is no place for it.
    #[error(transparent)]
    Seat(#[from] SeatError),
    /// There is nowhere to keep results.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is nowhere to work.
    #[error("failed to open the folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl Peer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.acting.address
    }

    /// Tells it to hand in what runs and leave, or to stop now.
    pub fn leave(&self, now: bool) {
        self.acting.leave(now);
    }

    /// Comes back once it has left, and left nothing in `work/` that is not wanted.
    pub async fn gone(&self) {
        self.acting.gone.cancelled().await;
        self.runner.tidied().await;
        self.runner.runner().tidied().await;
        let (left, folder) = (self.spool.count(), self.spool.folder().display());
        if left > 0 {
            let results = if left == 1 { "result" } else { "results" };
            tracing::warn!(
                "{left} {results} could not be handed in: kept in {folder} for the next start of a peer here"
            );
        }
    }
}

impl Acting {
    /// Tells it to hand in what runs and leave, or to stop now.
    pub fn leave(&self, now: bool) {
        self.session.tell(LeaveMaster { now }, Cause::OUTSIDE);
    }
}

/// Starts a peer in the current arbiter.
///
/// # Errors
/// [`PeerError`], in words fit for the user.
pub async fn start(config: Config, clock: Clock, log: MessageLog) -> Result<Peer, PeerError> {
    let ground = Ground::real();
    let Settled {
        seat,
        spool,
        kept,
        notes,
    } = settle(&config, Arc::clone(&ground.volume)).await?;
    let python = Some(config.interpreter.version.clone());
    let work = config.root.join("work");
    let opened = |error| PeerError::Folder {
        folder: work.clone(),
        error,
    };
    let runner = ScriptRunner::new(runner::Config {
        work: work.clone(),
        keep_work: config.keep_work,
        notes,
        interpreter: config.interpreter,
        start: config.start,
        templates: seat.templates(),
        peer: Some(seat.id().clone()),
        clock: clock.clone(),
    });
    let runner = runner.map_err(opened)?;
    runner.sweep().await.map_err(opened)?;
    runner.warm_up();
    let runner = Arc::new(Spooling::new(runner, Arc::clone(&spool), ground.hands));
    let footing = Footing {
        id: seat.id().clone(),
        boot: BootId::random(),
        python,
        kept,
        runner: Arc::clone(&runner) as Arc<dyn Runner>,
        net: Arc::new(RealNet),
    };
    let part = Part {
        port: config.port,
        slots: config.slots,
        time_limit: config.time_limit,
        master: config.master,
        everywhere: config.everywhere,
    };
    let acting = act(part, footing, clock, log).await?;
    Ok(Peer {
        acting,
        runner,
        spool,
        _seat: seat,
    })
}

/// Starts the actors of a peer, on any footing.
///
/// # Errors
/// When its port is taken, or a socket cannot be opened.
pub async fn act(
    part: Part,
    footing: Footing,
    clock: Clock,
    log: MessageLog,
) -> Result<Acting, SocketError> {
    let door = footing.net.listen(part.port, Host::Peer).await?;
    let identity = PeerIdentity {
        id: footing.id,
        boot: footing.boot,
        agent: format!("mutirao/{}", env!("CARGO_PKG_VERSION")),
        version: crate::VERSION.to_owned(),
        slots: part.slots,
        port: door.address.port(),
        python: footing.python,
    };
    let gone = CancellationToken::new();
    let lonely = where_it_looks(&part);
    let session = Context::<MasterSession>::new();
    let executor = Context::<Executor>::new();
    let to_session = port(
        &log,
        master_session::NAME,
        MasterSessionInbox::of(&session.address()),
    );
    let to_executor = port(&log, executor::NAME, ExecutorInbox::of(&executor.address()));
    let discovery = match &part.master {
        Some(_) => None,
        None => {
            let datagrams = footing.net.ask(part.everywhere).await?;
            let finder = start_finder(datagrams, &identity, &clock, &to_session);
            Some(port(&log, DISCOVERY, DiscoveryInbox::of(&finder)))
        }
    };
    executor.run(Executor::new(footing.runner, &to_session));
    session.run(MasterSession::new(Cast {
        identity,
        fixed: part.master,
        lonely,
        kept: footing.kept,
        dial: dialler(footing.net),
        clock: clock.clone(),
        time_limit: part.time_limit,
        discovery,
        executor: to_executor,
        gone: gone.clone(),
    }));
    let address = door.address;
    let doorway = Doorway::new(door, Desk::Peer(to_session.clone()), clock, log);
    actix_rt::spawn(doorway.let_in());
    Ok(Acting {
        address,
        session: to_session.used_by(PROGRAM),
        gone,
    })
}

/// Where a master is looked for, and what to type when none is found.
fn where_it_looks(part: &Part) -> String {
    let Everywhere { ports, places } = &part.everywhere;
    if let Some(master) = &part.master {
        let name = &master.name;
        return format!(
            "{name} was named and is tried again and again → mutirao doctor --master {name} finds out why"
        );
    }
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    let places: Vec<_> = places.iter().map(Place::to_string).collect();
    let besides = match places.is_empty() {
        true => String::new(),
        false => format!(", and {} besides", places.join(", ")),
    };
    format!(
        "asking on UDP port {} of every network of this machine{besides}, and going on → mutirao doctor finds out why",
        ports.join(", ")
    )
}

fn start_finder(
    datagrams: Datagrams,
    identity: &PeerIdentity,
    clock: &Clock,
    session: &Port<MasterSessionInbox>,
) -> Addr<Finder> {
    let questions = questions(Some(&identity.id), Some(identity.port));
    // Peers that start together are told apart by their boot ids, and so ask at different times.
    let seed = identity.boot.0.as_u64_pair().0;
    let finder = Finder::new(
        questions,
        seed,
        clock.clone(),
        datagrams.outgoing,
        session.used_by(DISCOVERY),
    );
    finder.hearing(datagrams.heard)
}

fn port<I>(log: &MessageLog, to: Name, inbox: I) -> Port<I> {
    Port::new(log.clone(), to, to, inbox)
}

fn dialler(net: Arc<dyn Net>) -> Dial {
    Arc::new(move |address| {
        let dialling = net.dial(address, DIAL_WITHIN);
        async { dialling.await.map_err(std::io::Error::other) }.boxed()
    })
}
