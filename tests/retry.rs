//! `mutirao retry` with the real binary: what failed or was cancelled runs again, and nothing else; also over a crash.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::fs;
use std::path::Path;

use common::archives::zips_in;
use common::desk::{Desk, each_row, err, out};
use common::{PATIENCE, wait_until};
use serde_json::Value;

/// A script that fails over rows that are not in a file, which is how a person mends something.
fn script(good: &Path) -> String {
    let good = good.display();
    format!(
        "import sys, pathlib\n\
         good = pathlib.Path('{good}').read_text().split()\n\
         for line in open(sys.argv[1]).read().split()[1:]:\n    \
             if line not in good:\n        sys.exit('a bad row')\n    \
             print('row', line, sep=',')\n"
    )
}

/// A folder with rows 1 to 4, of which these are good.
fn furnish(desk: &Desk, good: &str) {
    fs::write(desk.path("good"), good).unwrap();
    fs::write(desk.path("main.py"), script(&desk.path("good"))).unwrap();
    fs::write(desk.path("rows.csv"), "n\n1\n2\n3\n4\n").unwrap();
}

fn text(desk: &Desk, name: &str) -> String {
    fs::read_to_string(desk.path("results/main-1").join(name)).unwrap_or_default()
}

fn group(desk: &Desk) -> Value {
    desk.json(&["info", "main-1", "--json"])
}

#[test]
fn what_failed_of_a_group_runs_again_and_is_put_together_with_the_rest() {
    let desk = Desk::new();
    furnish(&desk, "1 2 4");
    let master = desk.master();
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    let run = desk.output(&each_row("run"));
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(text(&desk, "failed.csv"), "n\n3\n");
    let tries = |part: usize| {
        let name = format!("main-1.{part}");
        desk.json(&["info", &name, "--json"])["attempts"].clone()
    };

    // It fails once more, and its trace says so.
    let again = desk.output(&["retry", "last", "--failed"]);
    assert!(again.status.success(), "{}", err(&again));
    let said = out(&again);
    assert!(
        said.starts_with("main-1: 1 part tried again, 3 done"),
        "{said}"
    );
    assert_eq!(desk.output(&["wait", "main-1"]).status.code(), Some(1));
    assert_eq!(text(&desk, "failed.csv"), "n\n3\n");
    let why = out(&desk.output(&["why", "main-1.2"]));
    assert!(why.contains("(forgiven)"), "{why}");
    assert_eq!(tries(2), 2);

    fs::write(desk.path("good"), "1 2 3 4").unwrap();
    assert!(desk.output(&["retry", "main-1.2"]).status.success());
    let waited = desk.output(&["wait", "main-1"]);
    assert_eq!(waited.status.code(), Some(0), "{}", err(&waited));
    assert_eq!(text(&desk, "merged.csv"), "row,1\nrow,2\nrow,3\nrow,4\n");
    assert_eq!(text(&desk, "failed.csv"), "");
    assert_eq!((tries(2), tries(1)), (3.into(), 1.into()));
    let done = zips_in(&desk.path("tasks/done"));
    assert!(done.contains(&"main-1.2.zip".to_owned()), "{done:?}");
    let failed = desk.path("tasks/failed");
    wait_until("tasks/ tells the truth", PATIENCE, || {
        zips_in(&failed).is_empty() && !failed.join("main-1.2.zip.txt").exists()
    });

    let nothing = desk.output(&["retry", "main-1"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        err(&nothing).contains("nothing of main-1 has failed or was cancelled"),
        "{}",
        err(&nothing)
    );
    let done = desk.output(&["retry", "main-1.0"]);
    assert!(err(&done).contains("is done"), "{}", err(&done));
    master.terminate();
    assert_eq!(master.wait_end(PATIENCE), Some(0));
    let checked = desk.output(&["store", "check"]);
    assert!(checked.status.success(), "{}", out(&checked));
}

#[test]
fn what_was_cancelled_comes_back_and_a_master_that_is_killed_goes_on_with_it() {
    let desk = Desk::new();
    furnish(&desk, "1 2 3 4");
    let master = desk.master();
    let submit = ["submit", "main.py", "rows.csv", "--rows", "1"];
    assert!(desk.output(&submit).status.success());
    assert!(desk.output(&["cancel", "last"]).status.success());
    wait_until("all is put away", PATIENCE, || {
        zips_in(&desk.path("tasks/failed")).len() == 4
    });
    let again = desk.output(&["retry", "main-1"]);
    assert!(again.status.success(), "{}", err(&again));
    assert_eq!(group(&desk)["waiting"], 4);
    master.kill();
    drop(master);

    let _master = desk.master();
    assert_eq!(group(&desk)["waiting"], 4, "it was written down");
    let elsewhere = desk.elsewhere();
    let _peer = elsewhere.start(&["peer", "--slots", "2"]);
    let waited = desk.output(&["wait", "main-1"]);
    assert_eq!(waited.status.code(), Some(0), "{}", err(&waited));
    assert_eq!(text(&desk, "merged.csv"), "row,1\nrow,2\nrow,3\nrow,4\n");
}

#[test]
fn a_task_whose_zip_was_thrown_away_stays_as_it_ended() {
    let desk = Desk::new();
    fs::write(desk.path("sim.py"), "").unwrap();
    let _master = desk.master();
    for name in ["sim", "other"] {
        assert!(
            desk.output(&["submit", "sim.py", "--name", name])
                .status
                .success()
        );
    }
    assert!(desk.output(&["cancel", "sim", "other"]).status.success());
    let failed = desk.path("tasks/failed");
    wait_until("they are put away", PATIENCE, || {
        zips_in(&failed).len() == 2
    });
    fs::remove_file(failed.join("sim.zip")).unwrap();
    let again = desk.output(&["retry", "--cancelled", "--yes"]);
    assert_eq!(again.status.code(), Some(1));
    let said = err(&again);
    assert!(
        said.contains("1 task is not tried again (sim.zip): its ZIP is not in"),
        "{said}"
    );
    assert!(
        out(&again).starts_with("1 task tried again"),
        "{}",
        out(&again)
    );
    let state = |name| desk.json(&["info", name, "--json"])["state"].clone();
    assert_eq!(
        (state("sim"), state("other")),
        ("cancelled".into(), "queued".into())
    );
}
