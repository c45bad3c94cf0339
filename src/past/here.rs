//! Who was here at a moment, as the message log of a master tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::message_file::Marker;
use crate::trace::record::{Line, Record};
use crate::trace::source::Source;
use crate::trace::{Lines as _, TraceError};

/// Where the log lies below the master's folder.
const LOG: &str = ".mutirao/messages.jsonl";
/// Behind the last letter of a log it still tells for so long: where a peer is, somebody says something that often.
const TELLS_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The lives of peers that are here, as letters go by.
#[derive(Debug, Default)]
struct Here {
    /// By the life, as it is written.
    peers: BTreeMap<String, String>,
    /// When the last letter was sent before the moment, in the run that is being read.
    last: Option<Timestamp>,
    /// Whether letters are missing.
    has_gaps: bool,
}

/// The ids of the peers that were here; none if no log of this folder tells.
pub fn at(root: &Path, at: Timestamp) -> Option<BTreeSet<String>> {
    let mut here = Here::default();
    match here.read(&root.join(LOG), at) {
        Ok(true) => Some(here.peers.into_values().collect()),
        Ok(false) => None,
        Err(error) => {
            tracing::debug!("who was here is not known: {error}");
            None
        }
    }
}

impl Here {
    /// Reads up to the moment; whether the log tells of that.
    fn read(&mut self, path: &Path, at: Timestamp) -> Result<bool, TraceError> {
        let mut source = Source::open(path)?;
        while let Some(line) = source.next_line()? {
            match Line::read(line)? {
                Line::Letter(letter) if letter.at > at => return Ok(self.is_told(true, at)),
                Line::Letter(letter) => self.hear(&letter),
                Line::Marker(Marker::RunStarted { .. }) => *self = Self::default(),
                Line::Marker(Marker::LinesLost { .. }) => self.has_gaps = true,
                Line::Torn => {}
            }
        }
        Ok(self.is_told(false, at))
    }

    fn is_told(&self, goes_on: bool, at: Timestamp) -> bool {
        let near = |last: Timestamp| goes_on || at.duration_since(last) <= TELLS_FOR;
        !self.has_gaps && self.last.is_some_and(near)
    }

    fn hear(&mut self, letter: &Record) {
        self.last = Some(letter.at);
        let is_join = letter.kind == "PeerJoined";
        if !is_join && letter.kind != "PeerLeft" {
            return;
        }
        let body: Value = serde_json::from_str(letter.body.get()).unwrap_or_default();
        let endpoint = body.get("endpoint").cloned().unwrap_or_default();
        let peer = endpoint.get("peer").and_then(Value::as_str);
        match peer {
            Some(peer) if is_join => drop(self.peers.insert(endpoint.to_string(), peer.to_owned())),
            _ => drop(self.peers.remove(&endpoint.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn letter(seq: u64, at: &str, kind: &str, peer: &str) -> String {
        format!(
            r#"{{"v":1,"seq":{seq},"at":"{at}","moment":1,"from":"registry","to":"scheduler","kind":"{kind}","cause":null,"dead":false,"body":{{"endpoint":{{"peer":"{peer}","life":{{"boot":"1"}}}}}}}}"#
        )
    }

    fn log(lines: &[String]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".mutirao")).unwrap();
        let started = r#"{"v":1,"kind":"RunStarted","program":"mutirao"}"#;
        let text = format!("{started}\n{}\n", lines.join("\n"));
        fs::write(home.path().join(LOG), text).unwrap();
        home
    }

    fn then(home: &Path, when: &str) -> Option<Vec<String>> {
        let here = at(home, when.parse().unwrap())?;
        Some(here.into_iter().collect())
    }

    #[test]
    fn who_came_and_has_not_left_is_here() {
        let home = log(&[
            letter(1, "2026-11-29T12:00:00Z", "PeerJoined", "ana"),
            letter(2, "2026-11-29T12:01:00Z", "PeerJoined", "bob"),
            letter(3, "2026-11-29T12:02:00Z", "PeerLeft", "ana"),
        ]);
        let then = |when: &str| then(home.path(), when);
        assert_eq!(then("2026-11-29T12:01:30Z").unwrap(), ["ana", "bob"]);
        assert_eq!(then("2026-11-29T12:02:30Z").unwrap(), ["bob"]);
        assert_eq!(then("2026-11-29T11:59:00Z"), None, "before the log");
        assert_eq!(then("2026-11-29T14:00:00Z"), None, "long behind it");
    }

    #[test]
    fn a_log_with_gaps_and_no_log_tell_nothing() {
        let lost = r#"{"v":1,"kind":"LinesLost","lost":3}"#.to_owned();
        let joined = letter(1, "2026-11-29T12:00:00Z", "PeerJoined", "ana");
        let home = log(&[joined, lost]);
        assert_eq!(then(home.path(), "2026-11-29T12:00:01Z"), None);
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(then(empty.path(), "2026-11-29T12:00:01Z"), None);
    }
}
