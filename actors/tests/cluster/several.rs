//! Several tasks for one request, at a master.

use std::collections::BTreeSet;

use mutirao_actors::model::{BootId, TaskId};
use serde_json::{Value, json};

use super::speakers::{introduced, registration_with};
use super::world::{Cable, Speaker, World, with_master};

/// A connection on which a peer of ours has named `count`, and these too.
async fn agreed(world: &World, more: &[&str]) -> Speaker {
    let mut ours = world.connect(2);
    let named = [&["count"], more].concat();
    let welcome = ours
        .ask_value(registration_with("ours", BootId::random(), 1, &named))
        .await;
    let names = welcome["capabilities"].as_array().unwrap();
    assert!(names.contains(&json!("count")), "{welcome}");
    ours
}

fn request(count: u32) -> String {
    let request = json!({"action": "REQUEST_TASK", "id": 2, "peer_id": "ours", "count": count});
    request.to_string()
}

/// Asks for so many at once; all that is said to that.
async fn ask(speaker: &mut Speaker, count: u32) -> Vec<Value> {
    speaker.say(request(count)).await;
    answer(speaker).await
}

async fn answer(speaker: &mut Speaker) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let reply: Value = serde_json::from_str(&speaker.next().await.unwrap()).unwrap();
        assert_eq!(reply["id"], 2, "{reply}");
        let is_last = reply.get("more").is_none();
        heard.push(reply);
        if is_last {
            return heard;
        }
    }
}

/// The tasks of these packages, of which each says how many follow.
fn tasks_of(packages: &[Value]) -> Vec<TaskId> {
    let follow = (0..packages.len()).rev();
    let numbered = packages.iter().zip(follow);
    let task = |(package, more): (&Value, usize)| {
        assert_eq!(package["action"], "TASK_PACKAGE", "{package}");
        assert_eq!(package["more"].as_u64().unwrap_or(0), more as u64);
        serde_json::from_value(package["task_id"].clone()).unwrap()
    };
    numbered.map(task).collect()
}

