//! What a master says to the command line, made fit to be shown and reckoned with: any neighbour may answer for one.
//!
//! Rule: it is done where an answer comes in, so that no command need think of it. Nothing in it commands a terminal, and no
//! number overflows when some thousands of them are added.

use mutirao_actors::model::commands_a_reader;
use mutirao_actors::wire::Reply;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest refusal that is shown, in characters: ours have some hundred.
const REFUSAL_MAX: usize = 2000;
/// The highest number of a report: what every reader of JSON understands, and more than any of ours.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// A reply, tamed; none if a number in it is none of a master of ours.
pub fn reply(reply: Reply<'_>) -> Option<Reply<'_>> {
    Some(match reply {
        Reply::Report(text) => {
            let mut report: Value = serde_json::from_str(&text).ok()?;
            tame(&mut report);
            is_credible(&report).then(|| Reply::Report(report.to_string().into()))?
        }
        Reply::TaskState(report) => Reply::TaskState(anew(&report)?),
        Reply::Accepted { task_id, task_name } => Reply::Accepted {
            task_id,
            task_name: words(&task_name).into(),
        },
        Reply::GroupOpen { group } => Reply::GroupOpen {
            group: words(&group).into(),
        },
        Reply::ResultPackage {
            result_name,
            result_data,
            sha256,
        } => Reply::ResultPackage {
            result_name: words(&result_name).into(),
            result_data,
            sha256,
        },
        other => other,
    })
}

/// Why a master will not do what was asked, in its own words.
pub fn refusal(why: &str) -> String {
    words(why).chars().take(REFUSAL_MAX).collect()
}

/// Takes out of all texts in it what could command a terminal.
pub fn tame(said: &mut Value) {
    match said {
        Value::String(text) => {
            if text.chars().any(commands_a_reader) {
                *text = words(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tame),
        // The keys that are read are ours.
        Value::Object(fields) => fields.values_mut().for_each(tame),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Words on one line, which command nothing.
fn words(said: &str) -> String {
    let spaced = said.trim().chars();
    let spaced = spaced.map(|char| if char.is_whitespace() { ' ' } else { char });
    spaced.filter(|char| !commands_a_reader(*char)).collect()
}

/// Whether all numbers in it are such as can be added.
fn is_credible(said: &Value) -> bool {
    match said {
        Value::Number(number) => number.as_u64().is_none_or(|number| number <= NUMBER_MAX),
        Value::Array(items) => items.iter().all(is_credible),
        Value::Object(fields) => fields.values().all(is_credible),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// The same, tamed.
fn anew<T: Serialize + DeserializeOwned>(said: &T) -> Option<T> {
    let mut value = serde_json::to_value(said).ok()?;
    tame(&mut value);
    is_credible(&value).then(|| serde_json::from_value(value).ok())?
}

#[cfg(test)]
mod tests {
    use mutirao_actors::model::TaskId;
    use mutirao_actors::wire::report::TaskReport;
    use serde_json::json;

    use super::*;

    /// What would name a window, wipe it, end a line and turn one round.
    const COMMANDS: &str = "\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{9b}2J\u{2028}\u{202e}\r\n";

    fn report(value: &Value) -> Option<Value> {
        match reply(Reply::report(value))? {
            Reply::Report(text) => serde_json::from_str(&text).ok(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_in_a_report_commands_a_terminal_however_deep_it_stands() {
        let told = json!({ "rows": [{ "reason": format!("a{COMMANDS}b"), "tasks": 3 }], "name": "größer" });
        let tamed =
            json!({ "rows": [{ "reason": "a]0;PWNED[2J2J   b", "tasks": 3 }], "name": "größer" });
        assert_eq!(report(&told), Some(tamed));
    }

    #[test]
    fn how_a_task_stands_is_told_in_harmless_words() {
        let task = json!({
            "task_id": TaskId::new(), "task_name": "a.zip", "state": "failed", "attempts": 1,
            "reason": format!("no {COMMANDS}good"), "result_file": "a.zip",
        });
        let task: TaskReport = serde_json::from_value(task).unwrap();
        let Some(Reply::TaskState(tamed)) = reply(Reply::TaskState(task.clone())) else {
            panic!("it is one still");
        };
        assert_eq!(tamed.reason.as_deref(), Some("no ]0;PWNED[2J2J   good"));
        let reason = task.reason.clone();
        assert_eq!(
            TaskReport { reason, ..tamed },
            task,
            "the rest is as it was"
        );
    }

    #[test]
    fn a_refusal_is_one_line_that_ends() {
        assert_eq!(refusal(&format!("full{COMMANDS}")), "full]0;PWNED[2J2J ");
        assert_eq!(refusal(&"x".repeat(1 << 20)).len(), REFUSAL_MAX);
    }

    #[test]
    fn numbers_that_no_master_of_ours_has_are_none() {
        let counts = |number: u64| json!({ "parts": [{ "done": number }] });
        assert_eq!(report(&counts(NUMBER_MAX)), Some(counts(NUMBER_MAX)));
        assert_eq!(report(&counts(NUMBER_MAX + 1)), None);
        assert_eq!(report(&counts(u64::MAX)), None);
    }
}
