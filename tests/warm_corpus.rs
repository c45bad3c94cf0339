//! Scripts that try to tell a warm start from a cold one: each is run both ways, and all that is left must be the same.
//!
//! `MUTIRAO_PYTHON` names another interpreter than the one in `PATH`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mutirao::archive::{Compression, pack};
use mutirao::runner::{Config, Interpreter, Notes, ScriptRunner, Start};
use mutirao_actors::clock::Clock;
use mutirao_actors::model::{Archive, Attempt, Ending, TaskId, TaskName};
use mutirao_actors::runner::{Job, Runner as _};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use zip::ZipArchive;

/// Long enough for any script here, short enough that a test which hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// What lies beside every script.
const BESIDE: [(&str, &str); 8] = [
    ("input.csv", "name,value\na,1\nb,2\n"),
    ("task.toml", "env = { GREETING = 'oi' }"),
    ("helper.py", "value = 1\ndef whoami(): return __name__\n"),
    ("package/__init__.py", ""),
    ("package/inner.py", "value = 2\n"),
    ("package/broken.py", "def f():\n    1 / 0\nf()\n"),
    ("colorsys.py", "mine = True\n"),
    (
        "changer.py",
        "import os, sys\nos.environ['SET_BY_IMPORT'] = '1'\nsys.setting_of_import = 2\n",
    ),
];

struct Stage {
    home: TempDir,
    interpreter: Interpreter,
}

/// What a run left: how it was started, how it ended, and every file.
#[derive(Debug)]
struct Left {
    start: String,
    ending: Ending,
    files: BTreeMap<String, Vec<u8>>,
}

impl Stage {
    fn new() -> Self {
        let asked = std::env::var_os("MUTIRAO_PYTHON").map(PathBuf::from);
        Self {
            home: tempfile::tempdir().unwrap(),
            interpreter: Interpreter::resolve(asked.as_deref()).unwrap(),
        }
    }

    /// All runners of a stage work in one folder, so that no path tells them apart.
    fn runner(&self, start: Start) -> ScriptRunner {
        let config = Config {
            work: self.home.path().join("work"),
            keep_work: false,
            notes: Notes::open(self.home.path().join("runs")).unwrap(),
            interpreter: self.interpreter.clone(),
            start,
            templates: self.home.path().join("templates"),
            peer: None,
            clock: Clock::start(),
        };
        ScriptRunner::new(config).unwrap()
    }
}

fn job(script: &[u8]) -> Job {
    let beside = BESIDE.iter().map(|(name, text)| (*name, text.as_bytes()));
    let files = [("main.py", script)].into_iter().chain(beside);
    Job {
        task: TaskId::new(),
        attempt: Attempt(1),
        name: TaskName::tamed("exemplo.zip"),
        sent_name: "exemplo.zip".into(),
        named: true,
        master_id: None,
        archive: Archive::new(pack(files, Compression::Fast).unwrap()),
        time_limit: Some(PATIENCE),
        plain_result: false,
    }
}

async fn run(runner: &ScriptRunner, job: &Job) -> Left {
    let finished = runner.run(job.clone(), CancellationToken::new()).await;
    runner.forget(job.task, job.attempt).await;
    let mut zip = ZipArchive::new(Cursor::new(finished.result.bytes())).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), bytes);
    }
    let report = files.remove("result.json").unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    Left {
        start: report["start"].as_str().unwrap().to_owned(),
        ending: finished.outcome.ending,
        files,
    }
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut scripts: Vec<_> = entries
        .map(|path| (name(&path), fs::read(path).unwrap()))
        .collect();
    scripts.sort();
    scripts
}

/// The same without where things lie in memory.
fn placeless(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split(" at 0x");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |done, part| {
        done + " at " + part.trim_start_matches(|char: char| char.is_ascii_hexdigit())
    })
}

/// How two runs of one script differ, in words; nothing if they do not.
fn difference(one: &Left, other: &Left) -> Option<String> {
    if one.ending != other.ending {
        return Some(format!("{} against {}", one.ending, other.ending));
    }
    let text = |left: &Left, name: &str| left.files.get(name).map(|bytes| placeless(bytes));
    let shown = |left, name| text(left, name).unwrap_or("nothing".into());
    let names = one.files.keys().chain(other.files.keys());
    let names = names.filter(|name| text(one, name) != text(other, name));
    let different: Vec<_> = names
        .map(|name| format!("{name}:\n{}--- against\n{}", shown(one, name), shown(other, name)))
        .collect();
    different.into_iter().next()
}

/// Whether the compiler has something to say of the script, which then is left to an interpreter of its own.
fn is_for_the_compiler(name: &str) -> bool {
    name.starts_with("syntax_") || ["source_nul", "source_undeclared"].contains(&name)
}

#[tokio::test]
async fn no_script_can_tell_a_warm_start_from_a_cold_one() {
    let stage = Stage::new();
    let (cold, warm) = (stage.runner(Start::Cold), stage.runner(Start::Warm));
    let (scripts, mut failures) = (corpus(), Vec::new());
    assert!(scripts.len() > 100);
    for (name, script) in scripts {
        let job = job(&script);
        let expected = run(&cold, &job).await;
        // The second time what it imports was imported before.
        for time in ["first", "second"] {
            let left = run(&warm, &job).await;
            if let Some(how) = difference(&expected, &left) {
                failures.push(format!("=== {name}, the {time} time: {how}"));
            }
            if (left.start == "warm") == is_for_the_compiler(&name) {
                failures.push(format!("=== {name}, the {time} time: a {} start", left.start));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
