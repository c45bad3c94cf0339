//! Payloads that follow their message, at a master.

use mutirao_actors::model::{Archive, BootId, TaskId};
use serde_json::{Value, json};

use super::speakers::{introduced, registration_with};
use super::world::{Speaker, World, with_master};

/// Looks like messages, and is none.
const TRAP: &[u8] = br#"{"action":"LEAVE","peer_id":"ours"}}"{"raw":7"#;

/// A connection on which a peer of ours has named `raw`, and a task of the trap that it was given.
async fn agreed(world: &World) -> (Speaker, TaskId) {
    let task = world.put(TRAP.to_vec());
    let mut ours = world.connect(2);
    let welcome = ours
        .ask_value(registration_with("ours", BootId::random(), 1, &["raw"]))
        .await;
    let names: Vec<_> = welcome["capabilities"].as_array().unwrap().iter().collect();
    assert!(names.contains(&&json!("raw")), "{welcome}");
    ours.take_raw();
    (ours, task)
}

/// SUBMIT_RESULT of this task, with this in place of the payload.
fn submission(task: TaskId, payload: Value) -> Value {
    let mut words = json!({
        "action": "SUBMIT_RESULT", "id": 3, "peer_id": "ours", "task_id": task, "attempt": 1,
    });
    let fields = payload.as_object().unwrap().clone();
    words.as_object_mut().unwrap().extend(fields);
    words
}

/// The same with these bytes behind it, and their digest.
fn submission_behind(task: TaskId, bytes: &[u8]) -> Vec<u8> {
    let sha256 = Archive::new(bytes.to_vec()).digest();
    let words = submission(task, json!({"raw": bytes.len(), "sha256": sha256}));
    [words.to_string().as_bytes(), bytes].concat()
}

async fn ask_task(ours: &mut Speaker, words: &str) -> (Value, Option<Vec<u8>>) {
    ours.say(words).await;
    let message = ours.next_message().await.unwrap();
    let value = serde_json::from_slice(message.value()).unwrap();
    (value, message.raw().map(|raw| raw.to_vec()))
}

const REQUEST: &str = r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#;

#[tokio::test(start_paused = true)]
async fn who_names_it_gets_and_sends_payloads_behind_messages_whatever_they_look_like() {
    with_master(async |world| {
        let (mut ours, task) = agreed(&world).await;
        let (package, payload) = ask_task(&mut ours, REQUEST).await;
        assert_eq!(package["action"], "TASK_PACKAGE");
        assert_eq!(package["raw"], TRAP.len());
        assert_eq!(package["task_data"], Value::Null);
        assert_eq!(payload.unwrap(), TRAP);
        for byte in submission_behind(task, TRAP).chunks(1) {
            ours.say(byte).await;
        }
        let taken = ours.next().await.unwrap();
        assert_eq!(taken, r#"{"status":"OK","id":3}"#);
        assert!(world.all_done(&[task]));
        assert_eq!(world.shelves().results[&task], [Archive::new(TRAP)]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn base64_is_taken_from_who_names_it_and_an_envelope_is_answered_with_base64() {
    with_master(async |world| {
        let (mut ours, task) = agreed(&world).await;
        let request = r#"{"type":"REQUEST_TASK","id":2,"data":{"peer_id":"ours"}}"#;
        let (package, payload) = ask_task(&mut ours, request).await;
        assert!(package["data"]["task_data"].is_string(), "{package}");
        assert_eq!(payload, None);
        let words = submission(task, json!({"result_data": "UEs="}));
        assert_eq!(ours.ask_value(words.to_string()).await["status"], "OK");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_name_it_gets_base64_and_is_told_that_nobody_agreed() {
    with_master(async |world| {
        let task = world.put(TRAP.to_vec());
        let mut ours = introduced(&world, 2, 1).await;
        let package = ours.ask_value(REQUEST).await;
        assert!(package["task_data"].is_string(), "{package}");
        let refused = ours.ask_value(submission_behind(task, b"PK")).await;
        assert_eq!(refused["code"], "raw_not_agreed", "{refused}");
        assert_eq!(world.end_of(task), None);
        // What follows begins no message, so the connection ends.
        let refused: Value = serde_json::from_str(&ours.next().await.unwrap()).unwrap();
        assert_eq!(refused["code"], "broken", "{refused}");
        assert_eq!(ours.next().await, None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_was_damaged_changes_nothing_and_the_next_one_is_taken() {
    with_master(async |world| {
        let (mut ours, task) = agreed(&world).await;
        ask_task(&mut ours, REQUEST).await;
        let mut damaged = submission_behind(task, TRAP);
        *damaged.last_mut().unwrap() ^= 1;
        let refused = ours.ask_value(damaged).await;
        assert_eq!(refused["code"], "damaged", "{refused}");
        let unsaid = submission(task, json!({"raw": 2})).to_string() + "PK";
        let refused = ours.ask_value(unsaid).await;
        assert_eq!(refused["code"], "missing_field", "{refused}");
        let both = submission(task, json!({"raw": 2, "result_data": "UEs="})).to_string() + "PK";
        let refused = ours.ask_value(both).await;
        assert_eq!(refused["code"], "two_payloads", "{refused}");
        assert_eq!(world.end_of(task), None);
        let taken = ours.ask_value(submission_behind(task, TRAP)).await;
        assert_eq!(taken["status"], "OK");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_length_that_cannot_be_is_told_and_ends_the_connection() {
    with_master(async |world| {
        for raw in [json!(-1), json!(1.5), json!("7"), json!((64 << 20) + 1)] {
            let (mut ours, task) = agreed(&world).await;
            let words = submission(task, json!({"raw": raw}));
            let refused = ours.ask_value(words.to_string()).await;
            assert_eq!(refused["code"], "broken", "{refused}");
            assert_eq!(ours.next().await, None, "{raw}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_cut_is_no_result() {
    with_master(async |world| {
        let (mut ours, task) = agreed(&world).await;
        ask_task(&mut ours, REQUEST).await;
        let whole = submission_behind(task, TRAP);
        ours.say(&whole[..whole.len() - 1]).await;
        drop(ours);
        world.stage.settle().await;
        assert_eq!(world.end_of(task), None);
        assert!(world.shelves().results.is_empty());
    })
    .await;
}
