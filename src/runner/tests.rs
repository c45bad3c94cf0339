//! Real scripts, run by a real Python.

use std::io::Read as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use mutirao_actors::model::{Archive, Ending, TaskName};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::*;
use crate::archive::{Compression, inspect_result, pack};

/// How often a condition is looked at before the test fails: ten seconds.
const POLLS_MAX: usize = 1000;
/// Long enough for any script here, short enough that a test which hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the tests of this module start scripts: the same are made for both ways.
fn how() -> Start {
    if module_path!().ends_with("tests_of_warm_starts") {
        Start::Warm
    } else {
        Start::Cold
    }
}

struct Stage {
    home: TempDir,
    runner: ScriptRunner,
}

impl Stage {
    fn new() -> Self {
        Self::keeping(false)
    }

    fn keeping(keep_work: bool) -> Self {
        static PYTHON: OnceLock<Interpreter> = OnceLock::new();
        let home = tempfile::tempdir().unwrap();
        let runner = ScriptRunner::new(Config {
            work: home.path().join("work"),
            keep_work,
            notes: Notes::open(home.path().join("runs")).unwrap(),
            interpreter: PYTHON
                .get_or_init(|| Interpreter::resolve(None).unwrap())
                .clone(),
            start: how(),
            templates: home.path().join("templates"),
            peer: Some("peer-1".parse().unwrap()),
            clock: Clock::start(),
        })
        .unwrap();
        Self { home, runner }
    }

    async fn run(&self, job: Job) -> Told {
        Told::of(self.runner.run(job, CancellationToken::new()).await)
    }

    async fn script(&self, script: &str) -> Told {
        self.run(job(&[("main.py", script)])).await
    }

    /// A place for what a script tells while it runs.
    fn note(&self) -> PathBuf {
        self.home.path().join("note")
    }

