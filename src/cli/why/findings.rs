//! What was found out about a task or a group, in words.

use std::fmt::Write as _;

use mutirao_actors::logic::diagnosis::{MENDS, SHOWS_WHERE};
use mutirao_actors::wire::report::{Findings, ReasonRow, RunRow, TaskState, UsualRow, VerdictRow};

use crate::cli::group::at_master;
use crate::cli::status::in_words as seconds;

/// What is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'s> {
    /// Of a group what stands in one of these ways; all of it if none is said.
    Only(&'s [TaskState]),
    /// What failed of a group and what is to blame, without what helps.
    InShort,
    /// One task.
    OfOne,
}

impl Shown<'_> {
    /// Whether it tells of what stands so.
    fn has(self, state: TaskState) -> bool {
        match self {
            Self::Only(states) => states.is_empty() || states.contains(&state),
            Self::InShort => [TaskState::Failed, TaskState::Cancelled].contains(&state),
            Self::OfOne => state != TaskState::Cancelled,
        }
    }

    /// Whether somebody asks for what stands so, and not for all.
    pub fn is_for(self, state: TaskState) -> bool {
        matches!(self, Self::Only(states) if states.contains(&state))
    }
}

/// What waits, what runs, what failed; each with what helps. `elsewhere` is the group of which it is, if what that made lies in no
/// folder here.
pub fn in_words(why: &Findings, shown: Shown<'_>, elsewhere: Option<&str>) -> String {
    let mut text = String::new();
    if shown.has(TaskState::Queued) {
        why.waits
            .iter()
            .for_each(|row| waits(&mut text, row, shown));
    }
    let has_running = shown.has(TaskState::Leased) && !why.runs.is_empty();
    if has_running {
        why.runs.iter().for_each(|row| runs(&mut text, row));
    }
    if let Some(usual) = &why.usual
        && (has_running || shown.is_for(TaskState::Done))
    {
        took(&mut text, usual);
    }
    if shown.has(TaskState::Failed) {
        why.verdicts
            .iter()
            .for_each(|row| failed(&mut text, row, shown, elsewhere));
        if why.untold > 0 {
            let _ = writeln!(text, "  {} more tries failed in other ways", why.untold);
        }
    }
    // What failed is often why the rest was cancelled.
    if shown != Shown::OfOne && (shown.has(TaskState::Cancelled) || shown.has(TaskState::Failed)) {
        for ReasonRow { reason, tasks, .. } in &why.cancelled {
            let _ = writeln!(text, "  cancelled  {tasks}: {reason}");
        }
    }
    text
}

fn waits(text: &mut String, row: &ReasonRow, shown: Shown<'_>) {
    let count = match shown {
        Shown::OfOne => String::new(),
        _ => format!("{}: ", row.tasks),
    };
    let help = row.help.as_ref().map(|help| format!(" → {help}"));
    let _ = writeln!(
        text,
        "  waits  {count}{}{}",
        row.reason,
        help.unwrap_or_default()
    );
}

fn runs(text: &mut String, row: &RunRow) {
    let name = row.task_name.as_str();
    let slow = if row.is_slow {
        ", far longer than usual"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "  runs   {name}  try {} on {} for {}{slow}",
        row.attempt,
        row.peer_id,
        seconds(row.for_s)
    );
}

fn took(text: &mut String, usual: &UsualRow) {
    let _ = writeln!(
        text,
        "  usual  {} that are done took {} at most, half of them {} at most",
        usual.tasks,
        milliseconds(usual.longest_ms),
        milliseconds(usual.median_ms)
    );
}

/// `0.25 s`, `3.1 s`, `3 min 5 s`.
pub fn milliseconds(ms: u64) -> String {
    match ms {
        0..1000 => format!("0.{:02} s", ms / 10),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => seconds(ms / 1000),
    }
}

fn failed(text: &mut String, row: &VerdictRow, shown: Shown<'_>, elsewhere: Option<&str>) {
    let _ = writeln!(text, "  {}", row.error);
    let _ = writeln!(text, "    {}", row.words);
    if shown == Shown::InShort {
        return;
    }
    if shown != Shown::OfOne {
        let names = row
            .examples
            .iter()
            .map(|example| example.task_name.as_str());
        let names: Vec<_> = names.collect();
        let more = row.tasks.saturating_sub(names.len() as u64);
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let _ = writeln!(text, "    {}{more}", names.join(", "));
    }
    // Whoever looks at one task is shown its traceback.
    let is_said = |help: &&String| shown == Shown::OfOne && help.ends_with(SHOWS_WHERE);
    for help in row.helps.iter().filter(|help| !is_said(help)) {
        if let (Some(group), true) = (elsewhere, help.starts_with(MENDS)) {
            let place = at_master(&format!("{group}/"), group);
            let _ = writeln!(text, "    → failed.csv lies {place}");
        }
        let _ = writeln!(text, "    → {help}");
    }
}
