//! Makes the rows that were taken over fit each other again.

use mutirao_actors::logic::ledger::{CONFLICTS_MAX, TRIES_MAX};
use rusqlite::Connection;

use super::fail::Fail;
use super::mend::Losses;
use super::row::Sealed as _;
use super::rows::{ConflictRow, ResultRow, Standing, TaskRow, TryRow, Wall};

/// Completes each task or removes it; how many are left.
pub fn reconcile(base: &Connection, losses: &mut Losses, now: Wall) -> Result<u64, Fail> {
    let mut kept = 0;
    let mut after = Vec::new();
    loop {
        // The rows are changed while they are gone through, so each is looked for after the last.
        let sql = format!("{} WHERE id > ? ORDER BY id LIMIT 1", TaskRow::table().all);
        let mut statement = base.prepare_cached(&sql)?;
        let mut rows = statement.query([&after])?;
        let Some(row) = rows.next()?.map(TaskRow::whole).transpose()? else {
            break;
        };
        drop(rows);
        after = row.id.as_bytes().to_vec();
        kept += u64::from(complete(base, row, losses, now)?);
    }
    remove_orphans(base, losses)?;
    Ok(kept)
}

/// Whether the task is still understood, once what it lacks was made up or forgotten.
fn complete(
    base: &Connection,
    mut row: TaskRow,
    losses: &mut Losses,
    now: Wall,
) -> Result<bool, Fail> {
    let id = row.id;
    let has_result = ResultRow::get(base, &[id.as_bytes()])?.is_some();
    if row.state == Standing::Done && !has_result {
        losses.add(format!(
            "the task {id} ({}) is forgotten: it is done, and the record of its result was lost",
            row.name
        ));
        base.execute("DELETE FROM task WHERE id = ?", [id.as_bytes()])?;
        return Ok(false);
    }
    if row.state.is_terminal() && row.attempt.is_some() && !has_result {
        losses.add(format!(
            "the record of the last output of the task {id} ({}) was lost",
            row.name
        ));
        row.attempt = None;
    }
    fill_tries(base, &mut row, losses, now)?;
    let conflicts = ConflictRow::of_task(base, id.as_bytes(), CONFLICTS_MAX)?;
    if conflicts.len() != row.conflicts as usize {
        losses.add(format!(
            "a conflict of the task {id} ({}) was lost",
            row.name
        ));
        row.conflicts = renumber(base, conflicts)?;
    }
    row.put(base)?;
    Ok(true)
}

/// Puts a stand-in where a try is missing; a task whose lease is lost waits again.
fn fill_tries(
    base: &Connection,
    row: &mut TaskRow,
    losses: &mut Losses,
    now: Wall,
) -> Result<(), Fail> {
    let id = row.id;
    let tries = TryRow::of_task(base, id.as_bytes(), TRIES_MAX)?;
    row.tries = tries
        .first()
        .map_or(row.tries, |last| row.tries.max(last.attempt));
    for attempt in (1..=row.tries).rev().take(TRIES_MAX) {
        if tries.iter().any(|tried| tried.attempt == attempt) {
            continue;
        }
        losses.add(format!(
            "try {attempt} of the task {id} ({}) was lost",
            row.name
        ));
        if let Some(lost) = TryRow::lost(id, attempt, now) {
            lost.put(base)?;
        }
        if row.state == Standing::Leased && row.attempt == Some(attempt) {
            (row.state, row.attempt) = (Standing::Queued, None);
        }
    }
    Ok(())
}

/// Numbers what is left from 1 on again; how many there are.
fn renumber(base: &Connection, mut conflicts: Vec<ConflictRow>) -> Result<u32, Fail> {
    conflicts.sort_by_key(|conflict| conflict.number);
    let mut count = 0;
    for mut conflict in conflicts {
        let key = (conflict.task.as_bytes().to_vec(), conflict.number);
        base.execute("DELETE FROM conflict WHERE task = ? AND number = ?", key)?;
        count += 1;
        conflict.number = count;
        conflict.put(base)?;
    }
    Ok(count)
}

/// What belongs to a task that is not there tells nothing.
fn remove_orphans(base: &Connection, losses: &mut Losses) -> Result<(), Fail> {
    for table in ["try", "result", "conflict", "earlier_end"] {
        let sql = format!("DELETE FROM {table} WHERE task NOT IN (SELECT id FROM task)");
        let removed = base.execute(&sql, [])?;
        if removed > 0 {
            losses.add(format!(
                "{removed} rows of the table `{table}` belonged to tasks that were lost"
            ));
        }
    }
    Ok(())
}
