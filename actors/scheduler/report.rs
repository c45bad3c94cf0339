//! What a scheduler's mind knows, as reports for readers.

use crate::logic::dispatch::Dispatch;
use crate::logic::effect::End;
use crate::logic::health::Quarantine;
use crate::logic::ledger::{Entry, State};
use crate::logic::policy::Policy;
use crate::model::{Endpoint, Moment};
use crate::wire::report::{
    FailureRow, PeerRow, QueueReport, REPORT_ROWS_MAX, RunningRow, TaskCounts, TaskReport,
    TaskState,
};

/// How the queue stands.
pub fn of_queue<P: Policy>(
    mind: &Dispatch<P>,
    title: &str,
    arriving: u32,
    now: Moment,
) -> QueueReport {
    let counts = mind.ledger().counts();
    let failures = mind
        .ledger()
        .newest_terminal()
        .filter_map(|entry| match &entry.state {
            State::Failed { why, .. } => Some(FailureRow {
                task_name: entry.task.name.clone(),
                reason: why.clone(),
            }),
            _ => None,
        });
    QueueReport {
        scheduler: title.to_owned(),
        arriving,
        tasks: TaskCounts {
            queued: counts.queued,
            leased: counts.leased,
            done: counts.done,
            failed: counts.failed,
            cancelled: counts.cancelled,
        },
        peers: mind.peers().present() as u64,
        trouble: None,
        running: mind
            .ledger()
            .leased()
            .take(REPORT_ROWS_MAX)
            .filter_map(|entry| running(entry, now))
            .collect(),
        failures: failures.take(REPORT_ROWS_MAX).collect(),
    }
}

fn running(entry: &Entry, now: Moment) -> Option<RunningRow> {
    let lease = entry.state.lease()?;
    Some(RunningRow {
        task_id: entry.task.id,
        task_name: entry.task.name.clone(),
        attempt: lease.attempt,
        peer_id: lease.holder.peer.clone(),
        for_s: now.since(lease.granted).as_secs(),
    })
}

/// How one task stands.
pub fn of_task(entry: &Entry) -> TaskReport {
    let (state, reason) = match &entry.state {
        State::Waiting | State::Resting => (TaskState::Queued, entry.trouble.clone()),
        State::Leased(_) | State::Keeping { .. } => (TaskState::Leased, entry.trouble.clone()),
        State::Done { .. } => (TaskState::Done, None),
        State::Failed { why, .. } => (TaskState::Failed, Some(why.clone())),
        State::Cancelled { why } => (TaskState::Cancelled, Some(why.clone())),
    };
    let done = match &entry.state {
        State::Done { submitted, file } => Some((submitted, file)),
        _ => None,
    };
    TaskReport {
        task_id: entry.task.id,
        task_name: entry.task.name.clone(),
        state,
        peer: entry.tries.last().map(|tried| tried.holder.peer.clone()),
        attempts: u32::try_from(entry.tries.len()).unwrap_or(u32::MAX),
        reason,
        result_file: done.map(|(_, file)| file.clone()),
        took_ms: done.and_then(|(submitted, _)| u64::try_from(submitted.took.as_millis()).ok()),
    }
}

/// The registry's rows with what each peer has done.
pub fn of_peers<P: Policy>(
    mind: &Dispatch<P>,
    peers: Vec<(Endpoint, PeerRow)>,
    now: Moment,
) -> Vec<PeerRow> {
    let tallied = peers.into_iter().map(|(endpoint, mut row)| {
        if let Some(standing) = mind.peers().get(&endpoint) {
            row.leases = standing.holds.len() as u64;
            row.done = standing.done;
            row.failed = standing.failed;
        }
        if let Some(quarantine) = mind.health().quarantine(&endpoint) {
            row.state = of_quarantine(quarantine, now);
        }
        row
    });
    tallied.collect()
}

/// How a sick peer stands, in words for a reader.
pub fn of_quarantine(quarantine: &Quarantine, now: Moment) -> String {
    let doubts = quarantine.doubts;
    match quarantine.until.since(now).as_secs() {
        0 => format!("on probation: failed {doubts} tasks that others passed"),
        left => format!(
            "quarantined for {}: failed {doubts} tasks that others passed",
            minutes(left)
        ),
    }
}

/// `40 s`, `5 min`.
fn minutes(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => format!("{} min", seconds.div_ceil(60)),
    }
}

/// How a task ended, in words for the log.
pub fn in_words(end: &End) -> String {
    match end {
        End::Done => "done".into(),
        End::Failed(why) => format!("failed: {why}"),
        End::Cancelled(why) => format!("cancelled: {why}"),
    }
}
