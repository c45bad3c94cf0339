//! The peer's cast list: its seat taken, its ports made, its actors started, its own port opened.

pub mod seat;
mod settle;
pub mod spool;
pub mod spooling;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext as _, Context};
use futures_util::FutureExt as _;
use mutirao_actors::clock::Clock;
use mutirao_actors::discovery::{Finder, questions};
use mutirao_actors::executor::{self, Executor};
use mutirao_actors::logic::client::{Kept, Master};
use mutirao_actors::master_session::{self, Cast, Dial, Dialled, MasterSession, PeerIdentity};
use mutirao_actors::message_log::{Cause, MessageLog, Name};
use mutirao_actors::messages::{DiscoveryInbox, ExecutorInbox, LeaveMaster, MasterSessionInbox};
use mutirao_actors::model::BootId;
use mutirao_actors::peer_session::Desk;
use mutirao_actors::port::Port;
use tokio_util::sync::CancellationToken;

use crate::disk::DiskError;
use crate::doorway::Doorway;
use crate::ground::Ground;
use crate::runner::{self, Interpreter, ScriptRunner};
use crate::sockets::SocketError;
use crate::sockets::tcp::{dial, listen_tcp, local_address};
use crate::sockets::udp::{Everywhere, datagrams, discovery_asker, outgoing};

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
    /// Whether `work/` keeps what the runs left.
    pub keep_work: bool,
    /// A limit on every run, whatever its task asks for.
    pub time_limit: Option<Duration>,
    /// The master, if it is not to be looked for.
    pub master: Option<Master>,
    /// Where to ask for one.
    pub everywhere: Everywhere,
}

/// A running peer; its actors end with their arbiter.
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    session: Port<MasterSessionInbox>,
    gone: CancellationToken,
    runner: Arc<Spooling<ScriptRunner>>,
    spool: Arc<Spool>,
    /// Held until all is done.
    _seat: Seat,
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
    /// Tells it to hand in what runs and leave, or to stop now.
    pub fn leave(&self, now: bool) {
        self.session.tell(LeaveMaster { now }, Cause::OUTSIDE);
    }

    /// Comes back once it has left, and left nothing in `work/` that is not wanted.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
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

/// Starts a peer in the current arbiter.
///
/// # Errors
/// [`PeerError`], in words fit for the user.
pub async fn start(config: Config, clock: Clock, log: MessageLog) -> Result<Peer, PeerError> {
    let wildcard = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), config.port);
    let listener = listen_tcp(wildcard)?;
    let address = local_address(&listener, config.port)?;
    let ground = Ground::real();
    let Settled {
        seat,
        spool,
        kept,
        notes,
    } = settle(&config, Arc::clone(&ground.volume)).await?;
    let identity = PeerIdentity {
        id: seat.id().clone(),
        boot: BootId::random(),
        agent: format!("mutirao/{}", env!("CARGO_PKG_VERSION")),
        version: crate::VERSION.to_owned(),
        slots: config.slots,
        port: address.port(),
        python: Some(config.interpreter.version.clone()),
    };
    let work = config.root.join("work");
    let opened = |error| PeerError::Folder {
        folder: work.clone(),
        error,
    };
    let runner = ScriptRunner::new(runner::Config {
        work: work.clone(),
        keep_work: config.keep_work,
        notes,
        interpreter: config.interpreter.clone(),
        peer: Some(identity.id.clone()),
        clock: clock.clone(),
    });
    let runner = runner.map_err(opened)?;
    runner.sweep().await.map_err(opened)?;
    let gone = CancellationToken::new();
    let runner = Arc::new(Spooling::new(runner, Arc::clone(&spool), ground.hands));
    let actors_runner = Arc::clone(&runner);
    let session = start_actors(
        config,
        identity,
        kept,
        actors_runner,
        &clock,
        &log,
        gone.clone(),
    )?;
    let doorway = Doorway::new(Desk::Peer(session.clone()), clock, log);
    actix_rt::spawn(doorway.let_in(listener));
    Ok(Peer {
        address,
        session: session.used_by(PROGRAM),
        gone,
        runner,
        spool,
        _seat: seat,
    })
}

fn start_actors(
    config: Config,
    identity: PeerIdentity,
    kept: Vec<Kept>,
    runner: Arc<Spooling<ScriptRunner>>,
    clock: &Clock,
    log: &MessageLog,
    gone: CancellationToken,
) -> Result<Port<MasterSessionInbox>, SocketError> {
    let session = Context::<MasterSession>::new();
    let executor = Context::<Executor>::new();
    let to_session = port(
        log,
        master_session::NAME,
        MasterSessionInbox::of(&session.address()),
    );
    let to_executor = port(log, executor::NAME, ExecutorInbox::of(&executor.address()));
    let discovery = match &config.master {
        Some(_) => None,
        None => Some(start_finder(&config, &identity, clock, &to_session, log)?),
    };
    executor.run(Executor::new(runner, &to_session));
    session.run(MasterSession::new(Cast {
        identity,
        fixed: config.master,
        kept,
        dial: dialler(),
        clock: clock.clone(),
        time_limit: config.time_limit,
        discovery,
        executor: to_executor,
        gone,
    }));
    Ok(to_session)
}

fn start_finder(
    config: &Config,
    identity: &PeerIdentity,
    clock: &Clock,
    session: &Port<MasterSessionInbox>,
    log: &MessageLog,
) -> Result<Port<DiscoveryInbox>, SocketError> {
    let socket = Arc::new(discovery_asker()?);
    let asking = outgoing(Arc::clone(&socket), config.everywhere.clone());
    let questions = questions(Some(&identity.id), Some(identity.port));
    // Peers that start together are told apart by their boot ids, and so ask at different times.
    let seed = identity.boot.0.as_u64_pair().0;
    let finder = Finder::new(
        questions,
        seed,
        clock.clone(),
        asking,
        session.used_by(DISCOVERY),
    );
    let finder = finder.hearing(datagrams(socket));
    Ok(port(log, DISCOVERY, DiscoveryInbox::of(&finder)))
}

fn port<I>(log: &MessageLog, to: Name, inbox: I) -> Port<I> {
    Port::new(log.clone(), to, to, inbox)
}

fn dialler() -> Dial {
    Arc::new(|address| {
        async move {
            let stream = dial(address, DIAL_WITHIN)
                .await
                .map_err(std::io::Error::other)?;
            let local = stream.local_addr().ok().map(|local| local.ip());
            Ok(Dialled {
                stream: Box::new(stream),
                local,
            })
        }
        .boxed()
    })
}
