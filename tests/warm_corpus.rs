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
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
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
        .map(|name| {
            format!(
                "{name}:\n{}--- against\n{}",
                shown(one, name),
                shown(other, name)
            )
        })
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
                failures.push(format!(
                    "=== {name}, the {time} time: a {} start",
                    left.start
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs each of the scripts in turn in one warm runner, which had a task before.
async fn one_after_the_other(scripts: &[&str]) -> Vec<Left> {
    let stage = Stage::new();
    let runner = stage.runner(Start::Warm);
    let mut left = Vec::new();
    for script in scripts {
        let one = run(&runner, &job(script.as_bytes())).await;
        assert_eq!(one.start, "warm");
        left.push(one);
    }
    left
}

#[tokio::test]
async fn nothing_of_one_task_is_in_the_next() {
    let dirty = "
import builtins, gc, json, locale, os, signal, sys, threading, time, warnings
builtins.leak = sys.leak = json.leak = os.environ['LEAK'] = 'leak'
os.environ.pop('PATH'); os.putenv('LEAK_C', '1'); os.umask(0o77); os.chdir('/'); os.nice(1)
os.open('/dev/null', 0); os.set_inheritable(os.dup(1), True); os.set_blocking(0, False)
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
sys.path.append('/leak'); sys.argv.append('leak'); sys.setrecursionlimit(2000); sys.modules['leak'] = sys
sys.excepthook = sys.stdout.reconfigure(encoding='latin-1'); warnings.simplefilter('error'); gc.disable()
threading.stack_size(1 << 20); threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
";
    let looks = "
import builtins, fcntl, gc, json, os, signal, sys, threading, warnings
print([hasattr(place, 'leak') for place in (builtins, sys, json)], 'LEAK' in os.environ, 'PATH' in os.environ)
with os.popen('env') as env: print(env.read().count('LEAK'))
print(os.umask(0o22), os.path.basename(os.getcwd()), os.nice(0))
print(sorted(os.listdir('/proc/self/fd')), fcntl.fcntl(0, fcntl.F_GETFL))
print(signal.getsignal(signal.SIGTERM), signal.pthread_sigmask(signal.SIG_BLOCK, []), threading.active_count())
print('/leak' in sys.path, sys.argv, sys.getrecursionlimit(), 'leak' in sys.modules, sys.excepthook, sys.stdout.encoding)
print([kind for kind, *_ in warnings.filters], gc.isenabled(), threading.stack_size(), sorted(globals()))
";
    let left = one_after_the_other(&[looks, dirty, looks, dirty, looks]).await;
    let shown = |at: usize| placeless(&left[at].files["stdout.txt"]);
    assert!(!shown(0).is_empty());
    assert_eq!((shown(2), shown(4)), (shown(0), shown(0)));
}

#[tokio::test]
async fn tasks_that_differ_in_parameters_share_a_template_and_find_what_they_would_after_a_cold_start()
 {
    let script: &[u8] = b"
import ctypes, os
print(list(os.environ)); print([os.environ[name] for name in os.environ if name[:14] == 'MUTIRAO_PARAM_'])
with os.popen('env') as env: print([line.partition('=')[0] for line in env])
get = ctypes.CDLL(None).getenv; get.restype = ctypes.c_char_p; print(get(b'MUTIRAO_PARAM_A'), get(b'MUTIRAO_PARAM_B'))
with open('parent.txt', 'w') as parent: print(os.getppid(), file=parent)";
    let stage = Stage::new();
    let (cold, warm) = (stage.runner(Start::Cold), stage.runner(Start::Warm));
    let mut parents = std::collections::BTreeSet::new();
    let params = [
        "MUTIRAO_PARAM_A = '1', MUTIRAO_PARAM_B = 'x'",
        "MUTIRAO_PARAM_A = '22'",
        "",
    ];
    for set in params.iter().cycle().take(6) {
        let mut job = job(script);
        let toml = format!("env = {{ {set} }}");
        let files = [("main.py", script), ("task.toml", toml.as_bytes())];
        job.archive = Archive::new(pack(files, Compression::Fast).unwrap());
        let (mut expected, mut left) = (run(&cold, &job).await, run(&warm, &job).await);
        assert_eq!(left.start, "warm");
        expected.files.remove("parent.txt");
        parents.insert(left.files.remove("parent.txt"));
        assert_eq!(difference(&expected, &left), None, "{set}");
    }
    // The first of a group tells what it imports, and then the group has a template that has imported it.
    assert_eq!(parents.len(), 2, "{parents:?}");
}

#[tokio::test]
async fn every_task_has_chance_of_its_own() {
    let script = "
import multiprocessing, random, tempfile, uuid
print(random.random()); print(random.SystemRandom().random()); print(uuid.uuid4())
print(next(tempfile._get_candidate_names())); print(multiprocessing.current_process().authkey.hex())";
    let left = one_after_the_other(&[script; 4]).await;
    let lines = left.iter().flat_map(|one| {
        let text = String::from_utf8(one.files["stdout.txt"].clone()).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let lines: Vec<_> = lines.collect();
    let different: std::collections::BTreeSet<_> = lines.iter().collect();
    assert_eq!((lines.len(), different.len()), (20, 20), "{lines:?}");
}

#[tokio::test]
async fn what_a_group_imports_is_there_before_its_next_script_begins() {
    let script = "
import sys
print('colorsys' in sys.modules, 'csv' in sys.modules)
sys.path.pop(0)
import colorsys, csv";
    let left = one_after_the_other(&[script; 2]).await;
    let shown = |at: usize| String::from_utf8_lossy(&left[at].files["stdout.txt"]).into_owned();
    assert_eq!((&*shown(0), &*shown(1)), ("False False\n", "True True\n"));
}

#[tokio::test]
async fn a_script_that_ends_its_template_goes_on_and_so_do_others() {
    for signal in ["SIGKILL", "SIGSTOP"] {
        let script = format!(
            "import os, signal, sys, time; os.kill(os.getppid(), signal.{signal}); time.sleep(0.2); print('on'); sys.exit(3)"
        );
        let stage = Stage::new();
        let runner = stage.runner(Start::Warm);
        let deadly = job(script.as_bytes());
        let other = job(b"import time; time.sleep(1); print('other')");
        // A stopped template is noticed by the next that wants it.
        let (first, other) = tokio::join!(run(&runner, &deadly), run(&runner, &other));
        let text = |left: &Left| String::from_utf8_lossy(&left.files["stdout.txt"]).into_owned();
        assert_eq!(text(&other), "other\n");
        assert_eq!(
            (first.ending.clone(), text(&first)),
            (Ending::Exit(3), "on\n".into())
        );
        let after = run(&runner, &job(b"print('after')")).await;
        assert_eq!((&*after.start, text(&after)), ("warm", "after\n".into()));
    }
}

#[tokio::test]
async fn an_interpreter_that_can_be_no_template_starts_scripts_cold() {
    let mut stage = Stage::new();
    let wrapper = stage.home.path().join("python");
    let real = stage.interpreter.path.display();
    let text = format!("#!/bin/sh\ncase $1 in *bootstrap*) exit 1;; esac\nexec {real} \"$@\"\n");
    fs::write(&wrapper, text).unwrap();
    fs::set_permissions(
        &wrapper,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    stage.interpreter.path = wrapper;
    let runner = stage.runner(Start::Warm);
    for _ in 0..2 {
        let left = run(&runner, &job(b"print(1)")).await;
        assert_eq!(
            (&*left.start, &*left.files["stdout.txt"]),
            ("cold", &b"1\n"[..])
        );
    }
}

#[tokio::test]
async fn variables_of_the_interpreter_start_it_anew() {
    let stage = Stage::new();
    let runner = stage.runner(Start::Warm);
    let mut job = job(b"");
    let script: &[u8] = b"print(hash('a'))";
    let toml: &[u8] = b"env = { PYTHONHASHSEED = '0' }";
    let files = [("main.py", script), ("task.toml", toml)];
    job.archive = Archive::new(pack(files, Compression::Fast).unwrap());
    let (one, other) = (run(&runner, &job).await, run(&runner, &job).await);
    assert_eq!((&*one.start, &*other.start), ("cold", "cold"));
    assert_eq!(one.files["stdout.txt"], other.files["stdout.txt"]);
}
