//! What the master's outputs hear: what tasks print while they run.

use std::time::Duration;

use serde::Serialize;

use super::ReplyTo;
use crate::logic::outputs::{Place, Standing};
use crate::model::{Attempt, Piece, TaskId};

inbox! {
    /// What hears what tasks print.
    OutputsInbox with OutputsEars hears {
        ReadOutput,
        ReaderLeft,
        TaskStands,
        OutputCame,
        OutputWithheld,
    }
}

/// Somebody reads what a task prints.
#[derive(Debug, Serialize)]
pub struct ReadOutput {
    /// Which.
    pub task: TaskId,
    /// How far they have read.
    pub place: Place,
    /// How long the answer may wait for news.
    pub wait: Duration,
    /// Who reads.
    pub reply: ReplyTo,
}

/// A reader hung up before it was answered.
#[derive(Debug, Serialize)]
pub struct ReaderLeft {
    /// Where the answer would have gone.
    pub reply: ReplyTo,
}

/// How a task stands that somebody reads.
#[derive(Debug, Serialize)]
pub struct TaskStands {
    /// Which.
    pub task: TaskId,
    /// How.
    pub standing: Standing,
}

/// A try that is followed has printed something.
#[derive(Debug, Serialize)]
pub struct OutputCame {
    /// Of which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// What.
    pub piece: Piece,
}

/// The peer that runs this try says what it prints only with its result.
#[derive(Debug, Serialize)]
pub struct OutputWithheld {
    /// Of which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}
