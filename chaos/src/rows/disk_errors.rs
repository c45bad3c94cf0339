//! `disk-errors`: one system call by which the master changes the disk says EIO or ENOSPC, one run a call.

use nix::errno::Errno;

use crate::lanes::lanes;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::script::{self, Ran};
use crate::tracer::Deed;

/// Calls that fail in a long run: all up to this one.
const CALLS: u64 = 100;
/// In the run of a commit every so many-th of them; which, the seed says.
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
    let points = (1 + scope.seed % step..=scope.n.unwrap_or(CALLS)).step_by(usize::try_from(step)?);
    let ran = lanes(points, |lane, at| {
        let errno = if at % 2 == 0 {
            Errno::EIO
        } else {
            Errno::ENOSPC
        };
        Ok((errno, script::run(scope, lane, at, Deed::Fail(errno))?))
    })?;
    let (mut verdict, mut failed, mut ended) = (Verdict::default(), 0, 0);
    for (errno, run) in ran {
        let Ran {
            at,
            seen,
            survived,
            counts,
        } = run;
        failed += u64::from(seen.struck.is_some());
        ended += u64::from(!survived);
        let place = format!("{errno} at call {at} ({})", seen.struck.unwrap_or_default());
        verdict.require(
            survived,
            format_args!("the master did not live through {place}"),
        );
        verdict.judge(&place, counts);
    }
    verdict.figure(format_args!(
        "{failed} calls failed · {ended} masters did not live through it"
    ));
    Ok(verdict)
}
