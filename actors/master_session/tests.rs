//! A peer's end of the wire against a master that is played byte by byte, on paused time.

use std::sync::Mutex;

use actix::AsyncContext as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::*;
use crate::executor;
use crate::messages::MasterSessionInbox;
use crate::model::{Archive, Attempt, Dialect, Ending, Outcome, TaskId};
use crate::testing::Stage;

/// Room in the pretended connection: more than any message here.
const ROOM: usize = 1 << 20;
/// The base64 of the task's bytes, `zip`.
const TASK: &str = r#"{"action":"TASK_PACKAGE","task_name":"exemplo.zip","task_data":"emlw"}"#;

/// A peer, and the master's ends of the connections that it opens.
struct Scene {
    stage: Stage,
    session: Port<MasterSessionInbox>,
    dialled: mpsc::UnboundedReceiver<DuplexStream>,
    gone: CancellationToken,
}

impl Scene {
    fn enter(dialect: Option<Dialect>) -> Self {
        let stage = Stage::new();
        let (ends, dialled) = mpsc::unbounded_channel();
        let ends = Mutex::new(ends);
        let dial: Dial = Arc::new(move |_| {
            let (ours, theirs) = duplex(ROOM);
            let sent = ends.lock().unwrap().send(theirs);
            Box::pin(async move {
                sent.map_err(io::Error::other)?;
                Ok(Dialled {
                    stream: Box::new(ours),
                    local: Some([10, 0, 0, 7].into()),
                })
            })
        });
        let gone = CancellationToken::new();
        let session = Context::<MasterSession>::new();
        let to_session = stage.port(NAME, MasterSessionInbox::of(&session.address()));
        session.run(MasterSession::new(Cast {
            identity: PeerIdentity {
                id: "p1".parse().unwrap(),
                boot: BootId(Uuid::from_u128(1)),
                agent: "mutirao/1".into(),
                version: "1".into(),
                slots: 2,
                port: 4000,
                python: None,
            },
            time_limit: None,
            fixed: Some(Master {
                name: "lab".into(),
                addresses: vec![SocketAddr::from(([10, 0, 0, 1], 50020))],
                dialect,
            }),
            lonely: String::new(),
            kept: Vec::new(),
            dial,
            clock: stage.clock(),
            discovery: None,
            executor: stage.probe(executor::NAME, ExecutorInbox::of),
            gone: gone.clone(),
        }));
        Self {
            stage,
            session: to_session,
            dialled,
            gone,
        }
    }

    async fn connection(&mut self) -> DuplexStream {
        let end = timeout(Duration::from_secs(60), self.dialled.recv()).await;
        end.expect("nothing was dialled").expect("the peer is gone")
    }

    /// What the one task's run leaves.
    async fn run_ends(&self) {
        let run = &self.stage.said("RunTask")[0]["job"];
        let ended = RunEnded {
            task: serde_json::from_value::<TaskId>(run["task"].clone()).unwrap(),
            attempt: serde_json::from_value::<Attempt>(run["attempt"].clone()).unwrap(),
            outcome: Outcome {
                ending: Ending::Exit(0),
                took: Duration::from_millis(1500),
                peak_rss: None,
            },
            result: Archive::new("zip"),
        };
        self.session.tell(ended, Cause::OUTSIDE);
        self.stage.settle().await;
    }
}

/// What one `recv` of this size of another group's master gives.
async fn recv(end: &mut DuplexStream, size: usize) -> String {
    let mut bytes = vec![0; size];
    let read = timeout(Duration::from_secs(30), end.read(&mut bytes)).await;
    let read = read.expect("the peer says nothing").unwrap();
    assert!(read > 0, "the peer has hung up");
    String::from_utf8(bytes[..read].to_vec()).unwrap()
}

async fn say(end: &mut DuplexStream, message: &str) {
    end.write_all(message.as_bytes()).await.unwrap();
}

async fn on_stage(dialect: Option<Dialect>, play: impl AsyncFnOnce(Scene)) {
    LocalSet::new()
        .run_until(async { play(Scene::enter(dialect)).await })
        .await;
}

const OFFER: &str = concat!(
    r#""protocol":2,"agent":"mutirao/1","boot_id":"00000000-0000-0000-0000-000000000001","#,
    r#""slots":2,"capabilities":["persistent","attempt","wait","sha256","outcome","holds","cancel","raw","spare","output"]"#
);

