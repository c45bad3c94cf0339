//! Programs of section 1 and of the other dialects, byte for byte, and what our own extensions and the control
//! actions answer.

use std::time::Duration;

use mutirao_actors::model::BootId;
use serde_json::json;
use tokio::time::sleep;

use super::world::{Cable, World, with_master};

/// What is said and what is answered, in order: from the introduction to a result, with nothing left to do.
type Script = [(&'static str, &'static str)];

const FLAT: &Script = &[
    (
        r#"{"action":"REGISTER","peer_id":"f","addr":["10.0.0.2",5001]}"#,
        r#"{"status":"REGISTERED"}"#,
    ),
    (
        r#"{"action":"HEARTBEAT","peer_id":"f"}"#,
        r#"{"status":"ALIVE"}"#,
    ),
    (
        r#"{"action":"REQUEST_TASK","peer_id":"f"}"#,
        r#"{"action":"TASK_PACKAGE","task_name":"task-1.zip","task_data":"MSAw"}"#,
    ),
    (
        r#"{"action":"SUBMIT_RESULT","peer_id":"f","result_name":"result_0815.zip","result_data":"UEs="}"#,
        r#"{"status":"OK"}"#,
    ),
    (
        r#"{"action":"REQUEST_TASK","peer_id":"f"}"#,
        r#"{"action":"NO_TASK","status":"NO_TASKS","task_name":null}"#,
    ),
];

const ENVELOPE: &Script = &[
    (
        r#"{"type":"REGISTER","data":{"peer_id":"e","host":"10.0.0.2","port":"5001"}}"#,
        r#"{"type":"REGISTERED","data":{}}"#,
    ),
    (
        r#"{"type":"HEARTBEAT","data":{"peer_id":"e"}}"#,
        r#"{"type":"ALIVE","data":{}}"#,
    ),
    (
        r#"{"type":"REQUEST_TASK","data":{"peer_id":"e"}}"#,
        r#"{"type":"TASK_PACKAGE","data":{"task_name":"task-1.zip","task_data":"MSAw"}}"#,
    ),
    (
        r#"{"type":"SUBMIT_RESULT","data":{"peer_id":"e","result_name":"results_task-1.zip","result_data":"UEs="}}"#,
        r#"{"type":"OK","data":{}}"#,
    ),
    (
        r#"{"type":"REQUEST_TASK","data":{"peer_id":"e"}}"#,
        r#"{"type":"NO_TASKS","data":{}}"#,
    ),
    (
        r#"{"type":"LIST_FILES","data":{}}"#,
        r#"{"type":"ERROR","data":{"error":"the action \"LIST_FILES\" is not known here"}}"#,
    ),
    (
        r#"{"type":"FIND_FILE","data":{"name":"a"}}"#,
        r#"{"type":"ERROR","data":{"error":"the action \"FIND_FILE\" is not known here"}}"#,
    ),
];

