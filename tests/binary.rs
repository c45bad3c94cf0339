//! The real binary as a person uses it: on this machine alone, each test with ports and a folder of its own.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;

use common::archives::{put_task, text_in, zips_in};
use common::desk::{Desk, err, out};
use common::program::Program;
use common::{PATIENCE, wait_until};
use serde_json::{Value, json};

const SUM: &str = "import csv, sys\nrows = list(csv.reader(open(sys.argv[1])))\nprint('sum', sum(int(row[0]) for row in rows))\n";

impl Desk {
    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[test]
fn up_drain_does_what_lies_in_tasks_and_tells_the_way_of_each() {
    let desk = Desk::new();
    fs::create_dir(desk.path("tasks")).unwrap();
    put_task(
        &desk.path("tasks"),
        "sum.zip",
        &[("main.py", SUM), ("input.csv", "1\n2\n39\n")],
    );
    let output = desk.output(&["up", "--drain"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(
        text_in(&desk.path("results/sum.zip"), "stdout.txt"),
        "sum 42\n"
    );
    assert_eq!(zips_in(&desk.path("tasks/done")), ["sum.zip"]);
    assert!(zips_in(&desk.path("tasks")).is_empty() && is_empty(&desk.path("work")));
    let story = out(&desk.output(&["trace", "--task", "sum.zip"]));
    let mut at = 0;
    for step in [
        "TaskArrived",
        "TaskOffered",
        "RunTask",
        "RunEnded",
        "ResultSubmitted",
        "KeepResult",
        "ResultKept",
        "TaskEnded",
    ] {
        at = at
            + story[at..]
                .find(step)
                .unwrap_or_else(|| panic!("no {step} after byte {at} of\n{story}"));
    }
    let again = desk.output(&["up", "--drain"]);
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    assert_eq!(zips_in(&desk.path("results")), ["sum.zip"]);
}

#[test]
fn a_script_in_tasks_is_told_how_to_be_run() {
    let desk = Desk::new();
    fs::create_dir(desk.path("tasks")).unwrap();
    desk.write("tasks/hello.py", "print(1)");
    let output = desk.output(&["up", "--drain"]);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for start in ["WARN", "nothing to do: "] {
        let line = said.lines().find(|line| line.contains(start)).unwrap();
        assert!(line.contains("tasks/hello.py is no ZIP"), "{said}");
        assert!(line.contains("`mutirao run ./tasks/hello.py`"), "{said}");
    }
}

#[test]
fn a_zip_that_is_too_large_to_travel_is_not_sent() {
    let desk = Desk::new();
    let file = fs::File::create(desk.path("big.zip")).unwrap();
    file.set_len(70_000_000).unwrap();
    let output = desk.output(&["run", "big.zip"]);
    assert!(!output.status.success());
    let said = err(&output);
    assert!(
        said.contains("big.zip cannot be a task: the ZIP is larger than 64 MiB: split the task"),
        "{said}"
    );
}

#[test]
fn up_drain_ends_with_1_when_a_task_failed_and_its_last_output_is_kept() {
    let desk = Desk::new();
    fs::create_dir(desk.path("tasks")).unwrap();
    put_task(
        &desk.path("tasks"),
        "bad.zip",
        &[
            ("main.py", "print('so far')\nraise SystemExit(3)"),
            ("task.toml", "retries = 0"),
        ],
    );
    put_task(
        &desk.path("tasks"),
        "good.zip",
        &[("main.py", "print('fine')")],
    );
    fs::write(desk.path("tasks/junk.zip"), "no zip").unwrap();
    let output = desk.output(&["up", "--drain"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert_eq!(zips_in(&desk.path("tasks/failed")), ["bad.zip"]);
    let note = fs::read_to_string(desk.path("tasks/failed/bad.zip.txt")).unwrap();
    assert!(
        note.contains("exit code 3") && note.contains("results/failed/bad.zip"),
        "{note}"
    );
    assert_eq!(
        text_in(&desk.path("results/failed/bad.zip"), "stdout.txt"),
        "so far\n"
    );
    assert_eq!(zips_in(&desk.path("results")), ["good.zip"]);
    assert_eq!(zips_in(&desk.path("tasks/rejected")), ["junk.zip"]);
}

#[test]
fn a_second_master_in_one_folder_is_refused_and_the_first_goes_on() {
    let desk = Desk::new();
    let first = desk.master();
    let output = desk.output(&["master"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("already serves"), "{}", err(&output));
    assert!(first.is_running());
}

#[test]
fn run_without_a_master_runs_the_script_here_and_prints_what_it_printed() {
    let desk = Desk::new();
    desk.write("sums.py", SUM);
    desk.write("numbers.csv", "20\n22\n");
    let output = desk.output(&["run", "sums.py", "numbers.csv", "--slots", "1"]);
    assert_eq!(out(&output), "sum 42\n", "{}", err(&output));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(zips_in(&desk.path("results")), ["sums.zip"]);
}

#[test]
fn run_without_a_master_leaves_what_waits_in_tasks_alone() {
    let desk = Desk::new();
    put_task(
        &desk.path("tasks"),
        "other.zip",
        &[("main.py", "print('not asked for')")],
    );
    desk.write("slow.py", "import time; time.sleep(1); print('asked for')");
    let output = desk.output(&["run", "slow.py"]);
    assert_eq!(out(&output), "asked for\n", "{}", err(&output));
    assert_eq!(zips_in(&desk.path("tasks")), ["other.zip"]);
    assert_eq!(zips_in(&desk.path("results")), ["slow.zip"]);
}

#[test]
fn run_of_a_script_that_fails_shows_its_traceback_and_ends_with_1() {
    let desk = Desk::new();
    fs::create_dir(desk.path("job")).unwrap();
    desk.write("job/main.py", "print('begin')\n1 / 0\n");
    desk.write("job/task.toml", "retries = 0\n");
    let output = desk.output(&["run", "job"]);
    assert_eq!(
        (output.status.code(), out(&output).as_str()),
        (Some(1), "begin\n"),
        "{}",
        err(&output)
    );
    assert!(
        err(&output).contains("ZeroDivisionError"),
        "{}",
        err(&output)
    );
    assert_eq!(zips_in(&desk.path("results/failed")), ["job.zip"]);
}

#[test]
fn run_status_peers_and_masters_find_the_master_that_runs() {
    let desk = Desk::new();
    let elsewhere = desk.elsewhere();
    let master = desk.master();
    let peer = elsewhere.start(&["peer", "--slots", "2"]);
    wait_until("the peer is listed", PATIENCE, || {
        desk.json(&["peers", "--json"])[0]["slots"] == 2
    });
    let away = desk.elsewhere();
    away.write("main.py", "print('hello from afar')\n");
    let output = away.output(&["run", "main.py"]);
    assert_eq!(
        (output.status.code(), out(&output).as_str()),
        (Some(0), "hello from afar\n"),
        "{}",
        err(&output)
    );
    for folder in [&desk, &away] {
        assert_eq!(zips_in(&folder.path("results")), ["main.zip"]);
    }
    let status = desk.json(&["status", "--json"]);
    assert_eq!(
        (&status["role"], &status["tasks"]["done"], &status["peers"]),
        (&"master".into(), &1.into(), &1.into())
    );
    let masters = desk.json(&["masters", "--json", "--wait", "1"]);
    assert_eq!(
        (
            &masters["masters"][0]["name"],
            &masters["masters"][0]["chosen"]
        ),
        (&"lab".into(), &true.into())
    );
    assert!(is_empty(&elsewhere.path("work")), "the peer keeps nothing");
    peer.terminate();
    assert_eq!(peer.wait_end(PATIENCE), Some(0));
    wait_until("the peer has left", PATIENCE, || {
        desk.json(&["peers", "--json"])
            .as_array()
            .unwrap()
            .is_empty()
    });
    master.terminate();
    assert_eq!(master.wait_end(PATIENCE), Some(0));
}

#[test]
fn sigterm_lets_a_peer_finish_and_hand_in_what_runs() {
    let desk = Desk::new();
    let elsewhere = desk.elsewhere();
    let master = desk.master();
    let peer = elsewhere.start(&["peer", "--slots", "1"]);
    let (started, go) = (desk.path("started"), desk.path("go"));
    let script = format!(
        "import os, time\nopen({started:?}, 'w').close()\nwhile not os.path.exists({go:?}):\n    time.sleep(0.01)\nprint('finished')\n"
    );
    put_task(&desk.path("tasks"), "long.zip", &[("main.py", &script)]);
    wait_until("the script runs", PATIENCE, || started.exists());
    peer.terminate();
    wait_until("the peer asks for no more", PATIENCE, || {
        put_task(
            &desk.path("tasks"),
            "later.zip",
            &[("main.py", "print('later')")],
        );
        desk.counts()["queued"] == 1
    });
    desk.write("go", "");
    assert_eq!(peer.wait_end(PATIENCE), Some(0));
    wait_until("the result is in its place", PATIENCE, || {
        desk.path("results/long.zip").exists()
    });
    assert_eq!(
        text_in(&desk.path("results/long.zip"), "stdout.txt"),
        "finished\n"
    );
    assert!(
        desk.path("tasks/later.zip").exists(),
        "it waits for another peer"
    );
    drop(master);
}

#[test]
fn sigterm_lets_up_take_in_what_runs_elsewhere_and_hand_out_no_more() {
    let desk = Desk::new();
    let elsewhere = desk.elsewhere();
    let up = desk.start(&["up", "--slots", "1"]);
    up.wait_line(|line| line.contains("serving"), PATIENCE);
    let _peer = elsewhere.start(&["peer", "--slots", "1"]);
    let go = desk.path("go");
    let script = format!(
        "import os, time\nwhile not os.path.exists({go:?}):\n    time.sleep(0.01)\nprint('finished')\n"
    );
    for name in ["one.zip", "two.zip"] {
        put_task(&desk.path("tasks"), name, &[("main.py", &script)]);
    }
    let tasks = |of: &str| desk.counts()[of].clone();
    wait_until("both run", PATIENCE, || tasks("leased") == 2);
    up.terminate();
    up.wait_line(|line| line.contains("nothing out any more"), PATIENCE);
    put_task(&desk.path("tasks"), "later.zip", &[("main.py", "print(1)")]);
    wait_until("the third waits", PATIENCE, || tasks("queued") == 1);
    desk.write("go", "");
    assert_eq!(up.wait_end(PATIENCE), Some(0));
    assert_eq!(zips_in(&desk.path("results")), ["one.zip", "two.zip"]);
    assert_eq!(zips_in(&desk.path("tasks")), ["later.zip"]);
    assert!(is_empty(&desk.path("work")));
}

#[test]
fn deleting_a_zip_cancels_its_task_and_kills_its_script() {
    let desk = Desk::new();
    let up = desk.start(&["up", "--slots", "1"]);
    up.wait_line(|line| line.contains("serving"), PATIENCE);
    let pid = desk.path("pid");
    let script = format!(
        "import os, time\nopen({pid:?} + '.new', 'w').write(str(os.getpid()))\nos.rename({pid:?} + '.new', {pid:?})\ntime.sleep(3600)\n"
    );
    put_task(&desk.path("tasks"), "endless.zip", &[("main.py", &script)]);
    wait_until("the script runs", PATIENCE, || pid.exists());
    let process = Path::new("/proc").join(fs::read_to_string(&pid).unwrap());
    assert!(process.exists());
    fs::remove_file(desk.path("tasks/endless.zip")).unwrap();
    wait_until("the script is gone", PATIENCE, || !process.exists());
    wait_until("the task is cancelled", PATIENCE, || {
        desk.counts()["cancelled"] == 1
    });
    wait_until("its folder is gone", PATIENCE, || {
        is_empty(&desk.path("work"))
    });
}

#[test]
fn run_leaves_nothing_running_and_its_message_log_when_the_task_is_taken_back() {
    let desk = Desk::new();
    let started = desk.path("started");
    let script = format!("import time\nopen({started:?}, 'w').close()\ntime.sleep(3600)\n");
    desk.write("long.py", &script);
    let temporary = desk.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let mut command = desk.command(&["run", "long.py"]);
    let run = Program::spawn("run", command.env("TMPDIR", &temporary));
    wait_until("the script runs", PATIENCE, || started.exists());
    let folders = fs::read_dir(&temporary).unwrap().next().unwrap().unwrap();
    fs::remove_file(folders.path().join("tasks/long.zip")).unwrap();
    assert_eq!(run.wait_end(PATIENCE), Some(1));
    assert!(is_empty(&desk.path("work")) && is_empty(&temporary));
    assert!(desk.path(".mutirao/messages.jsonl").exists());
}

#[test]
fn a_wrong_turn_ends_in_words_that_help_and_in_its_exit_code() {
    let desk = Desk::new();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["status"], 3, "mutirao master"),
        (&["peers"], 3, "mutirao master"),
        (&["run", "missing.py"], 2, "missing.py"),
        (&["trace"], 3, "mutirao master"),
        (&["peer", "--python", "/bin/false"], 2, "--python PATH"),
        (&["master", "--scheduler", "fiffo"], 2, "fifo"),
        (&["peer", "--slots", "0"], 2, "--slots"),
        (&["up", "--time-limit", "soon"], 2, "such as 90s"),
    ];
    for (words, code, help) in cases {
        let output = desk.output(words);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{words:?}: {}",
            err(&output)
        );
        assert!(err(&output).contains(help), "{words:?}: {}", err(&output));
    }
}

#[test]
fn a_taken_port_is_named_with_the_flag_that_chooses_another() {
    let desk = Desk::new();
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = desk.output(&["master", "--port", &port]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err(&output).contains(&port) && err(&output).contains("--port"),
        "{}",
        err(&output)
    );
}

#[test]
fn logs_are_json_when_asked_and_the_version_names_the_commit() {
    let desk = Desk::new();
    let output = desk.output(&["up", "--drain", "--log-format", "json"]);
    let lines = json_lines(&err(&output));
    assert!(lines.iter().any(|line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("serving"))
    }));
    let version = out(&desk.output(&["--version"]));
    let parts: Vec<_> = version.split_whitespace().collect();
    assert_eq!(parts[..2], ["mutirao", env!("CARGO_PKG_VERSION")]);
    assert!(parts[2].len() > 8, "{version}");
}

#[test]
fn every_log_line_of_a_run_says_which_run_it_is() {
    let desk = Desk::new();
    fs::create_dir(desk.path("tasks")).unwrap();
    put_task(&desk.path("tasks"), "one.zip", &[("main.py", "print(1)")]);
    let output = desk.output(&["up", "--drain", "--log-format", "json"]);
    let lines = json_lines(&err(&output));
    for said in ["running a task", "a task ended: exit code 0"] {
        let line = lines.iter().find(|line| line["message"] == said).unwrap();
        let span = &line["spans"][0];
        assert_eq!(
            (&span["name"], &span["attempt"]),
            (&json!("attempt"), &json!("1"))
        );
        assert_eq!(span["task"].as_str().unwrap().len(), 36, "{line}");
    }
    put_task(&desk.path("tasks"), "two.zip", &[("main.py", "print(1)")]);
    let text = err(&desk.output(&["up", "--drain"]));
    let line = text.lines().find(|line| line.contains("running a task"));
    let line = line.unwrap();
    assert!(
        line.contains("task=") && line.contains("attempt=1"),
        "{line}"
    );
}

#[test]
fn every_log_line_about_a_message_says_on_which_connection_and_of_whom_it_came() {
    let desk = Desk::new();
    // Also where only what is wrong is told.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let port = address.port().to_string();
    let master = desk.start(&["master", "--port", &port, "--log-format", "json", "--quiet"]);
    let mut connection = None;
    wait_until("the master listens", PATIENCE, || {
        connection = TcpStream::connect(address).ok();
        connection.is_some()
    });
    let connection = &mut connection.unwrap();
    connection
        .write_all(br#"{"action":"HEARTBEAT","peer_id":"ana"}{"action":"HEARTBEAT","peer_id":7}"#)
        .unwrap();
    let line = master.wait_line(|line| line.contains("refused a message"), PATIENCE);
    let line: Value = serde_json::from_str(&line).unwrap();
    let span = json!({"name": "session", "session": 1, "peer": "ana"});
    assert_eq!(line["spans"], json!([span]));
}

#[test]
fn a_continuous_message_log_is_followed_while_it_is_written() {
    let desk = Desk::new();
    let up = desk.start(&["up", "--message-log", "--slots", "1"]);
    up.wait_line(|line| line.contains("serving"), PATIENCE);
    wait_until("the log is there", PATIENCE, || {
        desk.path(".mutirao/messages.jsonl").exists()
    });
    let follow = desk.start(&["trace", "--follow", "--kind", "TaskEnded"]);
    put_task(&desk.path("tasks"), "one.zip", &[("main.py", "print(1)")]);
    let line = follow.wait_line(|line| line.contains("TaskEnded"), PATIENCE);
    assert!(line.contains("one.zip"), "{line}");
    let diagram = out(&desk.output(&["trace", "--task", "one.zip", "--mermaid"]));
    assert!(diagram.starts_with("sequenceDiagram"), "{diagram}");
}

#[test]
fn a_trace_beside_a_master_asks_it_and_not_the_log_of_an_earlier_run() {
    let desk = Desk::new();
    let dead = r#"{"v":1,"seq":1,"at":"2026-11-22T12:00:00Z","moment":1,"from":"a","to":"b","kind":"Old","cause":null,"dead":false,"body":{}}"#;
    fs::create_dir(desk.path(".mutirao")).unwrap();
    fs::write(desk.path(".mutirao/messages.jsonl"), dead).unwrap();
    let (up, _) = desk.up();
    fs::write(desk.path("sim.py"), "").unwrap();
    assert!(desk.output(&["run", "sim.py"]).status.success());
    let story = desk.output(&["trace", "--task", "sim"]);
    assert!(story.status.success(), "{}", err(&story));
    let follow = desk.start(&["trace", "--follow", "--kind", "TaskEnded"]);
    follow.wait_line(|line| line.contains("sim.zip"), PATIENCE);
    fs::write(desk.path("later.py"), "").unwrap();
    assert!(desk.output(&["run", "later.py"]).status.success());
    follow.wait_line(|line| line.contains("later.zip"), PATIENCE);
    let old = desk.output(&["trace", "--kind", "Old"]);
    assert_eq!(old.status.code(), Some(1));
    assert!(err(&old).contains("--file .mutirao"), "{}", err(&old));

    // The note that a killed master leaves leads nowhere.
    up.kill();
    up.wait_end(PATIENCE);
    assert!(desk.output(&["trace", "--kind", "Old"]).status.success());
    let none = desk.output(&["trace", "--task", "sim"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("--master HOST:PORT"), "{}", err(&none));
}

#[test]
fn a_port_that_another_program_has_ends_the_start_in_words_and_without_a_panic() {
    let desk = Desk::new();
    let other = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    for words in [["master", "--discovery-port"], ["up", "--discovery-port"]] {
        let output = desk.output(&[&words[..], &[&port]].concat());
        let said = err(&output);
        assert!(!output.status.success());
        assert!(
            said.contains(&format!("UDP port {port} is taken")),
            "{said}"
        );
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn settings_are_shown_with_where_they_come_from_and_shells_and_man_are_told_of_all_subcommands() {
    let desk = Desk::new();
    desk.write("mutirao.toml", "[peer]\nslots = 3\n");
    let settings = desk.json(&["config", "--json"]);
    let of = |key: &str, command: &str| {
        let all = settings.as_array().unwrap().iter();
        let has = |row: &&Value| {
            row["commands"]
                .as_array()
                .unwrap()
                .contains(&json!(command))
        };
        let found = all.filter(|row| row["key"] == key).find(has).unwrap();
        (found["value"].clone(), found["origin"].clone())
    };
    assert_eq!(of("slots", "peer"), (json!("3"), json!("mutirao.toml")));
    assert_eq!(of("slots", "up"), (Value::Null, json!("default")));
    assert_eq!(of("port", "master"), (json!("0"), json!("MUTIRAO_PORT")));
    let shown = out(&desk.output(&["config"]));
    assert!(shown.contains("scheduler"), "{shown}");
    let mut command = desk.command(&["config"]);
    let wrong = command.env("MUTIRAO_SLOTS", "many").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(out(&wrong).contains("many"), "{}", out(&wrong));
    let said = err(&wrong);
    assert!(
        said.contains("MUTIRAO_SLOTS: invalid value 'many' for '--slots <N>'"),
        "{said}"
    );
    assert!(said.contains("peer"), "{said}");

    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = out(&desk.output(&["completions", shell]));
        assert!(completions.contains("discovery-port"), "{shell}");
    }
    let page = out(&desk.output(&["man"]));
    assert!(page.contains(".TH mutirao 1"), "{page}");
    assert!(out(&desk.output(&["man", "peer"])).contains("slots"));
    let unknown = desk.output(&["man", "pear"]);
    assert!(err(&unknown).contains("no subcommand \"pear\""));
}