#[tokio::test(start_paused = true)]
async fn a_flat_master_hears_the_fixed_messages_and_nothing_else() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut end = scene.connection().await;
        let register = format!(
            r#"{{"action":"REGISTER","peer_id":"p1","addr":["10.0.0.7",4000],{OFFER}}}"#
        );
        assert_eq!(recv(&mut end, 1024).await, register);
        say(&mut end, r#"{"status":"REGISTERED"}"#).await;
        let heartbeat = r#"{"action":"HEARTBEAT","peer_id":"p1"}"#;
        assert_eq!(recv(&mut end, 1024).await, heartbeat);
        say(&mut end, "{\"status\":\"ALIVE\"}\n").await;
        let request = r#"{"action":"REQUEST_TASK","peer_id":"p1"}"#;
        assert_eq!(recv(&mut end, 1024).await, request);
        say(&mut end, TASK).await;
        scene.stage.settle().await;
        scene.run_ends().await;
        let result = r#"{"action":"SUBMIT_RESULT","peer_id":"p1","result_name":"exemplo.zip","result_data":"emlw"}"#;
        assert_eq!(recv(&mut end, 1024).await, result);
        say(&mut end, r#"{"status":"OK"}"#).await;
        scene.stage.settle().await;
        assert_eq!(scene.stage.said("ForgetRun").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_envelope_master_hears_envelopes_one_a_connection() {
    on_stage(Some(Dialect::Envelope), async |mut scene| {
        let exchange = [
            (
                format!(
                    r#"{{"type":"REGISTER","data":{{"peer_id":"p1","host":"10.0.0.7","port":4000,{OFFER}}}}}"#
                ),
                r#"{"type":"REGISTERED","data":{}}"#,
            ),
            (
                r#"{"type":"HEARTBEAT","data":{"peer_id":"p1"}}"#.to_owned(),
                r#"{"type":"ALIVE","data":{}}"#,
            ),
            (
                r#"{"type":"REQUEST_TASK","data":{"peer_id":"p1"}}"#.to_owned(),
                r#"{"type":"NO_TASKS","data":{}}"#,
            ),
        ];
        for (asked, answer) in exchange {
            let mut end = scene.connection().await;
            assert_eq!(recv(&mut end, 1024).await, asked);
            say(&mut end, answer).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_super_peer_hears_its_own_register() {
    on_stage(Some(Dialect::SuperPeer), async |mut scene| {
        let mut end = scene.connection().await;
        let register = format!(r#"{{"action":"REGISTER","peer_id":"p1","p2p_port":4000,{OFFER}}}"#);
        assert_eq!(recv(&mut end, 1024).await, register);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_cut_in_its_middle_is_not_run_and_asked_for_again() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut cut = false;
        // This master closes after each reply, and the first task never comes whole.
        while scene.stage.said("RunTask").is_empty() {
            let mut end = scene.connection().await;
            let asked = recv(&mut end, 1024).await;
            let answer = match () {
                () if asked.contains("REGISTER") => r#"{"status":"REGISTERED"}"#,
                () if asked.contains("HEARTBEAT") => r#"{"status":"ALIVE"}"#,
                () if cut => TASK,
                () => {
                    cut = true;
                    &TASK[..40]
                }
            };
            say(&mut end, answer).await;
            scene.stage.settle().await;
        }
        assert!(cut);
        assert_eq!(scene.stage.said("RunTask").len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn garbage_costs_the_connection_and_nothing_else() {
    for garbage in ["HTTP/1.1 400 Bad Request\r\n\r\n", "]", r#"{"status":7}"#] {
        on_stage(Some(Dialect::Flat), async |mut scene| {
            let mut end = scene.connection().await;
            recv(&mut end, 1024).await;
            say(&mut end, garbage).await;
            let mut end = scene.connection().await;
            assert!(recv(&mut end, 1024).await.contains("REGISTER"));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_trickles_in_is_waited_for() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut end = scene.connection().await;
        recv(&mut end, 1024).await;
        say(&mut end, r#"{"status":"REGISTERED"}"#).await;
        recv(&mut end, 1024).await;
        say(&mut end, r#"{"status":"ALIVE"}"#).await;
        recv(&mut end, 1024).await;
        say(&mut end, &TASK[..TASK.len() - 6]).await;
        for _ in 0..12 {
            say(&mut end, &"emlw".repeat(128 << 10)).await;
            sleep(Duration::from_secs(1)).await;
        }
        assert!(scene.dialled.is_empty(), "it was taken for silence");
        sleep(Duration::from_secs(60)).await;
        assert!(!scene.dialled.is_empty(), "nothing moves any more");
    })
    .await;
}

/// The welcome of a master of ours that also names these.
fn welcome(more: &str) -> String {
    welcome_naming(&format!(
        r#""persistent","attempt","wait","sha256","holds"{more}"#
    ))
}

fn welcome_naming(capabilities: &str) -> String {
    format!(
        r#"{{"status":"REGISTERED","protocol":2,"master_id":"00000000-0000-0000-0000-000000000002","epoch":1,"heartbeat_s":5,"capabilities":[{capabilities}]}}"#
    )
}

/// A TASK_PACKAGE of these fields before the ones that name the try, and the digest of this ZIP.
fn package(fields: &str, zip: &str) -> String {
    let sha256 = Archive::new(zip.to_owned()).digest();
    format!(
        r#"{{"action":"TASK_PACKAGE","id":2,"task_name":"a.zip",{fields},"task_id":"00000000-0000-0000-0000-000000000003","attempt":1,"sha256":"{sha256}"}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_master_that_names_raw_sends_and_gets_payloads_behind_their_messages() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut end = scene.connection().await;
        recv(&mut end, 1024).await;
        say(&mut end, &welcome(r#","raw""#)).await;
        recv(&mut end, 1024).await;
        say(&mut end, &(package(r#""raw":2"#, "}{") + "}{")).await;
        scene.stage.settle().await;
        scene.run_ends().await;
        let said = recv(&mut end, 4096).await;
        let submission = said.split_once(r#"{"action":"SUBMIT_RESULT""#).unwrap().1;
        assert!(submission.contains(r#","raw":3,"#), "{said}");
        assert!(!submission.contains("result_data"), "{said}");
        assert!(said.contains("}zip{"), "{said}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_master_that_does_not_name_raw_gets_base64_and_its_field_of_that_name_is_ignored() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut end = scene.connection().await;
        recv(&mut end, 1024).await;
        say(&mut end, &welcome("")).await;
        recv(&mut end, 1024).await;
        say(&mut end, &package(r#""task_data":"emlw","raw":-3"#, "zip")).await;
        scene.stage.settle().await;
        scene.run_ends().await;
        let said = recv(&mut end, 4096).await;
        assert!(said.contains(r#""result_data":"emlw""#), "{said}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_master_that_names_too_little_hears_the_fixed_messages_and_nothing_else() {
    let in_part = [
        "",
        r#""raw","outcome","spare""#,
        r#""attempt","wait","sha256","holds""#,
    ];
    for named in in_part {
        on_stage(Some(Dialect::Flat), async |mut scene| {
            let mut end = scene.connection().await;
            recv(&mut end, 1024).await;
            say(&mut end, &welcome_naming(named)).await;
            let heartbeat = r#"{"action":"HEARTBEAT","peer_id":"p1"}"#;
            assert_eq!(recv(&mut end, 1024).await, heartbeat);
            say(&mut end, r#"{"status":"ALIVE"}"#).await;
            let request = r#"{"action":"REQUEST_TASK","peer_id":"p1"}"#;
            assert_eq!(recv(&mut end, 1024).await, request);
            say(&mut end, &package(r#""task_data":"emlw""#, "zip")).await;
            scene.stage.settle().await;
            scene.run_ends().await;
            let result = r#"{"action":"SUBMIT_RESULT","peer_id":"p1","result_name":"a.zip","result_data":"emlw"}"#;
            assert_eq!(recv(&mut end, 1024).await, result);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn how_a_run_ended_is_said_to_a_master_that_names_it() {
    for (named, says) in [("", false), (r#","outcome""#, true)] {
        on_stage(Some(Dialect::Flat), async |mut scene| {
            let mut end = scene.connection().await;
            recv(&mut end, 1024).await;
            say(&mut end, &welcome(named)).await;
            recv(&mut end, 1024).await;
            say(&mut end, &package(r#""task_data":"emlw""#, "zip")).await;
            scene.stage.settle().await;
            scene.run_ends().await;
            let said = recv(&mut end, 4096).await;
            assert!(said.contains(r#""attempt":1"#), "{said}");
            assert_eq!(said.contains(r#""ending":"exit""#), says, "{said}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_agreed_with_one_master_is_not_agreed_with_the_next() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut end = scene.connection().await;
        recv(&mut end, 1024).await;
        say(&mut end, &welcome(r#","raw""#)).await;
        recv(&mut end, 1024).await;
        say(&mut end, &(package(r#""raw":3"#, "zip") + "zip")).await;
        scene.stage.settle().await;
        drop(end);
        let mut end = scene.connection().await;
        recv(&mut end, 1024).await;
        say(&mut end, &welcome("")).await;
        recv(&mut end, 1024).await;
        scene.run_ends().await;
        let said = recv(&mut end, 4096).await;
        assert!(said.contains(r#""result_data":"emlw""#), "{said}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_behind_its_message_that_was_damaged_on_the_way_is_not_run() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut end = scene.connection().await;
        recv(&mut end, 1024).await;
        say(&mut end, &welcome(r#","raw""#)).await;
        recv(&mut end, 1024).await;
        say(&mut end, &(package(r#""raw":3"#, "zip") + "zap")).await;
        scene.connection().await;
        assert!(scene.stage.said("RunTask").is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_when_the_goodbye_is_answered() {
    on_stage(Some(Dialect::Flat), async |mut scene| {
        let mut end = scene.connection().await;
        recv(&mut end, 1024).await;
        say(&mut end, &welcome("")).await;
        let ask = recv(&mut end, 1024).await;
        assert_eq!(
            ask,
            r#"{"action":"REQUEST_TASK","id":2,"peer_id":"p1","wait_ms":25000}"#
        );
        scene
            .session
            .tell(LeaveMaster { now: false }, Cause::OUTSIDE);
        let leave = recv(&mut end, 1024).await;
        assert_eq!(leave, r#"{"action":"LEAVE","id":3,"peer_id":"p1"}"#);
        assert!(!scene.gone.is_cancelled());
        say(&mut end, r#"{"status":"LEFT","id":3}"#).await;
        scene.stage.settle().await;
        assert!(scene.gone.is_cancelled());
    })
    .await;
}
