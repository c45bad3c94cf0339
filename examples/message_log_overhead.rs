//! Measures what the message log costs its sender: nanoseconds for a letter, by what is done with it.
//!
//! `cargo run --release --example message_log_overhead`

use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Message, Recipient};
use mutirao::message_file::MessageFile;
use mutirao::trace::filter::{Filter, Wanted};
use mutirao::trace::source::Source;
use mutirao::trace::view::{Form, Look, View};
use mutirao_actors::clock::Clock;
use mutirao_actors::message_log::{Cause, MessageLog, Name};
use mutirao_actors::model::{Attempt, BootId, Digest, Endpoint, Life, PeerId, RequestId, TaskId};
use mutirao_actors::port::{Ear, Hears, Letter, Port};
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Letters sent before the addressee gets to run: short, so that other programs disturb few bursts.
const BURST: usize = 500;
/// Bursts measured of each kind; the median is told.
const BURSTS: usize = 801;

/// As small as letters get, and the most frequent one.
#[derive(Debug, Clone, Serialize)]
struct PeerHeard {
    endpoint: Endpoint,
    beat: bool,
}

/// As large as frequent letters get.
#[derive(Debug, Clone, Serialize)]
struct TaskOffered {
    request: RequestId,
    offer: Offer,
}

#[derive(Debug, Clone, Serialize)]
struct Offer {
    task: TaskId,
    attempt: Attempt,
    name: String,
    sha256: Digest,
    time_limit: Option<Duration>,
}

/// The same letter without a number, as it would be sent without a log.
struct Bare<M>(M);

impl<M> Message for Bare<M> {
    type Result = ();
}

/// Hears everything and tells when a burst is over.
struct Listener {
    heard: usize,
    done: UnboundedSender<()>,
}

impl Listener {
    fn count(&mut self) {
        self.heard += 1;
        if self.heard.is_multiple_of(BURST) {
            // The measurement has ended if nobody waits for it.
            let _ = self.done.send(());
        }
    }
}

impl Actor for Listener {
    type Context = Context<Self>;
}

impl<M: Send + 'static> Handler<Letter<M>> for Listener {
    type Result = ();

    fn handle(&mut self, letter: Letter<M>, _: &mut Context<Self>) {
        std::hint::black_box(letter.open());
        self.count();
    }
}

impl<M: Send + 'static> Handler<Bare<M>> for Listener {
    type Result = ();

    fn handle(&mut self, bare: Bare<M>, _: &mut Context<Self>) {
        std::hint::black_box(bare.0);
        self.count();
    }
}

struct Inbox(Addr<Listener>);

impl<M: Send + 'static> Hears<M> for Inbox {
    fn ear(&self) -> &dyn Ear<M> {
        &self.0
    }
}

/// A listener, and what it says at the end of a burst.
struct Stage {
    listener: Addr<Listener>,
    done: UnboundedReceiver<()>,
    clock: Clock,
}

impl Stage {
    fn set(clock: &Clock) -> Self {
        let (done, at_end) = unbounded_channel();
        let listener = Listener { heard: 0, done }.start();
        Self {
            listener,
            done: at_end,
            clock: clock.clone(),
        }
    }

    /// Nanoseconds for one letter in the median burst; the hearing is not counted.
    async fn measure(&mut self, mut send: impl FnMut()) -> u128 {
        let mut took = Vec::with_capacity(BURSTS);
        for _ in 0..BURSTS {
            let before = self.clock.now();
            (0..BURST).for_each(|_| send());
            took.push(self.clock.now().since(before).as_nanos() / BURST as u128);
            self.done.recv().await;
        }
        took.sort_unstable();
        took[BURSTS / 2]
    }

    #[expect(clippy::disallowed_methods, reason = "the baseline that has no log")]
    async fn bare<M: Clone + Send + 'static>(&mut self, message: &M) -> u128 {
        let recipient: Recipient<Bare<M>> = self.listener.clone().recipient();
        self.measure(|| recipient.do_send(Bare(message.clone())))
            .await
    }

    async fn logged<M>(&mut self, message: &M, log: &MessageLog) -> u128
    where
        M: Clone + Serialize + Send + 'static,
    {
        let inbox = Inbox(self.listener.clone());
        let session = Name::numbered("peer_session", 3);
        let port = Port::new(log.clone(), session, Name::one("registry"), inbox);
        self.measure(|| port.tell(message.clone(), Cause::from(17)))
            .await
    }
}

/// One row of figures: bare, ring, ring and file.
async fn row<M>(what: &str, message: &M, clock: &Clock) -> anyhow::Result<()>
where
    M: Clone + Serialize + Send + 'static,
{
    let dir = tempfile::tempdir()?;
    let mut stage = Stage::set(clock);
    let bare = stage.bare(message).await;
    let ring = stage
        .logged(message, &MessageLog::new(clock.clone(), None))
        .await;
    let file = MessageFile::start(dir.path())?;
    let log = MessageLog::new(clock.clone(), Some(file.sink()));
    let filed = stage.logged(message, &log).await;
    file.close();
    let look = Look {
        form: Form::Text,
        zone: jiff::tz::TimeZone::UTC,
        width: None,
        live: false,
    };
    let filter = Filter::new(Wanted::default());
    let mut view = View::new(look, filter, None, std::io::sink());
    view.show(
        &mut Source::open(&dir.path().join("messages.jsonl"))?,
        || false,
    )?;
    let (written, lost) = (view.matched(), view.lost());
    println!("{what:<12} {bare:>8} {ring:>8} {filed:>8} {written:>9} {lost:>6}");
    Ok(())
}

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    let clock = Clock::start();
    let endpoint = Endpoint {
        peer: PeerId::random(),
        life: Life::Boot(BootId::random()),
    };
    let heard = PeerHeard {
        endpoint,
        beat: true,
    };
    let offered = TaskOffered {
        request: RequestId(7),
        offer: Offer {
            task: TaskId::new(),
            attempt: Attempt(2),
            name: "exemplo.2.zip".into(),
            sha256: Digest::of(b"a task"),
            time_limit: Some(Duration::from_secs(600)),
        },
    };
    println!("ns a letter      bare     ring     file   written   lost");
    row("PeerHeard", &heard, &clock).await?;
    row("TaskOffered", &offered, &clock).await
}
