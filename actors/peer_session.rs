//! One connection that somebody opened to us: wire messages in, letters out, and back.
//!
//! Role: on the master it serves peers and the command line; on a peer it serves whoever asks, on the
//! peer's own port, how it is. Identity is what a message says, never the connection.
//!
//! Rule: each request is answered once, in its own dialect, in the order of asking unless both sides
//! match replies by `id`. Several tasks for one request are one answer of several messages.
//!
//! Hears: the connection's messages, and the answers of [`SessionInbox`].
//! Tells: the registry who speaks, the scheduler what is asked and handed in, the folders what to load, whoever follows a
//! try what it prints.

mod handlers;
mod inbound;
mod outbound;
mod serve;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext as _, Context, StreamHandler};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{Span, error_span};
use uuid::Uuid;

use crate::clock::Clock;
use crate::connection::{Broken, Counted, Incoming, Moved, Room, Turn, Writer, open};
use crate::logic::effect::Offer;
use crate::message_log::{Cause, MessageLog, Name};
use crate::messages::{
    FoldersInbox, MasterSessionInbox, OutputsInbox, RegistryInbox, SchedulerInbox, SessionClosed,
    SessionInbox,
};
use crate::model::{Attempt, BootId, Endpoint, Moment, PeerId, RequestId, SessionId, TaskId};
use crate::port::Port;
use crate::wire::scanner::Caps;
use crate::wire::{Dialect, Extension, Extensions, Reply, encode_reply};

use inbound::{Told, take_apart};

/// How often it is looked whether bytes have moved: a third of the shortest time after which a silent peer is given up.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Tries that are followed at a time on one connection: as many as a peer of ours takes.
const FOLLOWED_MAX: usize = 64;

/// Whom a session serves for.
#[derive(Debug, Clone)]
pub enum Desk {
    /// The master.
    Master(MasterDesk),
    /// A peer's own port.
    Peer(Port<MasterSessionInbox>),
}

/// What a session on the master needs.
#[derive(Debug, Clone)]
pub struct MasterDesk {
    /// Who is in the cluster.
    pub registry: Port<RegistryInbox>,
    /// Who runs what.
    pub scheduler: Port<SchedulerInbox>,
    /// What lies on disk.
    pub folders: Port<FoldersInbox>,
    /// Who we are.
    pub identity: Arc<MasterIdentity>,
}

/// Who a master is, as it tells others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterIdentity {
    /// Which master.
    pub id: Uuid,
    /// Its name, for people.
    pub name: String,
    /// Which reign of it.
    pub epoch: u64,
    /// Program version.
    pub version: String,
    /// How often peers of ours are to send a heartbeat.
    pub heartbeat: Duration,
}

/// A request that is not answered yet.
#[derive(Debug)]
struct Pending {
    dialect: Dialect,
    id: Option<u64>,
    turn: Turn,
    /// The tasks that it is given and has not got yet, in order; the first is being loaded.
    offers: VecDeque<Offer>,
    /// Whether the answer is wanted in the short form of the super-peer dialect.
    brief: bool,
}

/// A connection that was let in.
pub struct Connection<S> {
    /// The bytes.
    pub stream: S,
    /// Who opened it.
    pub remote: SocketAddr,
    /// Which connection.
    pub id: SessionId,
    /// What it shares with the others for long messages.
    pub room: Room,
    /// What bounds how many there are; dropped when the session ends.
    pub seat: Box<dyn Send>,
}

/// One connection.
pub struct PeerSession {
    id: SessionId,
    remote: SocketAddr,
    clock: Clock,
    desk: Desk,
    writer: Writer,
    pending: HashMap<RequestId, Pending>,
    last_request: RequestId,
    /// The peer of ours that introduced itself on this connection.
    ours: Option<(PeerId, BootId)>,
    /// The extensions that whoever introduced itself last has named; none if it did not speak of them.
    named: Option<Extensions>,
    /// Who was last said to live, and when.
    told: Option<(Endpoint, Moment)>,
    /// Who is told what these tries print, and until when.
    followed: BTreeMap<(TaskId, Attempt), (Port<OutputsInbox>, Moment)>,
    /// Bytes that moved on the connection, and how many had when it was last looked.
    moved: Moved,
    moved_before: u64,
    /// In which dialect the other side last spoke, as far as its messages tell.
    spoken: Dialect,
    me: Option<Port<SessionInbox>>,
    _seat: Box<dyn Send>,
}

