//! What is found out about tasks that wait, run for long or fail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{Attempt, PeerId, TaskId, TaskName};

/// Longest list in a report of this kind: a reader mends the first of them first.
pub const FINDINGS_MAX: usize = 10;
/// Tasks that are named as examples of one failure.
pub const EXAMPLES_MAX: usize = 3;

/// Why a task, or the parts of a group, wait, run or failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Findings {
    /// Failures that are alike, each with what is to blame, those of the most tasks first; at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<VerdictRow>,
    /// How many tries failed in other ways than are told.
    #[serde(default)]
    pub untold: u64,
    /// What keeps waiting tasks from being handed out, what keeps the most first; beyond 100 reasons the rest are counted
    /// together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<ReasonRow>,
    /// Why tasks were cancelled, those of the most tasks first; at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<ReasonRow>,
    /// What runs, longest first; at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunRow>,
    /// How long those of its group took that are done, if any is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<UsualRow>,
}

/// What is to blame for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Culprit {
    /// The script: nothing passes.
    Code,
    /// The input of these tasks: they fail wherever they run, and others pass.
    Row,
    /// The peer: what fails there passes elsewhere.
    Machine,
    /// What is installed: a module or a program is missing.
    Environment,
    /// Nothing that can be told: it passed when it was tried again.
    Chance,
}

/// A failure that one or more tasks had in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictRow {
    /// What is to blame.
    pub culprit: Culprit,
    /// How a try ended that ended so.
    pub error: String,
    /// How many tasks had such tries.
    pub tasks: u64,
    /// How many of these failed for good.
    pub failed: u64,
    /// How many of these are done all the same.
    pub done: u64,
    /// How many tries ended so.
    pub tries: u64,
    /// Where, the most tries first; at most 10.
    pub peers: Vec<PeerId>,
    /// On how many peers in all.
    pub peers_total: u64,
    /// Some of the tasks.
    pub examples: Vec<ExampleRow>,
    /// The verdict and what speaks for it, in words for readers.
    pub words: String,
    /// What helps: commands, or what to do.
    pub helps: Vec<String>,
}

/// A task that shows what others have too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExampleRow {
    /// Which.
    pub task_id: TaskId,
    /// Its name.
    pub task_name: TaskName,
    /// Which part of its group, from 0, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
}

/// What keeps tasks from being handed out, or why they were cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonRow {
    /// What, in words for readers.
    pub reason: String,
    /// How many tasks.
    pub tasks: u64,
    /// What helps: a command, or what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A task that runs now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunRow {
    /// Which.
    pub task_id: TaskId,
    /// Its name.
    pub task_name: TaskName,
    /// Which part of its group, from 0, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// Which try.
    pub attempt: Attempt,
    /// Where.
    pub peer_id: PeerId,
    /// Seconds since it was handed out.
    pub for_s: u64,
    /// Whether that is much longer than any of its group took.
    pub is_slow: bool,
}

/// How long tasks took that are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsualRow {
    /// How many.
    pub tasks: u64,
    /// Half of them at most so long, in milliseconds.
    pub median_ms: u64,
    /// All of them at most so long, in milliseconds.
    pub longest_ms: u64,
}
