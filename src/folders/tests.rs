//! The desk with real folders under virtual time: what it says is read from the message log, which is complete.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use mutirao_actors::logic::effect::End;
use mutirao_actors::messages::{AdoptTask, KeepResult, LoadResult, LoadTask};
use mutirao_actors::model::{Archive, Attempt, TaskId, TaskName, Wishes};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use self::stage::{PATIENCE, Stage, id, play, result_zip, task_zip};
use super::crew::WORK_MAX;
use super::intake::SETTLING;
use crate::archive::{Compression, pack};

mod damage;
mod restart;
mod stage;

/// Where results are read.
const READER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test(start_paused = true)]
async fn a_task_from_the_wire_that_would_never_travel_on_is_refused() {
    play(async {
        let mut stage = Stage::new();
        let data = vec![0; ARCHIVE_MAX];
        let files = [("main.py", &b"1"[..]), ("data", &data)];
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, content) in files {
            zip.start_file(name, stored).unwrap();
            zip.write_all(content).unwrap();
        }
        stage.tell(AdoptTask {
            name: TaskName::tamed("a.zip"),
            archive: Archive::new(zip.finish().unwrap().into_inner()),
            group: "lab".into(),
            wishes: Wishes::default(),
            part: None,
            reply: stage.reply(),
        });
        let [refused] = stage.hear(["RequestRefused"]).await;
        let why = refused["why"].as_str().unwrap();
        assert!(why.contains("larger than 64 MiB: split the task"), "{why}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_zip_put_in_is_a_task_until_it_is_done() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/Meu teste.ZIP", &task_zip("print(1)"));
        let [arrived] = stage.hear(["TaskArrived"]).await;
        assert_eq!(arrived["task"]["name"], "Meu_teste.zip");
        assert_eq!(arrived["task"]["group"], "tasks");
        let task = id(&arrived["task"]["id"]);
        stage.tell(LoadTask {
            task,
            reply: stage.reply(),
        });
        let [loaded] = stage.hear(["PayloadLoaded"]).await;
        let sha256 = arrived["task"]["sha256"].as_str().unwrap();
        assert!(loaded["archive"].as_str().unwrap().ends_with(sha256));
        assert_eq!(loaded["request"], 7);

        stage.end(task, End::Done);
        stage
            .until(|stage| stage.path("tasks/done/Meu teste.ZIP").exists())
            .await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
        assert_eq!(stage.names("tasks"), ["done".to_owned()].into());
        stage.tell(LoadTask {
            task,
            reply: stage.reply(),
        });
        stage.hear(["RequestRefused"]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_half_copied_file_is_left_alone_until_it_is_whole() {
    play(async {
        let mut stage = Stage::new();
        let zip = task_zip("print('a longer script than the other')");
        let (first, rest) = zip.split_at(zip.len() / 2);
        stage.put("tasks/a.zip", first);
        stage.pass(SETTLING / 2).await;
        assert_eq!(stage.news(), []);
        stage.put("tasks/a.zip", &[first, rest].concat());
        stage.arrival().await;
        assert!(stage.path("tasks/a.zip").exists());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn deleting_a_zip_takes_its_task_back() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/a.zip", &task_zip("1"));
        let task = stage.arrival().await;
        fs::remove_file(stage.path("tasks/a.zip")).unwrap();
        let [withdrawn] = stage.hear(["TaskWithdrawn"]).await;
        assert_eq!(id(&withdrawn["task"]), task);
        // The scheduler says so too; there is nothing left to do.
        stage.end(task, End::Cancelled("deleted".into()));
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn replacing_a_zip_withdraws_the_old_task_and_brings_a_new_one() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/a.zip", &task_zip("old"));
        let old = stage.arrival().await;
        stage.put("tasks/a.zip", &task_zip("new"));
        let [withdrawn, arrived] = stage.hear(["TaskWithdrawn", "TaskArrived"]).await;
        assert_eq!(id(&withdrawn["task"]), old);
        assert_ne!(id(&arrived["task"]["id"]), old);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_same_name_again_is_a_new_task() {
    play(async {
        let mut stage = Stage::new();
        let mut tasks = BTreeSet::new();
        for name in ["a.zip", "a.2.zip", "a.3.zip"] {
            stage.put("tasks/a.zip", &task_zip("1"));
            let task = stage.arrival().await;
            tasks.insert(task);
            stage.end(task, End::Done);
            let moved = stage.path("tasks/done").join(name);
            stage.until(|_| moved.exists()).await;
        }
        assert_eq!(tasks.len(), 3);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_file_replaced_at_the_end_of_its_task_is_not_moved_with_it() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/a.zip", &task_zip("old"));
        let old = stage.arrival().await;
        stage.put("tasks/a.zip", &task_zip("new"));
        stage.end(old, End::Done);
        let new = stage.arrival().await;
        assert_ne!(old, new);
        assert_eq!(stage.read("tasks/a.zip"), task_zip("new"));
        assert_eq!(stage.names("tasks/done"), BTreeSet::new());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_result_never_overwrites_another() {
    play(async {
        let mut stage = Stage::new();
        stage.put("results/a.zip", b"of an earlier day");
        let keep = |task, success, bytes: Vec<u8>| KeepResult {
            task,
            name: TaskName::tamed("a.zip"),
            attempt: Attempt(1),
            success,
            archive: Archive::new(bytes),
        };
        let mut files = Vec::new();
        let first = TaskId::new();
        for (task, success) in [(first, true), (TaskId::new(), true), (TaskId::new(), false)] {
            stage.tell(keep(task, success, result_zip("x")));
            let [kept] = stage.hear(["ResultKept"]).await;
            files.push(kept["file"].as_str().unwrap().to_owned());
            assert!(
                !stage
                    .path(&format!("results/{}", files.last().unwrap()))
                    .exists()
            );
            stage.tell(LoadResult {
                task,
                reader: READER,
                reply: stage.reply(),
            });
            stage.hear(["PayloadLoaded"]).await;
            let end = match success {
                true => End::Done,
                false => End::Failed("exit code 1".into()),
            };
            stage.end(task, end);
        }
        stage
            .until(|stage| stage.records.borrow().len() == files.len())
            .await;
        assert_eq!(stage.names(".mutirao/payloads"), BTreeSet::new());
        assert_eq!(files, ["a.2.zip", "a.3.zip", "failed/a.zip"]);
        assert_eq!(stage.read("results/a.zip"), b"of an earlier day");
        assert_eq!(stage.read("results/failed/a.zip"), result_zip("x"));

        stage.tell(LoadResult {
            task: first,
            reader: READER,
            reply: stage.reply(),
        });
        let [loaded] = stage.hear(["PayloadLoaded"]).await;
        assert_eq!(loaded["name"], "a.2.zip", "the file has its name");
        stage.put("results/a.2.zip", b"spoilt");
        stage.tell(LoadResult {
            task: first,
            reader: READER,
            reply: stage.reply(),
        });
        stage.tell(LoadResult {
            task: TaskId::new(),
            reader: READER,
            reply: stage.reply(),
        });
        stage.hear(["RequestRefused", "RequestRefused"]).await;

        stage.tell(keep(first, true, b"no ZIP".to_vec()));
        let [refused] = stage.hear(["ResultRefused"]).await;
        assert!(
            refused["why"].as_str().unwrap().contains("ZIP"),
            "{refused}"
        );
        assert_eq!(refused["by_disk"], false);
        assert_eq!(stage.names("results").len(), 4);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_task_is_rejected_with_its_reason() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/rejected/a.zip", b"an earlier one");
        stage.put("tasks/a.zip", &result_zip("no script"));
        stage.put("tasks/notes.txt", b"not ours");
        stage.put("tasks/.hidden.zip", b"not ours");
        std::os::unix::fs::symlink("nowhere", stage.path("tasks/link.zip")).unwrap();
        stage
            .until(|stage| stage.path("tasks/rejected/a.2.zip.txt").exists())
            .await;
        assert!(
            stage
                .note("tasks/rejected/a.2.zip.txt")
                .starts_with("rejected: main.py is missing")
        );
        assert_eq!(
            stage.read("tasks/rejected/a.2.zip"),
            result_zip("no script")
        );
        let left = [".hidden.zip", "link.zip", "notes.txt", "rejected"].map(String::from);
        assert_eq!(stage.names("tasks"), left.into());
        assert_eq!(stage.news(), []);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_runs_once_while_its_copy_lies_there() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/.stay", b"example.zip\n");
        stage.put("tasks/example.zip", &task_zip("1"));
        let task = stage.arrival().await;
        stage.end(task, End::Done);
        stage
            .until(|stage| stage.path("tasks/done/example.zip").exists())
            .await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.read("tasks/example.zip"), task_zip("1"));

        let mut stage = Stage::in_folder(stage.root);
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), [], "nor does a restart run it again");

        fs::remove_file(stage.path("tasks/done/example.zip")).unwrap();
        let task = stage.arrival().await;
        stage.end(task, End::Failed("exit code 1".into()));
        stage
            .until(|stage| stage.path("tasks/failed/example.zip.txt").exists())
            .await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), [], "a failed one rests too");

        stage.put("tasks/example.zip", &task_zip("2"));
        stage.arrival().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_adopts_what_lies_there_and_sweeps_what_was_half_written() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/a.zip", &task_zip("1"));
        let first = stage.arrival().await;
        stage.put("results/.mutirao-abc.part", b"half");
        let mut stage = Stage::in_folder(stage.root);
        assert_ne!(stage.arrival().await, first);
        assert_eq!(stage.names("results"), BTreeSet::new());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_from_the_wire_is_written_and_adopted_once() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/a.zip", &task_zip("in the way"));
        let toml: &[u8] = b"priority = 3\nretries = 2\n";
        let zip = pack(
            [("main.py", &b"1"[..]), ("task.toml", toml)],
            Compression::Fast,
        )
        .unwrap();
        let adopt = |archive: &[u8]| AdoptTask {
            name: TaskName::tamed("a.zip"),
            archive: Archive::new(archive.to_vec()),
            group: "lab".into(),
            wishes: Wishes {
                priority: 9,
                ..Wishes::default()
            },
            part: None,
            reply: stage.reply(),
        };
        let (sound, unsound) = (adopt(&zip), adopt(b"no ZIP"));
        stage.tell(sound);
        let [arrived, accepted] = stage.hear(["TaskArrived", "TaskAccepted"]).await;
        assert_eq!(arrived["task"]["name"], "a.2.zip", "the name was taken");
        assert_eq!(arrived["task"]["group"], "lab");
        assert_eq!(
            arrived["task"]["wishes"]["priority"], 9,
            "the submitter goes before task.toml"
        );
        assert_eq!(arrived["task"]["wishes"]["retries"], 2);
        assert_eq!(
            (&accepted["task"], &accepted["name"]),
            (&arrived["task"]["id"], &arrived["task"]["name"])
        );
        stage
            .until(|stage| stage.path("tasks/a.2.zip").exists())
            .await;
        assert_eq!(stage.read("tasks/a.2.zip"), zip);
        let other = stage.arrival().await;
        assert_ne!(other, id(&accepted["task"]));

        stage.tell(unsound);
        stage.hear(["RequestRefused"]).await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), []);
        assert_eq!(
            stage.names("tasks"),
            ["a.zip", "a.2.zip"].map(String::from).into()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn tasks_that_come_from_the_wire_at_once_are_all_accepted_and_put_into_their_places() {
    play(async {
        let mut stage = Stage::new();
        for number in 0..9 {
            stage.tell(AdoptTask {
                name: TaskName::tamed("a.zip"),
                archive: Archive::new(task_zip(&number.to_string())),
                group: "lab".into(),
                wishes: Wishes::default(),
                part: None,
                reply: stage.reply(),
            });
        }
        stage.until(|stage| stage.names("tasks").len() == 9).await;
        let accepted = stage.news().into_iter();
        let accepted = accepted.filter(|(kind, _)| kind == "TaskAccepted");
        let names: BTreeSet<_> = accepted.map(|(_, body)| body["name"].to_string()).collect();
        assert_eq!(names.len(), 9);
        stage
            .until(|stage| stage.names(".mutirao/payloads").is_empty())
            .await;
        stage.pass(PATIENCE).await;
        assert_eq!(stage.news(), [], "no look takes them for new ones");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failed_and_cancelled_tasks_lie_in_failed_with_a_note() {
    play(async {
        let mut stage = Stage::new();
        for (end, file, note) in [
            (
                End::Failed("exit code 1".into()),
                "a.zip",
                "failed: exit code 1\n",
            ),
            (
                End::Cancelled("not needed".into()),
                "a.2.zip",
                "cancelled: not needed\n",
            ),
        ] {
            stage.put("tasks/a.zip", &task_zip("1"));
            let task = stage.arrival().await;
            stage.end(task, end);
            let path = format!("tasks/failed/{file}.txt");
            stage.until(|stage| stage.path(&path).exists()).await;
            assert_eq!(stage.note(&path), note);
            assert_eq!(stage.read(&format!("tasks/failed/{file}")), task_zip("1"));
        }
    })
    .await;
}

/// A task whose ZIP is too long to be kept in memory.
fn long_task() -> Vec<u8> {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    let noise: Vec<_> = noise.take(100_000).collect();
    pack(
        [("main.py", &b"1"[..]), ("noise", &noise)],
        Compression::Fast,
    )
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_small_task_is_handed_out_from_memory_until_its_file_is_seen_to_have_changed() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/a.zip", &task_zip("old"));
        let task = stage.arrival().await;
        stage.put("tasks/a.zip", &task_zip("new"));
        stage.tell(LoadTask {
            task,
            reply: stage.reply(),
        });
        let [loaded, withdrawn, _] = stage
            .hear(["PayloadLoaded", "TaskWithdrawn", "TaskArrived"])
            .await;
        let old = Archive::new(task_zip("old")).digest().to_string();
        assert!(loaded["archive"].as_str().unwrap().ends_with(&old));
        assert_eq!(id(&withdrawn["task"]), task);
        stage.tell(LoadTask {
            task,
            reply: stage.reply(),
        });
        stage.hear(["RequestRefused"]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_read_and_whose_file_changed_is_not_handed_out() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/a.zip", &long_task());
        let task = stage.arrival().await;
        stage.put("tasks/a.zip", &task_zip("new"));
        stage.tell(LoadTask {
            task,
            reply: stage.reply(),
        });
        let [refused, withdrawn, _] = stage
            .hear(["RequestRefused", "TaskWithdrawn", "TaskArrived"])
            .await;
        assert!(
            refused["why"].as_str().unwrap().contains("has changed"),
            "{refused}"
        );
        assert_eq!(id(&withdrawn["task"]), task);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_refuses_is_tried_again() {
    play(async {
        let mut stage = Stage::new();
        stage.put("tasks/done", b"a file where a folder should be");
        stage.put(".mutirao/payloads", b"a file where a folder should be");
        stage.put("tasks/a.zip", &task_zip("1"));
        let task = stage.arrival().await;
        stage.tell(KeepResult {
            task,
            name: TaskName::tamed("a.zip"),
            attempt: Attempt(1),
            success: false,
            archive: Archive::new(result_zip("x")),
        });
        let [refused] = stage.hear(["ResultRefused"]).await;
        assert!(
            refused["why"]
                .as_str()
                .unwrap()
                .contains("failed to make the folder"),
            "{refused}"
        );
        assert_eq!(refused["by_disk"], true);
        stage.end(task, End::Done);
        stage.pass(PATIENCE).await;
        assert!(stage.path("tasks/a.zip").exists());
        assert_eq!(stage.news(), []);
        fs::remove_file(stage.path("tasks/done")).unwrap();
        stage
            .until(|stage| stage.path("tasks/done/a.zip").exists())
            .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_trouble_with_a_file_goes_with_the_file() {
    play(async {
        let stage = Stage::new();
        stage.put("tasks/rejected", b"a file where a folder should be");
        stage.put("tasks/a.zip", b"no task");
        let is_said = |stage: &Stage| {
            stage
                .trouble()
                .is_some_and(|said| said.contains("rejected"))
        };
        stage.until(is_said).await;
        fs::remove_file(stage.path("tasks/a.zip")).unwrap();
        stage.until(|stage| stage.trouble().is_none()).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_trouble_with_what_nobody_tries_again_goes_when_the_disk_is_well() {
    play(async {
        let mut stage = Stage::new();
        stage.put(".mutirao/payloads", b"a file where a folder should be");
        stage.tell(KeepResult {
            task: TaskId::new(),
            name: TaskName::tamed("a.zip"),
            attempt: Attempt(1),
            success: true,
            archive: Archive::new(result_zip("x")),
        });
        stage.hear(["ResultRefused"]).await;
        stage.pass(PATIENCE).await;
        let said = stage.trouble().unwrap();
        assert!(said.contains("payloads"), "{said}");
        fs::remove_file(stage.path(".mutirao/payloads")).unwrap();
        stage.until(|stage| stage.trouble().is_none()).await;
        assert_eq!(stage.names(".mutirao/payloads"), BTreeSet::new());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn more_tasks_than_hands_all_arrive_and_all_leave() {
    play(async {
        let mut stage = Stage::new();
        const COUNT: usize = 4 * WORK_MAX;
        for n in 0..COUNT {
            stage.put(&format!("tasks/{n}.zip"), &task_zip("1"));
        }
        for arrived in stage.hear(["TaskArrived"; COUNT]).await {
            stage.end(id(&arrived["task"]["id"]), End::Done);
        }
        stage
            .until(|stage| stage.names("tasks/done").len() == COUNT)
            .await;
    })
    .await;
}
