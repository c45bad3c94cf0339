//! Senders that want to hurt: floods, silence, and connections that end at the worst moment.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use super::speakers::introduced;
use super::world::{Speaker, World, with_master};

/// More than a pipe and a connection take in without being read.
const FLOOD: usize = 50_000;

/// Bytes of a message that one connection may keep in memory, …
const LONG: usize = 5_700_000;
/// … and so many connections that no more of such messages are taken in: the last has the seat that is set aside.
const HOGS: u8 = 5;

/// An honest speaker is still served.
async fn assert_serves(world: &World) {
    let mut honest = world.connect(200);
    let alive = honest.ask(r#"{"action":"HEARTBEAT","peer_id":"honest"}"#);
    assert_eq!(alive.await, r#"{"status":"ALIVE"}"#);
}

/// Sends as much as the other side takes while nothing is read, and says how many messages that were.
async fn flood(speaker: &mut Speaker, message: &str) -> usize {
    let mut taken = 0;
    let flooding = async {
        while taken < FLOOD {
            speaker.stream.write_all(message.as_bytes()).await.unwrap();
            taken += 1;
        }
    };
    let _ = timeout(Duration::from_secs(1), flooding).await;
    taken
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_piled_up_without_reading_wait_at_the_sender() {
    with_master(async |world| {
        let ask = r#"{"action":"REQUEST_TASK","peer_id":"greedy"}"#;
        let mut greedy = world.connect(66);
        let taken = flood(&mut greedy, ask).await;
        // The pipes hold 4 KiB each way and the reader 4 KiB more; an answer is longer than a question.
        assert!(
            taken * ask.len() < 16 << 10,
            "{taken} requests were taken in"
        );
        assert_serves(&world).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_ours_that_piles_requests_up_has_64_of_them_waiting() {
    with_master(async |world| {
        let mut greedy = introduced(&world, 66, 1).await;
        let ask = r#"{"action":"REQUEST_TASK","id":9,"peer_id":"ours","wait_ms":60000}"#;
        flood(&mut greedy, ask).await;
        assert_eq!(world.stage.said("TaskRequested").len(), 64);
        drop(greedy);
        world.until("gone", |world| world.sessions() == 0).await;
        assert_serves(&world).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_heartbeats_is_answered_one_by_one_and_the_others_are_served() {
    with_master(async |world| {
        let beat = r#"{"action":"HEARTBEAT","peer_id":"eager"}"#;
        let mut eager = world.connect(66);
        for _ in 0..2_000 {
            eager.say(beat).await;
            assert_eq!(eager.next().await.unwrap(), r#"{"status":"ALIVE"}"#);
        }
        assert_serves(&world).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_tasks_and_hangs_up_takes_none_for_good() {
    with_master(async |world| {
        let task = world.put_task(1, 0);
        for host in 1..4 {
            let mut thief = world.connect(host);
            let ask = format!(r#"{{"action":"REQUEST_TASK","peer_id":"thief-{host}"}}"#);
            thief.say(ask).await;
            drop(thief);
            world.stage.settle().await;
            assert_eq!(world.sessions(), 0);
        }
        let _peer = world.peer(9, 1, &super::world::Cable::default());
        world.until("done", |world| world.all_done(&[task])).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_bytes_wait_until_others_leave_room_is_not_taken_for_silent() {
    with_master(async |world| {
        let head = r#"{"action":"SUBMIT_RESULT","peer_id":"ours","result_data":""#;
        let long = [head.as_bytes(), &[b'A'; LONG]].concat();
        let mut peer = introduced(&world, 1, 1).await;
        let mut hogs: Vec<_> = (66..66 + HOGS).map(|host| world.connect(host)).collect();
        for hog in &mut hogs {
            hog.say(&long).await;
        }
        let sending = timeout(Duration::from_secs(25), peer.stream.write_all(&long)).await;
        assert_eq!(world.stage.said("PeerFellSilent").len(), 0);
        assert!(sending.is_err(), "there was room for all of it");
        drop(hogs);
        let sending = timeout(Duration::from_secs(25), peer.stream.write_all(b"A")).await;
        assert!(sending.is_ok(), "it is read when there is room");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_or_half_a_message_loses_its_seat() {
    with_master(async |world| {
        let silent = world.connect(66);
        let mut half = world.connect(66);
        half.say(r#"{"action":"#).await;
        assert_eq!(world.sessions(), 2);
        sleep(Duration::from_secs(70)).await;
        assert_eq!(world.sessions(), 0);
        drop((silent, half));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_group_that_would_be_kept_with_every_task_is_short() {
    with_master(async |world| {
        let submit = |length: usize| {
            let group = "g".repeat(length);
            format!(
                r#"{{"action":"SUBMIT_TASK","task_name":"x","task_data":"MSAw","group":"{group}"}}"#
            )
        };
        let mut submitter = world.connect(66);
        let refused = submitter.ask(submit(129)).await;
        assert!(refused.contains("`group` must be a text"), "{refused}");
        assert!(submitter.ask(submit(128)).await.contains("ACCEPTED"));
        assert_eq!(world.shelves().tasks.len(), 1);
    })
    .await;
}
