//! One script from its start to the end of everything it started.

use std::future::pending;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use mutirao_actors::model::Ending;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::family::{Family, LAST_LOOK_WAIT};
use super::memory;
use super::output::{Tally, pipe, pump};
use super::plan::Plan;
use super::printed::Printed;
use super::script::Script;

/// The first look at the script's memory and children comes after this long; each wait doubles …
const LOOK_FIRST: Duration = Duration::from_millis(10);
/// … up to this: often enough to see a process before it hides, rarely enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(320);
/// How long a killed script may take to end; only one that hangs inside the kernel needs longer, and it keeps hanging.
const KILL_WAIT: Duration = Duration::from_secs(10);
/// How long the pipes may stay open after all that could write to them is gone: reading what they hold takes less.
const PIPE_WAIT: Duration = Duration::from_secs(2);

/// What became of it.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub ending: Ending,
    /// Whether it was forked from a template.
    pub is_warm: bool,
    /// The peak resident memory of the script itself in bytes, as seen while it ran: what it took after the last look is
    /// missed, and a script that ends before the first look has none.
    pub peak_rss: Option<u64>,
    /// What it printed, which is kept there.
    pub stdout: (Tally, Printed),
    /// The same of its errors.
    pub stderr: (Tally, Printed),
}

/// Runs it to its end, or kills it when its time is over or `stop` asks; when this returns no process of it is left.
///
/// # Errors
/// When it cannot be started.
pub async fn run(plan: Plan, stop: CancellationToken) -> io::Result<Ran> {
    let ((stdout, stdout_in), (stderr, stderr_in)) = (pipe()?, pipe()?);
    let files = [stdout_in, stderr_in];
    let kills_before = memory::kills();
    let (mut family, mut script) = Script::start(&plan, files).await?;

    // Dropped with this future, it ends the pumps too.
    let give_up = CancellationToken::new();
    let _ends_with_us = give_up.clone().drop_guard();
    let over = CancellationToken::new();
    let spawn = |from, into, looks| {
        let (over, give_up) = (over.clone(), give_up.clone());
        tokio::spawn(pump(from, into, looks, over, give_up))
    };
    let stdout = spawn(stdout, plan.stdout, plan.looks.stdout);
    let stderr = spawn(stderr, plan.stderr, plan.looks.stderr);

    let (ending, peak_rss) = live(&mut script, &mut family, plan.time_limit, &stop).await;
    over.cancel();
    family.sweep().await;

    let mut tallies = pin!(async { tokio::join!(stdout, stderr) });
    let (stdout, stderr) = match timeout(PIPE_WAIT, &mut tallies).await {
        Ok(tallies) => tallies,
        Err(_) => {
            give_up.cancel();
            tallies.await
        }
    };
    let mut stderr = stderr.unwrap_or_default();
    Ok(Ran {
        ending: memory::ending(ending, kills_before, memory::kills, &mut stderr.1).await,
        is_warm: script.is_forked(),
        peak_rss,
        stdout: stdout.unwrap_or_default(),
        stderr,
    })
}

/// The script's life until it is reaped: how it ended and its peak memory.
async fn live(
    script: &mut Script,
    family: &mut Family,
    time_limit: Option<Duration>,
    stop: &CancellationToken,
) -> (Ending, Option<u64>) {
    let mut limit = pin!(async {
        match time_limit {
            Some(limit) => sleep(limit).await,
            None => pending().await,
        }
    });
    let mut peak_rss = None;
    let mut until_look = LOOK_FIRST;
    let ending = loop {
        tokio::select! {
            biased;
            status = script.wait() => return (ending_of(status), peak_rss),
            () = stop.cancelled() => break Ending::Cancelled,
            () = &mut limit => break Ending::TimeLimit,
            () = sleep(until_look) => {
                until_look = (until_look * 2).min(LOOK_EVERY);
                // Neither its limit nor an order to stop waits for what has many children.
                let _ = timeout(LAST_LOOK_WAIT, family.look()).await;
                script.look();
                peak_rss = peak_rss.max(script.id().and_then(peak_rss_of));
            }
        }
    };
    peak_rss = peak_rss.max(script.id().and_then(peak_rss_of));
    family.kill().await;
    if timeout(KILL_WAIT, script.wait()).await.is_err() {
        tracing::warn!(pid = script.id(), "a killed script hangs inside the kernel");
    }
    (ending, peak_rss)
}

fn ending_of(status: io::Result<ExitStatus>) -> Ending {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exit(code),
            (None, signal) => Ending::Signal(signal.unwrap_or_default()),
        },
        Err(error) => Ending::NotStarted(format!("its end was not seen: {error}")),
    }
}

#[cfg(procfs)]
fn peak_rss_of(id: u32) -> Option<u64> {
    super::procfs::peak_rss(id)
}

#[cfg(not(procfs))]
fn peak_rss_of(_: u32) -> Option<u64> {
    None
}
