//! What a task says of itself in `task.toml`.
//!
//! A key that is not known is refused: a wish that is silently not granted would be worse.

use std::collections::BTreeMap;
use std::time::Duration;

use mutirao_actors::model::Wishes;
use serde::Deserialize;

use super::refusal::Refusal;

/// `task.toml`, read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TaskToml {
    /// What the scheduler is to know.
    pub wishes: Wishes,
    /// What is run instead of `python main.py input.csv`; never empty.
    pub command: Option<Vec<String>>,
    /// Added to the environment of the script.
    pub env: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    command: Option<Vec<String>>,
    time_limit: Option<Span>,
    retries: Option<u32>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// A duration as people write it: seconds, or text such as `90s`, `10m`, `1h 30m`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Span {
    Seconds(u64),
    Text(String),
}

/// Reads `task.toml`.
///
/// # Errors
/// [`Refusal::TaskToml`] with what is wrong and where.
pub(super) fn parse(bytes: &[u8]) -> Result<TaskToml, Refusal> {
    let refused = |why: String| Refusal::TaskToml(why.trim_end().to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text".into()))?;
    // Editors on Windows put a byte order mark before the text.
    let text = text.trim_start_matches('\u{feff}');
    let written: Written = toml::from_str(text).map_err(|error| refused(error.to_string()))?;

    let time_limit = written
        .time_limit
        .map(duration)
        .transpose()
        .map_err(refused)?;
    if let Some(command) = &written.command
        && (command.first().is_none_or(String::is_empty)
            || command.iter().any(|word| word.contains('\0')))
    {
        return Err(refused(
            "command is a list of words, the first of them a program".into(),
        ));
    }
    let is_name = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
    if let Some((name, _)) = written
        .env
        .iter()
        .find(|(name, value)| !is_name(name) || value.contains('\0'))
    {
        return Err(refused(format!("env cannot hold the variable {name:?}")));
    }
    Ok(TaskToml {
        wishes: Wishes {
            time_limit,
            retries: written.retries,
            priority: written.priority,
            max_fails: None,
            after: None,
            max_running: None,
        },
        command: written.command,
        env: written.env,
    })
}

fn duration(span: Span) -> Result<Duration, String> {
    let duration = match span {
        Span::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        Span::Text(text) => text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|span| Duration::try_from(span).ok()),
    };
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| {
            "time_limit is a number of seconds, or text such as \"90s\", \"10m\" or \"1h 30m\""
                .into()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let text = "command = ['python', '-c', 'pass']\ntime_limit = '1h 30m'\nretries = 2\npriority = -1\n[env]\nA = 'b'\n";
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(read.wishes.time_limit, Some(Duration::from_secs(5400)));
        assert_eq!((read.wishes.retries, read.wishes.priority), (Some(2), -1));
        assert_eq!(read.command.unwrap(), ["python", "-c", "pass"]);
        assert_eq!(read.env["A"], "b");
        assert_eq!(
            parse(b"time_limit = 90").unwrap().wishes.time_limit,
            Some(Duration::from_secs(90))
        );
        assert_eq!(parse(b"").unwrap(), TaskToml::default());
        assert_eq!(
            parse("\u{feff}retries = 1".as_bytes())
                .unwrap()
                .wishes
                .retries,
            Some(1)
        );
    }

    #[test]
    fn what_cannot_be_granted_is_refused_with_its_name() {
        let cases: [(&[u8], &str); 9] = [
            (b"\xff", "UTF-8"),
            (b"= 1", "line 1"),
            (b"timelimit = 3", "timelimit"),
            (b"time_limit = 0", "time_limit"),
            (b"time_limit = '-3s'", "time_limit"),
            (b"time_limit = 'soon'", "time_limit"),
            (b"command = []", "command"),
            (b"retries = -1", "retries"),
            (b"env = { 'A=B' = 'c' }", "A=B"),
        ];
        for (text, part) in cases {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