const SUPER_PEER: &Script = &[
    (
        r#"{"action":"REGISTER","peer_id":"s","p2p_port":5001}"#,
        r#"{"status":"REGISTERED"}"#,
    ),
    (r#"{"action":"LIST_PEERS"}"#, r#"{"peers":["s"]}"#),
    (
        r#"{"action":"GET_PEER_INFO","target_peer_id":"s"}"#,
        r#"{"status":"ok","peer_id":"s","peer_ip":"10.0.0.2","peer_port":5001}"#,
    ),
    (
        r#"{"action":"GET_PEER_INFO","target_peer_id":"t"}"#,
        r#"{"status":"error","message":"no such peer is here"}"#,
    ),
    (
        r#"{"action":"REQUEST_TASK","peer_id":"s"}"#,
        r#"{"action":"TASK_PACKAGE","task_name":"task-1.zip","task_data":"MSAw"}"#,
    ),
    (
        r#"{"action":"SUBMIT_RESULT","peer_id":"s","result_name":"task-1.zip","result_data":"UEs="}"#,
        r#"{"status":"OK"}"#,
    ),
    (
        r#"{"action":"REQUEST_TASK","peer_id":"s"}"#,
        r#"{"action":"NO_TASK","status":"NO_TASKS","task_name":null}"#,
    ),
];

#[tokio::test(start_paused = true)]
async fn every_dialect_is_served_in_its_own_words_over_one_connection() {
    for script in [FLAT, ENVELOPE, SUPER_PEER] {
        with_master(async |world| {
            let task = world.put_task(1, 0);
            let mut speaker = world.connect(2);
            for (said, answer) in script {
                assert_eq!(speaker.ask(said).await, *answer, "to {said}");
            }
            assert!(world.all_done(&[task]));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_dialect_is_served_over_a_connection_for_each_message() {
    for script in [FLAT, ENVELOPE, SUPER_PEER] {
        with_master(async |world| {
            let task = world.put_task(1, 0);
            for (said, answer) in script {
                let mut speaker = world.connect(2);
                assert_eq!(speaker.ask(format!("{said}\n")).await, *answer, "to {said}");
                drop(speaker);
                world.stage.settle().await;
                assert_eq!(world.sessions(), 0);
            }
            assert!(world.all_done(&[task]));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_answered_in_the_words_last_spoken_and_the_next_request_is_served() {
    let errors = [
        r#"{"status":"ERROR","message":"#,
        r#"{"type":"ERROR","data":{"error":"#,
        r#"{"status":"error","message":"#,
    ];
    let unreadable = [
        r#"{"action":}"#,
        r#"{"action":"HEARTBEAT","action":"HEARTBEAT","peer_id":"p"}"#,
        r#"{"action":"HEARTBEAT","peer_id":7}"#,
        r#"{"action":"HEARTBEAT"}"#,
        r#"{"action":["HEARTBEAT"]}"#,
        r#"{"data":{"peer_id":"p"}}"#,
        r#"{}"#,
        "{\"action\":\"HEARTBEAT\",\"peer_id\":\"\u{7}\"}",
    ];
    for (script, error) in [FLAT, ENVELOPE, SUPER_PEER].into_iter().zip(errors) {
        with_master(async |world| {
            let mut speaker = world.connect(2);
            let (introduction, welcome) = script[0];
            for said in unreadable {
                assert_eq!(speaker.ask(introduction).await, welcome);
                let answer = speaker.ask(said).await;
                assert!(answer.starts_with(error), "{answer} to {said}");
            }
            // Where the next message would begin cannot be told after this.
            let answer = speaker.ask("[1,2]").await;
            assert!(answer.starts_with(error), "{answer}");
            assert_eq!(speaker.next().await, None);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_lies_about_its_sha256_changes_nothing() {
    with_master(async |world| {
        let task = world.put_task(1, 0);
        let mut ours = introduced(&world, 2, 1).await;
        let package = ours
            .ask_value(r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#)
            .await;
        assert_eq!(
            (&package["id"], &package["attempt"]),
            (&json!(2), &json!(1))
        );
        let mut result = json!({
            "action": "SUBMIT_RESULT", "id": 3, "peer_id": "ours", "result_data": "UEs=",
            "task_id": task, "attempt": 1, "sha256": "0".repeat(64),
        });
        let refused = ours.ask_value(result.to_string()).await;
        assert_eq!(refused["code"], "damaged", "{refused}");
        assert_eq!(world.end_of(task), None);
        result.as_object_mut().unwrap().remove("sha256");
        let taken = ours.ask_value(result.to_string()).await;
        assert_eq!(taken["status"], "OK", "{taken}");
        assert!(world.all_done(&[task]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_registers_twice_on_one_connection_is_welcomed_twice_and_is_one_peer() {
    with_master(async |world| {
        let boot = BootId::random();
        let mut ours = world.connect(2);
        for id in 1..=2 {
            let welcome = ours.ask_value(registration("ours", boot, id)).await;
            assert_eq!(welcome["protocol"], 2, "{welcome}");
        }
        let peers = world.connect(9).ask_value(r#"{"action":"PEERS"}"#).await;
        assert_eq!(peers["report"].as_array().unwrap().len(), 1, "{peers}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_connection_cannot_become_a_second_peer_of_ours() {
    with_master(async |world| {
        let mut ours = world.connect(2);
        ours.ask(registration("ours", BootId::random(), 1)).await;
        for (peer, id) in [("other", 2), ("ours", 3)] {
            let refused = ours
                .ask_value(registration(peer, BootId::random(), id))
                .await;
            assert_eq!(refused["code"], "another_peer", "{refused}");
        }
        assert_eq!(world.stage.said("PeerRegistered").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_namesake_elsewhere_neither_ends_nor_gives_up_what_a_living_peer_holds() {
    with_master(async |world| {
        let task = world.put_task(1, 0);
        let ask = r#"{"action":"REQUEST_TASK","peer_id":"twin"}"#;
        let register = r#"{"action":"REGISTER","peer_id":"twin","addr":["10.0.0.2",5001]}"#;
        let result = r#"{"action":"SUBMIT_RESULT","peer_id":"twin","result_name":"task-1.zip","result_data":"UEs="}"#;
        let (mut holder, mut namesake) = (world.connect(2), world.connect(3));
        for twin in [&mut holder, &mut namesake] {
            assert_eq!(twin.ask(register).await, r#"{"status":"REGISTERED"}"#);
        }
        assert!(holder.ask(ask).await.contains("TASK_PACKAGE"));
        assert!(namesake.ask(ask).await.contains("NO_TASK"));
        let refused = namesake.ask(result).await;
        assert!(refused.contains("ERROR"), "{refused}");
        assert_eq!(world.end_of(task), None);
        assert_eq!(holder.ask(result).await, r#"{"status":"OK"}"#);
        assert!(world.all_done(&[task]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_that_names_nothing_hands_in_after_it_asked_again_is_of_what_it_had_first() {
    with_master(async |world| {
        let tasks = [world.put_task(1, 0), world.put_task(1, 0)];
        let [mut eager, mut other] = [2, 3].map(|host| world.connect(host));
        for (speaker, name) in [(&mut eager, "eager"), (&mut other, "other")] {
            let register = format!(r#"{{"action":"REGISTER","peer_id":"{name}","addr":["10.0.0.2",5001]}}"#);
            assert_eq!(speaker.ask(register).await, r#"{"status":"REGISTERED"}"#);
        }
        let ask = r#"{"action":"REQUEST_TASK","peer_id":"eager"}"#;
        let first = eager.ask_value(ask).await;
        assert_eq!(first["task_name"], "task-1.zip", "{first}");
        for _ in 0..5 {
            let again = eager.ask_value(ask).await;
            assert_ne!(again["task_name"], "task-2.zip", "it still owes the first");
            sleep(Duration::from_secs(1)).await;
        }
        let result = r#"{"action":"SUBMIT_RESULT","peer_id":"eager","result_name":"result.zip","result_data":"UEs="}"#;
        assert_eq!(eager.ask(result).await, r#"{"status":"OK"}"#);
        assert!(world.all_done(&tasks[..1]));
        assert_eq!(world.end_of(tasks[1]), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_result_under_the_name_of_what_another_peer_has_is_set_aside() {
    with_master(async |world| {
        let tasks = [world.put_task(1, 0), world.put_task(1, 0)];
        let [mut first, mut second] = [2, 3].map(|host| world.connect(host));
        for (speaker, name) in [(&mut first, "one"), (&mut second, "two")] {
            let ask = format!(r#"{{"action":"REQUEST_TASK","peer_id":"{name}"}}"#);
            assert!(speaker.ask(ask).await.contains("TASK_PACKAGE"));
        }
        let result = |name: &str| {
            format!(
                r#"{{"action":"SUBMIT_RESULT","peer_id":"two","result_name":"{name}","result_data":"UEs="}}"#
            )
        };
        let refused = second.ask(result("task-1.zip")).await;
        assert!(refused.contains("another peer"), "{refused}");
        assert_eq!(tasks.map(|task| world.end_of(task)), [None, None]);
        let taken = second.ask(result("result.zip")).await;
        assert_eq!(taken, r#"{"status":"OK"}"#);
        assert!(world.all_done(&tasks[1..]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_still_loaded_when_a_peer_of_ours_hangs_up_is_handed_to_the_next() {
    with_master(async |world| {
        world.shelves().stall_after = Some(0);
        let task = world.put_task(1, 0);
        let mut gone = introduced(&world, 2, 1).await;
        gone.say(r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#)
            .await;
        world
            .until("it is offered", |world| {
                world.stage.said("LoadTask").len() == 1
            })
            .await;
        drop(gone);
        world
            .until("it is handed back", |world| {
                world.stage.said("OfferFailed").len() == 1
            })
            .await;
        let _peer = world.peer(1, 1, &Cable::default());
        world.until("done", |world| world.all_done(&[task])).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_control_actions_tell_what_goes_on() {
    with_master(async |world| {
        let task = world.put_task(60, 0);
        let _peer = world.peer(1, 2, &Cable::default());
        world
            .until("it runs", |world| world.runs_of(task).len() == 1)
            .await;
        let mut control = world.connect(9);
        let status = control.ask_value(r#"{"action":"STATUS"}"#).await;
        let report = &status["report"];
        assert_eq!(report["tasks"]["leased"], 1, "{status}");
        assert_eq!(report["running"][0]["peer_id"], "peer-1", "{status}");
        let peers = control.ask_value(r#"{"action":"PEERS"}"#).await;
        assert_eq!(peers["report"][0]["leases"], 1, "{peers}");
        let fetch = format!(r#"{{"action":"FETCH_RESULT","task_id":"{task}"}}"#);
        assert!(control.ask(&fetch).await.contains("no result yet"));
        world.until("done", |world| world.all_done(&[task])).await;
        let result = control.ask_value(&fetch).await;
        assert!(result["result_data"].is_string(), "{result}");
        let unknown = format!(
            r#"{{"action":"TASK_STATUS","task_id":"{}"}}"#,
            uuid::Uuid::nil()
        );
        assert!(control.ask(unknown).await.contains("no such task"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_submitted_over_the_wire_is_done_under_a_tame_name() {
    with_master(async |world| {
        let _peer = world.peer(1, 1, &Cable::default());
        let submit =
            r#"{"action":"SUBMIT_TASK","task_name":"../../etc/x","task_data":"MSAw","priority":3}"#;
        let accepted = world.connect(9).ask_value(submit).await;
        assert_eq!(accepted["task_name"], "_.._etc_x.zip", "{accepted}");
        world
            .until("done", |world| !world.shelves().ended.is_empty())
            .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_is_answered_as_soon_as_there_is_a_task() {
    with_master(async |world| {
        let mut ours = introduced(&world, 2, 1).await;
        ours.say(r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours","wait_ms":25000}"#)
            .await;
        // Another request is answered meanwhile.
        let alive = ours
            .ask_value(r#"{"action":"HEARTBEAT","id":3,"peer_id":"ours"}"#)
            .await;
        assert_eq!(
            (&alive["status"], &alive["id"]),
            (&json!("ALIVE"), &json!(3))
        );
        sleep(Duration::from_secs(10)).await;
        world.put_task(1, 0);
        let package = ours.next().await.unwrap();
        assert!(package.contains(r#""id":2,"#), "{package}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_a_peer_that_understands_orders_to_stop_gets_one_and_the_results_of_others_come_too_late()
 {
    for understands in [false, true] {
        with_master(async |world| {
            let task = world.put_task(1, 0);
            let mut ours = world.connect(2);
            let capabilities = if understands { &["cancel"][..] } else { &[] };
            let introduction = registration_with("ours", BootId::random(), 1, capabilities);
            ours.ask(introduction).await;
            ours.ask(r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#)
                .await;
            let cancel = format!(r#"{{"action":"CANCEL_TASK","task_id":"{task}"}}"#);
            world.connect(9).ask(cancel).await;
            world
                .until("cancelled", |world| world.end_of(task).is_some())
                .await;
            if understands {
                let order = ours.next().await.unwrap();
                assert!(order.contains("CANCEL_ATTEMPT"), "{order}");
            }
            let submission = format!(
                r#"{{"action":"SUBMIT_RESULT","id":3,"peer_id":"ours","task_id":"{task}","attempt":1,"result_data":"UEs="}}"#
            );
            let answer = ours.ask_value(submission).await;
            assert_eq!(answer["id"], 3, "{answer}");
            assert_eq!(answer["code"], "too_late", "{answer}");
        })
        .await;
    }
}

/// The fields of a TASK_PACKAGE for a peer that named these extensions.
async fn package_for(named: &[&str]) -> Vec<String> {
    let mut fields = Vec::new();
    with_master(async |world| {
        world.put_task(1, 0);
        let mut speaker = world.connect(2);
        let register = registration_naming("ours", BootId::random(), 1, named);
        let welcome = speaker.ask_value(register).await;
        assert_eq!(welcome["protocol"], 2, "it said its own: {welcome}");
        let ask = r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#;
        let package = speaker.ask_value(ask).await;
        assert_eq!(package["action"], "TASK_PACKAGE", "{package}");
        fields = package.as_object().unwrap().keys().cloned().collect();
    })
    .await;
    fields
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_has_not_named_is_not_sent_to_it() {
    let fixed = ["action", "id", "task_data", "task_name"];
    let in_part = [
        &[][..],
        &["persistent", "sha256", "holds", "raw", "cancel"],
        &["persistent", "attempt", "holds", "raw", "telepathy"],
    ];
    for named in in_part {
        assert_eq!(package_for(named).await, fixed, "{named:?}");
    }
    let mut ours = [&fixed[..], &["attempt", "sha256", "task_id"]].concat();
    ours.sort_unstable();
    assert_eq!(package_for(&["attempt", "sha256"]).await, ours);
}

#[tokio::test(start_paused = true)]
async fn one_that_names_too_little_has_one_task_at_a_time_like_any_stranger() {
    with_master(async |world| {
        for _ in 0..2 {
            world.put_task(1, 0);
        }
        let mut speaker = world.connect(2);
        let register = registration_naming("ours", BootId::random(), 1, &["persistent"]);
        speaker.ask_value(register).await;
        let ask = r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours","wait_ms":60000}"#;
        assert_eq!(speaker.ask_value(ask).await["action"], "TASK_PACKAGE");
        assert_eq!(speaker.ask_value(ask).await["action"], "NO_TASK");
        assert_eq!(world.stage.said("TaskOffered").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_say_what_it_holds_holds_it_still_when_it_registers_anew() {
    for (more, gone) in [(&[][..], false), (&["holds"], true)] {
        with_master(async |world| {
            let task = world.put_task(1, 0);
            let named = [&["persistent", "attempt", "sha256"], more].concat();
            let register = registration_naming("ours", BootId::random(), 1, &named);
            let mut speaker = world.connect(2);
            speaker.ask_value(register.as_str()).await;
            let ask = r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#;
            speaker.ask_value(ask).await;
            speaker.ask_value(register).await;
            let ask = format!(r#"{{"action":"TASK_STATUS","task_id":"{task}"}}"#);
            let answer = world.connect(9).ask_value(ask).await;
            let state = if gone { "queued" } else { "leased" };
            assert_eq!(answer["task"]["state"], state, "{answer}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_names_less_later_on_the_same_connection_is_still_spoken_to_as_it_was() {
    with_master(async |world| {
        let task = world.put_task(1, 0);
        let boot = BootId::random();
        let mut ours = world.connect(2);
        ours.ask(registration("ours", boot, 1)).await;
        let ask = r#"{"action":"REQUEST_TASK","id":2,"peer_id":"ours"}"#;
        ours.ask_value(ask).await;
        ours.ask(registration_naming("ours", boot, 3, &["persistent"]))
            .await;
        let status = format!(r#"{{"action":"TASK_STATUS","task_id":"{task}"}}"#);
        let answer = world.connect(9).ask_value(status).await;
        assert_eq!(answer["task"]["state"], "leased", "{answer}");
        world.put_task(1, 0);
        let package = ours.ask_value(ask).await;
        assert!(package["task_id"].is_string(), "{package}");
    })
    .await;
}

/// A connection on which a peer of ours has introduced itself.
pub async fn introduced(world: &World, host: u8, id: u64) -> super::world::Speaker {
    let mut ours = world.connect(host);
    let welcome = ours
        .ask_value(registration("ours", BootId::random(), id))
        .await;
    assert_eq!(welcome["status"], "REGISTERED", "{welcome}");
    ours
}

/// A REGISTER of a peer of ours.
pub fn registration(peer: &str, boot: BootId, id: u64) -> String {
    registration_with(peer, boot, id, &[])
}

/// The same that also names these.
pub fn registration_with(peer: &str, boot: BootId, id: u64, more: &[&str]) -> String {
    let capabilities = [&["persistent", "attempt", "sha256", "holds"], more].concat();
    registration_naming(peer, boot, id, &capabilities)
}

/// The same that names these alone.
pub fn registration_naming(peer: &str, boot: BootId, id: u64, capabilities: &[&str]) -> String {
    json!({
        "action": "REGISTER", "id": id, "peer_id": peer, "addr": ["10.0.0.2", 5001], "protocol": 2,
        "agent": "mutirao/0", "boot_id": boot, "slots": 4, "capabilities": capabilities,
    })
    .to_string()
}
