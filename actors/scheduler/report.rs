//! What a scheduler's mind knows, as reports for readers.

use std::sync::Arc;

use jiff::Timestamp;

use crate::logic::diagnosis::Diagnosis;
use crate::logic::dispatch::Dispatch;
use crate::logic::effect::End;
use crate::logic::fault::Blame;
use crate::logic::health::Quarantine;
use crate::logic::ledger::{Entry, Lease, State, Tried};
use crate::logic::policy::Policy;
use crate::logic::standing::Mishap;
use crate::logic::tallies::Tally;
use crate::model::{Endpoint, Moment, Part};
use crate::wire::report::{
    Against, ConflictRow, FailureRow, FailuresRow, Findings, GroupReport, PeerFaultRow, PeerRow,
    QuarantineRow, QueueReport, REPORT_ROWS_MAX, RunningRow, Sought, TaskCounts, TaskReport,
    TaskState, TryRow,
};

/// Peers whose faults are told at a time: with those of all, the list of a large cluster would not fit a reply.
const FAULTY_TOLD_MAX: usize = 200;
/// Longest reason in a list of tasks, in characters: some say what a ZIP is like, and a list is to fit a reply.
const LISTED_WORDS_MAX: usize = 200;
/// Longest text of one such fault, in characters: some say what a ZIP of theirs is like.
const FAULT_WORDS_MAX: usize = 120;

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
        .filter_map(|entry| match &entry.story.state {
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
        conflicts: mind.ledger().conflicts(),
        unmatched: mind.unmatched(),
        trouble: None,
        quarantined: quarantined(mind, now),
        running: mind
            .ledger()
            .leased()
            .take(REPORT_ROWS_MAX)
            .filter_map(|entry| running(entry, now))
            .collect(),
        failures: failures.take(REPORT_ROWS_MAX).collect(),
    }
}

fn quarantined<P: Policy>(mind: &Dispatch<P>, now: Moment) -> Vec<QuarantineRow> {
    if !mind.health().is_anybody_sick() {
        return Vec::new();
    }
    let sick = mind.peers().here().filter_map(|(endpoint, _)| {
        let quarantine = mind.health().quarantine(endpoint)?;
        Some(QuarantineRow {
            peer_id: endpoint.peer.clone(),
            state: of_quarantine(quarantine, now),
        })
    });
    sick.take(REPORT_ROWS_MAX).collect()
}

fn running(entry: &Entry, now: Moment) -> Option<RunningRow> {
    let lease = entry.story.state.lease()?;
    Some(RunningRow {
        task_id: entry.task.id,
        task_name: entry.task.name.clone(),
        attempt: lease.attempt,
        peer_id: lease.holder.peer.clone(),
        for_s: now.since(lease.granted).as_secs(),
    })
}

/// A state as readers know it.
pub fn state_of(state: &State) -> TaskState {
    match state {
        State::Waiting | State::Resting => TaskState::Queued,
        State::Leased(_) | State::Keeping { .. } => TaskState::Leased,
        State::Done { .. } => TaskState::Done,
        State::Failed { .. } => TaskState::Failed,
        State::Cancelled { .. } => TaskState::Cancelled,
    }
}

/// How the parts of a group stand; none if it is not known.
pub fn of_group<P: Policy>(mind: &Dispatch<P>, name: &str) -> Option<GroupReport> {
    mind.ledger().tallies().find(name).map(of_tally)
}

/// How the parts of a group stand.
pub fn of_tally((group, tally): (&Arc<str>, &Tally)) -> GroupReport {
    let failures = tally.reasons.iter().map(|(reason, tasks)| FailuresRow {
        reason: reason.clone(),
        tasks: *tasks,
    });
    GroupReport {
        group: group.as_ref().to_owned(),
        parts: tally.parts,
        waiting: tally.counts.queued,
        running: tally.counts.leased,
        done: tally.counts.done,
        failed: tally.counts.failed,
        cancelled: tally.counts.cancelled,
        failures: failures.collect(),
        complete: tally.is_complete(),
        why: None,
    }
}

/// Whether a task is one of those that are to be listed.
pub fn is_sought(entry: &Entry, sought: &Sought) -> bool {
    let Sought {
        states,
        group,
        single,
    } = sought;
    let task = &entry.task;
    (states.is_empty() || states.contains(&state_of(&entry.story.state)))
        && group
            .as_deref()
            .is_none_or(|group| *task.kind.group == *group)
        && !(*single && task.part().is_some())
}

/// How one task stands, as a line of a list.
pub fn in_short(entry: &Entry) -> TaskReport {
    let mut report = of_task(entry);
    let cut = |reason: String| reason.chars().take(LISTED_WORDS_MAX).collect();
    report.reason = report.reason.map(cut);
    report
}

