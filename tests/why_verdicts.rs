//! `mutirao why` on the real binary: in each situation it names what is to blame, and the command that helps.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use common::desk::{Desk, err, out};
use common::program::Program;
use common::wait_until;
use serde_json::Value;

/// Long enough for the slowest machine; a test that passes does not wait for it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Runs until it is killed.
const ENDLESS: &str = "import time\nwhile True: time.sleep(1)\n";

/// A folder with a script and a table of rows, and a master.
fn lab(script: &str, rows: &[&str]) -> (Desk, Program) {
    let desk = Desk::new();
    fs::write(desk.path("main.py"), script).unwrap();
    fs::write(
        desk.path("rows.csv"),
        format!("name\n{}\n", rows.join("\n")),
    )
    .unwrap();
    let master = desk.master();
    (desk, master)
}

impl Desk {
    /// Hands the table in, a part for each row, none of which waits for the first.
    #[track_caller]
    fn submit(&self, more: &[&str]) -> String {
        let cut = [
            "submit",
            "main.py",
            "rows.csv",
            "--rows",
            "1",
            "--no-canary",
        ];
        let output = self.output(&[&cut, more].concat());
        assert!(output.status.success(), "{}", err(&output));
        out(&output).trim().to_owned()
    }

    fn why(&self, what: &str) -> Value {
        self.json(&["why", what, "--json"])
    }

