//! What every command prints with `--json` is what its schema says, with the real binary.
//!
//! Rule: the commands are those of its own help, so that none can be forgotten.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::archives::zips_in;
use common::desk::{Desk, each_row, err, out};
use common::program::Program;
use common::{PATIENCE, wait_until};
use jsonschema::Validator;
use serde_json::{Value, json};

fn schemas() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas"))
}

/// What lines are held to.
struct Schema(Validator);

impl Schema {
    fn of(name: &str) -> Self {
        let text = fs::read_to_string(schemas().join(format!("{name}.json"))).unwrap();
        let schema = serde_json::from_str(&text).unwrap();
        Self(jsonschema::draft202012::new(&schema).unwrap())
    }

    /// Holds a line to it, and gives it.
    #[track_caller]
    fn hold(&self, line: &str) -> Value {
        let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let wrong = self.0.iter_errors(&value);
        let wrong: Vec<_> = wrong.map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{value:#}");
        value
    }
}

/// Commands that print no JSON, as the page says with the reason.
const WITHOUT: [&str; 5] = ["completions", "man", "master", "peer", "up"];
/// It prints nothing but JSON, and so needs no word for that.
const NOTHING_ELSE: &str = "store export";

/// Which commands were held to their schemas.
#[derive(Default)]
struct Held(RefCell<BTreeSet<String>>);

impl Held {
    /// The schema of the command that is typed so, which is held to it from here on.
    fn schema(&self, words: &[&str]) -> Schema {
        let name = match words {
            ["store", what, ..] => format!("store-{what}"),
            words => words[0].to_owned(),
        };
        let schema = Schema::of(&name);
        self.0.borrow_mut().insert(name);
        schema
    }

    /// Holds each line that a command prints to its schema, and gives them.
    #[track_caller]
    fn all(&self, desk: &Desk, words: &[&str]) -> Vec<Value> {
        self.lines(&desk.output(words), words)
    }

    /// The same of one that must end with this code.
    #[track_caller]
    fn ends(&self, desk: &Desk, code: i32, words: &[&str]) -> Vec<Value> {
        let output = desk.output(words);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        self.lines(&output, words)
    }

    /// The same of one that must print one object and no more.
    #[track_caller]
    fn one(&self, desk: &Desk, code: i32, words: &[&str]) -> Value {
        let mut printed = self.ends(desk, code, words);
        assert_eq!(printed.len(), 1, "{words:?}: {printed:?}");
        printed.remove(0)
    }