/// How the parts of a group stand, and why they wait, run or failed; none if it is not known.
pub fn of_group_in_full<P: Policy>(
    mind: &Dispatch<P>,
    name: &str,
    now: Moment,
) -> Option<GroupReport> {
    let report = of_group(mind, name)?;
    let mut diagnosis = Diagnosis::knowing(mind.health());
    let entries = mind.ledger().of_group(&report.group);
    entries.for_each(|entry| diagnosis.look_at(entry));
    let why = Findings {
        waits: mind.group_waits_for(&report.group, now),
        ..diagnosis.of_all(now)
    };
    Some(GroupReport {
        why: Some(Box::new(why)),
        ..report
    })
}

/// How one task stands.
pub fn of_task(entry: &Entry) -> TaskReport {
    let reason = match &entry.story.state {
        State::Waiting | State::Resting | State::Leased(_) | State::Keeping { .. } => {
            entry.story.trouble.clone()
        }
        State::Done { .. } => None,
        State::Failed { why, .. } | State::Cancelled { why } => Some(why.clone()),
    };
    let kept = match &entry.story.state {
        State::Done { submitted, file } => Some((submitted, file)),
        State::Failed { output, .. } => output.as_ref().map(|(submitted, file)| (submitted, file)),
        _ => None,
    };
    let part = entry.task.part();
    TaskReport {
        task_id: entry.task.id,
        task_name: entry.task.name.clone(),
        state: state_of(&entry.story.state),
        peer: entry
            .story
            .tries
            .last()
            .map(|tried| tried.holder.peer.clone()),
        attempts: u32::try_from(entry.story.tries.len()).unwrap_or(u32::MAX),
        reason,
        result_file: kept.map(|(_, file)| file.clone()),
        took_ms: kept.and_then(|(submitted, _)| u64::try_from(submitted.took.as_millis()).ok()),
        submitted_at: entry.task.id.given_at(),
        started_at: None,
        ended_at: None,
        group: part.map(|_| entry.task.kind.group.as_ref().to_owned()),
        part: part.map(Part::number),
        parts: part.map(Part::of),
        tries: Vec::new(),
        conflicts: Vec::new(),
        why: None,
    }
}

/// How one task stands, and how it came to that; `wall` tells what a moment is on the wall.
pub fn in_full<P: Policy>(
    mind: &Dispatch<P>,
    entry: &Entry,
    now: Moment,
    wall: impl Fn(Moment) -> Timestamp,
) -> TaskReport {
    let tries = entry.story.tries.iter().map(|tried| TryRow {
        attempt: tried.attempt,
        peer_id: tried.holder.peer.clone(),
        ended: ended(entry, tried),
        against: against(mind, entry, tried),
    });
    let conflicts = entry.story.conflicts.iter().map(|conflict| ConflictRow {
        peer_id: conflict.peer.clone(),
        attempt: conflict.attempt,
        sha256: conflict.sha256,
    });
    let story = &*entry.story;
    TaskReport {
        started_at: story.times.began.on_wall(&wall),
        ended_at: story
            .times
            .ended
            .on_wall(&wall)
            .filter(|_| story.state.is_terminal()),
        tries: tries.collect(),
        conflicts: conflicts.collect(),
        why: Some(Box::new(Findings {
            waits: mind.waits_for(&entry.task.id, now),
            ..diagnosis(mind, entry).of_one(entry, now)
        })),
        ..of_task(entry)
    }
}

/// A task seen beside the parts of its group that ended last, if it is of one; and else alone, for others have other code. It
/// costs no more in a group of any size.
fn diagnosis<'a, P: Policy>(mind: &'a Dispatch<P>, entry: &'a Entry) -> Diagnosis<'a> {
    let mut diagnosis = Diagnosis::knowing(mind.health());
    diagnosis.look_at(entry);
    let ledger = mind.ledger();
    let beside = ledger.newest_beside(&entry.task);
    beside.for_each(|entry| diagnosis.look_at(entry));
    let (done, _) = ledger.tallies().ended_beside(&entry.task);
    diagnosis.passed_in_all(done);
    diagnosis
}

/// What became of the result that a try handed in, in words for a reader; none if it did not, or was not believed.
fn taken(entry: &Entry, tried: &Tried) -> Option<&'static str> {
    let (submitted, words) = match &entry.story.state {
        State::Done { submitted, .. } => (submitted, "its result was taken"),
        State::Keeping { submitted, .. } => (submitted, "handed in, and being stored"),
        _ => return None,
    };
    (submitted.attempt == tried.attempt).then_some(words)
}

/// Against whom a try counts. One whose result was taken after all, once it was believed lost or had failed, counts
/// against nobody.
fn against<P: Policy>(mind: &Dispatch<P>, entry: &Entry, tried: &Tried) -> Option<Against> {
    let fault = tried.fault.as_ref()?;
    if taken(entry, tried).is_some() {
        return None;
    }
    Some(match fault.blame() {
        Blame::Run if mind.health().is_sick(&tried.holder) => Against::Peer,
        Blame::Run => Against::Task,
        Blame::Peer => Against::Peer,
        Blame::None => Against::Nobody,
    })
}

