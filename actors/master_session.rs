//! The peer's end of the wire: letters out, wire messages in, and back.
//!
//! Rule: decides nothing by itself; the mind does ([`Client`]). Connections come and go below it; a word from
//! a connection that was given up changes nothing.
//!
//! Hears: the master's messages, and [`MasterSessionInbox`](crate::messages::MasterSessionInbox). Tells: the executor what to run and to stop,
//! discovery when to look for a master.

mod inbound;
mod outbound;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, Handler, StreamHandler};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::connection::{Counted, Incoming, Moved, Room, Writer, open};
use crate::logic::client::{Client, Kept, Master, Order, Said, Terms};
use crate::message_log::{Cause, Name};
use crate::messages::{
    DescribePeerSelf, DiscoveryInbox, ExecutorInbox, ForgetRun, LeaveMaster, MasterFound,
    PrintedSeen, RunEnded, RunTask, SeePrinted, SeekMaster, StopAll, StopRun, StopSeeking,
};
use crate::model::{BootId, Moment, PeerId};
use crate::port::{Letter, Port};
use crate::runner::Job;
use crate::wire::scanner::Caps;
use crate::wire::{Extension, Extensions};

use inbound::{Told, take_apart};

/// How often overdue answers and due errands are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long a peer that was just started may be without a master before that is said: a master that is there is found within a
/// second, and one on a bad network within some.
const LONELY_AFTER: Duration = Duration::from_secs(5);
/// The name in the message log.
pub const NAME: Name = Name::one("master_session");

/// An open connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connection to a master.
pub struct Dialled {
    /// The bytes.
    pub stream: Box<dyn Duplex>,
    /// Our address on it: the one under which this master can reach us.
    pub local: Option<IpAddr>,
}

/// What comes of dialling.
pub type Dialling = BoxFuture<'static, io::Result<Dialled>>;
/// Opens a connection; every socket is opened by the program, not here.
pub type Dial = Arc<dyn Fn(SocketAddr) -> Dialling + Send + Sync>;

/// Who a peer is, as it tells its master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Who.
    pub id: PeerId,
    /// Which life.
    pub boot: BootId,
    /// Program and version.
    pub agent: String,
    /// Program version alone.
    pub version: String,
    /// Tasks at a time.
    pub slots: u32,
    /// The port on which it really listens.
    pub port: u16,
    /// Version of the interpreter.
    pub python: Option<String>,
}

/// The actor.
pub struct MasterSession {
    identity: PeerIdentity,
    mind: Client,
    time_limit: Option<Duration>,
    clock: Clock,
    dial: Dial,
    discovery: Option<Port<DiscoveryInbox>>,
    executor: Port<ExecutorInbox>,
    /// Which connection is the present one; a word from an earlier one is late.
    line: u64,
    writer: Option<Writer>,
    /// The extensions that the master of ours at its other end named.
    named: Extensions,
    /// Whom it was opened to.
    remote: Option<SocketAddr>,
    local: Option<IpAddr>,
    /// Why a master would not have us, as it was last said.
    refusal: Option<String>,
    /// What is to be said if no master answers, until that is said or one did.
    lonely: Option<String>,
    /// When it was started.
    started: Moment,
    /// Why there is no connection, as the last one that was tried said.
    obstacle: Option<String>,
    /// Bytes on the present connection.
    moved: Moved,
    /// Set once all is handed in and said.
    gone: CancellationToken,
}

/// What the wiring gives a master session.
pub struct Cast {
    /// Who we are.
    pub identity: PeerIdentity,
    /// A limit on every run, whatever its task asks for.
    pub time_limit: Option<Duration>,
    /// The master that was named, if one was.
    pub fixed: Option<Master>,
    /// Where it looks for one and what helps, for who watches it find none.
    pub lonely: String,
    /// What an earlier life of this peer left to be handed in.
    pub kept: Vec<Kept>,
    /// Opens connections.
    pub dial: Dial,
    /// The time.
    pub clock: Clock,
    /// Who looks for masters; none if one was named.
    pub discovery: Option<Port<DiscoveryInbox>>,
    /// Who runs tasks.
    pub executor: Port<ExecutorInbox>,
    /// Is cancelled once the peer may end.
    pub gone: CancellationToken,
}

/// What happens on a connection.
enum OnLine {
    Up(Writer, Option<IpAddr>),
    NotUp(io::Error),
    Told(Result<Told, String>),
    Down,
}

