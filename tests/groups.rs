//! Work that is cut into a group of tasks, with the real binary: what comes out is what one run would have given.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::desk::{Desk, each_row, err, free_port, out};
use common::program::Program;
use common::{PATIENCE, wait_until};
use serde_json::Value;

/// Prints its rows with the length of a text in them.
const MEASURE: &str = "\
import csv, sys
rows = csv.DictReader(open(sys.argv[1], newline=''))
table = csv.writer(sys.stdout, lineterminator='\\n')
table.writerow(['name', 'text', 'length'])
for row in rows:
    if row['name'] == 'bad':
        sys.exit('a bad row')
    table.writerow([row['name'], row['text'], len(row['text'])])
";

/// Rows with quotes and line ends in them; these are bad.
fn table(rows: usize, bad: &[usize]) -> String {
    let row = |number| match bad.contains(&number) {
        true => "bad,x\n".to_owned(),
        false => format!("row {number},\"say \"\"{number}\"\",\nand more\"\n"),
    };
    let rows: String = (0..rows).map(row).collect();
    format!("name,text\n{rows}")
}

/// A folder with the script and a table.
fn desk(table: &str) -> Desk {
    let desk = Desk::new();
    fs::write(desk.path("main.py"), MEASURE).unwrap();
    fs::write(desk.path("rows.csv"), table).unwrap();
    desk
}

/// What one run over the whole table prints.
fn sequential(desk: &Desk) -> String {
    let mut python = Command::new("python3");
    python
        .args(["main.py", "rows.csv"])
        .current_dir(desk.folder.path());
    String::from_utf8(python.output().unwrap().stdout).unwrap()
}

fn read(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_str(&read(folder, "manifest.json")).unwrap()
}

/// The folder that a run named.
fn named(desk: &Desk, printed: &str) -> PathBuf {
    desk.path(printed.trim())
}

#[test]
fn rows_that_are_cut_and_run_without_a_master_give_what_one_run_gives() {
    let desk = desk(&table(50, &[]));
    let output = desk.output(&["run", "main.py", "rows.csv", "--rows", "7", "--slots", "2"]);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(out(&output), "results/main-1/\n");
    assert!(said.contains("canary ok ("), "{said}");
    assert!(said.contains("50 rows as 8 tasks on 1 peer"), "{said}");
    let folder = named(&desk, &out(&output));
    assert_eq!(read(&folder, "merged.csv"), sequential(&desk));
    let parts = manifest(&folder);
    assert_eq!((&parts["parts"], &parts["done"]), (&8.into(), &8.into()));
    assert_eq!(parts["complete"], true);
    assert!(!folder.join("failed.csv").exists());
}