/// How a try ended, or that it runs, in words for a reader.
fn ended(entry: &Entry, tried: &Tried) -> String {
    let is_leased = |lease: &Lease| lease.attempt == tried.attempt;
    match (taken(entry, tried), &tried.fault, entry.story.state.lease()) {
        (Some(words), _, _) => words.into(),
        (None, Some(fault), _) => fault.to_string(),
        (None, None, Some(lease)) if is_leased(lease) => "runs".into(),
        (None, None, _) => "called off".into(),
    }
}

/// The registry's rows with what each peer has done.
pub fn of_peers<P: Policy>(
    mind: &Dispatch<P>,
    peers: Vec<(Endpoint, PeerRow)>,
    now: Moment,
) -> Vec<PeerRow> {
    let mut faulty = 0;
    let tallied = peers.into_iter().map(|(endpoint, mut row)| {
        if let Some(standing) = mind.peers().get(&endpoint) {
            if !standing.faults.is_empty() && faulty < FAULTY_TOLD_MAX {
                faulty += 1;
                row.faults = standing
                    .faults
                    .iter()
                    .map(|fault| of_fault(fault, now))
                    .collect();
            }
            row.leases = standing.holds.len() as u64;
            row.done = standing.done;
            row.failed = standing.failed;
        }
        if let Some(quarantine) = mind.health().quarantine(&endpoint) {
            row.state = of_quarantine(quarantine, now);
        }
        if mind.is_drained(&endpoint.peer) {
            row.state = "drained".into();
        }
        row
    });
    tallied.collect()
}

fn of_fault((task, attempt, fault, at): &Mishap, now: Moment) -> PeerFaultRow {
    PeerFaultRow {
        task_id: *task,
        attempt: *attempt,
        ended: fault.to_string().chars().take(FAULT_WORDS_MAX).collect(),
        ago_s: now.since(*at).as_secs(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::fixtures::{Desk, by_name, kind_of, ours, ours_in_life, plain, task};
    use crate::model::{Ending, Task};
    use crate::wire::report::Culprit;

    fn at(moment: Moment) -> Timestamp {
        Timestamp::from_microsecond(i64::try_from(moment.0).unwrap()).unwrap()
    }

    fn told(desk: &Desk) -> Vec<(String, Option<Against>)> {
        let report = in_full(&desk.mind, desk.entry(task(1).id), desk.now, at);
        let tries = report.tries.into_iter();
        tries.map(|tried| (tried.ended, tried.against)).collect()
    }

    #[test]
    fn a_lost_try_whose_result_a_new_life_of_its_peer_hands_in_counts_against_nobody() {
        let mut desk = Desk::with(&[&ours("a")]);
        desk.arrive(task(1));
        let offer = desk.take(&ours("a"));
        desk.leave(&ours("a"), false);
        let lost = ("gone".to_owned(), Some(Against::Peer));
        assert_eq!(told(&desk), [lost]);
        let reborn = ours_in_life("a", 2);
        desk.join(&reborn);
        desk.succeed(&reborn, &offer);
        let stored = ("handed in, and being stored".to_owned(), None);
        assert_eq!(told(&desk), [stored]);
        desk.kept(offer.task);
        assert_eq!(told(&desk), [("its result was taken".to_owned(), None)]);
    }

    #[test]
    fn a_try_that_failed_and_succeeded_after_all_counts_against_nobody() {
        let mut desk = Desk::with(&[&plain("a")]);
        desk.arrive(task(1));
        let offer = desk.take(&plain("a"));
        desk.ask(&plain("a"));
        assert_eq!(told(&desk)[0].1, Some(Against::Task));
        let late = by_name(&offer.name);
        desk.submit(&plain("a"), late, b"good", Ending::Unsaid);
        desk.kept(offer.task);
        assert_eq!(told(&desk), [("its result was taken".to_owned(), None)]);
    }

    #[test]
    fn a_part_is_judged_beside_the_few_that_ended_last_and_by_all_that_are_done() {
        let mut desk = Desk::with(&[&ours("a")]);
        let part = |number: u32| -> Task {
            let mut part = task(u128::from(number) + 1);
            kind_of(&mut part).group = "rows".into();
            part.set_part(Part::new(number, 301));
            part
        };
        let no_retries = |mut task: Task| {
            kind_of(&mut task).wishes.retries = Some(0);
            task
        };
        let mut run = |number: u32, is_well: bool| {
            desk.arrive(no_retries(part(number)));
            let offer = desk.take(&ours("a"));
            match is_well {
                true => desk.succeed(&ours("a"), &offer),
                false => desk.fail(&ours("a"), &offer),
            };
            desk.kept(offer.task);
        };
        (0..200).for_each(|number| run(number, true));
        (200..301).for_each(|number| run(number, false));
        let last = desk.entry(part(300).id);
        let report = in_full(&desk.mind, last, desk.now, at);
        let verdict = &report.why.unwrap().verdicts[0];
        assert_eq!((verdict.culprit, verdict.tasks), (Culprit::Row, 64));
        let told = "64 of 64 tasks that were looked at failed so where they ran";
        assert!(verdict.words.contains(told), "{}", verdict.words);
        assert!(verdict.words.ends_with("and 200 of the group passed"));
    }
}
