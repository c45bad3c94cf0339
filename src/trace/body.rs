//! What a letter's body names: tasks, peers, and the few fields that a line of text shows.
//!
//! Rule: bodies are read by the names of their fields, not as the types of `messages/`, so that a
//! letter which is added there is understood here.

use serde_json::Value;
use uuid::Uuid;

/// Fields shown in a line of text, in this order, wherever they stand.
const SHOWN: [&str; 9] = [
    "task", "name", "attempt", "peer", "verdict", "end", "ending", "planned", "why",
];
/// Longest value shown, in characters: a reason fits, a listing does not.
const VALUE_MAX: usize = 60;
/// Deepest nesting looked into; no message of ours is half as deep.
const DEPTH_MAX: usize = 16;

/// A task that a body names, with the name beside its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The id as written.
    pub id: String,
    /// Its own name or the one under which it was handed out.
    pub name: Option<String>,
}

/// All tasks that the body names by id: `task` as text, `task.id`, a report's `task_id`, and a claim's pair
/// of id and attempt.
pub fn tasks(body: &Value) -> Vec<Named> {
    let mut found = Vec::new();
    walk(body, 0, &mut |object| {
        let text = |field: Option<&Value>| field.and_then(Value::as_str).map(String::from);
        let name = text(object.get("name"));
        let mut add = |id, name| found.extend(text(id).map(|id| Named { id, name }));
        match object.get("task") {
            Some(task @ Value::Object(_)) => add(task.get("id"), text(task.get("name"))),
            task => add(task, name),
        }
        add(object.get("task_id"), text(object.get("task_name")));
        add(object.get("attempt").and_then(|pair| pair.get(0)), None);
    });
    found
}

/// All peers that the body names.
pub fn peers(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(body, 0, &mut |object| {
        let peers = ["peer", "peer_id"].into_iter();
        let peers = peers.filter_map(|key| object.get(key).and_then(Value::as_str));
        found.extend(peers.map(String::from));
    });
    found
}

/// Calls for every object in the body.
fn walk(value: &Value, depth: usize, visit: &mut impl FnMut(&Value)) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            visit(value);
            fields
                .values()
                .for_each(|field| walk(field, depth + 1, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, depth + 1, visit)),
        _ => {}
    }
}

/// The important fields on one line: `task=…1a2b3c4d attempt=2 why="…"`.
pub fn summary(body: &Value) -> String {
    let shown = SHOWN.iter().filter_map(|key| {
        let value = shown(key, find(body, key, 0)?)?;
        Some(format!("{key}={value}"))
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// The first field of this name, the outermost ones first; lists are not looked into.
fn find<'a>(body: &'a Value, key: &str, depth: usize) -> Option<&'a Value> {
    let fields = body.as_object().filter(|_| depth < DEPTH_MAX)?;
    let here = fields.get(key).filter(|value| !value.is_null());
    here.or_else(|| {
        fields
            .values()
            .find_map(|field| find(field, key, depth + 1))
    })
}

fn shown(key: &str, value: &Value) -> Option<String> {
    match (key, value) {
        ("task", Value::Object(task)) => shown(key, task.get("id")?),
        ("task", Value::String(id)) => Some(short_task(id)),
        ("peer", Value::String(peer)) => Some(short_peer(peer)),
        ("attempt", Value::Array(pair)) => shown(key, pair.get(1)?),
        (_, Value::Number(number)) => Some(number.to_string()),
        (_, Value::Bool(truth)) => Some(truth.to_string()),
        (_, Value::String(text)) => Some(quoted(text)),
        // An outcome with its detail: `{"failed":"exit code 1"}`.
        ("verdict" | "end" | "ending", Value::Object(variant)) => {
            let (name, detail) = variant.iter().next()?;
            let detail = detail.get("error").unwrap_or(detail);
            Some(format!("{name}:{}", shown("", detail)?))
        }
        _ => None,
    }
}

/// The end of a task's id: its beginning is the time, which tasks put in together share.
fn short_task(id: &str) -> String {
    match Uuid::try_parse(id) {
        Ok(_) => format!("…{}", id.get(id.len() - 8..).unwrap_or(id)),
        Err(_) => cut(id, VALUE_MAX),
    }
}

/// The beginning of a random id; a name that a peer has chosen stays whole.
fn short_peer(peer: &str) -> String {
    match Uuid::try_parse(peer) {
        Ok(_) => peer.get(..8).unwrap_or(peer).into(),
        Err(_) => quoted(peer),
    }
}

/// The text itself if it is one word, else between quotes; never longer than a value may be.
fn quoted(text: &str) -> String {
    let text = cut(text, VALUE_MAX);
    if text.contains(char::is_whitespace) {
        format!("\"{text}\"")
    } else {
        text
    }
}

/// At most this many characters, the last one an ellipsis if something is left out.
pub fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.into(),
        Some(_) => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_is_found_wherever_its_id_stands() {
        let table = [
            (json!({"task": "a"}), ("a", None)),
            (
                json!({"task": {"id": "a", "name": "x.zip"}}),
                ("a", Some("x.zip")),
            ),
            (
                json!({"offer": {"task": "a", "name": "x.zip"}}),
                ("a", Some("x.zip")),
            ),
            (
                json!({"claim": {"attempt": ["a", 2], "name": "y.zip"}}),
                ("a", None),
            ),
            (
                json!({"report": {"task_id": "a", "task_name": "x.zip"}}),
                ("a", Some("x.zip")),
            ),
        ];
        for (body, (id, name)) in table {
            let (id, name) = (id.to_owned(), name.map(String::from));
            assert_eq!(tasks(&body), [Named { id, name }], "{body}");
        }
        assert_eq!(tasks(&json!({"name": "x.zip", "task": null})), []);
    }

    #[test]
    fn the_important_fields_are_short() {
        let task = "01930000-0000-7000-8000-00000000000a";
        let body = json!({
            "endpoint": {"peer": "a peer with a name", "life": {"address": "10.0.0.1"}},
            "claim": {"attempt": [task, 2], "name": null},
            "outcome": {"ending": {"exit": 1}},
            "end": {"failed": "exit code 1"},
            "peers": [{"why": "listings are not shown"}],
        });
        assert_eq!(
            summary(&body),
            "attempt=2 peer=\"a peer with a name\" end=failed:\"exit code 1\" ending=exit:1"
        );
        let why = "x".repeat(100);
        assert_eq!(
            summary(&json!({ "why": why })).chars().count(),
            "why=".len() + VALUE_MAX
        );
    }
}
