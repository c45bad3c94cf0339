//! Many tasks changed at once: the master chooses them, and does some for each request.

use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::SweepReport;

use super::ask::read_report;
use crate::control::{Control, ControlError};

/// Answers that are waited for: a master of ours looks at a thousand tasks for each, so that is ten million.
const ANSWERS_MAX: usize = 10_000;

/// Asks until the master has looked at every task: some thousand times for a million. `request` is to go on from a number.
///
/// # Errors
/// When the master cannot be asked, refuses it, or comes to no end; what was done before that stays so.
pub async fn sweep<'r>(
    request: impl Fn(u32) -> Request<'r>,
    control: &mut Control,
) -> Result<SweepReport, ControlError> {
    let mut all = SweepReport::default();
    for _ in 0..ANSWERS_MAX {
        let from = all.next.unwrap_or(0);
        let report: SweepReport = control.ask(&request(from), read_report).await?;
        all.tasks = all.tasks.saturating_add(report.tasks);
        all.left = all.left.saturating_add(report.left);
        all.reason = all.reason.or(report.reason);
        if all.examples.is_empty() {
            all.examples = report.examples;
        }
        all.next = report.next;
        match all.next {
            None => return Ok(all),
            Some(next) if next <= from => break,
            Some(_) => {}
        }
    }
    Err(control.endless())
}

#[cfg(test)]
mod tests {
    use mutirao_actors::wire::report::Sought;
    use serde_json::{Value, json};

    use super::*;
    use crate::control::fake;

    /// What becomes of it when the master answers so to whoever goes on from a number.
    async fn swept(answer: impl Fn(u32) -> Value + 'static) -> Result<SweepReport, ControlError> {
        let answer = move |request: Request<'_>| match request {
            Request::CancelTasks { from, .. } => fake::report(&answer(from)),
            other => panic!("{other:?} was not asked"),
        };
        let mut control = fake::master(answer).await;
        let request = |from| Request::CancelTasks {
            sought: Sought::default(),
            reason: None,
            from,
        };
        sweep(request, &mut control).await
    }

    #[actix_rt::test]
    async fn it_goes_on_until_all_is_looked_at_and_adds_up() {
        let turn = |from| match from {
            0 => json!({ "tasks": 2, "left": 1, "reason": "gone", "next": 1000 }),
            1000 => json!({ "tasks": 0, "left": 0, "next": 9000 }),
            from => json!({ "tasks": 3, "left": from / 9000 }),
        };
        let all = swept(turn).await.unwrap();
        assert_eq!((all.tasks, all.left), (5, 2));
        assert_eq!(all.reason.as_deref(), Some("gone"));
    }

    #[actix_rt::test]
    async fn a_master_that_comes_to_no_end_is_left() {
        let huge = (1_u64 << 53) - 1;
        let step_by_step = move |from| json!({ "tasks": huge, "left": huge, "next": from + 1 });
        let in_circles = |_| json!({ "tasks": 0, "left": 0, "next": 7 });
        for error in [swept(step_by_step).await, swept(in_circles).await] {
            let error = error.unwrap_err();
            assert!(matches!(error, ControlError::Endless(_)), "{error}");
        }
    }
}