    #[track_caller]
    fn lines(&self, output: &Output, words: &[&str]) -> Vec<Value> {
        let schema = self.schema(words);
        let printed = out(output);
        assert!(!printed.is_empty(), "{words:?}: {}", err(output));
        printed.lines().map(|line| schema.hold(line)).collect()
    }
}

/// What `--help` says, of the program or of a command.
fn help(command: &str) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mutirao"));
    let words = command.split_whitespace();
    let output = program.args(words).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Every command that does something by itself, as it is typed; those below one are found by its help.
fn commands(above: &str) -> Vec<String> {
    let all = help(above);
    let below = all.lines().skip_while(|line| *line != "Commands:").skip(1);
    let below = below.take_while(|line| !line.is_empty());
    // What is said of one may go on in lines that stand further in.
    let begins = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let names = below.filter(begins);
    let names = names.filter_map(|line| line.split_whitespace().next());
    let named = names.filter(|name| *name != "help");
    let paths: Vec<_> = named
        .map(|name| format!("{above} {name}").trim().to_owned())
        .collect();
    match paths.is_empty() {
        true => vec![above.to_owned()],
        false => paths.iter().flat_map(|path| commands(path)).collect(),
    }
}

/// Whoever adds a command gives it JSON with a schema, or says on the page why it has none.
#[test]
fn every_command_prints_json_with_a_schema_or_the_page_says_why_not() {
    let (with, without): (Vec<_>, Vec<_>) = commands("")
        .into_iter()
        .partition(|command| help(command).contains("--json") || command == NOTHING_ELSE);
    let page = fs::read_to_string(schemas().join("../json.md")).unwrap();
    let prose: String = page.lines().filter(|line| !line.starts_with('|')).collect();
    for command in &without {
        assert!(prose.contains(&format!("`mutirao {command}`")), "{command}");
    }
    assert_eq!(
        without.into_iter().collect::<BTreeSet<_>>(),
        WITHOUT.map(str::to_owned).into()
    );
    let files = fs::read_dir(schemas()).unwrap();
    let stem = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let there: BTreeSet<_> = files.map(|file| stem(&file.unwrap().path())).collect();
    let wanted: BTreeSet<_> = with
        .iter()
        .map(|command| command.replace(' ', "-"))
        .collect();
    assert_eq!(there, wanted);
    for name in there {
        assert!(page.contains(&format!("(schemas/{name}.json)")), "{name}");
    }
}

#[test]
fn what_every_command_prints_is_what_its_schema_says() {
    let held = Held::default();
    what_stands(&held);
    what_ended(&held);
    what_was_changed(&held);
    what_would_be_made(&held);
    let with = commands("").into_iter();
    let with = with.filter(|command| !WITHOUT.contains(&command.as_str()));
    let wanted: BTreeSet<_> = with.map(|command| command.replace(' ', "-")).collect();
    assert_eq!(held.0.into_inner(), wanted, "each is typed above");
}

/// A script that fails at a bad row, and three rows of which the second is bad.
fn furnish(desk: &Desk) {
    let script = "import sys\nif 'bad' in open(sys.argv[1]).read(): raise ValueError('a bad row')\nprint('n')\n";
    fs::write(desk.path("main.py"), script).unwrap();
    fs::write(desk.path("rows.csv"), "n\n1\nbad\n3\n").unwrap();
}

/// A peer in a folder of its own, once it is here.
fn peer(desk: &Desk) -> (Program, Desk) {
    let elsewhere = desk.elsewhere();
    let peer = elsewhere.start(&["peer", "--slots", "1"]);
    wait_until("the peer is here", PATIENCE, || {
        desk.json(&["peers", "--json"])[0].is_object()
    });
    (peer, elsewhere)
}

/// Prints what is no UTF-8, and something on its other stream.
const ODD: &str =
    "import sys\nsys.stdout.buffer.write(b'a\\xffb\\n')\nprint('careful', file=sys.stderr)\n";

/// How all stands, and what is said and written down of it.
fn what_stands(held: &Held) {
    let desk = Desk::new();
    let master = desk.master();
    furnish(&desk);
    let submit = [&each_row("submit")[..], &["--json"]].concat();
    assert_eq!(held.all(&desk, &submit)[0]["parts"], 3);
    held.all(
        &desk,
        &["submit", "main.py", "rows.csv", "--name", "one", "--json"],
    );
    for words in [["why", "one", "--json"], ["why", "main-1", "--json"]] {
        held.all(&desk, &words);
    }
    held.all(&desk, &["list", "--waiting", "--json"]);

    let _peer = peer(&desk);
    let waited = held.one(&desk, 1, &["wait", "main-1", "--json"]);
    assert_eq!(waited["failed"], 1);
    desk.output(&["wait", "one"]);
    held.all(&desk, &["list", "--json"]);
    held.all(&desk, &["list", "--failed", "--json"]);
    let told = held.all(
        &desk,
        &["info", "main-1", "main-1.1", "main-1.0", "one", "--json"],
    );
    assert_eq!(told.len(), 4);
    let tailed = ["tail", "-f", "main-1.0", "main-1.1", "--json"];
    let told = held.all(&desk, &tailed);
    assert!(told.iter().any(|line| line["text"] == "n"), "{told:?}");
    held.all(&desk, &["why", "main-1", "--json"]);
    held.all(&desk, &["why", "main-1.1", "--json"]);
    held.all(&desk, &["status", "--json"]);
    let peers = held.all(&desk, &["peers", "--json"]).remove(0);
    let id = peers[0]["peer_id"].as_str().unwrap();
    held.all(&desk, &["why", id, "--json"]);
    held.all(&desk, &["drain", id, "--json"]);
    let address = peers[0]["address"].as_str().unwrap();
    held.all(&desk, &["status", "--master", address, "--json"]);
    held.all(&desk, &["masters", "--json"]);
    held.all(&desk, &["doctor", "--json"]);
    held.all(&desk, &["config", "--json"]);

    // It goes on, and says so when the master does not any more.
    let top = desk.start(&["top", "--json"]);
    let schema = held.schema(&["top"]);
    let line = top.wait_line(|line| line.starts_with('{'), PATIENCE);
    assert_eq!(schema.hold(&line)["groups"][0]["failed"], 1);
    let page = out(&desk.output(&["top"]));
    assert!(page.starts_with("lab ("), "{page}");
    let failed = page.lines().find(|line| line.starts_with("main-1.1.zip"));
    assert!(
        failed.is_some_and(|line| line.contains("exit code 1")),
        "{page}"
    );

    held.all(&desk, &["store", "export"]);
    master.terminate();
    assert_eq!(master.wait_end(PATIENCE), Some(0));
    let is_silent = |line: &str| line.contains("\"silence\":\"");
    let line = top.wait_line(is_silent, PATIENCE);
    assert_eq!(schema.hold(&line)["master"]["name"], "lab");
    top.interrupt();
    assert_eq!(top.wait_end(PATIENCE), Some(0));
    held.all(&desk, &["store", "check", "--json"]);
    wait_until("the log is written", PATIENCE, || {
        desk.path(".mutirao/messages.jsonl").exists()
    });
    held.all(&desk, &["trace", "--json"]);
}

/// What `run`, `wait` and `cat` say of what has ended.
fn what_ended(held: &Held) {
    let alone = Desk::new();
    furnish(&alone);
    fs::write(alone.path("odd.py"), ODD).unwrap();
    let run = [&each_row("run")[..], &["--json"]].concat();
    let task = held.one(&alone, 0, &["run", "odd.py", "--json"]);
    assert_eq!(task["result"], "results/odd.zip");
    let group = held.one(&alone, 1, &run);
    assert_eq!(group["folder"], "results/main-1");
    assert!(alone.path("results/main-1/manifest.json").exists());

    let desk = Desk::new();
    furnish(&desk);
    fs::write(desk.path("odd.py"), ODD).unwrap();
    let _master = desk.master();
    let _peer = peer(&desk);
    let group = held.one(&desk, 1, &run);
    assert_eq!(group["state"], "failed");
    assert_eq!(group["reason"], "2 of 3 parts done · 1 failed");
    assert_eq!(group["why"]["verdicts"][0]["failed"], 1);
    for (field, name) in [("merged", "merged.csv"), ("failed_rows", "failed.csv")] {
        let file = group[field].as_str().unwrap();
        assert_eq!(file, format!("results/main-1/{name}"));
        assert!(desk.path(file).is_file(), "{file}");
    }
    assert_eq!(held.one(&desk, 1, &["wait", "main-1", "--json"]), group);

    let task = held.one(&desk, 0, &["run", "odd.py", "--json"]);
    assert_eq!(
        (&task["state"], &task["task_name"]),
        (&"done".into(), &"odd.zip".into())
    );
    let odd = json!({ "text": "a\u{fffd}b\n", "replaced": true, "cut": false });
    assert_eq!(task["stdout"], odd);
    assert_eq!(task["stderr"]["text"], "careful\n");
    assert!(desk.path(task["result"].as_str().unwrap()).is_file());
    assert_eq!(held.one(&desk, 0, &["wait", "odd", "--json"]), task);
    let told = held.ends(&desk, 1, &["wait", "odd", "main-1", "main-1.1", "--json"]);
    assert_eq!((&told[0], &told[1]), (&task, &group));
    let error = told[2]["stderr"]["text"].as_str().unwrap();
    assert!(error.ends_with("ValueError: a bad row\n"), "{error}");

    // From another folder what a group made lies at the master only.
    let away = desk.elsewhere();
    let group = held.one(&away, 1, &["wait", "main-1", "--json"]);
    assert_eq!(
        (&group["folder"], &group["merged"]),
        (&Value::Null, &Value::Null)
    );

    let fetched = held.ends(&away, 0, &["fetch", "main-1", "odd", "--json"]);
    let first = &fetched[0]["files"][0]["path"];
    assert_eq!(first, "results/main-1/merged.csv");
    assert_eq!(fetched[1]["files"][0]["path"], "results/odd.zip");
    let again = held.one(&away, 1, &["fetch", "odd", "--json"]);
    assert_eq!(again["files"], json!([]));

    let printed = held.ends(&desk, 0, &["cat", "main-1", "odd", "--json"]);
    let texts: Vec<_> = printed.iter().map(|line| &line["text"]).collect();
    assert_eq!(texts, ["n\n", "", "n\n", "a\u{fffd}b\n"]);
    assert_eq!(
        (&printed[1]["part"], &printed[3]["replaced"]),
        (&1.into(), &true.into())
    );
    let errors = held.one(&desk, 0, &["cat", "odd", "--stderr", "--json"]);
    assert_eq!(
        (&errors["stream"], &errors["text"]),
        (&"stderr".into(), &"careful\n".into())
    );
}

/// What `cancel` and `retry` say of what they did, and what is said of what they left.
fn what_was_changed(held: &Held) {
    let desk = Desk::new();
    furnish(&desk);
    let _master = desk.master();
    let submit = [&each_row("submit")[..], &["--no-canary"]].concat();
    assert!(desk.output(&submit).status.success());
    for name in ["one", "two"] {
        let submit = ["submit", "main.py", "rows.csv", "--name", name];
        assert!(desk.output(&submit).status.success());
    }
    let waits = held.one(&desk, 1, &["cat", "one", "--json"]);
    let why = waits["reason"].as_str().unwrap();
    assert!(why.contains("mutirao why one"), "{why}");

    let cancel = [
        "cancel", "main-1.0", "main-1", "one", "--reason", "a slip", "--json",
    ];
    let told = held.one(&desk, 0, &cancel);
    assert_eq!(told["asked"]["what"], json!(["main-1.0", "main-1", "one"]));
    assert_eq!(
        (&told["reason"], &told["changed"]),
        (&"a slip".into(), &4.into())
    );
    let group = &told["groups"][0];
    assert_eq!(
        (&group["changed"], &group["report"]["cancelled"]),
        (&2.into(), &3.into())
    );
    let again = held.one(&desk, 0, &["cancel", "one", "--json"]);
    assert_eq!((&again["changed"], &again["left"]), (&0.into(), &0.into()));
    assert_eq!(again["tasks"][0]["is_changed"], false);
    let told = held.one(&desk, 0, &["cancel", "--waiting", "--yes", "--json"]);
    assert_eq!(told["others"][0]["changed"], 1);
    assert_eq!(told["others"][0]["sought"]["states"], json!(["queued"]));
    let none = held.one(&desk, 0, &["cancel", "all", "--json"]);
    assert_eq!((&none["changed"], &none["left"]), (&0.into(), &0.into()));
    let ended = held.one(&desk, 1, &["wait", "one", "--json"]);
    assert_eq!(
        (&ended["state"], &ended["result"]),
        (&"cancelled".into(), &Value::Null)
    );
    for refused in [
        &["retry", "all", "--json"][..],
        &["cancel", "--running", "--yes", "--json"],
    ] {
        let output = desk.output(refused);
        assert!(!output.status.success() && !err(&output).is_empty());
        assert_eq!(out(&output), "", "an error is told beside");
    }

    let failed = desk.path("tasks/failed");
    wait_until("all is put away", PATIENCE, || zips_in(&failed).len() == 5);
    fs::remove_file(failed.join("one.zip")).unwrap();
    let told = held.one(&desk, 1, &["retry", "main-1", "one", "two", "--json"]);
    assert_eq!((&told["changed"], &told["left"]), (&4.into(), &1.into()));
    assert_eq!(told["groups"][0]["report"]["waiting"], 3);
    let of = |name: &str| {
        let tasks = told["tasks"].as_array().unwrap();
        tasks.iter().find(|task| task["task_name"] == name).unwrap()
    };
    let why = of("one.zip")["reason"].as_str().unwrap();
    assert!(why.contains("its ZIP is not in"), "{why}");
    assert_eq!(of("two.zip")["is_changed"], true);
    let told = held.one(&desk, 1, &["retry", "--cancelled", "--yes", "--json"]);
    assert_eq!(told["others"][0]["examples"], json!(["one.zip"]));
    let told = held.one(&desk, 1, &["retry", "main-1", "--json"]);
    assert_eq!(told["groups"][0]["report"], Value::Null);
}

/// What a dry run says.
fn what_would_be_made(held: &Held) {
    let desk = Desk::new();
    furnish(&desk);
    let cut = [
        "run",
        "main.py",
        "rows.csv",
        "--rows",
        "2",
        "--dry-run",
        "--json",
    ];
    let planned = held.one(&desk, 0, &cut);
    assert_eq!(
        (&planned["tasks"], &planned["runs_here"]),
        (&2.into(), &true.into())
    );
    let cut_up = json!({ "from": "rows", "count": 3, "rows_each": 2, "input_bytes": 8 });
    assert_eq!(planned["cut"], cut_up);
    let whole = ["submit", "main.py", "rows.csv", "--dry-run", "--json"];
    let planned = held.one(&desk, 0, &whole);
    assert_eq!(
        (&planned["cut"], &planned["runs_here"]),
        (&Value::Null, &false.into())
    );
    let said = out(&desk.output(&["submit", "main.py", "--dry-run"]));
    assert!(said.contains("could not be handed in"), "{said}");

    let _master = desk.master();
    let _peer = peer(&desk);
    for words in [&cut[..], &whole] {
        let planned = held.one(&desk, 0, words);
        assert!(planned["master"].is_string());
        assert_eq!(planned["peers"][0]["could_take"], true);
    }
    assert!(!desk.path("results/main-1").exists());
    assert_eq!(desk.counts()["queued"], 0);
}

#[test]
fn a_quiet_command_tells_what_came_of_it_and_what_is_wrong_and_nothing_beside() {
    let desk = Desk::new();
    furnish(&desk);
    fs::write(desk.path("odd.py"), ODD).unwrap();
    let quiet = |words: &[&str]| {
        let output = desk.output(&[words, &["-q"]].concat());
        (output.stdout.clone(), err(&output))
    };
    // What the script says is no word of ours.
    let (stdout, stderr) = quiet(&["run", "odd.py"]);
    assert_eq!((stdout, stderr), (b"a\xffb\n".to_vec(), "careful\n".into()));
    let loud = err(&desk.output(&["run", "odd.py"]));
    assert!(
        loud.contains("running it here") && loud.contains("done · "),
        "{loud}"
    );

    let _master = desk.master();
    let _peer = peer(&desk);
    let run = each_row("run");
    let (stdout, stderr) = quiet(&run);
    assert_eq!(stdout, b"results/main-1/\n");
    assert!(
        stderr.starts_with("2 of 3 parts done · 1 failed\n"),
        "{stderr}"
    );
    let loud = err(&desk.output(&run));
    assert!(loud.starts_with("canary ok ("), "{loud}");
    assert_eq!(quiet(&["wait", "main-1"]), (stdout, stderr));
    let (stdout, stderr) = quiet(&["run", "odd.py", "--json"]);
    let told: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!((&told["state"], stderr.as_str()), (&"done".into(), ""));
}
