//! `disk-errors`: one system call by which the master changes the disk says EIO or ENOSPC, one run a call.
//!
//! A master that has served stays up. One that has not may say why and end: nothing was promised yet.

use nix::errno::Errno;

use crate::lanes::lanes;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::script::{self, Ran};
use crate::tracer::Deed;

/// In the run of a commit every so many-th call fails; which of them, the seed says. A long run takes all.
const STEP: u64 = 9;

/// The row.
pub const ROW: Row = Row {
    name: "disk-errors",
    about: "one system call that changes the disk says EIO or ENOSPC, one run a call: the master stays, nothing lost",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let step = if scope.long { 1 } else { STEP };
    let calls = script::run(scope, 0, 0, Deed::Kill)?.seen.calls;
    let points = (1 + scope.seed % step..=calls).step_by(usize::try_from(step)?);
    let ran = lanes(points, |lane, at| {
        let errno = if at.is_multiple_of(2) {
            Errno::EIO
        } else {
            Errno::ENOSPC
        };
        (errno, at, script::run(scope, lane, at, Deed::Fail(errno)))
    });
    let (mut verdict, mut failed, mut refused) = (Verdict::default(), 0, 0);
    for (errno, at, run) in ran {
        let Some(run) = verdict.take(&format!("call {at}"), run) else {
            continue;
        };
        let Ran {
            seen,
            served,
            panicked,
            survived,
            counts,
        } = run;
        failed += u64::from(seen.struck.is_some());
        refused += u64::from(!survived && !served);
        let place = format!(
            "{errno:?} at call {at} ({})",
            seen.struck.unwrap_or_default()
        );
        verdict.require(
            survived || !served,
            format_args!("the master did not live through {place}"),
        );
        verdict.require(!panicked, format_args!("the master panicked at {place}"));
        verdict.judge(&place, counts);
    }
    verdict.figure(format_args!(
        "{failed} of {calls} calls failed · {refused} masters said why and did not start"
    ));
    Ok(verdict)
}
