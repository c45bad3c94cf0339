//! Peers of ours against the master: nothing is lost, nothing is run twice without need.

use std::time::Duration;

use mutirao_actors::logic::effect::End;
use mutirao_actors::model::Ending;
use tokio::time::{sleep, timeout};

use super::speakers::introduced;
use super::world::{Cable, with_master};

const FOREVER: u32 = 100_000;

#[tokio::test(start_paused = true)]
async fn a_hundred_tasks_over_three_peers_are_each_run_and_done_once() {
    with_master(async |world| {
        let early: Vec<_> = (0..50).map(|n| world.put_task(n % 7, 0)).collect();
        let _peers = [1, 2, 3].map(|host| world.peer(host, 2, &Cable::default()));
        sleep(Duration::from_secs(20)).await;
        let late: Vec<_> = (0..50).map(|n| world.put_task(n % 7, 0)).collect();
        let all = [early, late].concat();
        world.until("all done", |world| world.all_done(&all)).await;
        for task in all {
            assert_eq!(world.runs_of(task), [Some(Ending::Exit(0))]);
        }
        assert_eq!(world.runner.runs.lock().unwrap().len(), 100);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wherever_the_connection_is_cut_every_task_is_done_and_run_once() {
    for bytes in (1..1_500).step_by(53) {
        with_master(async |world| {
            let tasks: Vec<_> = (0..4).map(|_| world.put_task(1, 0)).collect();
            let cable = Cable::cut_after(bytes);
            let _peer = world.peer(1, 2, &cable);
            sleep(Duration::from_secs(20)).await;
            cable.mend();
            world
                .until("all done", |world| world.all_done(&tasks))
                .await;
            for task in tasks {
                let runs = world.runs_of(task);
                assert_eq!(runs, [Some(Ending::Exit(0))], "cut after {bytes}");
            }
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_that_fell_silent_had_is_done_by_another() {
    with_master(async |world| {
        let cable = Cable::default();
        let _lost = world.peer(1, 1, &cable);
        let task = world.put_task(60, 0);
        world
            .until("it runs", |world| world.runs_of(task).len() == 1)
            .await;
        cable.pull();
        let _other = world.peer(2, 1, &Cable::default());
        world.until("done", |world| world.all_done(&[task])).await;
        assert_eq!(world.runs_of(task).len(), 2);
        assert_eq!(world.stage.said("PeerLeft").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_cancelled_is_stopped_where_it_runs() {
    with_master(async |world| {
        let peer = world.peer(1, 1, &Cable::default());
        let task = world.put_task(FOREVER, 0);
        world
            .until("it runs", |world| world.runs_of(task).len() == 1)
            .await;
        let cancel = format!(r#"{{"action":"CANCEL_TASK","task_id":"{task}"}}"#);
        let answer = world.connect(9).ask_value(cancel).await;
        assert_eq!(answer["task"]["state"], "cancelled", "{answer}");
        let stopped = [Some(Ending::Cancelled)];
        world
            .until("stopped", |world| world.runs_of(task) == stopped)
            .await;
        assert!(matches!(world.end_of(task), Some(End::Cancelled(_))));
        let next = world.put_task(1, 0);
        world.until("next", |world| world.all_done(&[next])).await;
        peer.leave(false);
        timeout(Duration::from_secs(60), peer.gone.cancelled())
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_is_tried_three_times_and_then_failed_with_its_reason() {
    with_master(async |world| {
        let _peer = world.peer(1, 1, &Cable::default());
        let (bad, good) = (world.put_task(1, 7), world.put_task(1, 0));
        world
            .until("both end", |world| {
                world.end_of(bad).is_some() && world.all_done(&[good])
            })
            .await;
        assert_eq!(world.runs_of(bad), vec![Some(Ending::Exit(7)); 3]);
        assert!(matches!(world.end_of(bad), Some(End::Failed(why)) if why.contains("exit code 7")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_file_was_gone_for_a_moment_is_handed_out_again() {
    with_master(async |world| {
        world.shelves().vanish = true;
        let _peer = world.peer(1, 1, &Cable::default());
        let task = world.put_task(1, 0);
        world.until("done", |world| world.all_done(&[task])).await;
        assert_eq!(world.stage.said("OfferFailed").len(), 1);
        assert_eq!(world.runs_of(task).len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_hands_in_what_runs_and_takes_nothing_more() {
    with_master(async |world| {
        let peer = world.peer(1, 1, &Cable::default());
        let running = world.put_task(30, 0);
        let waiting = world.put_task(1, 0);
        world
            .until("it runs", |world| world.runs_of(running).len() == 1)
            .await;
        peer.leave(false);
        timeout(Duration::from_secs(60), peer.gone.cancelled())
            .await
            .unwrap();
        world
            .until("done", |world| world.all_done(&[running]))
            .await;
        assert!(world.runs_of(waiting).is_empty());
        assert_eq!(world.stage.said("PeerLeft")[0]["planned"], true);
        let _other = world.peer(2, 1, &Cable::default());
        world
            .until("done", |world| world.all_done(&[waiting]))
            .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_a_peer_drains_is_never_given_to_it() {
    with_master(async |world| {
        let peer = world.peer(1, 2, &Cable::default());
        let running = world.put_task(30, 0);
        world
            .until("it runs", |world| world.runs_of(running).len() == 1)
            .await;
        peer.leave(false);
        world.stage.settle().await;
        let late = world.put_task(1, 0);
        world.stage.settle().await;
        assert_eq!(world.stage.said("TaskOffered").len(), 1);
        let peers = world.connect(9).ask_value(r#"{"action":"PEERS"}"#).await;
        let row = &peers["report"][0];
        assert_eq!(
            (&row["state"], &row["slots"]),
            (&"leaving".into(), &0.into())
        );
        let _other = world.peer(2, 1, &Cable::default());
        let both = [running, late];
        world.until("done", |world| world.all_done(&both)).await;
        assert_eq!(world.stage.said("TaskOffered").len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_no_zip_is_refused_and_the_task_tried_elsewhere() {
    with_master(async |world| {
        let task = world.put_task(1, 0);
        let mut liar = world.connect(7);
        let package = liar
            .ask_value(r#"{"action":"REQUEST_TASK","peer_id":"liar"}"#)
            .await;
        assert_eq!(package["task_name"], "task-1.zip");
        // "unsound" in base64.
        let refused = liar
            .ask(r#"{"action":"SUBMIT_RESULT","peer_id":"liar","result_name":"task-1.zip","result_data":"dW5zb3VuZA=="}"#)
            .await;
        assert_eq!(refused, r#"{"status":"ERROR","message":"it is no ZIP"}"#);
        let _peer = world.peer(1, 1, &Cable::default());
        world.until("done", |world| world.all_done(&[task])).await;
        assert_eq!(world.runs_of(task).len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_takes_minutes_to_arrive_is_no_silence() {
    with_master(async |world| {
        let mut slow = introduced(&world, 2, 1).await;
        slow.say(r#"{"action":"SUBMIT_RESULT","id":2,"peer_id":"ours","result_data":""#)
            .await;
        for _ in 0..120 {
            slow.say("A".repeat(64 << 10)).await;
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.stage.said("PeerLeft").len(), 0);
        // What stands still is.
        sleep(Duration::from_secs(25)).await;
        assert_eq!(world.stage.said("PeerLeft").len(), 1);
    })
    .await;
}
