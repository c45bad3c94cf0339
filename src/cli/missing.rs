//! What is told of the parts of a group that are missing, to whoever asks how it stands.
//!
//! Rule: that is told beside how the group stands, and is no reason to tell nothing.

use mutirao_actors::wire::report::GroupReport;

use super::group::{missing_in_full, missing_in_short};
use super::telling::Teller;
use crate::control::{Control, ControlError};

/// What is to be said of parts that are missing, in full where the master lists those that are not; nothing to a program, which
/// has the report.
///
/// # Errors
/// When the master cannot be reached any more.
pub async fn missing_for(
    teller: &Teller,
    report: &GroupReport,
    control: &mut Control,
) -> Result<Option<String>, ControlError> {
    if teller.is_json() {
        return Ok(None);
    }
    match missing_in_full(report, control).await {
        Err(error) if !error.is_away() => Ok(missing_in_short(report)),
        told => told,
    }
}

#[cfg(test)]
mod tests {
    use mutirao_actors::model::TaskId;
    use mutirao_actors::wire::Request;
    use serde_json::{Value, json};

    use super::*;
    use crate::control::fake;

    fn two_missing() -> GroupReport {
        let report = json!({
            "group": "main-7", "parts": 3, "waiting": 0, "running": 0, "done": 1, "failed": 0, "cancelled": 0,
            "complete": false,
        });
        serde_json::from_value(report).unwrap()
    }

    fn part() -> Value {
        json!({ "task_id": TaskId::new(), "task_name": "a.zip", "state": "done", "attempts": 1 })
    }

    #[actix_rt::test]
    async fn missing_parts_are_counted_where_the_master_lists_none() {
        let refused = |_: Request<'_>| json!({ "status": "ERROR", "message": "later" });
        let endless = |_: Request<'_>| fake::report(&Value::Array(vec![part(); 1000]));
        let answers: [fn(Request<'_>) -> Value; 2] = [refused, endless];
        for answer in answers {
            let mut control = fake::master(answer).await;
            let teller = Teller::new(false);
            let told = missing_for(&teller, &two_missing(), &mut control).await;
            let told = told.unwrap();
            assert!(told.is_some() && told == missing_in_short(&two_missing()));
        }
    }

    #[actix_rt::test]
    async fn nothing_is_listed_for_a_program() {
        let unasked = |request: Request<'_>| panic!("{request:?} was not asked");
        let mut control = fake::master(unasked).await;
        let told = missing_for(&Teller::new(true), &two_missing(), &mut control).await;
        assert_eq!(told.unwrap(), None);
    }
}
