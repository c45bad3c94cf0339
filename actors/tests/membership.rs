//! The registry and the heartbeat watch together, on paused time: who is told to have joined and left.

#![expect(clippy::unwrap_used, reason = "what is not there fails its test")]

use std::net::SocketAddr;
use std::time::Duration;

use actix::{AsyncContext as _, Context};
use mutirao_actors::heartbeat::{self, Heartbeat};
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{
    DescribePeer, HeartbeatInbox, ListPeers, PeerHeard, PeerRegistered, PeerSaidGoodbye,
    RegistryInbox, SchedulerInbox,
};
use mutirao_actors::model::{BootId, Endpoint, Life, RequestId, SessionId};
use mutirao_actors::port::Port;
use mutirao_actors::registry::{self, Registry};
use mutirao_actors::scheduler;
use mutirao_actors::testing::Stage;
use tokio::task::LocalSet;
use tokio::time::sleep;

struct Cast {
    stage: Stage,
    registry: Port<RegistryInbox>,
}

impl Cast {
    fn enter() -> Self {
        let stage = Stage::new();
        let (desk, watch) = (Context::<Registry>::new(), Context::<Heartbeat>::new());
        let to_registry = stage.port(registry::NAME, RegistryInbox::of(&desk.address()));
        let to_heartbeat = stage.port(heartbeat::NAME, HeartbeatInbox::of(&watch.address()));
        let to_scheduler = stage.probe(scheduler::NAME, SchedulerInbox::of);
        watch.run(Heartbeat::new(stage.clock(), &to_registry));
        desk.run(Registry::new(stage.clock(), &to_scheduler, &to_heartbeat));
        Self {
            stage,
            registry: to_registry,
        }
    }

    async fn registers(&self, endpoint: &Endpoint) {
        self.registers_on(SessionId(1), endpoint).await;
    }

    async fn registers_on(&self, session: SessionId, endpoint: &Endpoint) {
        let registered = PeerRegistered {
            endpoint: endpoint.clone(),
            session,
            from: [10, 0, 0, 9].into(),
            listens: Some(SocketAddr::from(([10, 0, 0, 9], 4000))),
            agent: Some("mutirao/1".into()),
            holds: None,
            slots: 4,
            reply: self.stage.reply_to(session, RequestId(7)),
        };
        self.registry.tell(registered, Cause::OUTSIDE);
        self.stage.settle().await;
    }

    async fn says_goodbye_on(&self, session: SessionId, endpoint: Endpoint) {
        self.registry
            .tell(PeerSaidGoodbye { endpoint, session }, Cause::OUTSIDE);
        self.stage.settle().await;
    }

    async fn speaks(&self, endpoint: &Endpoint, beat: bool) {
        let endpoint = endpoint.clone();
        self.registry
            .tell(PeerHeard { endpoint, beat }, Cause::OUTSIDE);
        self.stage.settle().await;
    }

    async fn beats_every(&self, endpoint: Endpoint, interval: u64, times: u32) {
        for _ in 0..times {
            self.speaks(&endpoint, true).await;
            sleep(Duration::from_secs(interval)).await;
        }
    }

    fn counts(&self) -> (usize, usize) {
        let count = |kind| self.stage.said(kind).len();
        (count("PeerJoined"), count("PeerLeft"))
    }
}

fn booted(boot: u128) -> Endpoint {
    Endpoint {
        peer: "ours".parse().unwrap(),
        life: Life::Boot(BootId(uuid::Uuid::from_u128(boot))),
    }
}

fn at(host: u8) -> Endpoint {
    Endpoint {
        peer: format!("p{host}").parse().unwrap(),
        life: Life::Address([10, 0, 0, host].into()),
    }
}

async fn on_stage(play: impl AsyncFnOnce(Cast)) {
    LocalSet::new()
        .run_until(async { play(Cast::enter()).await })
        .await;
}

