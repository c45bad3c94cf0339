//! A peer's own port: it answers how the peer is, and nothing that is a master's.

use mutirao_actors::peer_session::Desk;
use serde_json::json;

use super::world::{Cable, with_master};

#[tokio::test(start_paused = true)]
async fn a_peer_tells_on_its_own_port_what_it_runs_and_sends_the_rest_to_its_master() {
    with_master(async |world| {
        let peer = world.peer(1, 2, &Cable::default());
        let task = world.put_task(60, 0);
        world
            .until("it runs", |world| world.runs_of(task).len() == 1)
            .await;
        let mut asker = world.connect_to(Desk::Peer(peer.session.clone()), 9);
        let status = asker.ask_value(r#"{"action":"STATUS"}"#).await;
        let report = &status["report"];
        assert_eq!(report["role"], "peer", "{status}");
        assert_eq!((&report["slots"], &report["free"]), (&json!(2), &json!(1)));
        assert_eq!(report["running"][0]["task_name"], "task-1.zip", "{status}");
        for (said, answer) in [
            (r#"{"action":"HEARTBEAT","peer_id":"x"}"#, "ALIVE"),
            (
                r#"{"action":"REQUEST_TASK","peer_id":"x"}"#,
                "this is a peer",
            ),
            (
                r#"{"action":"SUBMIT_TASK","task_name":"x","task_data":"MSAw"}"#,
                "this is a peer",
            ),
            (r#"{"action":"DANCE"}"#, "not known here"),
            (r#"{"action":"HEARTBEAT"}"#, "`peer_id` is missing"),
        ] {
            let said_back = asker.ask(said).await;
            assert!(said_back.contains(answer), "{said_back} to {said}");
        }
    })
    .await;
}
