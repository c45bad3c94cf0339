//! One line of text for one line of the log.

use jiff::tz::TimeZone;
use mutirao_actors::model::commands_a_reader;
use serde_json::Value;

use super::body;
use super::record::Record;
use crate::message_file::Marker;

/// Deepest indentation of a story: beyond it nothing is left of the line.
const INDENT_MAX: usize = 12;

/// `14:22:45.123     17  peer_session#3 → scheduler  TaskRequested  peer=3f2a90bc`, indented by what caused it.
pub fn letter(record: &Record, depth: usize, zone: &TimeZone) -> String {
    let route = format!("{} → {}", record.from, record.to);
    let indent = "  ".repeat(depth.min(INDENT_MAX));
    let dead = if record.dead { " (dead)" } else { "" };
    let line = format!(
        "{time} {seq:>7}  {indent}{route:<32}  {kind}{dead}  {fields}",
        time = time(record, zone),
        seq = record.seq,
        kind = record.kind,
        fields = fields(record),
    );
    plain(line.trim_end())
}

/// A line for what is said about the log itself.
pub fn marker(marker: &Marker) -> String {
    match marker {
        Marker::RunStarted { program } => plain(&format!("---- a run of {program} ----")),
        Marker::LinesLost { lost } => format!("---- {lost} letters are missing here ----"),
    }
}

/// The time of day at which a letter was sent.
pub fn time(record: &Record, zone: &TimeZone) -> String {
    let at = record.at.to_zoned(zone.clone());
    at.strftime("%H:%M:%S.%3f").to_string()
}

/// The important fields of a letter.
pub fn fields(record: &Record) -> String {
    serde_json::from_str::<Value>(record.body.get())
        .map(|body| body::summary(&body))
        .unwrap_or_default()
}

/// Without control characters: names and reasons come from other machines, and a terminal obeys them.
pub fn plain(text: &str) -> String {
    let tame = |c: char| if commands_a_reader(c) { '\u{fffd}' } else { c };
    text.chars().map(tame).collect()
}