#[tokio::test(start_paused = true)]
async fn who_registers_is_joined_first_and_then_welcomed() {
    on_stage(async |cast| {
        cast.registers(&booted(1)).await;
        let letters = cast.stage.letters();
        let from_registry = letters.iter().filter(|letter| letter["from"] == "registry");
        let kinds: Vec<_> = from_registry
            .map(|letter| letter["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["PeerHeard", "PeerJoined", "PeerWelcomed"]);
        assert_eq!(cast.stage.said("PeerJoined")[0]["orders"], "peer_session#1");
        assert_eq!(cast.stage.said("PeerWelcomed")[0]["request"], 7);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_of_ours_said_on_an_earlier_connection_and_comes_late_changes_nothing() {
    on_stage(async |cast| {
        cast.registers_on(SessionId(2), &booted(1)).await;
        cast.registers_on(SessionId(1), &booted(1)).await;
        assert_eq!(cast.counts(), (1, 0));
        assert_eq!(cast.stage.said("PeerJoined")[0]["session"], 2);
        assert_eq!(cast.stage.said("RequestRefused").len(), 1);
        cast.registers_on(SessionId(2), &booted(1)).await;
        cast.registers_on(SessionId(3), &booted(1)).await;
        assert_eq!(cast.counts(), (3, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn speakers_of_5_10_and_30_seconds_stay_and_leave_once_when_they_stop() {
    on_stage(async |cast| {
        for host in [5, 10, 30] {
            cast.registers(&at(host)).await;
        }
        tokio::join!(
            cast.beats_every(at(5), 5, 120),
            cast.beats_every(at(10), 10, 60),
            cast.beats_every(at(30), 30, 20),
        );
        assert_eq!(cast.counts(), (3, 0));
        sleep(Duration::from_secs(3600)).await;
        cast.stage.settle().await;
        assert_eq!(cast.counts(), (3, 3));
        let order: Vec<_> = cast.stage.said("PeerLeft");
        let order: Vec<_> = order.iter().map(|left| &left["endpoint"]["peer"]).collect();
        assert_eq!(order, ["p5", "p10", "p30"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_who_only_speaks_is_listed_and_leaves_without_having_joined() {
    on_stage(async |cast| {
        cast.speaks(&at(1), true).await;
        let reply = cast.stage.reply_to(SessionId(2), RequestId(1));
        cast.registry.tell(ListPeers { reply }, Cause::OUTSIDE);
        sleep(Duration::from_secs(200)).await;
        let listed = &cast.stage.said("TallyPeers")[0]["peers"];
        assert_eq!(listed[0][1]["state"], "heard");
        assert_eq!(cast.stage.said("PeerFellSilent").len(), 1);
        assert_eq!(cast.counts(), (0, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_boot_ends_the_old_life_and_its_late_words_change_nothing() {
    on_stage(async |cast| {
        cast.registers(&booted(1)).await;
        cast.registers(&booted(2)).await;
        assert_eq!(cast.counts(), (2, 1));
        let left = cast.stage.said("PeerLeft").remove(0);
        assert_eq!(left["why"], "it started a new life");
        assert_eq!(left["planned"], false);

        let before = cast.stage.said("PeerHeard").len();
        cast.speaks(&booted(1), true).await;
        assert_eq!(cast.stage.said("PeerHeard").len(), before);
        cast.registers(&booted(1)).await;
        assert_eq!(cast.counts(), (2, 1));
        assert_eq!(cast.stage.said("RequestRefused").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_registers_anew_is_joined_anew_and_never_left() {
    on_stage(async |cast| {
        cast.registers(&at(1)).await;
        cast.registers(&at(1)).await;
        assert_eq!(cast.counts(), (2, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_planned_and_told_once() {
    on_stage(async |cast| {
        cast.registers(&booted(1)).await;
        for _ in 0..2 {
            let endpoint = booted(1);
            cast.says_goodbye_on(SessionId(1), endpoint).await;
        }
        sleep(Duration::from_secs(1000)).await;
        assert_eq!(cast.counts(), (1, 1));
        assert_eq!(cast.stage.said("PeerLeft")[0]["planned"], true);
        assert!(cast.stage.said("PeerFellSilent").is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_was_held_up_on_an_older_connection_ends_nothing() {
    on_stage(async |cast| {
        cast.registers_on(SessionId(1), &booted(1)).await;
        cast.registers_on(SessionId(2), &booted(1)).await;
        cast.says_goodbye_on(SessionId(1), booted(1)).await;
        assert_eq!(cast.counts(), (2, 0));
        cast.says_goodbye_on(SessionId(2), booted(1)).await;
        assert_eq!(cast.counts(), (2, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_back_with_its_next_register() {
    on_stage(async |cast| {
        cast.registers(&booted(1)).await;
        sleep(Duration::from_secs(100)).await;
        assert_eq!(cast.counts(), (1, 1));
        cast.registers(&booted(1)).await;
        assert_eq!(cast.counts(), (2, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_of_ours_that_is_given_up_loses_its_connection_and_one_that_left_does_not() {
    on_stage(async |cast| {
        cast.registers(&booted(1)).await;
        let endpoint = booted(1);
        cast.says_goodbye_on(SessionId(1), endpoint).await;
        assert_eq!(cast.stage.said("HangUp").len(), 0);
        cast.registers(&booted(2)).await;
        cast.registers(&at(1)).await;
        sleep(Duration::from_secs(600)).await;
        cast.stage.settle().await;
        assert_eq!(cast.counts(), (3, 3));
        assert_eq!(cast.stage.said("HangUp").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_stall_of_ours_nobody_is_gone() {
    on_stage(async |cast| {
        cast.registers(&at(1)).await;
        cast.beats_every(at(1), 5, 10).await;
        tokio::time::advance(Duration::from_secs(600)).await;
        cast.stage.settle().await;
        assert_eq!(cast.counts(), (1, 0));
        cast.beats_every(at(1), 5, 10).await;
        assert_eq!(cast.counts(), (1, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_described_with_where_it_listens() {
    on_stage(async |cast| {
        cast.registers(&at(1)).await;
        for name in ["p1", "nobody"] {
            let peer = name.parse().unwrap();
            let reply = cast.stage.reply_to(SessionId(2), RequestId(1));
            cast.registry
                .tell(DescribePeer { peer, reply }, Cause::OUTSIDE);
        }
        cast.stage.settle().await;
        let described = cast.stage.said("PeerDescribed");
        assert_eq!(described[0]["peer"]["address"], "10.0.0.9:4000");
        assert_eq!(described[0]["peer"]["slots"], 4);
        assert!(described[1]["peer"].is_null());
    })
    .await;
}
