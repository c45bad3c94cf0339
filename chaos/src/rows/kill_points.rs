//! `kill-points`: the master dies before each system call by which it changes the disk, one run a call.

use crate::lanes::lanes;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::script;
use crate::tracer::Deed;

/// In the run of a commit every so many-th call; which of them, the seed says. A long run takes all.
const STEP: u64 = 7;

/// The row.
pub const ROW: Row = Row {
    name: "kill-points",
    about: "the master dies before each system call that changes the disk, one run a call: nothing lost or doubled",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let step = if scope.long { 1 } else { STEP };
    let whole = script::run(scope, 0, 0, Deed::Kill)?;
    let calls = whole.seen.calls;
    // Runs differ by some calls, so that the last of these are beyond the end.
    let points = (1 + scope.seed % step..=calls + calls / 5).step_by(usize::try_from(step)?);
    let ran = lanes(points, |lane, at| {
        (at, script::run(scope, lane, at, Deed::Kill))
    });
    let mut verdict = Verdict::default();
    verdict.judge("the run without a kill", whole.counts);
    let (mut struck, mut survived) = (0, 0);
    for (at, run) in ran {
        let Some(run) = verdict.take(&format!("call {at}"), run) else {
            continue;
        };
        let place = run.seen.struck.unwrap_or_else(|| "no call".to_owned());
        struck += u64::from(!run.survived);
        survived += u64::from(run.survived);
        verdict.require(
            !run.panicked,
            format_args!("after call {at} the master panicked"),
        );
        verdict.judge(&format!("death before call {at} ({place})"), run.counts);
    }
    verdict.require(
        survived > 0,
        "no run came to its end, so there are more calls than were tried",
    );
    verdict.figure(format_args!(
        "{calls} calls · {struck} kills, a step of {step} · {survived} runs beyond the end"
    ));
    Ok(verdict)
}
