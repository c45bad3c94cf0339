//! What a group of tasks imports from an environment of its own is imported once, before its scripts begin.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;
use std::process::Command;

use mutirao::archive::{Compression, pack};
use mutirao::runner::{Config, Interpreter, Notes, ScriptRunner, Start};
use mutirao_actors::clock::Clock;
use mutirao_actors::model::{Archive, Attempt, Ending, TaskId, TaskName};
use mutirao_actors::runner::{Job, Runner as _};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use zip::ZipArchive;

/// Starts a thread that waits, and can be told to end.
const THREAD: &str = "
import os, threading
over = threading.Event()
thread = threading.Thread(target=over.wait, daemon=True)
thread.start()
def end():
    over.set()
    thread.join()
";

/// An environment as people make them, with packages of the test's own.
struct Environment {
    home: TempDir,
    interpreter: Interpreter,
    packages: PathBuf,
}

impl Environment {
    fn new() -> Self {
        let asked = std::env::var_os("MUTIRAO_PYTHON").map(PathBuf::from);
        let base = Interpreter::resolve(asked.as_deref()).unwrap();
        let home = tempfile::tempdir().unwrap();
        let made = Command::new(base.path)
            .args(["-m", "venv", "--without-pip", "env"])
            .current_dir(home.path())
            .status();
        assert!(made.unwrap().success());
        let interpreter = Interpreter::resolve(Some(&home.path().join("env/bin/python"))).unwrap();
        let asked = Command::new(&interpreter.path)
            .args([
                "-c",
                "import sysconfig; print(sysconfig.get_path('purelib'))",
            ])
            .output();
        let packages = String::from_utf8(asked.unwrap().stdout).unwrap();
        Self {
            packages: packages.trim().into(),
            home,
            interpreter,
        }
    }

    fn has(&self, package: &str, files: &[(&str, &str)]) {
        let folder = self.packages.join(package);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    /// What three tasks of one group find of the package before they import it, and what they then get from it.
    async fn found(&self, package: &str) -> Vec<String> {
        let script = format!(
            "import sys\nprint('{package}' in sys.modules)\nimport {package}\nprint({package}.answer())\n"
        );
        let runner = ScriptRunner::new(Config {
            work: self.home.path().join("work"),
            keep_work: false,
            notes: Notes::open(self.home.path().join("runs")).unwrap(),
            interpreter: self.interpreter.clone(),
            start: Start::Warm,
            templates: self.home.path().join("templates"),
            peer: None,
            clock: Clock::start(),
        })
        .unwrap();
        let mut found = Vec::new();
        for _ in 0..3 {
            let finished = runner.run(job(&script), CancellationToken::new()).await;
            assert_eq!(finished.outcome.ending, Ending::Exit(0));
            let mut zip = ZipArchive::new(Cursor::new(finished.result.bytes())).unwrap();
            let mut text = String::new();
            let mut stdout = zip.by_name("stdout.txt").unwrap();
            stdout.read_to_string(&mut text).unwrap();
            found.push(text.replace('\n', " ").trim().to_owned());
        }
        found
    }
}

fn job(script: &str) -> Job {
    let zip = pack([("main.py", script.as_bytes())], Compression::Fast).unwrap();
    Job {
        task: TaskId::new(),
        attempt: Attempt(1),
        name: TaskName::tamed("preload.zip"),
        sent_name: "preload.zip".into(),
        named: true,
        master_id: None,
        archive: Archive::new(zip),
        time_limit: None,
        plain_result: false,
    }
}

#[tokio::test]
async fn a_package_of_an_environment_is_there_from_the_second_script_on() {
    let environment = Environment::new();
    environment.has(
        "counted",
        &[
            ("__init__.py", "from .inner import answer"),
            (
                "inner.py",
                "answers = []\ndef answer():\n    answers.append(1)\n    return len(answers)\n",
            ),
        ],
    );
    let found = environment.found("counted").await;
    assert_eq!(found, ["False 1", "True 1", "True 1"]);
}

#[tokio::test]
async fn a_package_whose_threads_end_before_a_fork_is_there_too() {
    let environment = Environment::new();
    let knows = format!("{THREAD}os.register_at_fork(before=end)\nanswer = thread.is_alive\n");
    environment.has("knowing", &[("__init__.py", &knows)]);
    let found = environment.found("knowing").await;
    assert_eq!(found, ["False True", "True False", "True False"]);
}

#[tokio::test]
async fn a_package_whose_threads_know_nothing_of_forks_is_imported_by_each_script() {
    let environment = Environment::new();
    let ignores = format!("{THREAD}answer = thread.is_alive\n");
    environment.has("ignoring", &[("__init__.py", &ignores)]);
    let found = environment.found("ignoring").await;
    assert_eq!(found, ["False True"; 3]);
}

#[tokio::test]
async fn a_package_that_hangs_in_a_fork_is_imported_by_each_script_and_leaves_no_process() {
    let environment = Environment::new();
    let pid = environment.home.path().join("pid");
    let hangs = format!(
        "{THREAD}
def hang():
    with open({pid:?}, 'w') as file:
        file.write(str(os.getpid()))
    threading.Event().wait()
os.register_at_fork(after_in_child=hang)
answer = thread.is_alive
"
    );
    environment.has("hanging", &[("__init__.py", &hangs)]);
    let found = environment.found("hanging").await;
    assert_eq!(found, ["False True"; 3]);
    let pid = fs::read_to_string(pid).unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "it lives: {stat}");
}