#[test]
fn rows_that_are_cut_and_run_by_peers_give_what_one_run_gives() {
    let desk = desk(&table(30, &[]));
    let _master = desk.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    let output = desk.output(&["run", "main.py", "rows.csv", "--split", "4"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let folder = named(&desk, &out(&output));
    assert_eq!(read(&folder, "merged.csv"), sequential(&desk));
    // Nothing is overwritten: the next run has a folder of its own.
    let again = desk.output(&[
        "run", "main.py", "rows.csv", "--split", "2", "--name", "main",
    ]);
    assert_eq!(out(&again), "results/main-2/\n", "{}", err(&again));
}

#[test]
fn a_command_in_another_folder_ends_when_what_was_made_is_whole() {
    let desk = desk(&table(40, &[]));
    let master = desk.elsewhere();
    let _master = master.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    let output = desk.output(&["run", "main.py", "rows.csv", "--rows", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let made = master.path("results/main-1");
    assert_eq!(manifest(&made)["complete"], true);
    assert_eq!(read(&made, "merged.csv"), sequential(&desk));
    assert!(!desk.path("results/main-1").exists());
    assert!(
        err(&output).contains("mutirao fetch main-1"),
        "{}",
        err(&output)
    );
}

#[test]
fn what_a_group_made_is_brought_to_another_machine_and_takes_no_other_files_place() {
    let desk = desk(&table(6, &[4]));
    let master = desk.elsewhere();
    let _master = master.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    desk.output(&["run", "main.py", "rows.csv", "--rows", "2", "--no-canary"]);
    let fetched = desk.output(&["fetch", "last"]);
    assert_eq!(fetched.status.code(), Some(0), "{}", err(&fetched));
    let names = [
        "merged.csv",
        "stdout.txt",
        "stderr.txt",
        "failed.csv",
        "manifest.json",
    ];
    let paths = names.map(|name| format!("results/main-1/{name}\n"));
    assert_eq!(out(&fetched), paths.concat());
    for name in names {
        let made = read(&master.path("results/main-1"), name);
        assert_eq!(read(&desk.path("results/main-1"), name), made, "{name}");
    }
    let again = desk.output(&["fetch", "main-1"]);
    assert_eq!((again.status.code(), &*out(&again)), (Some(1), ""));
    assert!(
        err(&again).contains("results/main-1/merged.csv is there already"),
        "{}",
        err(&again)
    );
    fs::write(desk.path("results/main-1/merged.csv"), "old").unwrap();
    let forced = desk.output(&["fetch", "main-1", "--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", err(&forced));
    assert_ne!(read(&desk.path("results/main-1"), "merged.csv"), "old");
    let part = desk.output(&["fetch", "main-1", "0", "--into", "there"]);
    let file = out(&part).trim().to_owned();
    assert!(
        file.starts_with("there/main-1.") && file.ends_with(".zip"),
        "{file}: {}",
        err(&part)
    );
    let laid = fs::read(master.path("results").join(&file["there/".len()..])).unwrap();
    assert_eq!(fs::read(desk.path(&file)).unwrap(), laid);
    let hidden = fs::read_dir(desk.path("results/main-1")).unwrap();
    assert_eq!(hidden.count(), names.len(), "nothing half done is left");

    // What the master has no more is not left beside what it has.
    fs::remove_file(master.path("results/main-1/failed.csv")).unwrap();
    let less = desk.output(&["fetch", "main-1", "--force"]);
    assert_eq!(less.status.code(), Some(0), "{}", err(&less));
    assert!(!desk.path("results/main-1/failed.csv").exists());
    // Of a master that has nothing of it nothing here is replaced or removed.
    let made = master.path("results/main-1");
    fs::rename(&made, master.path("results/away")).unwrap();
    let nothing = desk.output(&["fetch", "main-1", "--force"]);
    assert_eq!(nothing.status.code(), Some(1), "{}", err(&nothing));
    assert!(
        err(&nothing).contains("nothing of it is put together"),
        "{}",
        err(&nothing)
    );
    assert!(desk.path("results/main-1/merged.csv").exists());
    fs::rename(master.path("results/away"), &made).unwrap();
    // What keeps one from coming keeps no other, and what is here is told.
    fs::remove_file(desk.path("results/main-1/stdout.txt")).unwrap();
    fs::create_dir(desk.path("results/main-1/stdout.txt")).unwrap();
    let partly = desk.output(&["fetch", "main-1", "main-1.1", "--force"]);
    assert_eq!(partly.status.code(), Some(1), "{}", err(&partly));
    let told = out(&partly);
    assert!(told.contains("results/main-1/merged.csv\n"), "{told}");
    assert!(told.ends_with("results/main-1.1.zip\n"), "{told}");
    assert!(
        err(&partly).contains("failed to write results/main-1/stdout.txt"),
        "{}",
        err(&partly)
    );
}

#[test]
fn results_of_the_same_name_are_brought_side_by_side_or_refused() {
    let desk = Desk::new();
    let master = desk.elsewhere();
    let _master = master.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "1"]);
    for words in ["print(1)", "raise ValueError"] {
        fs::write(desk.path("main.py"), words).unwrap();
        desk.output(&["submit", "main.py"]);
        desk.output(&["wait", "last"]);
    }
    let fetched = desk.output(&["fetch", "all", "--into", "f"]);
    assert_eq!(fetched.status.code(), Some(0), "{}", err(&fetched));
    let told = out(&fetched);
    let mut paths: Vec<_> = told.lines().collect();
    paths.sort_unstable();
    assert_eq!(paths, ["f/failed/main.zip", "f/main.zip"]);
    for path in paths {
        let laid = master.path("results").join(&path[2..]);
        assert_eq!(
            fs::read(desk.path(path)).unwrap(),
            fs::read(laid).unwrap(),
            "{path}"
        );
    }
}

#[test]
fn rows_of_parts_that_fail_can_be_handed_in_again_and_the_run_ends_with_1() {
    let desk = desk(&table(12, &[4, 11]));
    let output = desk.output(&[
        "run",
        "main.py",
        "rows.csv",
        "--rows",
        "3",
        "--slots",
        "2",
        "--retries",
        "0",
    ]);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("2 of 4 parts done · 2 failed"), "{said}");
    let folder = named(&desk, &out(&output));
    let lines: Vec<String> = table(12, &[4, 11])
        .split_inclusive("and more\"\n")
        .map(str::to_owned)
        .collect();
    assert!(lines.len() > 4);
    let failed = read(&folder, "failed.csv");
    assert!(failed.starts_with("name,text\n"), "{failed}");
    for (row, is_there) in [
        (2, false),
        (3, true),
        (5, true),
        (6, false),
        (9, true),
        (10, true),
    ] {
        assert_eq!(
            failed.contains(&format!("row {row},")),
            is_there,
            "{row}: {failed}"
        );
    }
    assert_eq!(failed.matches("bad,x\n").count(), 2);
    let parts = manifest(&folder);
    assert_eq!(parts["ended"][1]["state"], "failed");
    assert!(read(&folder, "stderr.txt").contains("a bad row"));
}

#[test]
fn a_canary_that_fails_keeps_the_others_from_beginning() {
    let desk = desk(&table(40, &[0]));
    let output = desk.output(&each_row("run"));
    let said = err(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the canary failed: "), "{said}");
    assert!(said.contains("a bad row"), "its output is shown: {said}");
    assert!(
        said.contains("0 of 40 parts done · 1 failed · 39 cancelled"),
        "{said}"
    );
    let failed = read(&named(&desk, &out(&output)), "failed.csv");
    assert_eq!(failed, table(40, &[0]), "all rows can be handed in again");
}

#[test]
fn of_many_parts_not_all_are_handed_in_once_the_canary_has_failed() {
    let desk = desk("");
    fs::write(desk.path("main.py"), "raise ValueError('a slip')").unwrap();
    let output = desk.output(&["run", "main.py", "--param", "a=1..100000", "--retries", "0"]);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the canary failed: "), "{said}");
    let told = said.split("0 of 100,000 parts done · 1 failed · ").nth(1);
    let (cancelled, missing) = told.unwrap().split_once(" · ").unwrap();
    let count = |said: &str| said.split(' ').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(1 + count(cancelled) + count(missing), 100_000, "{said}");
    assert!(count(missing) > 0, "{said}");
}

#[test]
fn a_command_that_was_killed_leaves_a_group_for_which_another_can_wait() {
    let desk = desk(&table(6, &[]));
    let go = desk.path("go");
    // All but the canary wait.
    let script = format!(
        "import os, sys, time\nwhile not ('row 0' in open(sys.argv[1]).read() or os.path.exists({go:?})):\n    time.sleep(0.01)\n{MEASURE}"
    );
    fs::write(desk.path("main.py"), script).unwrap();
    let mut master = desk.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "1"]);
    let run = Program::spawn(
        "run",
        &mut desk.command(&["run", "main.py", "rows.csv", "--rows", "2"]),
    );
    let tasks = |of: &str| desk.counts()[of].clone();
    let folder = desk.path("results/main-1");
    wait_until("the canary is put in and another runs", PATIENCE, || {
        tasks("leased") == 1 && tasks("queued") == 1 && folder.join("merged.csv").exists()
    });
    drop(run);
    // The master is killed too: what it has put together it makes again.
    drop(master);
    master = desk.master();
    fs::write(&go, "").unwrap();
    let output = desk.output(&["wait", "last"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), "results/main-1/\n");
    assert_eq!(
        read(&desk.path("results/main-1"), "merged.csv"),
        sequential(&desk)
    );
    let tally = desk.json(&["wait", "main-1", "--json"]);
    assert_eq!((&tally["parts"], &tally["done"]), (&3.into(), &3.into()));
    drop(master);
}

#[test]
fn a_dry_run_says_what_would_be_made_and_makes_nothing() {
    let desk = desk(&table(10, &[]));
    let output = desk.output(&["run", "main.py", "rows.csv", "--rows", "4", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let said = out(&output);
    assert!(said.contains("10 rows as 3 tasks, 4 rows each"), "{said}");
    assert!(said.contains("no master answers"), "{said}");
    assert!(!desk.path("results").exists());
    let _master = desk.master();
    let with_master = out(&desk.output(&["submit", "main.py", "--dry-run"]));
    assert!(
        with_master.contains("0 peers with 0 slots"),
        "{with_master}"
    );
    assert_eq!(desk.counts()["queued"], 0);
}

#[test]
fn what_was_handed_in_can_be_taken_back() {
    let desk = desk(&table(10, &[]));
    let _master = desk.master();
    let words = ["submit", "main.py", "rows.csv", "--rows", "5", "--json"];
    let submitted = desk.json(&words);
    assert_eq!(submitted["group"], "main-1");
    assert_eq!(submitted["tasks"].as_array().unwrap().len(), 2);
    let cancelled = desk.output(&["cancel", "last", "--reason", "a slip"]);
    assert_eq!(
        out(&cancelled),
        "2 parts of main-1 are cancelled, 0 are done\n",
        "{}",
        err(&cancelled)
    );
    let waited = desk.output(&["wait", "main-1"]);
    assert_eq!(waited.status.code(), Some(1), "{}", err(&waited));
    let failed = read(&desk.path("results/main-1"), "failed.csv");
    assert_eq!(failed, table(10, &[]));
    let parts = manifest(&desk.path("results/main-1"));
    let reason = parts["ended"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("a slip"), "{reason}");
    let unknown = desk.output(&["wait", "nothing"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", err(&unknown));
}

#[test]
fn a_script_is_run_with_every_combination_of_its_parameters() {
    let desk = Desk::new();
    let script = "import json, os, sys\n\
        params = json.load(open('params.json'))\n\
        print(params['a'] * 10, os.environ['MUTIRAO_PARAM_B'], sys.argv[1], sep=',')\n";
    fs::write(desk.path("sweep.py"), script).unwrap();
    let output = desk.output(&[
        "run", "sweep.py", "--param", "a=1..2", "--param", "b=$x,'y", "--", "{b}-{a}",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let merged = read(&named(&desk, &out(&output)), "merged.csv");
    assert_eq!(merged, "10,$x,$x-1\n10,'y,'y-1\n20,$x,$x-2\n20,'y,'y-2\n");
}

#[test]
fn each_file_is_the_argument_of_a_task() {
    let desk = Desk::new();
    fs::write(
        desk.path("count.py"),
        "import sys\nprint(len(open(sys.argv[1]).read()))",
    )
    .unwrap();
    fs::create_dir(desk.path("texts")).unwrap();
    for (name, text) in [("b.txt", "four"), ("a.txt", "one"), ("c.md", "no")] {
        fs::write(desk.path("texts").join(name), text).unwrap();
    }
    let output = desk.output(&["run", "count.py", "--each", "texts/*.txt"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(read(&named(&desk, &out(&output)), "stdout.txt"), "3\n4\n");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_handed_in() {
    let desk = desk("name,text\n1,\"open\n");
    let cases: [(&[&str], &str); 5] = [
        (
            &["run", "main.py", "rows.csv", "--rows", "1"],
            "row 1 (line 2) never closes",
        ),
        (
            &["run", "main.py", "--rows", "1"],
            "name it behind the script",
        ),
        (
            &["run", "main.py", "--rows", "1", "--param", "a=1"],
            "cannot be used with",
        ),
        (
            &["run", "main.py", "--each", "*.txt"],
            "no file is called *.txt",
        ),
        (&["run", "main.py", "--max-fails", "3"], "--group"),
    ];
    for (words, help) in cases {
        let output = desk.output(words);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(help), "{words:?}: {said}");
    }
}

#[test]
fn a_run_from_another_folder_says_that_what_was_made_lies_at_the_master() {
    let master = desk(&table(6, &[]));
    let _master = master.master();
    let away = master.elsewhere();
    let _peer = away.start(&["peer", "--slots", "1"]);
    fs::write(away.path("main.py"), MEASURE).unwrap();
    fs::write(away.path("rows.csv"), table(6, &[])).unwrap();
    // What an earlier run without a master left here is not it.
    fs::create_dir_all(away.path("results/main-1")).unwrap();
    let output = away.output(&["run", "main.py", "rows.csv", "--rows", "3", "--no-canary"]);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(out(&output), "");
    assert!(
        said.contains("at the master, in its results/main-1/"),
        "{said}"
    );
    assert!(!said.contains("canary"), "{said}");
    let waited = master.output(&["wait", "main-1"]);
    assert_eq!(out(&waited), "results/main-1/\n", "{}", err(&waited));
    let folder = master.path("results/main-1");
    assert_eq!(read(&folder, "merged.csv"), sequential(&away));
}

#[test]
fn an_interrupted_run_leaves_the_queue_going_and_says_how_to_pick_it_up() {
    let desk = desk(&table(6, &[]));
    let _master = desk.master();
    let words = ["run", "main.py", "rows.csv", "--rows", "2"];
    let run = Program::spawn("run", &mut desk.command(&words));
    wait_until("all are handed in", PATIENCE, || {
        desk.counts()["queued"] == 3
    });
    run.interrupt();
    run.wait_line(|line| line.contains("mutirao wait last"), PATIENCE);
    assert_eq!(run.wait_end(PATIENCE), Some(130));
    assert_eq!(desk.counts()["queued"], 3);
}

#[test]
fn a_hand_in_that_is_cut_off_says_how_many_parts_went_in_and_so_does_the_group() {
    let desk = desk(&table(400, &[]));
    let _master = desk.master();
    let run = desk.start(&["run", "main.py", "rows.csv", "--rows", "1"]);
    wait_until("the first is handed in", PATIENCE, || {
        desk.path(".mutirao/last").exists()
    });
    run.interrupt();
    run.wait_line(
        |line| line.contains("of 400 parts were handed in, and these go on: mutirao cancel main-1"),
        PATIENCE,
    );
    assert_eq!(run.wait_end(PATIENCE), Some(130));
    let info = out(&desk.output(&["info", "main-1"]));
    assert!(info.contains("not handed in"), "{info}");
    let why = out(&desk.output(&["why", "main-1"]));
    assert!(why.contains("parts were not handed in"), "{why}");
    assert!(desk.output(&["cancel", "main-1"]).status.success());
    for command in ["info", "why"] {
        let told = out(&desk.output(&[command, "main-1"]));
        let said =
            ": not handed in, for that was cut off or goes on; or lost with the disk of its master";
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn nothing_begins_behind_one_part_of_a_group_when_the_group_was_meant() {
    let desk = desk(&table(4, &[]));
    let _master = desk.master();
    let cut = ["submit", "main.py", "rows.csv", "--rows", "2"];
    assert!(desk.output(&cut).status.success());
    for after in ["last", "main-1"] {
        for more in [&[][..], &["--rows", "2"]] {
            let words = ["submit", "main.py", "rows.csv", "--after", after];
            let refused = desk.output(&[&words, more].concat());
            assert_eq!(refused.status.code(), Some(2), "{after}");
            let said = err(&refused);
            assert!(said.contains("`mutirao wait main-1 && mutirao"), "{said}");
        }
    }
    assert_eq!(desk.counts()["queued"], 2);
    let behind_a_part = ["submit", "main.py", "rows.csv", "--after", "main-1.0"];
    let output = desk.output(&behind_a_part);
    assert!(output.status.success(), "{}", err(&output));
}

#[test]
fn commands_that_wait_find_a_master_again_that_was_killed_and_started_anew() {
    let desk = desk(&table(4, &[]));
    let port = free_port();
    let start = || desk.master_at(&port);
    let master = start();
    fs::write(desk.path("one.py"), "print('one')").unwrap();
    let there = format!("127.0.0.1:{port}");
    let lonely = |words: &[&str]| {
        let command = desk.start(&[words, &["--master", &there]].concat());
        command.wait_line(|line| line.contains("waits for a peer"), PATIENCE);
        command
    };
    let commands = [
        lonely(&["run", "one.py"]),
        lonely(&["wait", "one"]),
        lonely(&["run", "main.py", "rows.csv", "--rows", "2"]),
    ];
    master.kill();
    master.wait_end(PATIENCE);
    for command in &commands {
        command.wait_line(|line| line.contains("is safe there"), PATIENCE);
    }
    let _master = start();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "1"]);
    for command in &commands {
        assert_eq!(command.wait_end(PATIENCE), Some(0));
        assert_eq!(command.count(|line| line.contains("is safe there")), 1);
    }
}
