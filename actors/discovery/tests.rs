use std::sync::Mutex;

use futures_util::stream;
use tokio::task::LocalSet;
use uuid::Uuid;

use super::*;
use crate::message_log::{MessageLog, Name};
use crate::messages::{DescribePeerSelf, DiscoveryInbox, LeaveMaster, PrintedSeen, RunEnded};
use crate::wire::datagram::{Announce, encode_announce};
use crate::wire::dialect::Dialect;

/// Stands where the session with the master would, and keeps what it is told.
struct Session(Arc<Mutex<Vec<MasterFound>>>);

impl Actor for Session {
    type Context = Context<Self>;
}

impl Handler<Letter<MasterFound>> for Session {
    type Result = ();

    fn handle(&mut self, letter: Letter<MasterFound>, _: &mut Self::Context) {
        self.0.lock().unwrap().push(letter.open().0);
    }
}

macro_rules! deaf_to {
    ($($message:ty),+) => {$(
        impl Handler<Letter<$message>> for Session {
            type Result = ();
            fn handle(&mut self, _: Letter<$message>, _: &mut Self::Context) {}
        }
    )+};
}
deaf_to!(RunEnded, PrintedSeen, DescribePeerSelf, LeaveMaster);

/// A finder with everything around it.
struct Stage {
    finder: Port<DiscoveryInbox>,
    network: mpsc::UnboundedSender<Received>,
    outgoing: mpsc::Receiver<Outgoing>,
    found: Arc<Mutex<Vec<MasterFound>>>,
    clock: Clock,
}

fn stage() -> Stage {
    let clock = Clock::start();
    let log = MessageLog::new(clock.clone(), None);
    let found = Arc::new(Mutex::new(Vec::new()));
    let session = MasterSessionInbox::of(&Session(Arc::clone(&found)).start());
    let session = Port::new(
        log.clone(),
        Name::one("discovery"),
        Name::one("session"),
        session,
    );
    let (sender, outgoing) = mpsc::channel(4);
    let (network, datagrams) = wire();
    let asked = questions(Some(&PeerId::random()), Some(7));
    let finder = Finder::new(asked, 1, clock.clone(), sender, session).hearing(datagrams);
    let finder = DiscoveryInbox::of(&finder);
    let finder = Port::new(log, Name::one("session"), Name::one("discovery"), finder);
    Stage {
        finder,
        network,
        outgoing,
        found,
        clock,
    }
}

fn wire() -> (
    mpsc::UnboundedSender<Received>,
    impl Stream<Item = Received>,
) {
    let (network, mut datagrams) = mpsc::unbounded_channel();
    (network, stream::poll_fn(move |cx| datagrams.poll_recv(cx)))
}

fn announce(last: u8) -> Received {
    let ip = format!("10.0.0.{last}");
    let announce = Announce {
        dialect: Dialect::SuperPeer,
        ip: ip.as_str().into(),
        port: 50020,
        ours: None,
    };
    Received {
        from: format!("{ip}:50005").parse().unwrap(),
        bytes: encode_announce(&announce).into(),
    }
}

impl Stage {
    fn seek(&self, failed: &[&str]) {
        let failed = failed.iter().map(|at| at.parse().unwrap()).collect();
        self.finder.tell(SeekMaster { failed }, Cause::OUTSIDE);
    }

    /// When the next round of questions went out.
    async fn next_round(&mut self) -> Duration {
        let round = self.outgoing.recv().await.unwrap();
        let Outgoing::Everywhere(questions) = round else {
            panic!("not a round: {round:?}");
        };
        assert_eq!(questions.len(), DIALECTS.len());
        self.clock.now().since(crate::model::Moment::default())
    }

