//! Many tasks changed at once: the master chooses them, and does some for each request.

use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::SweepReport;

use super::ask::read_report;
use crate::control::{Control, ControlError};

/// Asks until the master has looked at every task: some thousand times for a million. `request` is to go on from a number.
///
/// # Errors
/// When the master cannot be asked, or refuses it; what was done before that stays so.
pub async fn sweep<'r>(
    request: impl Fn(u32) -> Request<'r>,
    control: &mut Control,
) -> Result<SweepReport, ControlError> {
    let mut all = SweepReport::default();
    loop {
        let from = all.next.unwrap_or(0);
        let report: SweepReport = control.ask(&request(from), read_report).await?;
        all.tasks += report.tasks;
        all.left += report.left;
        all.reason = all.reason.or(report.reason);
        if all.examples.is_empty() {
            all.examples = report.examples;
        }
        // Each answer goes on behind the one before it, so there is a last.
        all.next = report.next.filter(|next| *next > from);
        if all.next.is_none() {
            return Ok(all);
        }
    }
}
