//! Looks for masters once, for the command line; a peer's own search never ends and is an actor's.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use mutirao_actors::discovery::{Outgoing, Received, questions};
use mutirao_actors::logic::masters::{Master, Masters};
use mutirao_actors::wire::datagram::{Datagram, parse_datagram};
use tokio::sync::mpsc;
use tokio::time::{Interval, timeout};

use crate::sockets::SocketError;
use crate::sockets::udp::{Everywhere, datagrams, discovery_asker, outgoing};

/// A datagram is easily lost, so the question is put again while there is time.
const ASK_EVERY: Duration = Duration::from_millis(900);
/// After the first answer the others get this long, so that the choice is that of any peer here.
const GATHER: Duration = Duration::from_millis(400);

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
