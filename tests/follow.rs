//! What is said of tasks and groups by name, by state and as `last`, with the real binary.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;

use common::archives::zips_in;
use common::desk::{Desk, each_row, err, out};
use common::{PATIENCE, wait_until};
use serde_json::Value;

/// Prints its rows, and fails over a bad one.
const SCRIPT: &str = "\
import sys
for line in open(sys.argv[1]):
    print(line.strip())
    if 'bad' in line:
        sys.exit('a bad row')
";

/// Puts the script there, and a table with a bad row, which is the third.
fn furnish(desk: &Desk) {
    fs::write(desk.path("main.py"), SCRIPT).unwrap();
    fs::write(desk.path("rows.csv"), "name\none\ntwo\nbad\nfour\n").unwrap();
}

fn names(listing: &Value, of: &str, key: &str) -> Vec<String> {
    let rows = listing[of].as_array().unwrap().iter();
    rows.map(|row| row[key].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn groups_and_tasks_are_listed_told_and_printed_by_name_and_by_state() {
    let desk = Desk::new();
    furnish(&desk);
    let _master = desk.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    let run = desk.output(&each_row("run"));
    assert_eq!(run.status.code(), Some(1));
    fs::write(desk.path("hello.py"), "print('hello')").unwrap();
    assert!(desk.output(&["run", "hello.py"]).status.success());

    let listing = desk.json(&["list", "--json"]);
    assert_eq!(names(&listing, "groups", "group"), ["main-1"]);
    assert_eq!(names(&listing, "tasks", "task_name"), ["hello.zip"]);
    let failed = desk.json(&["list", "--failed", "--json"]);
    assert_eq!(names(&failed, "tasks", "task_name"), ["main-1.2.zip"]);
    let first = desk.json(&["list", "--group", "main-1", "--limit", "3", "--json"]);
    let before = first["next"].as_str().unwrap();
    let second = desk.json(&["list", "--group", "main-1", "--before", before, "--json"]);
    assert_eq!(names(&second, "tasks", "task_name"), ["main-1.0.zip"]);
    assert!(second["next"].is_null());
    let table = out(&desk.output(&["list"]));
    assert!(table.contains("GROUP   PARTS"), "{table}");
    assert!(table.contains("hello"), "{table}");

    let printed = desk.output(&["cat", "main-1", "hello"]);
    let all = "name\none\nname\ntwo\nname\nbad\nname\nfour\nhello\n";
    assert_eq!(out(&printed), all, "{}", err(&printed));
    let none = desk.output(&["list", "--waiting"]);
    assert_eq!(out(&none), "nothing waits\n", "{}", err(&none));
    let said = out(&desk.output(&["cat", "--failed", "--stderr"]));
    assert!(said.contains("a bad row"), "{said}");
    let told = out(&desk.output(&["info", "main-1", "--failed"]));
    assert!(told.contains("group      main-1, part 2 of 4\n"), "{told}");
    assert!(told.contains("state      failed\n"), "{told}");

    // What lies at the master is brought here first, and what was left here is not left again.
    let stranger = desk.elsewhere();
    let brings =
        "lies at the master, in its results/main-1/: mutirao fetch main-1 brings it here\n";
    let told = |desk: &Desk, command| out(&desk.output(&[command, "main-1"]));
    assert!(told(&desk, "info").contains("results    results/main-1/\n"));
    let info = told(&stranger, "info");
    assert!(info.contains(brings.trim_start_matches("lies ")), "{info}");
    assert!(!told(&desk, "why").contains("mutirao fetch"));
    let why = told(&stranger, "why");
    assert!(
        why.contains(&format!(
            "→ failed.csv {brings}    → mend results/main-1/failed.csv"
        )),
        "{why}"
    );
    for there in ["", ", where it lies already"] {
        let waited = stranger.output(&["wait", "hello"]);
        let said = format!("done · results/hello.zip{there}\n");
        assert!(err(&waited).contains(&said), "{}", err(&waited));
    }
    assert_eq!(zips_in(&stranger.path("results")), ["hello.zip"]);

    // What has ended is nothing to take back, whether it is a task, a part or a group.
    for (words, said) in [
        (&["hello"][..], "hello.zip has ended already: it is done\n"),
        (
            &["main-1", "2"],
            "main-1.2.zip has ended already: it has failed\n",
        ),
        (
            &["main-1"],
            "main-1 has ended already: 3 done, 1 failed, 0 cancelled\n",
        ),
        (&["failed"], "all of it has ended already\n"),
        (&["all"], "all of it has ended already\n"),
    ] {
        let output = desk.output(&[&["cancel"], words].concat());
        assert_eq!(out(&output), said, "{words:?}: {}", err(&output));
        assert!(output.status.success(), "{words:?}");
    }
    for (words, said) in [
        (&["cat", "cancelled"][..], "nothing was cancelled; "),
        (
            &["retry", "hello", "failed"],
            "nothing that is named has failed; ",
        ),
        (
            &["retry", "main-1", "cancelled"],
            "nothing of main-1 was cancelled\n",
        ),
        (
            &["cancel", "main-1", "waiting"],
            "nothing of main-1 waits; ",
        ),
    ] {
        let output = desk.output(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(err(&output).contains(said), "{words:?}: {}", err(&output));
    }
    let again = desk.output(&["wait", "hello", "main-1"]);
    assert_eq!(again.status.code(), Some(1), "one part failed");
    for (slip, meant) in [("mian-1", "main-1"), ("helo", "hello")] {
        let output = desk.output(&["wait", slip]);
        assert_eq!(output.status.code(), Some(1));
        let said = err(&output);
        assert!(said.contains(&format!("did you mean {meant}?")), "{said}");
    }
    let none = desk.output(&["cancel", "--running"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(err(&none).contains("nothing runs; "), "{}", err(&none));
    assert_eq!(desk.output(&["info"]).status.code(), Some(2));
}

#[test]
fn a_group_that_is_said_apart_is_all_that_is_of_it_and_leaves_out_all_else() {
    let desk = Desk::new();
    furnish(&desk);
    let _master = desk.master();
    let cut = ["submit", "main.py", "rows.csv", "--rows", "2"];
    assert!(desk.output(&cut).status.success());
    fs::write(desk.path("sim.py"), "").unwrap();
    assert!(desk.output(&["submit", "sim.py"]).status.success());
    for name in ["alone", "other"] {
        let submit = ["submit", "sim.py", "--name", name, "--group", "alone"];
        assert!(desk.output(&submit).status.success());
    }
    let cancelled = || desk.counts()["cancelled"].clone();

    for words in [
        &["cancel", "sim", "--group", "main-1"][..],
        &["cancel", "main-1", "--group", "alone"],
        &["cancel", "--group", "sim"],
        &["retry", "main-1", "sim", "--group", "alone"],
    ] {
        let output = desk.output(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let said = err(&output);
        assert!(said.contains("no such task is there"), "{words:?}: {said}");
    }
    assert_eq!(cancelled(), 0);

    // One task of the group has its name, and neither is a part.
    let all = desk.output(&["cancel", "--group", "alone"]);
    assert_eq!(out(&all), "2 tasks are cancelled\n", "{}", err(&all));
    let none = desk.output(&["cancel", "--group", "alone"]);
    assert!(none.status.success(), "{}", err(&none));
    assert_eq!(out(&none), "all of it has ended already\n");
    let some = desk.output(&["cancel", "main-1.0", "sim", "--group", "main-1"]);
    let said = "main-1.0.zip is cancelled\n";
    assert_eq!(out(&some), said, "{}", err(&some));
    let whole = desk.output(&["cancel", "--group", "main-1", "--reason", "a slip"]);
    // The other part waited for this one, and went with it.
    let said = "main-1 has ended already: 0 done, 0 failed, 2 cancelled\n";
    assert_eq!(out(&whole), said, "{}", err(&whole));
    assert_eq!(cancelled(), 4);
    let waiting = desk.json(&["list", "--waiting", "--json"]);
    assert_eq!(names(&waiting, "tasks", "task_name"), ["sim.zip"]);
}

#[test]
fn a_name_that_tasks_got_by_an_option_is_told_to_be_said_so() {
    let desk = Desk::new();
    fs::write(desk.path("sim.py"), "").unwrap();
    let _master = desk.master();
    let submit = ["submit", "sim.py", "--group", "nightly"];
    assert!(desk.output(&submit).status.success());
    for command in ["info", "why", "list", "cancel"] {
        let output = desk.output(&[command, "nightly"]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let said = err(&output);
        assert!(said.contains("`mutirao list --group nightly`"), "{said}");
    }
    let listed = desk.json(&["list", "--group", "nightly", "--json"]);
    assert_eq!(names(&listed, "tasks", "task_name"), ["sim.zip"]);
    let told = out(&desk.output(&["info", "--group", "nightly"]));
    assert!(told.starts_with("task       sim.zip\n"), "{told}");
}

#[test]
fn a_task_that_is_taken_back_says_why_to_whoever_asks() {
    let desk = Desk::new();
    fs::write(desk.path("sim.py"), "").unwrap();
    let _master = desk.master();
    assert!(desk.output(&["submit", "sim.py"]).status.success());
    let cat_says = |tip: &str| {
        let said = err(&desk.output(&["cat", "sim"]));
        assert!(said.contains(tip), "{said}");
    };
    cat_says("sim.zip (waiting): mutirao why sim tells for what");
    let dry = out(&desk.output(&["submit", "sim.py", "--dry-run"]));
    assert!(dry.contains("0 peers with 0 slots could take it"), "{dry}");
    let cancelled = desk.output(&["cancel", "sim", "--reason", "the wrong input"]);
    assert_eq!(
        out(&cancelled),
        "sim.zip is cancelled\n",
        "{}",
        err(&cancelled)
    );
    cat_says("it left nothing, mutirao why sim tells more");
    let why = out(&desk.output(&["why", "sim"]));
    assert!(why.contains("was cancelled: the wrong input"), "{why}");
    let note = desk.path("tasks/failed/sim.zip.txt");
    wait_until("the note lies there", PATIENCE, || {
        fs::read_to_string(&note).is_ok_and(|note| note.contains("the wrong input"))
    });
}

#[test]
fn last_is_what_was_handed_in_last_from_the_same_folder() {
    let master = Desk::new();
    let ours = master.elsewhere();
    furnish(&ours);
    let _master = master.master();
    let mine = ["submit", "main.py", "rows.csv", "--rows", "2"];
    assert!(ours.output(&mine).status.success());
    fs::write(master.path("other.py"), "").unwrap();
    let theirs = master.json(&["submit", "other.py", "--json"]);
    let theirs = theirs["task_id"].as_str().unwrap();

    let last = |desk: &Desk| desk.json(&["info", "last", "--json"]);
    assert_eq!(last(&ours)["group"], "main-1");
    assert_eq!(last(&master)["task_id"], theirs);
    let stranger = master.elsewhere();
    assert_eq!(last(&stranger)["task_id"], theirs, "the newest of all");

    // The time of an id is at its beginning, so all but the last digits may be those of others too.
    let beginning = &theirs[..theirs.len() - 1];
    let told = stranger.json(&["info", beginning, "--json"]);
    assert_eq!(told["task_name"], "other.zip");
    for command in ["info", "why"] {
        let several = stranger.output(&[command, &theirs[..4]]);
        assert_eq!(several.status.code(), Some(1));
        let said = err(&several);
        assert!(said.contains("give more of it"), "{said}");
    }

    // What is not known there any more is not taken for what somebody else handed in.
    let forgotten = master.elsewhere();
    fs::create_dir(forgotten.path(".mutirao")).unwrap();
    fs::write(
        forgotten.path(".mutirao/last"),
        uuid::Uuid::nil().to_string(),
    )
    .unwrap();
    for command in ["why", "cancel"] {
        let refused = forgotten.output(&[command, "last"]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains("name another"), "{}", err(&refused));
    }
    assert_eq!(master.counts()["cancelled"], 0);

    assert!(ours.output(&["cancel", "last", theirs]).status.success());
    wait_until("all is cancelled", PATIENCE, || {
        master.counts()["cancelled"] == 3
    });
    let waiting = ours.output(&["list", "--waiting"]);
    assert_eq!(out(&waiting), "nothing waits\n");
}

#[test]
fn parts_go_by_their_numbers_tasks_by_their_state_and_all_by_a_word() {
    let desk = Desk::new();
    furnish(&desk);
    let _master = desk.master();
    let cut = ["submit", "main.py", "rows.csv", "--rows", "1"];
    assert!(desk.output(&cut).status.success());
    assert!(desk.output(&cut).status.success());
    let stranger = desk.elsewhere();
    fs::write(stranger.path("sim.py"), "").unwrap();
    let submit = |name: &str| {
        let words = ["submit", "sim.py", "--name", name];
        assert!(stranger.output(&words).status.success());
    };
    let put_away = |count: usize| {
        wait_until("they are put away", PATIENCE, || {
            zips_in(&desk.path("tasks/failed")).len() == count
        });
    };
    let told = |words: &[&str]| {
        let output = desk.output(&[&["info", "--json"], words].concat());
        let lines = out(&output);
        let rows = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let name = |row: Value| row["task_name"].as_str().map(str::to_owned);
        let names: Vec<String> = rows.filter_map(name).collect();
        (names.join(" "), err(&output))
    };

    // Of the group before them, or of the last one; each once.
    let (names, said) = told(&["main-1", "0-1", "3", "1"]);
    assert_eq!(names, "main-1.0.zip main-1.1.zip main-1.3.zip", "{said}");
    assert_eq!(told(&["1,3"]).0, "main-2.1.zip main-2.3.zip");
    assert_eq!(told(&["2", "--group", "main-1"]).0, "main-1.2.zip");
    let (names, said) = told(&["main-1", "2-4"]);
    assert_eq!(names, "");
    assert!(said.contains("main-1 has no part 4"), "{said}");

    // What has the name goes before the word, and is told of; behind a group there are parts alone.
    submit("3");
    submit("waiting");
    let (names, said) = told(&["3"]);
    assert_eq!(names, "3.zip");
    assert!(said.contains("the task 3.zip"), "{said}");
    let (names, said) = told(&["main-1", "3"]);
    assert_eq!(names, "main-1.3.zip");
    assert!(said.contains("not the task 3.zip"), "{said}");
    let (names, said) = told(&["waiting"]);
    assert_eq!(names, "waiting.zip");
    assert!(said.contains("the task waiting.zip"), "{said}");

    // A word is the option of that name.
    let cancelled = desk.output(&["cancel", "main-1", "2"]);
    assert_eq!(out(&cancelled), "main-1.2.zip is cancelled\n");
    assert_eq!(told(&["cancelled"]).0, "main-1.2.zip");
    assert_eq!(told(&["main-1", "1-2", "cancelled"]).0, "main-1.2.zip");
    put_away(1);
    let again = desk.output(&["retry", "main-1", "2"]);
    assert!(
        out(&again).starts_with("main-1.2 is tried again"),
        "{}",
        err(&again)
    );
    assert_eq!(
        told(&["cancelled"])
            .1
            .matches("nothing was cancelled; ")
            .count(),
        1
    );
    let slip = told(&["canceled"]).1;
    assert!(slip.contains("did you mean cancelled?"), "{slip}");

    // All is what others handed in too.
    let asked = desk.output(&["cancel", "all"]);
    assert_eq!(asked.status.code(), Some(2));
    let said = err(&asked);
    assert!(said.contains("2 tasks and 2 groups"), "{said}");
    assert_eq!(desk.counts()["cancelled"], 0);
    let asked = desk.output(&["cancel", "--waiting", "--running"]);
    assert_eq!(asked.status.code(), Some(2), "{}", out(&asked));
    assert!(err(&asked).contains("10 tasks"), "{}", err(&asked));
    assert_eq!(desk.counts()["cancelled"], 0);
    let beside = desk.output(&["cancel", "all", "main-1", "--yes"]);
    assert_eq!(beside.status.code(), Some(2), "{}", out(&beside));
    let of_one = desk.output(&["cancel", "all", "--group", "main-2"]);
    assert_eq!(
        out(&of_one),
        "4 parts of main-2 are cancelled, 0 are done\n"
    );
    assert!(desk.output(&["cancel", "all", "--yes"]).status.success());
    assert_eq!(desk.counts()["cancelled"], 10);
    put_away(10);
    let waited = desk.output(&["wait", "all"]);
    assert_eq!(waited.status.code(), Some(0), "{}", err(&waited));
    let again = desk.output(&["retry", "all", "--yes"]);
    assert!(again.status.success(), "{}", err(&again));
    assert_eq!(desk.counts()["queued"], 10);
}