    /// Lets the (paused) time pass until nothing more would happen in this long.
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn found(&self) -> Vec<MasterFound> {
        self.found.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn two_announcements_are_one_master_found() {
    LocalSet::new()
        .run_until(async {
            let mut stage = stage();
            stage.seek(&[]);
            assert_eq!(stage.next_round().await, Duration::ZERO);
            stage.network.send(announce(2)).unwrap();
            stage.network.send(announce(1)).unwrap();
            stage.network.send(announce(2)).unwrap();
            stage.pass(Duration::from_secs(60)).await;
            let [found] = stage.found().try_into().unwrap();
            assert_eq!(found.addresses, ["10.0.0.1:50020".parse().unwrap()]);
            assert_eq!(found.dialect, Dialect::SuperPeer);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn it_asks_again_ever_more_rarely_until_told_to_stop() {
    LocalSet::new()
        .run_until(async {
            let mut stage = stage();
            stage.seek(&[]);
            let mut rounds = Vec::new();
            for _ in 0..6 {
                rounds.push(stage.next_round().await);
            }
            let pauses: Vec<_> = rounds.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(pauses.is_sorted() && pauses[0] < pauses[4], "{pauses:?}");
            stage.finder.tell(StopSeeking {}, Cause::OUTSIDE);
            stage.pass(Duration::from_secs(60)).await;
            assert!(stage.outgoing.try_recv().is_err());
            assert!(stage.found().is_empty());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_master_that_failed_is_found_again_if_there_is_no_other() {
    LocalSet::new()
        .run_until(async {
            let mut stage = stage();
            stage.seek(&["10.0.0.1:50020"]);
            stage.next_round().await;
            stage.network.send(announce(1)).unwrap();
            stage.pass(Duration::from_secs(1)).await;
            stage.seek(&["10.0.0.1:50020"]);
            stage.next_round().await;
            stage.network.send(announce(1)).unwrap();
            stage.network.send(announce(2)).unwrap();
            stage.pass(Duration::from_secs(1)).await;
            let firsts: Vec<_> = stage
                .found()
                .iter()
                .map(|found| found.addresses[0].to_string())
                .collect();
            assert_eq!(firsts, ["10.0.0.1:50020", "10.0.0.2:50020"]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_channel_and_a_dead_stream_leave_it_asking() {
    LocalSet::new()
        .run_until(async {
            let mut stage = stage();
            drop(std::mem::replace(
                &mut stage.network,
                mpsc::unbounded_channel().0,
            ));
            stage.seek(&[]);
            stage.pass(Duration::from_secs(120)).await;
            while stage.outgoing.try_recv().is_ok() {}
            let later = stage.next_round().await;
            assert!(later >= Duration::from_secs(120), "{later:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_master_answers_each_dialect_with_the_address_that_routes_to_the_asker() {
    LocalSet::new()
        .run_until(async {
            let (sender, mut outgoing) = mpsc::channel(8);
            let (network, datagrams) = wire();
            let identity = Identity {
                master_id: Uuid::from_u128(1),
                name: "lab".into(),
                epoch: 0,
                protocol: 2,
                capabilities: Vec::new(),
                port: 50020,
            };
            let routes: Routes =
                Box::new(|asker| asker.ip().is_ipv4().then_some([10, 0, 0, 7].into()));
            Answerer::new(identity, Clock::start(), sender, routes).hearing(datagrams);
            let unreachable = "[fe80::1]:4000".parse().unwrap();
            let asker = "10.0.0.1:4000".parse().unwrap();
            for from in [unreachable, asker] {
                for bytes in questions(None, None).iter().cloned() {
                    network.send(Received { from, bytes }).unwrap();
                }
            }
            for dialect in DIALECTS {
                let Some(Outgoing::To(to, bytes)) = outgoing.recv().await else {
                    panic!("no answer");
                };
                let Ok(Datagram::Announce(said)) = parse_datagram(&bytes) else {
                    panic!("not an announcement");
                };
                assert_eq!(
                    (to, said.dialect, said.ip.as_ref()),
                    (asker, dialect, "10.0.0.7")
                );
            }
            assert!(outgoing.try_recv().is_err());
        })
        .await;
}
