//! What the manifest says of a group and of each part.

use std::io::{self, Read, Seek};

use mutirao_actors::model::{Digest, PeerId, TaskId};
use mutirao_actors::wire::report::TaskState;
use serde::{Deserialize, Serialize};

use super::zipped::Zipped;

/// How a manifest ends when all parts are in it.
pub(super) const COMPLETE: &str = "\"complete\":true}\n";
/// Longest `result.json` that is looked at, in bytes; ours are a hundredth of it.
const REPORT_MAX: u64 = 4 << 20;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Its name.
    pub group: String,
    /// How many parts it has.
    pub parts: u32,
}

/// A part that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which, from 0.
    pub part: u32,
    /// Its task.
    pub task_id: TaskId,
    /// How it ended.
    pub state: TaskState,
    /// Who ran it last, if anybody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// How often it was tried.
    pub attempts: u32,
    /// SHA-256 of the task's ZIP, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_sha256: Option<Digest>,
    /// SHA-256 of the result's ZIP, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_sha256: Option<Digest>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A line of the manifest.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    #[serde(flatten)]
    pub part: &'a Part,
    #[serde(flatten)]
    pub times: Times,
    /// Why nothing of it is in `merged.csv`, though it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmerged: Option<&'static str>,
}

/// When it ran, by the clock of its peer; unknown of a foreign one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Times {
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_s: Option<f64>,
}

impl Times {
    /// As a result tells them.
    pub fn of<R: Read + Seek>(zip: &mut Zipped<R>) -> io::Result<Self> {
        let mut text = Vec::new();
        if let Some(entry) = zip.file("result.json")? {
            entry.take(REPORT_MAX).read_to_end(&mut text)?;
        }
        Ok(serde_json::from_slice(&text).unwrap_or_default())
    }
}

impl Whole {
    /// How the manifest begins.
    pub(super) fn head(&self) -> io::Result<String> {
        let group = serde_json::to_string(&self.group)?;
        Ok(format!(
            "{{\"group\":{group},\"parts\":{},\"ended\":[\n",
            self.parts
        ))
    }
}
