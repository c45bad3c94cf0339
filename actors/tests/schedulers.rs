//! Schedulers through their inboxes, on paused time: what any of them does for sessions and folders, what
//! `spread` does beside, and that each of the table runs a workload to its end.

#![expect(clippy::unwrap_used, reason = "what is not there fails its test")]

mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use house::{House, WAIT, field, in_house, peer};
use mutirao_actors::logic::ledger::Meant;
use mutirao_actors::messages::{
    CancelSome, CancelTask, CloseQueue, DescribeQueue, DescribeTask, IntakeCounted, OfferFailed,
    PeerLeft, ResultRefused, SessionClosed, TallyPeers,
};
use mutirao_actors::model::{Attempt, Ending, SessionId, TaskChoice, TaskId};
use mutirao_actors::scheduler::TICK;
use mutirao_actors::schedulers::SCHEDULERS;
use mutirao_actors::wire::report::{PeerRow, Sought, TaskState};
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_result_is_answered_when_the_folders_have_it_and_not_before() {
    in_house("fifo", async |house| {
        house.peer_joins(1).await;
        let request = house.peer_asks(1).await;
        let task = house.task_arrives("a.zip").await;
        let offered = house.last("TaskOffered");
        assert_eq!(offered["request"], request.0);
        assert_eq!(offered["offer"]["name"], "a.zip");

        let handed_in = house.peer_submits(1, &offered, Ending::Exit(0)).await;
        let keep = house.last("KeepResult");
        assert_eq!(
            (&keep["success"], &keep["name"]),
            (&true.into(), &"a.zip".into())
        );
        assert_eq!(field::<TaskId>(&keep, "/task"), task);
        assert!(keep["archive"].as_str().unwrap().contains("sha256:"));
        assert!(house.told("ResultAnswered").is_empty());

        house.result_is_kept(&keep).await;
        let answered = house.last("ResultAnswered");
        assert_eq!(answered["request"], handed_in.0);
        assert_eq!(answered["verdict"], "taken");
        assert_eq!(house.last("TaskEnded")["end"], "done");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_result_is_said_so_and_its_task_is_handed_out_again() {
    in_house("fifo", async |house| {
        house.peer_joins(1).await;
        let task = house.task_arrives("a.zip").await;
        house.peer_asks(1).await;
        let offered = house.last("TaskOffered");
        house.peer_submits(1, &offered, Ending::Exit(0)).await;
        let refused = ResultRefused {
            task,
            attempt: Attempt(1),
            by_disk: false,
            why: "no ZIP".into(),
        };
        house.tell(refused).await;
        assert_eq!(house.last("ResultAnswered")["verdict"]["refused"], "no ZIP");

        house.peer_asks(1).await;
        sleep(Duration::from_secs(2)).await;
        house.stage.settle().await;
        assert_eq!(house.last("TaskOffered")["offer"]["attempt"], 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_could_not_be_delivered_is_offered_anew() {
    in_house("fifo", async |house| {
        house.peer_joins(1).await;
        let task = house.task_arrives("a.zip").await;
        house.peer_asks(1).await;
        let failed = OfferFailed {
            task,
            attempt: Attempt(1),
            why: "the file is gone".into(),
        };
        house.tell(failed).await;
        house.peer_asks(1).await;
        sleep(Duration::from_secs(2)).await;
        house.stage.settle().await;
        assert_eq!(house.told("TaskOffered").len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_cancels_hears_how_the_task_stands_and_its_holder_that_it_is_unwanted() {
    in_house("fifo", async |house| {
        house.peer_joins(1).await;
        house.peer_joins(2).await;
        let task = house.task_arrives("a.zip").await;
        house.peer_asks(2).await;
        let (why, reply) = ("a slip".to_owned(), house.reply(9));
        house.tell(CancelTask { task, why, reply }).await;
        assert_eq!(house.told("AttemptCancelled"), ["peer_session#2"]);
        assert_eq!(house.told("TaskDescribed"), ["peer_session#9"]);
        assert_eq!(house.last("TaskDescribed")["report"]["state"], "cancelled");
        assert_eq!(house.last("TaskEnded")["end"]["cancelled"], "a slip");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_cancels_many_hears_how_many_and_only_those_end_that_are_meant() {
    in_house("fifo", async |house| {
        house.peer_joins(1).await;
        for name in ["a.zip", "b.zip", "c.zip"] {
            house.task_arrives(name).await;
        }
        house.peer_asks(1).await;
        let cancel = CancelSome {
            sought: Sought {
                states: vec![TaskState::Queued],
                ..Sought::default()
            },
            meant: Meant::From(0),
            why: "a slip".into(),
            reply: house.reply(9),
        };
        house.tell(cancel).await;
        let report = &house.last("TasksSwept")["report"];
        assert_eq!((&report["tasks"], report.get("next")), (&2.into(), None));
        assert_eq!(house.told("AttemptCancelled"), [""; 0], "one runs");
        assert_eq!(house.last("TaskEnded")["end"]["cancelled"], "a slip");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_being_kept_is_answered_when_its_task_is_cancelled() {
    in_house("fifo", async |house| {
        house.peer_joins(1).await;
        let task = house.task_arrives("a.zip").await;
        house.peer_asks(1).await;
        let offered = house.last("TaskOffered");
        house.peer_submits(1, &offered, Ending::Exit(0)).await;
        let keep = house.last("KeepResult");
        let (why, reply) = ("a slip".to_owned(), house.reply(9));
        house.tell(CancelTask { task, why, reply }).await;
        house.result_is_kept(&keep).await;
        assert_eq!(house.told("ResultAnswered"), ["peer_session#1"]);
        assert_eq!(house.last("ResultAnswered")["verdict"], "too_late");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn queue_task_and_peers_are_described_to_who_asks() {
    in_house("fair", async |house| {
        house.peer_joins(1).await;
        let (task, _) = (
            house.task_arrives("a.zip").await,
            house.task_arrives("b.zip").await,
        );
        house.peer_asks(1).await;
        house.tell(IntakeCounted { arriving: 7 }).await;

        let reply = house.reply(9);
        house.tell(DescribeQueue { reply }).await;
        let queue = &house.last("QueueDescribed")["queue"];
        assert_eq!(
            (&queue["scheduler"], &queue["arriving"]),
            (&"fair".into(), &7.into())
        );
        assert_eq!(
            (&queue["tasks"]["queued"], &queue["tasks"]["leased"]),
            (&1.into(), &1.into())
        );
        assert_eq!(queue["running"][0]["peer_id"], "p1");

        let reply = house.reply(9);
        let (task, why) = (TaskChoice::Id(task), true);
        house.tell(DescribeTask { task, why, reply }).await;
        let report = &house.last("TaskDescribed")["report"];
        assert_eq!(
            (&report["peer"], &report["tries"][0]["ended"]),
            (&"p1".into(), &"runs".into())
        );
        let (task, reply) = (TaskChoice::Id(TaskId::new()), house.reply(9));
        house.tell(DescribeTask { task, why, reply }).await;
        assert!(house.last("TaskDescribed")["report"].is_null());

        let peers = vec![(peer(1), row(1)), (peer(2), row(2))];
        let reply = house.reply(9);
        house.tell(TallyPeers { peers, reply }).await;
        let peers = &house.last("PeersListed")["peers"];
        assert_eq!(
            (&peers[0]["leases"], &peers[1]["leases"]),
            (&1.into(), &0.into())
        );
    })
    .await;
}

fn row(number: u64) -> PeerRow {
    PeerRow {
        peer_id: peer(number).peer,
        address: "10.0.0.1".into(),
        slots: 1,
        ours: true,
        agent: None,
        state: "here".into(),
        last_word_s: 0,
        leases: 0,
        done: 0,
        failed: 0,
        faults: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn any_scheduler_answers_a_request_when_it_has_waited_as_long_as_it_may() {
    for entry in SCHEDULERS {
        in_house(entry.name, async |house| {
            house.peer_joins(1).await;
            let request = house.peer_asks(1).await;
            sleep(WAIT - TICK).await;
            house.stage.settle().await;
            assert!(house.told("NothingWaits").is_empty(), "{}", entry.name);
            sleep(TICK * 3).await;
            house.stage.settle().await;
            assert_eq!(house.last("NothingWaits")["request"], request.0);
            assert_eq!(house.told("NothingWaits").len(), 1);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_scheduler_forgets_the_requests_of_a_closed_session_and_of_a_peer_that_left() {
    for entry in SCHEDULERS {
        in_house(entry.name, async |house| {
            for number in 1..=3 {
                house.peer_joins(number).await;
                house.peer_asks(number).await;
            }
            let session = SessionId(1);
            house.tell(SessionClosed { session }).await;
            let left = PeerLeft {
                endpoint: peer(2),
                planned: true,
                why: "said goodbye".into(),
            };
            house.tell(left).await;
            for name in ["a.zip", "b.zip"] {
                house.task_arrives(name).await;
            }
            sleep(TICK * 3).await;
            house.stage.settle().await;
            assert_eq!(
                house.told("TaskOffered"),
                ["peer_session#3"],
                "{}",
                entry.name
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_scheduler_that_is_closed_hands_nothing_out() {
    for entry in SCHEDULERS {
        in_house(entry.name, async |house| {
            house.peer_joins(1).await;
            house.task_arrives("a.zip").await;
            house.tell(CloseQueue {}).await;
            house.peer_asks(1).await;
            sleep(WAIT + TICK * 2).await;
            house.stage.settle().await;
            assert!(house.told("TaskOffered").is_empty(), "{}", entry.name);
            assert_eq!(house.told("NothingWaits"), ["peer_session#1"]);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn spread_gives_nobody_a_second_task_before_everybody_has_one() {
    in_house("spread", async |house| {
        for name in ["a.zip", "b.zip", "c.zip", "d.zip"] {
            house.task_arrives(name).await;
        }
        for number in 1..=3 {
            house.peer_joins(number).await;
            for _ in 0..4 {
                house.peer_asks(number).await;
            }
        }
        let each_one = ["peer_session#1", "peer_session#2", "peer_session#3"];
        assert_eq!(house.told("TaskOffered"), each_one);
        sleep(TICK * 2).await;
        house.stage.settle().await;
        assert_eq!(house.told("TaskOffered")[3..], ["peer_session#1"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_at_once_are_given_by_all_but_spread_which_gives_one_at_a_time() {
    for entry in SCHEDULERS {
        in_house(entry.name, async |house| {
            for _ in 0..3 {
                house.task_arrives("a.zip").await;
            }
            house.peer_joins(1).await;
            house.peer_asks_for(2, 1).await;
            let given = if entry.name == "spread" { 1 } else { 2 };
            assert_eq!(house.told("TaskOffered").len(), given, "{}", entry.name);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn spread_loads_machines_evenly_and_fills_them_all() {
    in_house("spread", async |house| {
        for number in 1..=3 {
            house.peer_joins(number).await;
            for _ in 0..4 {
                house.peer_asks(number).await;
            }
        }
        for (tasks, each) in [(6, 2), (6, 4)] {
            for _ in 0..tasks {
                house.task_arrives("a.zip").await;
            }
            sleep(TICK * 2).await;
            house.stage.settle().await;
            let mut loads = BTreeMap::new();
            for session in house.told("TaskOffered") {
                *loads.entry(session).or_insert(0) += 1;
            }
            assert_eq!(loads.into_values().collect::<Vec<_>>(), [each; 3]);
        }
    })
    .await;
}

/// Tasks of the workload.
const TASKS: usize = 100;
/// Sleeps after which a workload that has not ended never will.
const SLEEPS_MAX: u32 = 100;

#[tokio::test(start_paused = true)]
async fn every_scheduler_of_the_table_runs_a_workload_to_its_end() {
    for entry in SCHEDULERS {
        in_house(entry.name, async |house| {
            run_workload(entry.name, &house).await
        })
        .await;
    }
}

/// Three peers with two slots each run a hundred tasks: ten always fail, ten fail once.
async fn run_workload(name: &str, house: &House) {
    for number in 0..TASKS {
        house.task_arrives(&format!("{number}.zip")).await;
    }
    for number in 1..=3 {
        house.peer_joins(number).await;
        house.peer_asks(number).await;
        house.peer_asks(number).await;
    }
    let (mut read, mut ended, mut sleeps) = (0, Vec::new(), 0);
    while ended.len() < TASKS {
        let letters = house.stage.letters();
        if read == letters.len() {
            sleeps += 1;
            assert!(sleeps < SLEEPS_MAX, "{name} stands still");
            sleep(Duration::from_secs(1)).await;
            house.stage.settle().await;
        }
        for letter in &letters[read..] {
            live_on(house, letter).await;
            ended.extend((letter["kind"] == "TaskEnded").then(|| letter["body"].clone()));
        }
        read = letters.len();
    }
    let tasks: BTreeSet<_> = ended.iter().map(|end| end["task"].to_string()).collect();
    assert_eq!((ended.len(), tasks.len()), (TASKS, TASKS), "{name}");
    let failed = ended.iter().filter(|end| end["end"]["failed"].is_string());
    let failed: BTreeSet<_> = failed.map(|end| end["name"].to_string()).collect();
    let poisoned = (0..TASKS).filter(|number| number % 10 == 3);
    let poisoned: BTreeSet<_> = poisoned.map(|number| format!("\"{number}.zip\"")).collect();
    assert_eq!(failed, poisoned, "{name}");
}

/// What peers and folders do when they are told something.
async fn live_on(house: &House, letter: &serde_json::Value) {
    let session = letter["to"]
        .as_str()
        .and_then(|to| to.strip_prefix("peer_session#"));
    let number = session.map_or(0, |number| number.parse().unwrap());
    let body = &letter["body"];
    match letter["kind"].as_str().unwrap() {
        "TaskOffered" => {
            let name = body["offer"]["name"].as_str().unwrap();
            let task: usize = name.split('.').next().unwrap().parse().unwrap();
            let fails = task % 10 == 3 || (task % 10 == 7 && body["offer"]["attempt"] == 1);
            house
                .peer_submits(number, body, Ending::Exit(fails.into()))
                .await;
        }
        "KeepResult" => house.result_is_kept(body).await,
        "ResultAnswered" | "NothingWaits" => {
            house.peer_asks(number).await;
        }
        _ => {}
    }
}