    fn folders(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path().join("work")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

struct Told {
    ending: Ending,
    peak_rss: Option<u64>,
    files: HashMap<String, Vec<u8>>,
}

impl Told {
    fn of(finished: Finished) -> Self {
        inspect_result(finished.result.bytes()).unwrap();
        let mut zip = zip::ZipArchive::new(io::Cursor::new(finished.result.bytes())).unwrap();
        let mut files = HashMap::new();
        for index in 0..zip.len() {
            let mut file = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            files.insert(file.name().unwrap().into_owned(), bytes);
        }
        Self {
            ending: finished.outcome.ending,
            peak_rss: finished.outcome.peak_rss,
            files,
        }
    }

    fn text(&self, name: &str) -> &str {
        str::from_utf8(&self.files[name]).unwrap()
    }

    fn stdout(&self) -> &str {
        self.text("stdout.txt")
    }

    fn report(&self) -> serde_json::Value {
        serde_json::from_slice(&self.files["result.json"]).unwrap()
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.files.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

fn job(files: &[(&str, &str)]) -> Job {
    let files = files
        .iter()
        .map(|(name, content)| (*name, content.as_bytes()));
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

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..POLLS_MAX {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

fn noted(note: &Path) -> Vec<i32> {
    let text = fs::read_to_string(note).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn lives(id: i32) -> bool {
    kill(Pid::from_raw(id), None).is_ok()
}

/// A script that starts a child in every way that hides one, each of which notes its process id and stays.
fn with_hidden_children(note: &Path, then: &str) -> String {
    format!(
        r#"
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
note = {note:?}
def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(note, "a") as file:
        file.write(f"{{os.getpid()}}\n")
    time.sleep(600)
    os._exit(0)
def wait_for(count):
    while not os.path.exists(note) or len(open(note).readlines()) < count:
        time.sleep(0.005)
if os.fork() == 0:                      # in the group
    stay()
if os.fork() == 0:                      # in a session of its own
    os.setsid()
    stay()
if os.fork() == 0:                      # twice forked, without parents
    os.setsid()
    if os.fork() == 0:
        stay()
    os._exit(0)
os.wait()
code = "import os,time; open({{!r}}, 'a').write(f'{{{{os.getpid()}}}}\\n'); time.sleep(600)".format(note)
subprocess.Popen([sys.executable, "-c", code], start_new_session=True, env={{}})   # without its marker
wait_for(4)
{then}
"#
    )
}

#[tokio::test]
async fn a_script_runs_to_its_end() {
    let told = Stage::new()
        .script("import sys; print('olá'); print('oops', file=sys.stderr)")
        .await;
    assert_eq!(told.ending, Ending::Exit(0));
    assert_eq!(
        (told.stdout(), told.text("stderr.txt")),
        ("olá\n", "oops\n")
    );
    assert_eq!(told.names(), ["result.json", "stderr.txt", "stdout.txt"]);
}

#[tokio::test]
async fn exit_codes_tracebacks_and_signals_are_told() {
    let stage = Stage::new();
    assert_eq!(
        stage.script("raise SystemExit(7)").await.ending,
        Ending::Exit(7)
    );
    let told = stage.script("1/0").await;
    let said = "exit code 1: ZeroDivisionError: division by zero (main.py:1)";
    assert_eq!(told.ending.to_string(), said);
    assert!(told.text("stderr.txt").contains("ZeroDivisionError"));
    let told = stage.script("raise MemoryError('no room')").await;
    assert_eq!(told.ending, Ending::OutOfMemory);
    let told = stage.script("import os; os.kill(os.getpid(), 11)").await;
    assert_eq!(told.ending, Ending::Signal(11));
}

#[tokio::test]
async fn the_input_is_an_argument_and_a_file_beside_the_script() {
    let script =
        "import sys; print(sys.argv[1:], open('input.csv').read(), open(sys.argv[1]).read())";
    let told = Stage::new()
        .run(job(&[("a/main.py", script), ("a/input.csv", "x,y")]))
        .await;
    assert_eq!(told.stdout(), "['input.csv'] x,y x,y\n");
    let told = Stage::new().script("import sys; print(sys.argv[1:])").await;
    assert_eq!(told.stdout(), "[]\n");
}

#[tokio::test]
async fn standard_input_is_closed() {
    let told = Stage::new().script("input()").await;
    assert!(told.text("stderr.txt").contains("EOFError"));
}

#[tokio::test]
async fn the_environment_is_clean() {
    let script = "import os; print(sorted(os.environ)); print(os.environ['GREETING'], os.environ['MUTIRAO_ATTEMPT'])";
    let toml = "env = { GREETING = 'oi', MUTIRAO_ATTEMPT = '99' }";
    let told = Stage::new()
        .run(job(&[("main.py", script), ("task.toml", toml)]))
        .await;
    assert!(!told.stdout().contains("CARGO"), "{}", told.stdout());
    assert!(told.stdout().contains("'PATH'") && told.stdout().contains("'MUTIRAO_TASK'"));
    assert!(told.stdout().ends_with("oi 1\n"));
}

#[tokio::test]
async fn task_toml_may_say_what_is_run() {
    let toml = "command = ['python3', '-c', 'import sys; print(sys.executable, sys.argv)', 'x']";
    let stage = Stage::new();
    let told = stage
        .run(job(&[("main.py", ""), ("task.toml", toml)]))
        .await;
    let python = stage.runner.config.interpreter.path.display();
    assert_eq!(told.stdout(), format!("{python} ['-c', 'x']\n"));
    let told = stage
        .run(job(&[
            ("main.py", ""),
            ("task.toml", "command = ['no-such-program']"),
        ]))
        .await;
    assert!(
        matches!(&told.ending, Ending::NotStarted(why) if why.contains("no-such-program")),
        "{}",
        told.ending
    );
}

#[tokio::test]
async fn what_the_script_made_or_changed_is_in_the_result() {
    let script = "
import os
open('kept.txt'); open('changed.txt', 'a').write('!')
os.mkdir('out'); open('out/made.txt', 'w').write('new')
os.symlink('/etc/passwd', 'link'); open('stdout.txt', 'w').write('mine')
print('shown')";
    let files = [("main.py", script), ("kept.txt", "1"), ("changed.txt", "2")];
    let told = Stage::new().run(job(&files)).await;
    assert_eq!(
        told.names(),
        [
            "changed.txt",
            "out/made.txt",
            "result.json",
            "stderr.txt",
            "stdout.txt"
        ]
    );
    assert_eq!(
        (
            told.text("changed.txt"),
            told.text("out/made.txt"),
            told.stdout()
        ),
        ("2!", "new", "shown\n")
    );
    let skipped = &told.report()["skipped"];
    assert_eq!(skipped["count"], 2);
    assert!(
        skipped["files"]["link"].is_string() && skipped["files"]["stdout.txt"].is_string(),
        "{skipped}"
    );
}

#[tokio::test]
async fn the_report_tells_the_rest() {
    let job = job(&[("main.py", "raise SystemExit(3)"), ("input.csv", "a")]);
    let report = Stage::new().run(job.clone()).await.report();
    assert_eq!(report["task"], job.task.to_string());
    assert_eq!(report["ending"]["exit"], 3);
    assert_eq!(report["peer"], "peer-1");
    assert_eq!(
        report["input_sha256"],
        mutirao_actors::model::Digest::of(b"a").to_string()
    );
    assert_eq!(report["task_sha256"], job.archive.digest().to_string());
    assert!(
        report["interpreter"]["version"]
            .as_str()
            .unwrap()
            .starts_with("3.")
    );
    let expected = if how() == Start::Warm { "warm" } else { "cold" };
    assert_eq!(report["start"], expected);
    assert!(report["started"].as_str() <= report["ended"].as_str());
}

#[tokio::test]
async fn a_plain_result_holds_the_two_texts_only() {
    let mut job = job(&[("main.py", "open('x', 'w'); print(1)")]);
    job.plain_result = true;
    assert_eq!(
        Stage::new().run(job).await.names(),
        ["stderr.txt", "stdout.txt"]
    );
}

#[tokio::test]
async fn a_refused_task_ends_with_the_reason_and_leaves_nothing() {
    let stage = Stage::new();
    let told = stage.run(job(&[("other.py", "")])).await;
    assert!(matches!(&told.ending, Ending::NotStarted(why) if why.contains("main.py is missing")));
    assert!(told.text("stderr.txt").contains("main.py is missing"));
    assert!(stage.folders().is_empty());
}

#[tokio::test]
async fn too_much_output_is_cut_and_marked_and_the_script_goes_on() {
    let script = "
import sys
for _ in range(20): sys.stdout.write('x' * (1 << 20))
print('the end')";
    let told = Stage::new().script(script).await;
    assert_eq!(told.ending, Ending::Exit(0));
    let stdout = told.stdout();
    assert!(stdout.len() as u64 <= OUTPUT_MAX as u64 + output::MARK_MAX);
    assert!(stdout.contains("\n[mutirao: ") && stdout.ends_with("the end\n"));
    assert!(told.report()["stdout"]["left_out"].as_u64().unwrap() > 4 << 20);
}

#[tokio::test]
async fn memory_is_seen_while_a_script_runs() {
    let stage = Stage::new();
    let (note, stop) = (stage.note(), CancellationToken::new());
    let script = format!(
        "x = bytearray(64 << 20); open({note:?}, 'w').write('1'); import time; time.sleep(600)"
    );
    let run = tokio::spawn(stage.runner.run(job(&[("main.py", &script)]), stop.clone()));
    until("the script took its memory", || !noted(&note).is_empty()).await;
    stop.cancel();
    assert!(Told::of(run.await.unwrap()).peak_rss.unwrap() > 64 << 20);
}

#[tokio::test]
async fn a_time_limit_ends_the_script_and_all_its_hidden_children() {
    let stage = Stage::new();
    let script = with_hidden_children(&stage.note(), "time.sleep(600)");
    let mut job = job(&[("main.py", &script)]);
    // Long enough for children to have noted themselves.
    job.time_limit = Some(Duration::from_secs(3));
    let told = stage.run(job).await;
    assert_eq!(told.ending, Ending::TimeLimit);
    let ids = noted(&stage.note());
    assert!(!ids.is_empty());
    assert_eq!(ids.into_iter().filter(|id| lives(*id)).count(), 0);
}

#[tokio::test]
async fn the_shorter_of_two_time_limits_holds() {
    let stage = Stage::new();
    for (ordered, wished) in [(1, 600), (600, 1)] {
        let toml = format!("time_limit = {wished}");
        let mut job = job(&[
            ("main.py", "import time; time.sleep(600)"),
            ("task.toml", &toml),
        ]);
        job.time_limit = Some(Duration::from_secs(ordered));
        let told = tokio::time::timeout(PATIENCE, stage.run(job))
            .await
            .expect("the longer one held");
        assert_eq!(told.ending, Ending::TimeLimit);
    }
}

#[tokio::test]
async fn a_stop_ends_the_script_and_all_its_hidden_children() {
    let stage = Stage::new();
    let (note, stop) = (stage.note(), CancellationToken::new());
    let script = with_hidden_children(&note, "time.sleep(600)");
    let run = tokio::spawn(stage.runner.run(job(&[("main.py", &script)]), stop.clone()));
    until("four children", || noted(&note).len() == 4).await;
    stop.cancel();
    let told = Told::of(run.await.unwrap());
    assert_eq!(told.ending, Ending::Cancelled);
    assert_eq!(noted(&note).into_iter().filter(|id| lives(*id)).count(), 0);
}

#[tokio::test]
async fn a_script_that_ends_leaves_no_process_behind() {
    let stage = Stage::new();
    // Its children hold its output open, too.
    let told = stage
        .script(&with_hidden_children(&stage.note(), "print('done')"))
        .await;
    assert_eq!((&told.ending, told.stdout()), (&Ending::Exit(0), "done\n"));
    let ids = noted(&stage.note());
    assert_eq!(ids.len(), 4);
    let left = || ids.iter().filter(|id| lives(**id)).count();
    assert!(left() <= 1, "all that bear the marker are gone");
    // The one that dropped it falls to the last run that ends, and other tests have runs as well.
    until("nothing is left", || left() == 0).await;
}

#[tokio::test]
async fn a_job_stopped_before_it_starts_runs_nothing() {
    let stage = Stage::new();
    let stop = CancellationToken::new();
    stop.cancel();
    let script = format!("open({:?}, 'w')", stage.note());
    let told = Told::of(stage.runner.run(job(&[("main.py", &script)]), stop).await);
    assert_eq!(told.ending, Ending::Cancelled);
    assert_eq!(told.text("stderr.txt"), "mutirao: cancelled\n");
    assert!(!stage.note().exists());
}

#[tokio::test]
async fn a_forgotten_run_leaves_the_disk() {
    let stage = Stage::new();
    let job = job(&[("main.py", "")]);
    stage.run(job.clone()).await;
    stage.run(job.clone()).await;
    assert_eq!(stage.folders(), ["exemplo", "exemplo.2"]);
    stage.runner.forget(job.task, Attempt(2)).await;
    assert_eq!(stage.folders().len(), 2);
    stage.runner.forget(job.task, job.attempt).await;
    assert!(stage.folders().is_empty());
}

#[tokio::test]
async fn a_run_that_was_stopped_is_waited_for_before_the_program_ends() {
    let stage = Stage::new();
    let script = format!(
        "open({:?}, 'w')\nimport time; time.sleep(600)",
        stage.note()
    );
    let stop = CancellationToken::new();
    let job = job(&[("main.py", &script)]);
    let run = tokio::spawn(stage.runner.run(job, stop.clone()));
    until("it runs", || stage.note().exists()).await;
    stop.cancel();
    stage.runner.tidied().await;
    assert!(run.is_finished());
}

#[tokio::test]
async fn a_later_life_finds_what_runs_by_its_marker() {
    let stage = Stage::new();
    let script = format!(
        "open({:?}, 'w')\nimport time; time.sleep(600)",
        stage.note()
    );
    let job = job(&[("main.py", &script)]);
    let run = tokio::spawn(stage.runner.run(job, CancellationToken::new()));
    until("it runs", || stage.note().exists()).await;
    stage.runner.sweep().await.unwrap();
    assert_eq!(Told::of(run.await.unwrap()).ending, Ending::Signal(9));
}

#[tokio::test]
async fn kept_work_stays() {
    let stage = Stage::keeping(true);
    let job = job(&[("main.py", "print(1)")]);
    stage.run(job.clone()).await;
    stage.runner.forget(job.task, job.attempt).await;
    assert_eq!(stage.folders(), ["exemplo"]);
    assert_eq!(
        fs::read(stage.home.path().join("work/exemplo/stdout.txt")).unwrap(),
        b"1\n"
    );
}

#[tokio::test]
async fn what_was_printed_is_told_whatever_the_script_makes_of_its_file() {
    for (what, trick) in [
        ("a pipe", "os.remove(path); os.mkfifo(path)"),
        ("a link", "os.remove(path); os.symlink('/etc/passwd', path)"),
        ("a folder", "os.remove(path); os.mkdir(path)"),
        (
            "nothing",
            "import shutil; shutil.rmtree(os.path.dirname(os.getcwd()))",
        ),
    ] {
        let script = format!("import os; path = '../stdout.txt'; print('said'); {trick}");
        let stage = Stage::keeping(true);
        let told = tokio::time::timeout(PATIENCE, stage.script(&script)).await;
        let told = told.expect(what);
        assert_eq!(
            (&told.ending, told.stdout()),
            (&Ending::Exit(0), "said\n"),
            "{what}"
        );
    }
}

#[tokio::test]
async fn what_is_printed_has_no_file_where_nothing_is_kept_however_much_it_is() {
    let script = "import os\nprint('x' * 1_000_000)\nprint(os.listdir('..'), os.listdir('../..'))";
    let told = Stage::new().script(script).await;
    let last = told.stdout().lines().last();
    assert_eq!(last, Some("['task'] ['exemplo']"));
}

#[tokio::test]
async fn a_link_in_the_place_of_the_folder_leads_nowhere() {
    let stage = Stage::new();
    let elsewhere = stage.home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("secret"), "x").unwrap();
    let script = format!(
        "import os; os.rename('../task', '../moved'); os.symlink({elsewhere:?}, '../task')"
    );
    let told = stage.script(&script).await;
    assert_eq!(told.names(), ["result.json", "stderr.txt", "stdout.txt"]);
    assert_eq!(told.report()["skipped"]["count"], 1);
}

#[tokio::test]
async fn folders_nested_deeper_than_files_may_be_open_leave_the_disk() {
    let stage = Stage::new();
    let script = "import os\nfor _ in range(5_000): os.mkdir('d'); os.chdir('d')";
    let job = job(&[("main.py", script)]);
    stage.run(job.clone()).await;
    stage.runner.forget(job.task, job.attempt).await;
    assert!(stage.folders().is_empty());
}

#[tokio::test]
async fn a_run_is_noted_until_it_is_forgotten() {
    let stage = Stage::new();
    let sound = job(&[("main.py", "print(1)")]);
    let noted = || {
        fs::read_dir(stage.home.path().join("runs"))
            .unwrap()
            .count()
    };
    stage.run(sound.clone()).await;
    assert_eq!(noted(), 1);
    stage.runner.forget(sound.task, sound.attempt).await;
    assert_eq!((noted(), stage.folders()), (0, vec![]));
    stage.run(job(&[("input.csv", "no script")])).await;
    assert_eq!((noted(), stage.folders()), (0, vec![]));
}
