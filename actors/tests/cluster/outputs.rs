//! What tasks print, from the peer that runs them to whoever reads it.

use std::time::Duration;

use mutirao_actors::logic::outputs::Place;
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{ReadOutput, ReaderLeft};
use mutirao_actors::model::{BootId, RequestId, SessionId, TaskId};
use serde_json::Value;
use tokio::time::sleep;

use super::speakers::{registration, registration_with};
use super::world::{Cable, World, with_master};

/// Somebody reads what a task prints from the beginning, and is answered in the end.
async fn read(world: &World, task: TaskId) -> Value {
    let before = world.stage.said("OutputTold").len();
    let read = ReadOutput {
        task,
        place: Place::default(),
        wait: Duration::from_secs(10),
        reply: world.stage.reply_to(SessionId(77), RequestId(1)),
    };
    world.outputs.tell(read, Cause::OUTSIDE);
    world
        .until("answered", |world| {
            world.stage.said("OutputTold").len() > before
        })
        .await;
    world.stage.said("OutputTold").pop().unwrap()["news"].take()
}

/// The same, until the answer is like that.
async fn read_until(world: &World, task: TaskId, is_it: impl Fn(&Value) -> bool) -> Value {
    loop {
        let news = read(world, task).await;
        if is_it(&news) {
            return news;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn count(world: &World, kind: &str) -> usize {
    world.stage.said(kind).len()
}

#[tokio::test(start_paused = true)]
async fn what_a_run_prints_is_told_while_it_runs_and_only_while_somebody_reads() {
    with_master(async |world| {
        let task = world.put_task(10_000, 0);
        let _peer = world.peer(1, 1, &Cable::default());
        world
            .until("it runs", |world| world.runs_of(task).len() == 1)
            .await;
        world.runner.prints(task, "hello");
        sleep(Duration::from_secs(30)).await;
        assert_eq!(
            count(&world, "FollowOutput") + count(&world, "SeePrinted"),
            0
        );

        let news = read_until(&world, task, |news| news["is_caught_up"] == true).await;
        assert_eq!(news["place"]["read"][1]["stdout"], 5, "{news}");
        assert!(news["standing"]["running"]["attempt"] == 1, "{news}");
        world.runner.prints(task, " again");
        let read = |news: &Value| news["place"]["read"][1]["stdout"] == 11;
        read_until(&world, task, read).await;

        sleep(Duration::from_secs(60)).await;
        let looks = count(&world, "SeePrinted");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(count(&world, "SeePrinted"), looks, "nobody reads any more");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_know_how_is_asked_for_nothing_and_the_reader_knows() {
    with_master(async |world| {
        let task = world.put_task(10_000, 0);
        let mut ours = world.connect(2);
        ours.ask(registration("ours", BootId::random(), 1)).await;
        let package = ours
            .ask(r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#)
            .await;
        assert!(package.contains("TASK_PACKAGE"), "{package}");
        read_until(&world, task, |news| news["is_withheld"] == true).await;
        let alive = ours
            .ask(r#"{"action":"HEARTBEAT","id":3,"peer_id":"ours"}"#)
            .await;
        assert!(alive.contains("ALIVE"), "{alive}");
    })
    .await;
}

fn output(peer: &str, task: TaskId) -> String {
    format!(
        r#"{{"action":"OUTPUT","id":9,"peer_id":"{peer}","task_id":"{task}","attempt":1,"stream":"stdout","offset":0,"printed":"aGk="}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn what_nobody_follows_is_not_heard() {
    with_master(async |world| {
        let task = world.put_task(10_000, 0);
        let mut ours = world.connect(2);
        ours.ask(registration("ours", BootId::random(), 1)).await;
        let answer = ours.ask_value(output("ours", task)).await;
        assert_eq!(answer["code"], "not_followed", "{answer}");
        assert_eq!(count(&world, "OutputCame"), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_run_prints_is_taken_from_its_own_peer_alone_and_makes_nobody_else_a_peer() {
    with_master(async |world| {
        let task = world.put_task(10_000, 0);
        let mut nobody = world.connect(3);
        let answer = nobody.ask_value(output("ghost", task)).await;
        assert_eq!(answer["status"], "ERROR", "{answer}");

        let mut ours = world.connect(2);
        let registration = registration_with("ours", BootId::random(), 1, &["output"]);
        ours.ask(registration).await;
        let package = ours
            .ask(r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#)
            .await;
        assert!(package.contains("TASK_PACKAGE"), "{package}");
        read_until(&world, task, |news| {
            news["standing"]["running"]["attempt"] == 1
        })
        .await;
        let follow = ours.next().await.unwrap();
        assert!(follow.contains("FOLLOW_OUTPUT"), "{follow}");
        let answer = ours.ask_value(output("ghost", task)).await;
        assert_eq!(answer["code"], "another_peer", "{answer}");
        assert_eq!(count(&world, "OutputCame"), 0);
        let peers = world.stage.said("PeerHeard");
        let ghosts = peers
            .iter()
            .filter(|heard| heard.to_string().contains("ghost"));
        assert_eq!(ghosts.count(), 0);
        let answer = ours.ask_value(output("ours", task)).await;
        assert_eq!(answer["status"], "OK", "{answer}");
        assert_eq!(count(&world, "OutputCame"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_up_is_told_nothing_more() {
    with_master(async |world| {
        let task = world.put_task(10_000, 0);
        read_until(&world, task, |news| news["standing"] == "waiting").await;
        let place = Place {
            told: Some(1),
            read: None,
        };
        let told = count(&world, "OutputTold");
        let [gone, stays] = [1, 2].map(|number| {
            let reply = world.stage.reply_to(SessionId(70), RequestId(number));
            let read = ReadOutput {
                task,
                place,
                wait: Duration::from_secs(10),
                reply: reply.clone(),
            };
            world.outputs.tell(read, Cause::OUTSIDE);
            reply
        });
        world
            .outputs
            .tell(ReaderLeft { reply: gone }, Cause::OUTSIDE);
        sleep(Duration::from_secs(20)).await;
        let told = world.stage.said("OutputTold").split_off(told);
        let requests: Vec<_> = told.iter().map(|told| told["request"].clone()).collect();
        assert_eq!(requests, [Value::from(stays.request.0)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_comes_back_goes_on_where_the_master_is() {
    with_master(async |world| {
        let task = world.put_task(10_000, 0);
        // Long enough for all that is said before, and not for long.
        let cable = Cable::cut_after(1_500);
        let _peer = world.peer(1, 1, &cable);
        world
            .until("it runs", |world| world.runs_of(task).len() == 1)
            .await;
        for round in 1..=60_u64 {
            world.runner.prints(task, "x");
            let is_read = |news: &Value| news["place"]["read"][1]["stdout"] == round;
            read_until(&world, task, is_read).await;
        }
        let sessions: std::collections::BTreeSet<_> = world
            .stage
            .letters()
            .into_iter()
            .filter(|letter| letter["kind"] == "OutputCame")
            .map(|letter| letter["from"].to_string())
            .collect();
        assert!(sessions.len() > 1, "it was cut: {sessions:?}");
        assert_eq!(world.runs_of(task).len(), 1);
    })
    .await;
}
