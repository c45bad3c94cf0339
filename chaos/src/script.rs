//! Five tasks and a scripted peer, while the master dies or its disk fails at one chosen system call.

use std::fs;
use std::time::Duration;

use anyhow::ensure;

use crate::background::Background;
use crate::checker::Counts;
use crate::client::Client;
use crate::clock;
use crate::scope::Scope;
use crate::tasks::Tasks;
use crate::tracer::{Deed, Seen, Traced};
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
    /// The call that was chosen.
    pub at: u64,
    /// What the follower saw.
    pub seen: Seen,
    /// Whether the same process did all of the script.
    pub survived: bool,
    /// The judgement, after a restart and all the time that is needed.
    pub counts: Counts,
}

/// Runs the script with this deed at the master's call number `at`; never when that is 0.
pub fn run(scope: &Scope, lane: u16, at: u64, deed: Deed) -> anyhow::Result<Ran> {
    let mut trial = Trial::new(scope, &format!("call-{at}"), lane)?;
    for number in 0..BY_FILES {
        trial.tasks.put(&format!("file-{number}"), "")?;
    }
    let master = &trial.master;
    let traced = Traced::start(&master.command(), &master.log, &master.folder, at, deed)?;
    let worker = Worker::start(&trial.tasks, RESULT);
    let sender = send(&trial.tasks);
    let is_done = || trial.tasks.history().accepted.len() == all() && trial.is_settled();
    clock::until(SCRIPT_WITHIN, || traced.seen().is_over || is_done());
    let seen = traced.seen();
    let survived = !seen.is_over && is_done();
    drop(traced);
    trial.master.serve()?;
    let all_sent = || trial.tasks.history().accepted.len() == all();
    ensure!(
        clock::until(DRAIN_WITHIN, all_sent),
        "after call {at} no task is accepted any more"
    );
    drop(sender);
    trial.drained(DRAIN_WITHIN);
    drop(worker);
    let counts = trial.counts();
    drop(trial.master);
    if counts.is_valid() && counts.stuck == 0 {
        fs::remove_dir_all(&trial.folder)?;
    }
    Ok(Ran {
        at,
        seen,
        survived,
        counts,
    })
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