impl MasterSession {
    /// A peer's end without a connection yet.
    pub fn new(cast: Cast) -> Self {
        let terms = Terms {
            slots: cast.identity.slots,
            fixed: cast.fixed,
        };
        let started = cast.clock.now();
        Self {
            identity: cast.identity,
            mind: Client::new(terms).holding(cast.kept),
            time_limit: cast.time_limit,
            clock: cast.clock,
            dial: cast.dial,
            discovery: cast.discovery.map(|port| port.used_by(NAME)),
            executor: cast.executor.used_by(NAME),
            line: 0,
            writer: None,
            named: Extensions::default(),
            remote: None,
            local: None,
            refusal: None,
            lonely: Some(cast.lonely),
            started,
            obstacle: None,
            moved: Moved::default(),
            gone: cast.gone,
        }
    }

    fn carry_out(&mut self, orders: Vec<Order>, ctx: &mut Context<Self>, cause: Cause) {
        for order in orders {
            match order {
                Order::Seek(failed) => self.seek(failed, cause),
                Order::StopSeeking => self.stop_seeking(cause),
                Order::Dial(address) => self.open_line(address, ctx),
                Order::HangUp => self.hang_up(),
                Order::Say(id, dialect, say) => self.say(id, dialect, say),
                Order::Run(assignment) => {
                    let (task, attempt) = assignment.key;
                    let limits = [assignment.time_limit, self.time_limit];
                    let job = Job {
                        task,
                        attempt,
                        name: assignment.name,
                        sent_name: assignment.sent_name,
                        named: assignment.named,
                        master_id: assignment.master_id,
                        archive: assignment.archive,
                        time_limit: limits.into_iter().flatten().min(),
                        plain_result: assignment.plain_result,
                    };
                    self.executor.tell(RunTask { job }, cause);
                }
                Order::Stop((task, attempt)) => {
                    self.executor.tell(StopRun { task, attempt }, cause)
                }
                Order::Forget((task, attempt)) => {
                    self.executor.tell(ForgetRun { task, attempt }, cause)
                }
                Order::Look((task, attempt), from) => {
                    let see = SeePrinted {
                        task,
                        attempt,
                        from,
                    };
                    self.executor.tell(see, cause);
                }
                Order::StopAll => self.executor.tell(StopAll {}, cause),
                Order::Gone => self.gone.cancel(),
            }
        }
    }

    fn seek(&self, failed: Vec<SocketAddr>, cause: Cause) {
        if !failed.is_empty() {
            tracing::warn!(?failed, "the master is gone; looking for one");
        }
        if let Some(discovery) = &self.discovery {
            discovery.tell(SeekMaster { failed }, cause);
        }
    }

    fn stop_seeking(&self, cause: Cause) {
        if let Some(discovery) = &self.discovery {
            discovery.tell(StopSeeking {}, cause);
        }
    }

    fn open_line(&mut self, address: SocketAddr, ctx: &mut Context<Self>) {
        self.hang_up();
        self.remote = Some(address);
        let line = self.line;
        self.moved = Moved::default();
        let events = events((self.dial)(address), Moved::clone(&self.moved));
        ctx.add_stream(events.map(move |event| (line, event)));
    }

    /// Tells whoever started the peer that it is at work, and for whom.
    fn tell_who_serves(&self) {
        let (Some(master), Some(remote)) = (self.mind.master(), self.remote) else {
            return;
        };
        let (name, ip, slots) = (&master.name, remote.ip(), self.identity.slots);
        let python = self.identity.python.as_deref().unwrap_or("unknown");
        let unit = if slots == 1 { "slot" } else { "slots" };
        tracing::info!("found {name} ({ip}) · {slots} {unit} · python {python} · ready");
    }

    /// Says once that no master answers, when that has taken long; not any more once one did.
    fn tell_loneliness(&mut self) {
        if self.mind.master().is_some() {
            self.lonely = None;
        } else if self.clock.now().since(self.started) >= LONELY_AFTER
            && let Some(lonely) = self.lonely.take()
        {
            let why = self.obstacle.as_ref();
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            tracing::warn!("no master has answered yet{why}: {lonely}");
        }
    }

    /// Says why a master will not have us, once as long as it is the same.
    fn tell_refusal(&mut self, said: &Said) {
        // It did answer.
        self.lonely = None;
        if self.mind.master().is_some() {
            self.refusal = None;
        } else if let Said::Error(why, _) = said
            && self.refusal.as_ref() != Some(why)
        {
            tracing::warn!("the master turns us away: {why}");
            self.refusal = Some(why.clone());
        }
    }

    /// The master agrees to some of what our REGISTER offered.
    fn agree(&mut self, named: Extensions) {
        self.named = named;
        if let Some(writer) = self.writer.as_ref().filter(|_| named.has(Extension::Raw)) {
            writer.take_raw();
        }
    }

