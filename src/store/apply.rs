//! What each record does to the rows.
//!
//! Rule: the same records again end in the same, for after an error nobody knows how far a commit came; and nothing
//! but where its files lie changes about a terminal task, unless they are damaged before that is settled or somebody wants it
//! tried again.

use mutirao_actors::logic::fault::Fault;
use mutirao_actors::logic::ledger::{CONFLICTS_MAX, TRIES_MAX};
use mutirao_actors::logic::record::{Conflict, Fate, Place, Record};
use mutirao_actors::model::{Attempt, Endpoint, Task, TaskId, TaskName};
use rusqlite::Connection;

use super::fail::Fail;
use super::kept::UnderWay;
use super::load::Tally;
use super::row::Sealed as _;
use super::rows::{ConflictRow, EndRow, ResultRow, Standing, TaskRow, TryRow, Wall};
use super::{damaged, drained};

/// Earlier ends of one task that are remembered, the newest: as many as its tries.
pub(super) const ENDS_MAX: u32 = 64;

/// One transaction in the making.
#[derive(Debug)]
pub struct Writing<'a> {
    /// Where.
    pub base: &'a Connection,
    /// The time for people.
    pub now: Wall,
    /// Of all tasks, those of this transaction too.
    pub tally: Tally,
    /// Of this and earlier ones.
    pub under_way: UnderWay,
}

