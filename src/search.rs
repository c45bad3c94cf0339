//! Looks for masters once, for the command line and who asks over HTTP; a peer's own search never ends and is an actor's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use mutirao_actors::discovery::{Outgoing, Received, questions};
use mutirao_actors::logic::masters::{Master, Masters};
use mutirao_actors::wire::datagram::{Datagram, parse_datagram};
use mutirao_actors::wire::dialect::Dialect;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Interval, timeout};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::sockets::SocketError;
use crate::sockets::udp::{Everywhere, datagrams, discovery_asker, outgoing};

/// A datagram is easily lost, so the question is put again while there is time.
const ASK_EVERY: Duration = Duration::from_millis(900);
/// After the first answer the others get this long, so that the choice is that of any peer here.
const GATHER: Duration = Duration::from_millis(400);

/// One master that answered, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MasterRow {
    /// What its owner calls it.
    pub name: String,
    /// Where it is reached, the nearest first.
    #[schema(value_type = Vec<String>, example = json!(["192.168.1.10:50020"]))]
    pub addresses: Vec<SocketAddr>,
    /// In which dialect it answered.
    pub dialect: Dialect,
    /// The version of the protocol between programs of ours; null of others.
    pub protocol: Option<u32>,
    /// Which master of ours it is; null of others.
    pub master_id: Option<Uuid>,
    /// Which life of it, from 1; null of others.
    pub epoch: Option<u64>,
    /// Whether a peer on this machine would join this one.
    pub chosen: bool,
}

/// These masters, the one first that a peer would choose.
pub fn rows(masters: Vec<Master>) -> Vec<MasterRow> {
    let row = |(rank, master): (usize, Master)| MasterRow {
        name: master.name,
        addresses: master.addresses,
        dialect: master.dialect,
        protocol: master.ours.map(|ours| ours.protocol),
        master_id: master.ours.map(|ours| ours.master_id),
        epoch: master.ours.map(|ours| ours.epoch),
        chosen: rank == 0,
    };
    masters.into_iter().enumerate().map(row).collect()
}

/// All masters that answer within this time.
///
/// # Errors
/// When no socket can be opened.
pub async fn masters(everywhere: Everywhere, wait: Duration) -> Result<Masters, SocketError> {
    let mut search = Search::start(everywhere)?;
    search.listen(wait).await;
    Ok(search.heard)
}

/// The master of ours that a peer here would choose, as soon as it is known; none if none answers within this
/// time. Those of other groups know nothing of what the command line asks.
///
/// # Errors
/// When no socket can be opened.
pub async fn best(everywhere: Everywhere, wait: Duration) -> Result<Option<Master>, SocketError> {
    let mut search = Search::start(everywhere)?;
    let first = async {
        while best_of_ours(&search.heard).is_none() {
            search.next().await;
        }
    };
    if timeout(wait, first).await.is_ok() {
        search.listen(GATHER).await;
    }
    Ok(best_of_ours(&search.heard))
}

fn best_of_ours(heard: &Masters) -> Option<Master> {
    let ranked = heard.ranked(&[]);
    ranked.into_iter().find(|master| master.ours.is_some())
}

/// Asks now and again, and keeps what is answered.
struct Search {
    questions: Arc<[Bytes]>,
    asking: mpsc::Sender<Outgoing>,
    rounds: Interval,
    datagrams: BoxStream<'static, Received>,
    heard: Masters,
}

impl Search {
    fn start(everywhere: Everywhere) -> Result<Self, SocketError> {
        let socket = Arc::new(discovery_asker()?);
        Ok(Self {
            questions: questions(None, None),
            asking: outgoing(Arc::clone(&socket), everywhere),
            rounds: tokio::time::interval(ASK_EVERY),
            datagrams: datagrams(socket).boxed(),
            heard: Masters::default(),
        })
    }

    async fn listen(&mut self, time: Duration) {
        let forever = async {
            loop {
                self.next().await;
            }
        };
        let _: Result<(), _> = timeout(time, forever).await;
    }

    /// The next round of questions, or the next datagram.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.rounds.tick() => {
                let round = Outgoing::Everywhere(Arc::clone(&self.questions));
                if let Err(error) = self.asking.try_send(round) {
                    tracing::debug!("a round of questions was left out: {error}");
                }
            }
            Some(received) = self.datagrams.next() => {
                if let Ok(Datagram::Announce(announce)) = parse_datagram(&received.bytes) {
                    self.heard.hear(&announce, received.from.ip());
                }
            }
        }
    }
}