    fn hang_up(&mut self) {
        self.line += 1;
        if let Some(writer) = self.writer.take() {
            writer.close();
        }
    }
}

/// All that happens on one connection, from dialling it to its end.
fn events(dialling: Dialling, moved: Moved) -> impl Stream<Item = OnLine> {
    let opening = async move {
        match dialling.await {
            Ok(Dialled {
                stream: connection,
                local,
            }) => {
                let connection = Counted::new(connection, moved);
                let (messages, writer) =
                    open(connection, Caps::REPLIES, Room::of_one(), take_apart);
                let told = messages.map(|incoming| {
                    OnLine::Told(
                        incoming
                            .map_err(|broken| broken.to_string())
                            .and_then(|Incoming { message, .. }| message),
                    )
                });
                let up = stream::once(async move { OnLine::Up(writer, local) });
                up.chain(told)
                    .chain(stream::once(async { OnLine::Down }))
                    .boxed()
            }
            Err(error) => stream::once(async { OnLine::NotUp(error) }).boxed(),
        }
    };
    stream::once(opening).flatten()
}

impl Actor for MasterSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let orders = self.mind.start(self.clock.now());
        self.carry_out(orders, ctx, Cause::OUTSIDE);
        ctx.run_interval(TICK, |session, ctx| {
            session.mind.moved(session.moved.bytes());
            let orders = session.mind.tick(session.clock.now());
            session.carry_out(orders, ctx, Cause::OUTSIDE);
            session.tell_loneliness();
        });
    }
}

impl StreamHandler<(u64, OnLine)> for MasterSession {
    fn handle(&mut self, (line, event): (u64, OnLine), ctx: &mut Context<Self>) {
        if line != self.line {
            if let OnLine::Up(writer, _) = event {
                writer.close();
            }
            return;
        }
        let now = self.clock.now();
        let served = self.mind.master().is_some();
        let orders = match event {
            OnLine::Up(writer, local) => {
                self.writer = Some(writer);
                self.named = Extensions::default();
                self.local = local;
                self.mind.connected(now)
            }
            OnLine::NotUp(error) => {
                tracing::debug!("failed to connect to the master: {error}");
                self.obstacle = Some(error.to_string());
                self.mind.not_connected(now)
            }
            OnLine::Told(Ok(told)) => {
                self.tell_refusal(&told.said);
                if let Some(named) = told.named {
                    self.agree(named);
                }
                self.mind.heard(told.id, told.said, now)
            }
            OnLine::Told(Err(error)) => {
                tracing::warn!("closing the connection to the master: {error}");
                self.hang_up();
                self.mind.closed(now)
            }
            OnLine::Down => {
                self.writer = None;
                self.mind.closed(now)
            }
        };
        if !served {
            self.tell_who_serves();
        }
        self.carry_out(orders, ctx, Cause::OUTSIDE);
    }

    /// The end of a connection is not the end of the session.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

impl Handler<Letter<MasterFound>> for MasterSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<MasterFound>, ctx: &mut Context<Self>) {
        let (
            MasterFound {
                name,
                addresses,
                dialect,
            },
            cause,
        ) = letter.open();
        let master = Master {
            name,
            addresses,
            dialect: Some(dialect),
        };
        let orders = self.mind.found(master, self.clock.now());
        self.carry_out(orders, ctx, cause);
    }
}

impl Handler<Letter<RunEnded>> for MasterSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<RunEnded>, ctx: &mut Context<Self>) {
        let (
            RunEnded {
                task,
                attempt,
                outcome,
                result,
            },
            cause,
        ) = letter.open();
        let orders = self
            .mind
            .run_ended((task, attempt), outcome, result, self.clock.now());
        self.carry_out(orders, ctx, cause);
    }
}

impl Handler<Letter<PrintedSeen>> for MasterSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<PrintedSeen>, ctx: &mut Context<Self>) {
        let (saw, cause) = letter.open();
        let key = (saw.task, saw.attempt);
        let orders = self.mind.output_seen(key, saw.seen, self.clock.now());
        self.carry_out(orders, ctx, cause);
    }
}

impl Handler<Letter<LeaveMaster>> for MasterSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<LeaveMaster>, ctx: &mut Context<Self>) {
        let (LeaveMaster { now: at_once }, cause) = letter.open();
        let orders = self.mind.leave(at_once, self.clock.now());
        self.carry_out(orders, ctx, cause);
    }
}

impl Handler<Letter<DescribePeerSelf>> for MasterSession {
    type Result = ();

    fn handle(&mut self, letter: Letter<DescribePeerSelf>, _: &mut Context<Self>) {
        let (DescribePeerSelf { reply }, cause) = letter.open();
        self.describe(reply, cause);
    }
}
