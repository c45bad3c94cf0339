//! Tasks a second that scripts cost with a cold and with a warm start, and what the peer itself spends on each.
//!
//! `cargo run --release --example starts -- TASK.zip [COUNT [PYTHON]]`
#![expect(clippy::unwrap_used, reason = "it is run by hand")]

use std::path::PathBuf;
use std::sync::Arc;

use mutirao::runner::{Config, Interpreter, Notes, ScriptRunner, Start};
use mutirao_actors::clock::Clock;
use mutirao_actors::model::{Archive, Attempt, TaskId, TaskName};
use mutirao_actors::runner::{Job, Runner as _};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use tokio_util::sync::CancellationToken;

const SLOTS: usize = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let archive = Archive::new(std::fs::read(arguments.next().unwrap()).unwrap());
    let count: usize = arguments.next().map_or(400, |count| count.parse().unwrap());
    let python = arguments.next().map(PathBuf::from);
    let interpreter = Interpreter::resolve(python.as_deref()).unwrap();
    println!("{} {}", interpreter.path.display(), interpreter.version);
    let clock = Clock::start();
    for start in [Start::Cold, Start::Warm, Start::Cold, Start::Warm] {
        let home = tempfile::tempdir().unwrap();
        let runner = Arc::new(
            ScriptRunner::new(Config {
                work: home.path().join("work"),
                keep_work: false,
                notes: Notes::open(home.path().join("runs")).unwrap(),
                interpreter: interpreter.clone(),
                start,
                templates: home.path().join("templates"),
                peer: None,
                clock: clock.clone(),
            })
            .unwrap(),
        );
        // What is learned at first is not what is measured.
        for _ in 0..3 {
            one(&runner, &archive).await;
        }
        let (began, spent) = (clock.now(), used());
        let slots = (0..SLOTS).map(|_| async {
            for _ in 0..count / SLOTS {
                one(&runner, &archive).await;
            }
        });
        futures_util::future::join_all(slots).await;
        let took = clock.now().since(began).as_secs_f64();
        let each = (used() - spent) as f64 / count as f64;
        println!(
            "{start:?}: {:.1} tasks/s, {each:.0} µs of the peer's own CPU a task",
            count as f64 / took
        );
    }
}

async fn one(runner: &ScriptRunner, archive: &Archive) {
    let job = Job {
        task: TaskId::new(),
        attempt: Attempt(1),
        name: TaskName::tamed("example.zip"),
        sent_name: "example.zip".into(),
        named: true,
        master_id: None,
        archive: archive.clone(),
        time_limit: None,
        plain_result: false,
    };
    let finished = runner.run(job.clone(), CancellationToken::new()).await;
    assert!(
        finished.outcome.ending.is_success(),
        "{}",
        finished.outcome.ending
    );
    runner.forget(job.task, job.attempt).await;
}

fn used() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (usage.user_time() + usage.system_time()).num_microseconds()
}
