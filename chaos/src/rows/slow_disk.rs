//! `slow-disk`: each flush of the master takes 200 ms more.
//!
//! Nothing here is judged by the clock: an answer came during a flush or not, and a promise came behind one or not.

use std::time::Duration;

use mutirao_rig::clock;
use serde_json::json;

use crate::asking::{Answer, Asking};
use crate::client::Client;
use crate::lanes::lanes;
use crate::load::Load;
use crate::meanwhile::{early, outlasted, unanswered};
use crate::rows::Row;
use crate::scope::{Scope, Verdict, quantiles};
use crate::tracer::{Deed, Seen, Spell, Traced};
use crate::trial::Trial;
use crate::worker::Worker;

/// How much longer a flush takes.
const DELAY: Duration = Duration::from_millis(200);
/// How long tasks come in the run of a commit, and in a long one, in seconds.
const SECONDS: (u64, u64) = (6, 60);
/// Scripted peers, so that several results are flushed together.
const WORKERS: usize = 4;
/// Tasks that come one after the other.
const ALONE: u64 = 3;
/// A task comes in by each door this often.
const TASK_EVERY: Duration = Duration::from_millis(200);
/// Bytes of noise in a result.
const RESULT: usize = 2000;
/// How long what is left may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The store's flushes that may begin and end while somebody waits to hear how things stand, who is told what is written
/// down: those of the commit under way, of the one behind it, and of what moves the log into the database.
const STORE_FLUSHES_MAX: usize = 5;

/// The row.
pub const ROW: Row = Row {
    name: "slow-disk",
    about: "each flush takes 200 ms more: all is done, nothing is promised early, who asks is answered meanwhile",
    needs: &[],
    run,
};

/// What a play on a slow disk left.
struct Played {
    trial: Trial,
    seen: Seen,
    pulse: Vec<Answer>,
    report: Vec<Answer>,
}

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let seconds = scope.size(SECONDS.0, SECONDS.1);
    let plays = lanes(["together", "alone"], |lane, name| {
        let play = |trial: &Trial, traced: &Traced| match name {
            "together" => together(trial, seconds),
            _ => alone(trial, traced),
        };
        (name, played(scope, name, lane, play))
    });
    let (mut verdict, mut waits) = (Verdict::default(), [Vec::new(), Vec::new()]);
    let (mut flushes, mut promises) = (0, 0);
    for (name, played) in plays {
        let Some(played) = verdict.take(name, played) else {
            continue;
        };
        judge(&mut verdict, name, &played);
        for (waits, answers) in waits.iter_mut().zip([&played.pulse, &played.report]) {
            waits.extend(answers.iter().map(|answer| answer.heard - answer.asked));
        }
        flushes += played.seen.flushes.len();
        promises += played.trial.tasks.history().promises.len();
    }
    let [pulse, report] = waits.map(quantiles);
    verdict.figure(format_args!(
        "{flushes} slow flushes, {promises} promises · a heartbeat is answered in {pulse}, status in {report}"
    ));
    Ok(verdict)
}

fn judge(verdict: &mut Verdict, name: &str, played: &Played) {
    let Played {
        trial,
        seen,
        pulse,
        report,
    } = played;
    let flushes = &seen.flushes;
    let mut require = |holds, what: &str| verdict.require(holds, format_args!("{name}: {what}"));
    require(!seen.is_over, "the master ended");
    // No actor waits for the disk.
    for kind in unanswered(flushes, pulse) {
        require(false, &format!("nobody is answered during `{kind}`"));
    }
    let most = report.iter().map(|answer| outlasted(flushes, answer)).max();
    let most = most.unwrap_or_default();
    require(
        most <= STORE_FLUSHES_MAX,
        &format!("a STATUS waited for {most} flushes of the store"),
    );
    for early in early(flushes, &trial.tasks.history().promises) {
        require(false, &early);
    }
    verdict.judge(name, Ok(trial.counts()));
}

/// Plays with a master on a slow disk, while two who want nothing written ask how it does.
fn played(
    scope: &Scope,
    name: &str,
    lane: u16,
    play: impl FnOnce(&Trial, &Traced) -> anyhow::Result<()>,
) -> anyhow::Result<Played> {
    let trial = Trial::new(scope, name, lane)?;
    let master = &trial.master;
    let traced = master.traced(0, Deed::Kill)?;
    master.answers()?;
    traced.cast(1, Spell::SlowFlush(DELAY));
    let heartbeat = json!({"action": "HEARTBEAT", "peer_id": "reader"});
    let pulse = Asking::start(master, heartbeat);
    let report = Asking::start(master, json!({"action": "STATUS"}));
    play(&trial, &traced)?;
    let (pulse, report) = (pulse.end(), report.end());
    Ok(Played {
        seen: traced.seen(),
        pulse,
        report,
        trial,
    })
}

/// Tasks come in by both doors, and several peers hand in.
fn together(trial: &Trial, seconds: u64) -> anyhow::Result<()> {
    let workers = (0..WORKERS).map(|_| Worker::start(&trial.tasks, RESULT));
    let _workers: Vec<_> = workers.collect();
    let load = Load::start(&trial.tasks, TASK_EVERY, "");
    let coming = Duration::from_secs(seconds);
    clock::pause(coming);
    drop(load);
    // They may come twice as fast as such a disk lets them go.
    trial.drained(PATIENCE + 2 * coming);
    Ok(())
}

/// One task after the other, with nothing else to flush: a promise that does not wait for its own flush has none to hide
/// behind.
fn alone(trial: &Trial, traced: &Traced) -> anyhow::Result<()> {
    // When it hands in, the flushes of its lease are long over.
    let _worker = Worker::start_slow(&trial.tasks, RESULT, 5 * DELAY);
    let mut client = Client::connect(trial.master.address())?;
    for number in 0..ALONE {
        until_quiet(traced);
        trial
            .tasks
            .submit(&mut client, &format!("task-{number}"), "")?;
        trial.drained(PATIENCE);
    }
    Ok(())
}

/// Waits until nothing has been flushed for a while.
fn until_quiet(traced: &Traced) {
    clock::until(PATIENCE, || {
        let before = traced.seen().flushes.len();
        clock::pause(2 * DELAY);
        let flushes = traced.seen().flushes;
        flushes.len() == before && flushes.iter().all(|flush| flush.ended.is_some())
    });
}
