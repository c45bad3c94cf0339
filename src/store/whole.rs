//! A task with all that belongs to it.
//!
//! Rule: every row fits its seal, and every row that another one counts is there; anything else is damage.

use mutirao_actors::logic::ledger::{CONFLICTS_MAX, TRIES_MAX};
use mutirao_actors::logic::rare::Rare;
use mutirao_actors::logic::record::{Course, Fate, Remembered};
use mutirao_actors::model::{Attempt, Kinds};
use rusqlite::Connection;

use super::fail::Fail;
use super::row::Sealed as _;
use super::rows::{ConflictRow, ResultRow, Standing, TaskRow, TryRow};

/// A task's rows.
#[derive(Debug)]
pub struct Whole {
    /// Its own.
    pub row: TaskRow,
    /// Its newest tries, oldest first.
    pub tries: Vec<TryRow>,
    /// Its result, or the last output of its failure.
    pub result: Option<ResultRow>,
    /// The results that were not taken, in the order of arrival.
    pub conflicts: Vec<ConflictRow>,
}

impl Whole {
    /// Reads what belongs to a task.
    pub fn of(base: &Connection, row: TaskRow) -> Result<Self, Fail> {
        let id = row.id.as_bytes();
        let mut tries = match row.tries {
            0 => Vec::new(),
            _ => TryRow::of_task(base, id, TRIES_MAX)?,
        };
        if !are_all(&tries, row.tries) {
            return Err(lacks(&row, "a try"));
        }
        let mut conflicts = match row.conflicts {
            0 => Vec::new(),
            _ => ConflictRow::of_task(base, id, CONFLICTS_MAX)?,
        };
        if conflicts.len() != row.conflicts as usize {
            return Err(lacks(&row, "a conflict"));
        }
        let result = match (row.state.is_terminal(), row.attempt) {
            (true, Some(_)) => {
                let result = ResultRow::get(base, &[id])?;
                Some(result.ok_or_else(|| lacks(&row, "the result"))?)
            }
            _ => None,
        };
        tries.reverse();
        conflicts.reverse();
        Ok(Self {
            row,
            tries,
            result,
            conflicts,
        })
    }

    /// The same in the words of the ledger.
    pub fn remembered(self, kinds: &mut Kinds) -> Result<Remembered, Fail> {
        let row = self.row;
        let result = self.result.map(ResultRow::submitted);
        let why = row.reason.clone().unwrap_or_default();
        let fate = match row.state {
            Standing::Queued => Fate::Queued,
            Standing::Leased => {
                let attempt = row.attempt.ok_or_else(|| lacks(&row, "the lease"))?;
                Fate::Leased(Attempt(attempt))
            }
            Standing::Done => {
                let (submitted, file) = result.ok_or_else(|| lacks(&row, "the result"))?;
                Fate::Done { submitted, file }
            }
            Standing::Failed => Fate::Failed {
                why,
                output: result,
            },
            Standing::Cancelled => Fate::Cancelled { why },
        };
        let (settled, ended_at) = (row.settled, row.ended_at);
        let began_at = self.tries.last().map(|tried| tried.began_at);
        let (task, lies) = row.task();
        Ok(Remembered {
            task: kinds.share_in(task),
            course: Rare::from(Course {
                fate,
                tries: self.tries.into_iter().map(Into::into).collect(),
                conflicts: self.conflicts.into_iter().map(Into::into).collect(),
            }),
            lies,
            settled,
            began_at,
            ended_at,
        })
    }
}

fn lacks(row: &TaskRow, what: &str) -> Fail {
    Fail::Damage(format!(
        "{what} of the task {} ({}) is missing",
        row.id, row.name
    ))
}

/// Whether these are the last of so many tries, newest first and without a gap.
fn are_all(tries: &[TryRow], count: u32) -> bool {
    let expected = (1..=count).rev().take(TRIES_MAX);
    tries.iter().map(|tried| tried.attempt).eq(expected)
}