impl PeerSession {
    /// Starts a session on a connection; `seat` is held as long as the session lives.
    pub fn start<S>(connection: Connection<S>, desk: Desk, clock: Clock, log: MessageLog)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Connection {
            stream,
            remote,
            id,
            room,
            seat,
        } = connection;
        let name = Name::numbered("peer_session", id.0);
        let moved = Moved::default();
        let stream = Counted::new(stream, Moved::clone(&moved));
        let (messages, writer) = open(stream, Caps::REQUESTS, room, take_apart);
        let session = Self {
            id,
            remote,
            clock,
            desk: desk.used_by(name),
            writer,
            pending: HashMap::new(),
            last_request: RequestId::default(),
            ours: None,
            named: None,
            told: None,
            followed: BTreeMap::new(),
            moved,
            moved_before: 0,
            spoken: Dialect::default(),
            me: None,
            _seat: seat,
        };
        Self::create(|ctx| {
            ctx.add_stream(messages);
            let me = Port::new(log, name, name, SessionInbox::of(&ctx.address()));
            Self {
                me: Some(me),
                ..session
            }
        });
    }

    /// What every log line about a message carries: the connection, and who speaks as far as that is known. Made only
    /// where there is such a line, for it costs more than most messages do. Of the highest level, for a span that is
    /// filtered out takes its fields from the lines that are not.
    fn span(&self) -> Span {
        let speaker = self.told.as_ref().map(|(endpoint, _)| &endpoint.peer);
        let peer = speaker.map(PeerId::as_str);
        error_span!("session", session = self.id.0, peer)
    }

    /// Whether this extension was named by whoever introduced itself last.
    fn knows(&self, extension: Extension) -> bool {
        self.named.is_some_and(|named| named.has(extension))
    }

    /// Whether tries are told by their ids on this connection.
    fn names_tries(&self) -> bool {
        self.named.is_some_and(Extensions::name_tries)
    }

    /// Whether payloads may follow their messages on this connection: those of tries need what names them.
    fn speaks_raw(&self) -> bool {
        self.names_tries() && self.knows(Extension::Raw)
    }

    /// Answers a request; what was answered before stays answered.
    fn answer(&mut self, request: RequestId, reply: &Reply<'_>) {
        if let Some(pending) = self.pending.remove(&request) {
            let bytes = encode_reply(pending.dialect, pending.id, reply);
            self.writer.send(bytes, Some(pending.turn));
        }
    }
}

impl MasterDesk {
    /// The same desk, spoken to by another actor.
    #[must_use]
    pub fn used_by(self, name: Name) -> Self {
        Self {
            registry: self.registry.used_by(name),
            scheduler: self.scheduler.used_by(name),
            folders: self.folders.used_by(name),
            identity: self.identity,
        }
    }
}

impl Desk {
    /// The same desk, spoken to by another actor.
    fn used_by(self, name: Name) -> Self {
        match self {
            Self::Master(desk) => Self::Master(desk.used_by(name)),
            Self::Peer(peer) => Self::Peer(peer.used_by(name)),
        }
    }
}

impl Actor for PeerSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_EVERY, |session, _| session.tell_if_moving());
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.hand_back_offers();
        if let (Desk::Master(desk), Some(_)) = (&self.desk, &self.ours) {
            desk.scheduler
                .tell(SessionClosed { session: self.id }, Cause::OUTSIDE);
        }
    }
}

impl StreamHandler<Result<Incoming<Told>, Broken>> for PeerSession {
    fn handle(&mut self, incoming: Result<Incoming<Told>, Broken>, _: &mut Context<Self>) {
        match incoming {
            Ok(Incoming { message, turn }) => self.hear(message, turn),
            Err(broken) => {
                self.span().in_scope(|| {
                    tracing::warn!(remote = %self.remote, "closing a connection: {broken}");
                });
                let reply = self.error(broken.to_string(), Some("broken"));
                self.writer
                    .send(encode_reply(self.spoken, None, &reply), None);
            }
        }
    }
}