    #[track_caller]
    fn wait(&self, what: &str) {
        let output = self.output(&["wait", what]);
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            err(&output)
        );
    }

    /// What is to blame and the first thing that helps, of a group that failed in one way.
    #[track_caller]
    fn verdict(&self, what: &str) -> (Value, String) {
        let report = self.why(what);
        let verdicts = report["why"]["verdicts"].as_array().unwrap().clone();
        assert_eq!(verdicts.len(), 1, "{report:#}");
        let text = out(&self.output(&["why", what, "--failed"]));
        for said in ["words", "error"] {
            let said = verdicts[0][said].as_str().unwrap();
            assert!(text.contains(said), "{said} in {text}");
        }
        for help in verdicts[0]["helps"].as_array().unwrap() {
            let help = format!("→ {}", help.as_str().unwrap());
            assert!(text.contains(&help), "{help} in {text}");
        }
        (verdicts[0].clone(), text)
    }

    /// A peer whose scripts find this home, once it is here; and its id.
    #[track_caller]
    fn peer_at(&self, home: &str) -> (Program, String, PathBuf) {
        let folder = self.path(home);
        fs::create_dir_all(&folder).unwrap();
        let known = self.peers();
        let mut command = self.command(&["peer", "--slots", "1"]);
        let peer = Program::spawn(home, command.env("HOME", &folder).current_dir(&folder));
        let mut id = None;
        wait_until("the peer is here", PATIENCE, || {
            id = self.peers().into_iter().find(|peer| !known.contains(peer));
            id.is_some()
        });
        (peer, id.unwrap(), folder)
    }

    fn peers(&self) -> Vec<String> {
        let peers = self.json(&["peers", "--json"]);
        let ids = peers.as_array().unwrap().iter();
        ids.map(|peer| peer["peer_id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until each of the parts has failed once somewhere.
    #[track_caller]
    fn wait_failed(&self, group: &str, parts: u64) {
        wait_until("each part failed", PATIENCE, || {
            self.why(group)["why"]["verdicts"][0]["tasks"] == parts
        });
    }
}

#[test]
fn a_bug_in_the_code() {
    let (desk, _master) = lab(
        "import sys\ntable = open(sys.argv[1]).read()\nprint(table['name'])\n",
        &["a", "b"],
    );
    let _peer = desk.peer_at("ana");
    let group = desk.submit(&["--retries", "0"]);
    desk.wait(&group);
    let (verdict, text) = desk.verdict(&group);
    assert_eq!(verdict["culprit"], "code", "{text}");
    assert!(text.contains("exit code 1: TypeError: "), "{text}");
    assert!(text.contains("(main.py:3)"), "{text}");
    let example = format!("{group}.0");
    assert!(text.contains("→ mutirao why "), "{text}");
    let part = out(&desk.output(&["why", &example]));
    assert!(
        part.contains("| Traceback (most recent call last):"),
        "{part}"
    );
    assert!(part.contains("the code: 2 tasks failed so"), "{part}");
}

#[test]
fn a_bad_row() {
    let script =
        "import sys\nfor row in open(sys.argv[1]).read().split()[1:]:\n    print(int(row))\n";
    let (desk, _master) = lab(script, &["1", "2", "x", "4", "5"]);
    let _peer = desk.peer_at("ana");
    let group = desk.submit(&["--retries", "0"]);
    desk.wait(&group);
    let (verdict, text) = desk.verdict(&group);
    assert_eq!(verdict["culprit"], "row", "{text}");
    assert_eq!(verdict["examples"][0]["part"], 2, "{text}");
    let mend = format!("mutirao run SCRIPT results/{group}/failed.csv");
    assert!(text.contains(&mend), "{text}");
    let failed = fs::read_to_string(desk.path(&format!("results/{group}/failed.csv")));
    assert_eq!(failed.unwrap(), "name\nx\n");
}

#[test]
fn a_bad_row_and_a_bad_peer_that_fail_alike() {
    let script = "import os, sys\nif 'bad' in open(sys.argv[1]).read() or os.environ['HOME'].endswith('sick'): raise ValueError('no')\n";
    let (desk, _master) = lab(script, &["bad", "bad", "good"]);
    let (_sick, sick, _) = desk.peer_at("sick");
    let group = desk.submit(&["--retries", "9"]);
    desk.wait_failed(&group, 3);
    let _well = desk.peer_at("well");
    let verdicts = |what: &str| {
        desk.why(what)["why"]["verdicts"]
            .as_array()
            .unwrap()
            .clone()
    };
    wait_until("each was tried at both, and one passed", PATIENCE, || {
        let verdicts = verdicts(&group);
        verdicts.len() == 2 && verdicts[0]["peers_total"] == 2
    });
    let told = verdicts(&group);
    assert_eq!(
        (&told[0]["culprit"], &told[0]["tasks"]),
        (&"row".into(), &2.into()),
        "{told:#?}"
    );
    assert_eq!(
        (&told[1]["culprit"], &told[1]["tasks"]),
        (&"machine".into(), &1.into()),
        "{told:#?}"
    );
    let part = verdicts(&format!("{group}.2"));
    assert_eq!(part.len(), 1, "{part:#?}");
    assert_eq!(part[0]["culprit"], "machine", "{part:#?}");
    assert_eq!(part[0]["peers"][0], sick.as_str(), "{part:#?}");
}

#[test]
fn a_peer_without_a_module() {
    let (desk, _master) = lab("import labmod\nprint(labmod.ANSWER)\n", &["a", "b", "c"]);
    let (_lacks, lacks, _) = desk.peer_at("ana");
    let group = desk.submit(&["--retries", "9"]);
    desk.wait_failed(&group, 3);
    let home = desk.path("bob");
    let site = Command::new("python3")
        .args(["-c", "import site; print(site.getusersitepackages())"])
        .env("HOME", &home)
        .output();
    let site = PathBuf::from(out(&site.unwrap()).trim());
    fs::create_dir_all(&site).unwrap();
    fs::write(site.join("labmod.py"), "ANSWER = 42\n").unwrap();
    let _has = desk.peer_at("bob");
    desk.wait(&group);
    let (verdict, text) = desk.verdict(&group);
    assert_eq!(verdict["culprit"], "environment", "{text}");
    assert_eq!(
        (&verdict["peers"][0], &verdict["done"]),
        (&lacks.clone().into(), &3.into()),
        "{text}"
    );
    let install = format!("→ python3 -m pip install labmod (on {lacks})");
    assert!(text.contains(&install), "{text}");
    assert!(
        text.contains("and not where others passed (1 peer)"),
        "{text}"
    );
}

#[test]
fn a_peer_that_is_too_slow() {
    let script =
        "import os, time\nif os.environ['HOME'].endswith('slow'): time.sleep(600)\nprint(1)\n";
    let (desk, _master) = lab(script, &["a", "b"]);
    let (_slow, slow, _) = desk.peer_at("slow");
    let group = desk.submit(&["--retries", "9", "--time-limit", "1s"]);
    desk.wait_failed(&group, 2);
    let _fast = desk.peer_at("fast");
    desk.wait(&group);
    let (verdict, text) = desk.verdict(&group);
    assert_eq!(verdict["culprit"], "machine", "{text}");
    assert!(text.contains(&format!("{slow} is too slow")), "{text}");
    assert!(text.contains(&format!("→ mutirao why {slow}")), "{text}");
}

#[test]
fn no_peer() {
    let (desk, _master) = lab("print(1)\n", &["a", "b"]);
    let group = desk.submit(&[]);
    let waits = desk.why("last")["why"]["waits"].clone();
    assert_eq!(waits[0]["reason"], "no peer is here");
    assert_eq!(waits[0]["tasks"], 2);
    let text = out(&desk.output(&["why", &group]));
    assert!(
        text.contains("waits  2: no peer is here → mutirao peer "),
        "{text}"
    );
}

#[test]
fn all_peers_quarantined() {
    let script =
        "import os, sys\nif os.environ['HOME'].endswith('sick'): sys.exit('the disk is broken')\n";
    // So many that fail at one and pass at the other are no chance any more, though nothing is known of either.
    let (desk, _master) = lab(script, &["row"; 12]);
    let (_sick, sick, _) = desk.peer_at("sick");
    let group = desk.submit(&["--retries", "9"]);
    desk.wait_failed(&group, 12);
    let (well, _, _) = desk.peer_at("well");
    desk.wait(&group);
    assert_eq!(desk.verdict(&group).0["culprit"], "machine");
    let status = desk.json(&["status", "--json"]);
    assert_eq!(
        status["quarantined"][0]["peer_id"],
        sick.as_str(),
        "{status:#}"
    );
    well.terminate();
    wait_until("the other one left", PATIENCE, || desk.peers().len() == 1);
    let group = desk.submit(&[]);
    let text = out(&desk.output(&["why", &group]));
    let quarantined = format!("1 peer is quarantined → mutirao why {sick}");
    assert!(text.contains(&quarantined), "{text}");
    let fares = out(&desk.output(&["why", &sick]));
    assert!(fares.contains("quarantined for"), "{fares}");
    assert!(fares.contains("exit code 1: the disk is broken"), "{fares}");
}

#[test]
fn waiting_for_another_task() {
    let (desk, _master) = lab(ENDLESS, &["a"]);
    let _peer = desk.peer_at("ana");
    let output = desk.output(&["submit", "main.py", "--json"]);
    assert!(output.status.success(), "{}", err(&output));
    let first = desk.why("last")["task_name"].as_str().unwrap().to_owned();
    let after = desk.submit(&["--after", &first]);
    let text = out(&desk.output(&["why", &after]));
    let typed = first.trim_end_matches(".zip");
    let waits = format!("waits  1: it waits for {first} to be done → mutirao why {typed}");
    assert!(text.contains(&waits), "{text}");
}

#[test]
fn over_max_running() {
    let (desk, _master) = lab(ENDLESS, &["a", "b", "c"]);
    let (_peer, ana, _) = desk.peer_at("ana");
    let group = desk.submit(&["--max-running", "1"]);
    wait_until("one runs", PATIENCE, || {
        desk.why(&group)["why"]["runs"][0]["peer_id"] == ana.as_str()
    });
    let text = out(&desk.output(&["why", "last"]));
    let held = format!(
        "waits  2: of group {group} 1 run or are next, and at most 1 may → hand it in with --max-running 2 or more"
    );
    assert!(text.contains(&held), "{text}");
    assert!(text.contains(&format!("try 1 on {ana} for ")), "{text}");
}