impl Writing<'_> {
    /// Writes one record.
    pub fn apply(&mut self, record: &Record) -> Result<(), Fail> {
        let is_known = match record {
            Record::Adopted { task, lies } => self.adopt(task, lies)?,
            Record::Leased {
                task,
                attempt,
                name,
                holder,
            } => self.lease(*task, *attempt, name, holder)?,
            Record::TakenUp {
                task,
                attempt,
                holder,
            } => self.take_up(*task, *attempt, holder)?,
            Record::TryEnded {
                task,
                attempt,
                fault,
            } => self.end_try(*task, *attempt, fault)?,
            Record::Ended { task, fate } => self.end(*task, fate)?,
            Record::Reopened { task } => self.reopen(*task)?,
            Record::Retried { task } => self.retry(*task)?,
            Record::Drained { peer, is_drained } => {
                drained::change(self.base, peer, *is_drained)?;
                true
            }
            Record::Settled { task, file } => self.settle(*task, file.as_deref())?,
            Record::Conflict {
                task,
                attempt,
                peer,
                sha256,
            } => {
                let (attempt, peer, sha256) = (*attempt, peer.clone(), *sha256);
                let conflict = Conflict {
                    attempt,
                    peer,
                    sha256,
                };
                self.conflict(*task, &conflict)?
            }
        };
        if !is_known {
            self.list(record)?;
        }
        Ok(())
    }

    /// A damage took the task under a running master: what happens to it is kept for people only.
    fn list(&self, record: &Record) -> Result<(), Fail> {
        let what = "a record came of a task or a try that is not known";
        let cells = serde_json::to_string(record).unwrap_or_else(|_| format!("{record:?}"));
        tracing::error!("{what}, and is listed in the table `damaged`: {cells}");
        damaged::list(self.base, self.now, what, &cells)
    }

    fn task(&mut self, task: TaskId) -> Result<Option<TaskRow>, Fail> {
        self.under_way.tasks.take(self.base, task)
    }

    fn put(&mut self, row: TaskRow) -> Result<(), Fail> {
        self.under_way.tasks.put(self.base, TaskId(row.id), row)
    }

    fn tried(&self, task: TaskId, attempt: Attempt) -> Result<Option<TryRow>, Fail> {
        TryRow::get(self.base, &[task.0.as_bytes(), &attempt.0])
    }

    fn adopt(&mut self, task: &Task, lies: &Place) -> Result<bool, Fail> {
        let seq = self.tally.seq + 1;
        let row = TaskRow::adopted(task, lies.clone(), seq, self.now);
        if row.add(self.base)? {
            self.tally.seq = seq;
            self.tally.tasks += 1;
            return Ok(true);
        }
        // Its ZIP lies elsewhere by now.
        if let Some(known) = self.task(task.id)?.filter(|known| !known.settled) {
            self.put(known.lying(lies.clone()))?;
        }
        Ok(true)
    }

    fn lease(
        &mut self,
        task: TaskId,
        attempt: Attempt,
        name: &TaskName,
        holder: &Endpoint,
    ) -> Result<bool, Fail> {
        let Some(mut row) = self.task(task)? else {
            return Ok(false);
        };
        self.make_up(&mut row, attempt.0.saturating_sub(1))?;
        let tried = TryRow {
            task: task.0,
            attempt: attempt.0,
            name: name.clone(),
            peer: holder.peer.clone(),
            life: holder.life,
            fault: None,
            began_at: self.now,
            ended_at: None,
        };
        tried.put(self.base)?;
        row.tries = row.tries.max(attempt.0);
        self.forget_tries(&row)?;
        self.stand(row, Standing::Leased, Some(attempt))
    }

    /// Puts a stand-in for each try up to this one of which a damage took the record, so that no number is given twice.
    fn make_up(&self, row: &mut TaskRow, last: u32) -> Result<(), Fail> {
        let kept = u32::try_from(TRIES_MAX).unwrap_or(u32::MAX);
        let first = row.tries.max(last.saturating_sub(kept)) + 1;
        for attempt in first..=last {
            if let Some(lost) = TryRow::lost(row.id, attempt, self.now) {
                lost.put(self.base)?;
            }
        }
        row.tries = row.tries.max(last);
        Ok(())
    }

    /// A task and one of its tries, or a stand-in for that.
    fn task_and_try(
        &mut self,
        task: TaskId,
        attempt: Attempt,
    ) -> Result<Option<(TaskRow, TryRow)>, Fail> {
        let Some(mut row) = self.task(task)? else {
            return Ok(None);
        };
        if row.tries < attempt.0 {
            self.make_up(&mut row, attempt.0)?;
            row.put(self.base)?;
        }
        let tried = self.tried(task, attempt)?;
        Ok(tried.map(|tried| (row, tried)))
    }

    /// The ledger remembers no more of them either.
    fn forget_tries(&self, row: &TaskRow) -> Result<(), Fail> {
        let kept = u32::try_from(TRIES_MAX).unwrap_or(u32::MAX);
        let Some(last) = row.tries.checked_sub(kept).filter(|last| *last > 0) else {
            return Ok(());
        };
        let mut forget = self
            .base
            .prepare_cached("DELETE FROM try WHERE task = ? AND attempt <= ?")?;
        forget.execute((row.id.as_bytes(), last))?;
        Ok(())
    }

    fn take_up(&mut self, task: TaskId, attempt: Attempt, holder: &Endpoint) -> Result<bool, Fail> {
        let Some((row, tried)) = self.task_and_try(task, attempt)? else {
            return Ok(false);
        };
        let tried = TryRow {
            peer: holder.peer.clone(),
            life: holder.life,
            fault: None,
            ended_at: None,
            ..tried
        };
        tried.put(self.base)?;
        self.stand(row, Standing::Leased, Some(attempt))
    }

    fn end_try(&mut self, task: TaskId, attempt: Attempt, fault: &Fault) -> Result<bool, Fail> {
        let Some((row, tried)) = self.task_and_try(task, attempt)? else {
            return Ok(false);
        };
        let tried = TryRow {
            fault: Some(fault.clone()),
            ended_at: Some(self.now),
            ..tried
        };
        tried.put(self.base)?;
        if row.state == Standing::Leased && row.attempt == Some(attempt.0) {
            return self.stand(row, Standing::Queued, None);
        }
        Ok(true)
    }

    fn end(&mut self, task: TaskId, fate: &Fate) -> Result<bool, Fail> {
        let Some(mut row) = self.task(task)? else {
            return Ok(false);
        };
        if row.state.is_terminal() {
            return Ok(true);
        }
        let (standing, result) = match fate {
            Fate::Queued => return self.stand(row, Standing::Queued, None),
            Fate::Leased(attempt) => return self.stand(row, Standing::Leased, Some(*attempt)),
            Fate::Done { submitted, file } => (Standing::Done, Some((submitted, file))),
            Fate::Failed { why, output } => {
                row.reason = Some(why.clone());
                let output = output.as_ref();
                (
                    Standing::Failed,
                    output.map(|(submitted, file)| (submitted, file)),
                )
            }
            Fate::Cancelled { why } => {
                row.reason = Some(why.clone());
                (Standing::Cancelled, None)
            }
        };
        row.ended_at = Some(self.now);
        let attempt = result.map(|(submitted, _)| submitted.attempt);
        if let Some((submitted, file)) = result {
            let row = ResultRow::taken(task, submitted.clone(), file.clone(), self.now);
            self.under_way.results.put(self.base, task, row)?;
        }
        self.stand(row, standing, attempt)
    }

    fn stand(
        &mut self,
        mut row: TaskRow,
        standing: Standing,
        attempt: Option<Attempt>,
    ) -> Result<bool, Fail> {
        if !row.state.is_terminal() {
            row.state = standing;
            row.attempt = attempt.map(|attempt| attempt.0);
        }
        self.put(row)?;
        Ok(true)
    }

    fn reopen(&mut self, task: TaskId) -> Result<bool, Fail> {
        let Some(mut row) = self.task(task)? else {
            return Ok(false);
        };
        if row.state == Standing::Done && !row.settled {
            self.open_again(&mut row)?;
        }
        self.put(row)?;
        Ok(true)
    }

    fn retry(&mut self, task: TaskId) -> Result<bool, Fail> {
        let Some(mut row) = self.task(task)? else {
            return Ok(false);
        };
        if matches!(row.state, Standing::Failed | Standing::Cancelled) {
            self.remember_end(&row)?;
            self.open_again(&mut row)?;
        }
        // Also if it is open already: it may be the second time that this is written, behind what it forgives.
        for tried in TryRow::of_task(self.base, task.0.as_bytes(), TRIES_MAX)? {
            let fault = tried.fault.clone().map(Fault::forgiven);
            TryRow { fault, ..tried }.put(self.base)?;
        }
        self.put(row)?;
        Ok(true)
    }

    /// How the task ended is told of the time until now.
    fn remember_end(&self, row: &TaskRow) -> Result<(), Fail> {
        let last = EndRow::of_task(self.base, row.id.as_bytes(), 1)?;
        let number = last.first().map_or(1, |last| last.number.saturating_add(1));
        let end = EndRow {
            task: row.id,
            number,
            state: row.state,
            reason: row.reason.clone(),
            ended_at: row.ended_at.unwrap_or(self.now),
            opened_at: self.now,
        };
        end.put(self.base)?;
        let sql = "DELETE FROM earlier_end WHERE task = ? AND number <= ?";
        let mut forget = self.base.prepare_cached(sql)?;
        forget.execute((row.id.as_bytes(), number.saturating_sub(ENDS_MAX)))?;
        Ok(())
    }

    /// A terminal task waits again, and what it had handed in is its result no more.
    fn open_again(&mut self, row: &mut TaskRow) -> Result<(), Fail> {
        (row.state, row.settled) = (Standing::Queued, false);
        (row.attempt, row.ended_at, row.reason) = (None, None, None);
        self.under_way.results.forget(TaskId(row.id));
        let sql = "DELETE FROM result WHERE task = ?";
        self.base.execute(sql, [row.id.as_bytes()])?;
        Ok(())
    }

    fn settle(&mut self, task: TaskId, file: Option<&str>) -> Result<bool, Fail> {
        let Some(mut row) = self.task(task)? else {
            return Ok(false);
        };
        // Of an open one that was of an earlier end, and is written a second time.
        if !row.state.is_terminal() {
            self.put(row)?;
            return Ok(true);
        }
        row.settled = true;
        row.put(self.base)?;
        // Mostly it lies where it was to lie.
        if let Some(file) = file
            && let Some(mut result) = self.under_way.results.take(self.base, task)?
            && result.file != file
        {
            result.file = file.to_owned();
            result.put(self.base)?;
        }
        Ok(true)
    }

    fn conflict(&mut self, task: TaskId, conflict: &Conflict) -> Result<bool, Fail> {
        let Some(mut row) = self.task(task)? else {
            return Ok(false);
        };
        let known = ConflictRow::of_task(self.base, task.0.as_bytes(), CONFLICTS_MAX)?;
        let is_known = known
            .iter()
            .any(|known| Conflict::from(known.clone()) == *conflict);
        if is_known || known.len() >= CONFLICTS_MAX {
            return Ok(true);
        }
        row.conflicts += 1;
        let new = ConflictRow {
            task: task.0,
            number: row.conflicts,
            attempt: conflict.attempt.0,
            peer: conflict.peer.clone(),
            sha256: conflict.sha256,
            came_at: self.now,
        };
        new.put(self.base)?;
        self.put(row)?;
        Ok(true)
    }
}
