//! Of which try is this result? A SUBMIT_RESULT of section 1 does not say.
//!
//! Rule (reliability, "Attribution"), in order: `task_id` and `attempt`; the exact echo of a name that was
//! handed out; the one try that the speaker owes. What fits none of them is refused, never guessed, and so is what
//! bears the name of a try of somebody else's.

use serde::Serialize;

use super::ledger::{Entry, Ledger};
use crate::model::{Attempt, Endpoint, TaskId};

/// What a SUBMIT_RESULT says about which task it is of; often nothing that can be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Claim {
    /// `task_id` and `attempt`, said by peers of ours.
    pub attempt: Option<(TaskId, Attempt)>,
    /// `result_name` as sent: metadata, never a path.
    pub name: Option<String>,
}

/// A try that a result was recognised as, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// Whether the peer named it: then it may be trusted to do so again.
    pub named: bool,
}

/// Finds the try that a result is of, or says in words for a reader why there is none.
///
/// `owed` is the one try that the speaker has and has not answered for; `lives` tells whether another
/// endpoint is still heard of, for a namesake must not finish what a living peer holds.
pub fn attribute(
    ledger: &Ledger,
    speaker: &Endpoint,
    claim: &Claim,
    owed: Option<(TaskId, Attempt)>,
    lives: impl Fn(&Endpoint) -> bool,
) -> Result<Match, String> {
    let may_answer = |entry: &Entry, attempt| {
        entry.story.tried(attempt).is_some_and(|tried| {
            let same_peer = tried.holder.peer == speaker.peer;
            same_peer && (tried.holder.life == speaker.life || !lives(&tried.holder))
        })
    };
    if let Some((task, attempt)) = claim.attempt {
        let entry = ledger
            .get(&task)
            .ok_or_else(|| format!("no task {task} is known here"))?;
        return match may_answer(entry, attempt) {
            true => Ok(Match {
                task,
                attempt,
                named: true,
            }),
            false => Err(format!(
                "try {attempt} of task {task} was not handed to this peer"
            )),
        };
    }
    let name = claim.name.as_deref().unwrap_or_default();
    if let Some((task, attempt)) = ledger.named(name) {
        let entry = ledger.get(&task);
        if entry.is_some_and(|entry| may_answer(entry, attempt)) {
            return Ok(Match {
                task,
                attempt,
                named: true,
            });
        }
        // By chance it may be what this speaker makes of a name of its own.
        let is_own = owed.is_some_and(|(of, attempt)| {
            let entry = ledger.get(&of);
            let tried = entry.and_then(|entry| entry.story.tried(attempt));
            of == task || tried.is_some_and(|tried| is_decorated(name, tried.name.as_str()))
        });
        if !is_own {
            return Err(format!("{name:?} was handed to another peer"));
        }
    }
    match owed {
        Some((task, attempt)) => Ok(Match {
            task,
            attempt,
            named: false,
        }),
        None => Err("this peer holds no task that the result could be of".into()),
    }
}

/// Whether a name is what some dialects make of the name that was handed out.
fn is_decorated(name: &str, own: &str) -> bool {
    let before = ["result_", "results_"].map(|word| name.strip_prefix(word));
    before.contains(&Some(own)) || name.strip_suffix("_result.zip") == Some(own)
}

#[cfg(test)]
mod tests;
