//! Discovery: on a peer it finds a master, on a master it answers who asks.
//!
//! Rule: it opens no socket. Datagrams come in as a stream and go out through a bounded channel; one that finds the
//! channel full is dropped, as the network might have done, and asked for again.
//!
//! Finder hears SeekMaster, StopSeeking, datagrams; tells MasterFound. Answerer hears datagrams only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, StreamHandler};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::logic::answering::{Answering, Identity};
use crate::logic::masters::DIALECTS;
use crate::logic::seeking::{Seeking, Step};
use crate::message_log::Cause;
use crate::messages::{MasterFound, MasterSessionInbox, SeekMaster, StopSeeking};
use crate::model::PeerId;
use crate::port::{Letter, Port};
use crate::wire::datagram::{Datagram, Discover, encode_discover, parse_datagram};

/// Fine enough for the shortest pause of the mind, half a second; it costs nothing measurable.
const TICK: Duration = Duration::from_millis(50);

/// A datagram that came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// Where it came from.
    pub from: SocketAddr,
    /// What it says.
    pub bytes: Bytes,
}

/// Datagrams to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// One round: each of these to every place where a master may be. Whoever owns the socket knows the places.
    Everywhere(Arc<[Bytes]>),
    /// This to one address.
    To(SocketAddr, Bytes),
}

/// The questions of one round, one in each dialect.
pub fn questions(peer_id: Option<&PeerId>, port: Option<u16>) -> Arc<[Bytes]> {
    let question = |dialect| {
        let peer_id = peer_id.cloned();
        encode_discover(&Discover {
            dialect,
            peer_id,
            port,
        })
        .into()
    };
    DIALECTS.into_iter().map(question).collect()
}

/// Finds a master.
pub struct Finder {
    mind: Seeking,
    questions: Arc<[Bytes]>,
    clock: Clock,
    outgoing: mpsc::Sender<Outgoing>,
    session: Port<MasterSessionInbox>,
}

impl Finder {
    /// A finder at rest; `questions` are what it asks, `seed` spreads its pauses.
    pub fn new(
        questions: Arc<[Bytes]>,
        seed: u64,
        clock: Clock,
        outgoing: mpsc::Sender<Outgoing>,
        session: Port<MasterSessionInbox>,
    ) -> Self {
        let mind = Seeking::new(seed);
        Self {
            mind,
            questions,
            clock,
            outgoing,
            session,
        }
    }

    /// Starts it; it hears these datagrams.
    pub fn hearing(self, datagrams: impl Stream<Item = Received> + 'static) -> Addr<Self> {
        Self::create(|ctx| {
            ctx.add_stream(datagrams);
            self
        })
    }

    fn sweep(&mut self) {
        match self.mind.sweep(self.clock.now()) {
            Some(Step::Ask) => {
                let round = Outgoing::Everywhere(Arc::clone(&self.questions));
                send(&self.outgoing, round);
            }
            Some(Step::Found(master)) => {
                let found = MasterFound {
                    name: master.name,
                    addresses: master.addresses,
                    dialect: master.dialect,
                };
                self.session.tell(found, Cause::OUTSIDE);
            }
            None => {}
        }
    }
}

impl Actor for Finder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(TICK, |finder, _| finder.sweep());
    }
}

impl StreamHandler<Received> for Finder {
    fn handle(&mut self, received: Received, _: &mut Self::Context) {
        match parse_datagram(&received.bytes) {
            Ok(Datagram::Announce(announce)) => {
                let now = self.clock.now();
                self.mind.hear(&announce, received.from.ip(), now);
            }
            Ok(Datagram::Discover(_)) => {}
            Err(error) => tracing::debug!(from = %received.from, "no announcement: {error}"),
        }
        self.sweep();
    }

    fn finished(&mut self, _: &mut Self::Context) {
        deaf();
    }
}

impl Handler<Letter<SeekMaster>> for Finder {
    type Result = ();

    fn handle(&mut self, letter: Letter<SeekMaster>, _: &mut Self::Context) {
        let (order, _) = letter.open();
        self.mind.seek(order.failed, self.clock.now());
        self.sweep();
    }
}

impl Handler<Letter<StopSeeking>> for Finder {
    type Result = ();

    fn handle(&mut self, _: Letter<StopSeeking>, _: &mut Self::Context) {
        self.mind.stop();
    }
}

/// Tells at which of its addresses this machine is reached by somebody; none if no route leads there.
pub type Routes = Box<dyn Fn(SocketAddr) -> Option<IpAddr>>;

/// Answers who asks for a master.
pub struct Answerer {
    mind: Answering,
    clock: Clock,
    outgoing: mpsc::Sender<Outgoing>,
    routes: Routes,
}

impl Answerer {
    /// Answers for this master.
    pub fn new(
        identity: Identity,
        clock: Clock,
        outgoing: mpsc::Sender<Outgoing>,
        routes: Routes,
    ) -> Self {
        let mind = Answering::new(identity);
        Self {
            mind,
            clock,
            outgoing,
            routes,
        }
    }

    /// Starts it; it hears these datagrams.
    pub fn hearing(self, datagrams: impl Stream<Item = Received> + 'static) -> Addr<Self> {
        Self::create(|ctx| {
            ctx.add_stream(datagrams);
            self
        })
    }
}

impl Actor for Answerer {
    type Context = Context<Self>;
}

impl StreamHandler<Received> for Answerer {
    fn handle(&mut self, received: Received, _: &mut Self::Context) {
        let Received { from, bytes } = received;
        let now = self.clock.now();
        if let Some(dialect) = self.mind.hear(&bytes, from, now)
            && let Some(ip) = (self.routes)(from)
        {
            let answer = self.mind.answer(dialect, ip).into();
            send(&self.outgoing, Outgoing::To(from, answer));
        }
        if let Some(unanswered) = self.mind.report(now) {
            let (junk, refused) = (unanswered.junk, unanswered.refused);
            tracing::info!(junk, refused, %from, "datagrams that got no answer");
        }
    }

    fn finished(&mut self, _: &mut Self::Context) {
        deaf();
    }
}

fn send(outgoing: &mpsc::Sender<Outgoing>, datagrams: Outgoing) {
    if let Err(error) = outgoing.try_send(datagrams) {
        tracing::debug!("a datagram was not sent: {error}");
    }
}

/// The stream of datagrams has ended. By itself that would stop the actor, and letters to it would go nowhere.
fn deaf() {
    tracing::warn!(
        "discovery hears no more datagrams; restart the program to be found or to find again"
    );
}

#[cfg(test)]
mod tests;
