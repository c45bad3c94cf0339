//! Five tasks and a scripted peer, while the master dies or its disk fails at one chosen system call.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use mutirao_rig::clock;

use crate::background::Background;
use crate::checker::Counts;
use crate::client::{Client, status};
use crate::scope::Scope;
use crate::tasks::Tasks;
use crate::tracer::{Deed, Seen};
use crate::trial::Trial;
use crate::worker::Worker;

/// Tasks that lie in `tasks/` at the start.
const BY_FILES: u64 = 3;
/// Tasks that are handed in over TCP.
const BY_TCP: usize = 2;
/// Bytes of noise in a result.
const RESULT: usize = 2000;
/// How long the script may take while the master is followed, which makes it several times slower.
const SCRIPT_WITHIN: Duration = Duration::from_secs(60);
/// How long the rest may take after that.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);
/// How long a sender waits before it tries again.
const AGAIN: Duration = Duration::from_millis(50);

/// How one run went.
pub struct Ran {
    /// What the follower saw.
    pub seen: Seen,
    /// Whether that process served anybody.
    pub served: bool,
    /// Whether it panicked, or one that was started after it.
    pub panicked: bool,
    /// Whether the same process did all of the script.
    pub survived: bool,
    /// The judgement, after a restart and all the time that is needed.
    pub counts: anyhow::Result<Counts>,
}

/// Runs the script with this deed at the master's call number `at`; never when that is 0.
pub fn run(scope: &Scope, lane: u16, at: u64, deed: Deed) -> anyhow::Result<Ran> {
    let mut trial = Trial::new(scope, &format!("call-{at}"), lane)?;
    for number in 0..BY_FILES {
        trial.tasks.put(&format!("file-{number}"), "")?;
    }
    let master = &trial.master;
    let traced = master.traced(at, deed)?;
    let worker = Worker::start(&trial.tasks, RESULT);
    let sender = send(&trial.tasks);
    let is_done = || trial.tasks.history().accepted.len() == all() && trial.is_settled();
    let mut served = false;
    clock::until(SCRIPT_WITHIN, || {
        served = served || status(trial.master.address()).is_ok();
        traced.seen().is_over || is_done()
    });
    let seen = traced.seen();
    let survived = !seen.is_over && is_done();
    drop(traced);
    let counts = finish(&mut trial, sender);
    trial.master.kill();
    drop(worker);
    let panicked = fs::read_to_string(&trial.master.log)?.contains("panicked at");
    let is_good = counts.as_ref().is_ok_and(Counts::is_good);
    if is_good && !panicked {
        fs::remove_dir_all(&trial.folder)?;
    }
    Ok(Ran {
        seen,
        served,
        panicked,
        survived,
        counts,
    })
}

/// Starts the master again and gives it the time to do what is left.
fn finish(trial: &mut Trial, sender: Background) -> anyhow::Result<Counts> {
    trial.master.serve()?;
    let all_sent = || trial.tasks.history().accepted.len() == all();
    ensure!(
        clock::until(DRAIN_WITHIN, all_sent),
        "no task is accepted any more"
    );
    drop(sender);
    trial.drained(DRAIN_WITHIN);
    Ok(trial.counts())
}

fn all() -> usize {
    usize::try_from(BY_FILES).unwrap_or_default() + BY_TCP
}

/// Hands tasks in until enough were accepted; a key that was not answered is not used again.
fn send(tasks: &Tasks) -> Background {
    let (tasks, mut number) = (tasks.clone(), 0);
    Background::repeat(move |_| {
        if tasks.history().accepted.len() < all()
            && let Ok(mut client) = Client::connect(tasks.address)
        {
            number += 1;
            // Without an answer the next one is sent.
            let _ = tasks.submit(&mut client, &format!("tcp-{number}"), "");
        } else {
            clock::pause(AGAIN);
        }
    })
}