async fn hand_in(speaker: &mut Speaker, task: TaskId) {
    let submission = json!({
        "action": "SUBMIT_RESULT", "id": 3, "peer_id": "ours", "task_id": task, "attempt": 1, "result_data": "UEs=",
    });
    let taken = speaker.ask_value(submission.to_string()).await;
    assert_eq!(taken["status"], "OK", "{taken}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_three_gets_three_in_order_and_hands_each_in() {
    with_master(async |world| {
        let tasks = [(); 4].map(|()| world.put_task(1, 0));
        let mut ours = agreed(&world, &[]).await;
        assert_eq!(tasks_of(&ask(&mut ours, 3).await), tasks[..3]);
        for task in tasks[..3].iter().rev() {
            hand_in(&mut ours, *task).await;
        }
        assert!(world.all_done(&tasks[..3]));
        assert_eq!(world.end_of(tasks[3]), None, "nobody was given it");
        assert_eq!(world.stage.said("TaskOffered").len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_has_not_named_it_gets_one_and_so_does_any_stranger() {
    with_master(async |world| {
        let tasks = [(); 4].map(|()| world.put_task(1, 0));
        let mut ours = introduced(&world, 2, 1).await;
        assert_eq!(tasks_of(&ask(&mut ours, 3).await), tasks[..1]);
        let stranger = r#"{"action":"REQUEST_TASK","peer_id":"stranger","count":3}"#;
        let package = world.connect(3).ask_value(stranger).await;
        assert_eq!(package["action"], "TASK_PACKAGE", "{package}");
        assert_eq!(package.get("more"), None, "{package}");
        assert_eq!(world.stage.said("TaskOffered").len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_more_than_sixteen_at_once_or_more_than_are_ready() {
    with_master(async |world| {
        let tasks = [(); 18].map(|()| world.put_task(1, 0));
        let mut ours = agreed(&world, &[]).await;
        assert_eq!(tasks_of(&ask(&mut ours, 17).await), tasks[..16]);
        assert_eq!(tasks_of(&ask(&mut ours, 3).await), tasks[16..]);
        assert_eq!(ask(&mut ours, 3).await[0]["action"], "NO_TASK");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_none_is_an_unknown_field() {
    with_master(async |world| {
        let mut ours = agreed(&world, &[]).await;
        for count in [json!(0), json!(-1), json!("many"), json!([3])] {
            let tasks = [(); 2].map(|()| world.put_task(1, 0));
            let request =
                json!({"action": "REQUEST_TASK", "id": 2, "peer_id": "ours", "count": count});
            ours.say(request.to_string()).await;
            assert_eq!(tasks_of(&answer(&mut ours).await), tasks[..1], "{count}");
            assert_eq!(tasks_of(&ask(&mut ours, 1).await), tasks[1..], "{count}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_gets_one() {
    with_master(async |world| {
        let mut ours = agreed(&world, &["wait"]).await;
        let request = json!({
            "action": "REQUEST_TASK", "id": 2, "peer_id": "ours", "count": 3, "wait_ms": 60_000,
        });
        ours.say(request.to_string()).await;
        world.stage.settle().await;
        let tasks = [(); 2].map(|()| world.put_task(1, 0));
        assert_eq!(tasks_of(&answer(&mut ours).await), tasks[..1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_payload_of_each_follows_it_where_that_was_agreed() {
    with_master(async |world| {
        let payloads: [&[u8]; 3] = [b"}{", b"", br#"{"action":"#];
        for payload in payloads {
            world.put(payload.to_vec());
        }
        let mut ours = agreed(&world, &["raw"]).await;
        ours.take_raw();
        ours.say(request(3)).await;
        for (payload, more) in payloads.into_iter().zip([2, 1, 0]) {
            let message = ours.next_message().await.unwrap();
            let package: Value = serde_json::from_slice(message.value()).unwrap();
            assert_eq!(package["more"].as_u64().unwrap_or(0), more, "{package}");
            assert_eq!(message.raw().unwrap(), payload);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_loaded_ends_the_answer_and_what_should_have_followed_is_handed_out_again()
 {
    with_master(async |world| {
        let tasks = [(); 4].map(|()| world.put_task(1, 0));
        world.shelves().gone.insert(tasks[1]);
        let mut ours = agreed(&world, &[]).await;
        ours.say(request(3)).await;
        let [first, second] = [ours.next().await, ours.next().await]
            .map(|reply| serde_json::from_str::<Value>(&reply.unwrap()).unwrap());
        assert_eq!((&first["id"], &first["more"]), (&json!(2), &json!(2)));
        assert_eq!(second["id"], 2, "{second}");
        assert_eq!(second["action"], "NO_TASK", "{second}");
        hand_in(&mut ours, tasks[0]).await;
        world.stage.settle().await;
        assert_eq!(world.stage.said("OfferFailed").len(), 2);
        world.shelves().gone.clear();
        let _peer = world.peer(1, 1, &Cable::default());
        world.until("done", |world| world.all_done(&tasks)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_dies_between_two_packages_loses_nothing() {
    with_master(async |world| {
        let tasks = [(); 3].map(|()| world.put_task(1, 0));
        let mut ours = agreed(&world, &[]).await;
        world.shelves().stall_after = Some(1);
        ours.say(request(3)).await;
        let first: Value = serde_json::from_str(&ours.next().await.unwrap()).unwrap();
        assert_eq!(first["more"], 2, "{first}");
        world
            .until("the second is being loaded", |world| {
                world.stage.said("LoadTask").len() == 2
            })
            .await;
        drop(ours);
        world
            .until("both that did not go out are back", |world| {
                let failed = world.stage.said("OfferFailed");
                let failed = failed.iter().map(|letter| letter["task"].to_string());
                failed.collect::<BTreeSet<_>>().len() == 2
            })
            .await;
        // The first was delivered, and comes back when its holder is given up.
        let _peer = world.peer(1, 1, &Cable::default());
        world.until("done", |world| world.all_done(&tasks)).await;
        assert!(tasks.iter().all(|task| world.runs_of(*task).len() == 1));
    })
    .await;
}
