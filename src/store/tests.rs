//! What each record does, as it is read back; the rest is in the files beside.

mod damage;
mod drained;
mod load;
mod log;
mod model;
mod parts;
mod past;
mod running;

use std::num::NonZeroU32;
use std::sync::Arc;

use std::path::Path;
use std::time::Duration;

use mutirao_actors::clock::Clock;
use mutirao_actors::logic::fault::Fault;
use mutirao_actors::logic::ledger::{CONFLICTS_MAX, Counts, Submitted, TRIES_MAX, Tried};
use mutirao_actors::logic::record::{Conflict, Fate, Place, Record, Remembered};
use mutirao_actors::model::{
    Attempt, BootId, Digest, Ending, Endpoint, Kind, Life, PARTS_MAX, Part, Stamp, Task, TaskId,
    TaskName, Wishes,
};
use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use super::base::Base;
use super::fail::Fail;
use super::kept::KEPT_MAX;
use super::load::Meta;
use super::{Recalled, SqliteStore, Store as _, StoreError};

/// A folder, and the store in it.
struct Bench {
    folder: TempDir,
    store: Option<SqliteStore>,
}

impl Bench {
    fn new() -> Self {
        let folder = folder();
        let (store, _) = open(folder.path());
        let store = Some(store);
        Self { folder, store }
    }

    fn commit(&mut self, records: &[Record]) {
        self.store.as_mut().unwrap().commit(records).unwrap();
    }

    fn reopen(&mut self) -> Recalled {
        self.store = None;
        let (store, recalled) = open(self.folder.path());
        self.store = Some(store);
        recalled
    }

    /// Commits, and gives the only task as it is read back.
    fn after(&mut self, records: &[Record]) -> Remembered {
        self.commit(records);
        let recalled = self.reopen();
        assert!(recalled.damage.is_empty(), "{:?}", recalled.damage);
        recalled.tasks.into_iter().next().unwrap()
    }
}

/// A folder in memory where there is one: nothing is cut off from power here, and flushes of a disk take most of the time.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap())
}

fn open(folder: &Path) -> (SqliteStore, Recalled) {
    SqliteStore::open(folder, Clock::start()).unwrap()
}

fn id(number: u128) -> TaskId {
    TaskId(Uuid::from_u128(number))
}

fn place(number: u128) -> Place {
    let byte = u8::try_from(number % 251).unwrap();
    Place {
        file: vec![b't', 0xff, byte].into(),
        stamp: Stamp {
            size: 1 << 40,
            modified: (-5, 7),
            changed: (1_700_000_000, 999_999_999),
            inode: u64::MAX,
        },
    }
}

fn task(number: u128) -> Arc<Task> {
    let wishes = Wishes {
        time_limit: Some(Duration::new(90, 1)),
        retries: Some(2),
        priority: -3,
        max_fails: Some(7),
        after: Some(id(number / 2)),
        max_running: NonZeroU32::new(3),
    };
    let mut task = Task {
        id: id(number),
        name: format!("task-{number}.zip").parse().unwrap(),
        size: 12_345,
        nth: None,
        sha256: Digest::of(&number.to_le_bytes()),
        kind: Arc::new(Kind {
            code: Digest::of(b"code"),
            group: "ana".into(),
            parts: None,
            wishes: if number.is_multiple_of(2) {
                wishes
            } else {
                Wishes::default()
            },
        }),
    };
    if number.is_multiple_of(3) {
        task.set_part(Part::new(number as u32, PARTS_MAX));
    }
    Arc::new(task)
}

fn adopted(number: u128) -> Record {
    Record::Adopted {
        task: task(number),
        lies: place(number),
    }
}

fn ours(name: &str) -> Endpoint {
    Endpoint {
        peer: name.parse().unwrap(),
        life: Life::Boot(BootId(Uuid::from_u128(7))),
    }
}

fn other(name: &str) -> Endpoint {
    Endpoint {
        peer: name.parse().unwrap(),
        life: Life::Address("fe80::1".parse().unwrap()),
    }
}

fn try_name(number: u128, attempt: u32) -> TaskName {
    task(number).name.numbered(attempt.into())
}

fn leased(number: u128, attempt: u32, holder: Endpoint) -> Record {
    Record::Leased {
        task: id(number),
        attempt: Attempt(attempt),
        name: try_name(number, attempt),
        holder,
    }
}

fn try_ended(number: u128, attempt: u32, fault: Fault) -> Record {
    Record::TryEnded {
        task: id(number),
        attempt: Attempt(attempt),
        fault,
    }
}

fn ended(number: u128, fate: Fate) -> Record {
    let task = id(number);
    Record::Ended { task, fate }
}

fn settled(number: u128, file: Option<&str>) -> Record {
    Record::Settled {
        task: id(number),
        file: file.map(Into::into),
    }
}

fn submitted(attempt: u32, failure: Option<Fault>) -> Submitted {
    Submitted {
        attempt: Attempt(attempt),
        peer: "p".parse().unwrap(),
        sha256: Digest::of(b"result"),
        size: 6,
        took: Duration::new(3, 141_592_653),
        failure,
    }
}

fn done(attempt: u32) -> Fate {
    Fate::Done {
        submitted: submitted(attempt, None),
        file: "task.zip".to_owned(),
    }
}

fn tried(number: u128, attempt: u32, holder: Endpoint, fault: Option<Fault>) -> Tried {
    Tried {
        attempt: Attempt(attempt),
        name: try_name(number, attempt),
        holder,
        fault,
        refusals: 0,
    }
}

#[test]
fn a_new_store_is_the_first_life_of_a_master_and_each_opening_is_another() {
    let mut bench = Bench::new();
    let (second, third) = (bench.reopen(), bench.reopen());
    assert_eq!((second.epoch, third.epoch), (2, 3));
    assert_eq!(second.master, third.master);
    assert!(third.tasks.is_empty() && third.damage.is_empty());
    assert_ne!(Bench::new().reopen().master, second.master);
}

#[test]
fn an_adopted_task_is_read_back_as_it_was_and_only_once() {
    let mut bench = Bench::new();
    for number in [1, 2] {
        bench.commit(&[adopted(number), adopted(number)]);
    }
    let found = bench.reopen();
    let expected = [1, 2].map(|number| Remembered::untried(task(number), place(number)));
    assert_eq!(found.tasks, expected);
    assert_eq!(found.counts.queued, 2);
}

#[test]
fn tasks_come_back_in_the_order_of_arrival_whatever_the_clock_said() {
    let mut bench = Bench::new();
    bench.commit(&[adopted(9), adopted(3)]);
    bench.reopen();
    bench.commit(&[adopted(5), adopted(1)]);
    let order: Vec<_> = bench
        .reopen()
        .tasks
        .into_iter()
        .map(|known| known.task.id)
        .collect();
    assert_eq!(order, [9, 3, 5, 1].map(id));
}

#[test]
fn a_lease_is_a_try_that_a_peer_has() {
    let known = Bench::new().after(&[adopted(1), leased(1, 1, other("p"))]);
    assert_eq!(known.course.fate, Fate::Leased(Attempt(1)));
    assert_eq!(known.course.tries, [tried(1, 1, other("p"), None)]);
}

#[test]
fn a_try_that_ended_leaves_its_fault_and_the_task_waits_again() {
    let fault = Fault::Run(Ending::Exit(3));
    let records = [
        adopted(1),
        leased(1, 1, ours("p")),
        try_ended(1, 1, fault.clone()),
    ];
    let known = Bench::new().after(&records);
    assert_eq!(known.course.fate, Fate::Queued);
    assert_eq!(known.course.tries, [tried(1, 1, ours("p"), Some(fault))]);
}

#[test]
fn the_end_of_an_earlier_try_leaves_the_lease_alone() {
    let mut records = vec![
        adopted(1),
        leased(1, 1, ours("p")),
        try_ended(1, 1, Fault::Late),
    ];
    records.extend([leased(1, 2, ours("q")), try_ended(1, 1, Fault::GivenUp)]);
    let known = Bench::new().after(&records);
    assert_eq!(known.course.fate, Fate::Leased(Attempt(2)));
    let faults: Vec<_> = known
        .course
        .tries
        .iter()
        .map(|tried| tried.fault.clone())
        .collect();
    assert_eq!(faults, [Some(Fault::GivenUp), None]);
}

#[test]
fn a_try_that_is_taken_up_is_leased_to_who_has_it_now() {
    let mut records = vec![
        adopted(1),
        leased(1, 1, ours("p")),
        try_ended(1, 1, Fault::Late),
    ];
    records.push(Record::TakenUp {
        task: id(1),
        attempt: Attempt(1),
        holder: other("p"),
    });
    let known = Bench::new().after(&records);
    assert_eq!(known.course.fate, Fate::Leased(Attempt(1)));
    assert_eq!(known.course.tries, [tried(1, 1, other("p"), None)]);
}

#[test]
fn every_way_to_end_is_read_back_and_is_the_last() {
    let failed = |output| Fate::Failed {
        why: "exit code 3".to_owned(),
        output,
    };
    let output = submitted(1, Some(Fault::Run(Ending::Signal(9))));
    let cancelled = Fate::Cancelled {
        why: "deleted".to_owned(),
    };
    let fates = [
        done(1),
        failed(None),
        failed(Some((output, "failed/task.zip".to_owned()))),
        cancelled.clone(),
    ];
    for fate in fates {
        let mut records = vec![adopted(1), leased(1, 1, ours("p")), ended(1, fate.clone())];
        records.extend([ended(1, cancelled.clone()), try_ended(1, 1, Fault::Late)]);
        let known = Bench::new().after(&records);
        assert_eq!(known.course.fate, fate);
        assert_eq!(known.course.tries[0].fault, Some(Fault::Late));
        assert!(!known.settled);
    }
}

#[test]
fn a_settled_task_says_where_its_result_lies() {
    let records = [
        adopted(1),
        leased(1, 1, ours("p")),
        ended(1, done(1)),
        settled(1, Some("task.2.zip")),
    ];
    let known = Bench::new().after(&records);
    assert!(known.settled);
    assert!(matches!(&known.course.fate, Fate::Done { file, .. } if file == "task.2.zip"));
}

#[test]
fn conflicts_are_kept_once_each_and_the_first_ones_of_too_many() {
    let conflict = |number: u32| Conflict {
        attempt: Attempt(1),
        peer: "q".parse().unwrap(),
        sha256: Digest::of(&number.to_le_bytes()),
    };
    let record = |number| Record::Conflict {
        task: id(1),
        attempt: Attempt(1),
        peer: "q".parse().unwrap(),
        sha256: conflict(number).sha256,
    };
    let mut records = vec![adopted(1), leased(1, 1, ours("p")), ended(1, done(1))];
    records.extend((0..20).flat_map(|number| [record(number), record(number)]));
    let known = Bench::new().after(&records);
    let first: Vec<_> = (0..20).take(CONFLICTS_MAX).map(conflict).collect();
    assert_eq!(known.course.conflicts, first);
}

#[test]
fn the_newest_of_many_tries_are_kept() {
    let mut records = vec![adopted(1)];
    for attempt in 1..=100 {
        records.push(leased(1, attempt, ours("p")));
        records.push(try_ended(1, attempt, Fault::Late));
    }
    let known = Bench::new().after(&records);
    let attempts: Vec<_> = known
        .course
        .tries
        .iter()
        .map(|tried| tried.attempt.0)
        .collect();
    let newest: Vec<u32> = (1..=100).skip(100 - TRIES_MAX).collect();
    assert_eq!(attempts, newest);
}

#[test]
fn a_record_of_an_unknown_task_changes_nothing_and_the_others_are_written() {
    let mut bench = Bench::new();
    let records = [
        leased(1, 1, ours("p")),
        try_ended(1, 1, Fault::Late),
        ended(1, done(1)),
        settled(1, None),
        adopted(2),
    ];
    bench.commit(&records);
    let recalled = bench.reopen();
    assert_eq!(recalled.tasks.len(), 1);
    let base = Connection::open(bench.folder.path().join("mutirao.db")).unwrap();
    let listed: Vec<String> = base
        .prepare("SELECT cells FROM damaged")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let as_listed = records[..4]
        .iter()
        .map(|record| serde_json::to_string(record).unwrap());
    assert!(
        listed.into_iter().eq(as_listed),
        "what is not kept is listed"
    );
    assert_eq!(
        recalled.counts,
        Counts {
            queued: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn what_follows_on_a_lost_try_is_kept_and_the_try_made_up_for() {
    let mut bench = Bench::new();
    let after = bench.after(&[adopted(1), try_ended(1, 2, Fault::Late)]);
    let faults: Vec<_> = after
        .course
        .tries
        .iter()
        .map(|tried| tried.fault.clone())
        .collect();
    assert_eq!(faults.len(), 2);
    assert_eq!(faults[1], Some(Fault::Late));
    let record = Record::TakenUp {
        task: id(1),
        attempt: Attempt(3),
        holder: ours("p"),
    };
    let after = bench.after(&[record]);
    assert_eq!(
        (after.course.tries.len(), after.course.fate.clone()),
        (3, Fate::Leased(Attempt(3)))
    );
    let after = bench.after(&[leased(1, 5, ours("p"))]);
    assert_eq!(after.course.tries.len(), 5);
    assert_eq!(bench.reopen().damage, Vec::<String>::new());
}

#[test]
fn that_something_was_lost_is_known_to_all_later_lives() {
    let mut bench = Bench::new();
    bench.commit(&[adopted(1)]);
    assert!(!bench.reopen().has_lost);
    bench.commit(&[ended(2, done(1))]);
    for _ in 0..2 {
        assert!(bench.reopen().has_lost);
    }
}

#[test]
fn an_adoption_that_is_said_again_tells_where_the_zip_lies_until_that_is_settled() {
    let mut bench = Bench::new();
    let elsewhere = |number| Record::Adopted {
        task: task(1),
        lies: place(number),
    };
    let after = bench.after(&[adopted(1), leased(1, 1, ours("p")), elsewhere(7)]);
    assert_eq!(
        (after.lies, after.course.fate.clone()),
        (place(7), Fate::Leased(Attempt(1)))
    );
    let after = bench.after(&[ended(1, done(1)), settled(1, None), elsewhere(8)]);
    assert_eq!(after.lies, place(7));
    assert_eq!(bench.reopen().tasks.len(), 1);
}

#[test]
fn tasks_beyond_those_that_are_kept_are_read_anew() {
    let mut bench = Bench::new();
    let all = 1..=KEPT_MAX as u128 + 9;
    let said = |record: &dyn Fn(u128) -> Record| all.clone().map(record).collect::<Vec<_>>();
    bench.commit(&said(&adopted));
    bench.commit(&said(&|number| leased(number, 1, ours("p"))));
    bench.commit(&said(&|number| ended(number, done(1))));
    bench.commit(&said(&|number| settled(number, Some("elsewhere.zip"))));
    let found = bench.reopen();
    assert_eq!(found.counts.done, KEPT_MAX as u64 + 9);
    for known in found.tasks {
        assert!(known.settled && known.course.tries.len() == 1);
        assert!(matches!(&known.course.fate, Fate::Done { file, .. } if file == "elsewhere.zip"));
    }
}

#[test]
fn what_a_commit_wrote_that_failed_is_not_taken_for_written() {
    let conflict = Record::Conflict {
        task: id(1),
        attempt: Attempt(1),
        peer: "q".parse().unwrap(),
        sha256: Digest::of(b"other"),
    };
    let mut base = Base::fresh(Connection::open_in_memory().unwrap(), Meta::new()).unwrap();
    let say = |base: &mut Base, sql: &str| base.fill(|on| Ok(on.execute_batch(sql)?)).unwrap();
    let begun = [1, 2].map(|number| [adopted(number), leased(number, 1, ours("p"))]);
    base.write(&begun.concat(), 1).unwrap();
    let refuse = "CREATE TRIGGER no BEFORE INSERT ON result BEGIN SELECT RAISE(ABORT, 'no'); END";
    say(&mut base, refuse);
    let records = [conflict, ended(2, done(1))];
    base.write(&records, 2).unwrap_err();
    say(&mut base, "DROP TRIGGER no");
    base.write(&records, 3).unwrap();
    let known = base.recall().unwrap().tasks;
    assert_eq!(
        (known[0].course.conflicts.len(), &known[1].course.fate),
        (1, &done(1))
    );
}

#[test]
fn a_store_in_memory_takes_records_too() {
    let (mut store, recalled) = SqliteStore::in_memory(Clock::start()).unwrap();
    assert_eq!(recalled.epoch, 1);
    store
        .commit(&[adopted(1), leased(1, 1, ours("p"))])
        .unwrap();
}

#[test]
fn a_store_that_a_crash_left_in_the_middle_of_its_making_is_opened() {
    let mut bench = Bench::new();
    bench.commit(&[adopted(1)]);
    bench.store = None;
    let file = bench.folder.path().join("mutirao.db");
    let writer = Connection::open(&file).unwrap();
    // Pages that do not fit into memory are in the database already, and in the journal as they were.
    writer
        .execute_batch(
            "PRAGMA journal_mode = delete; PRAGMA cache_size = 1; BEGIN; CREATE TABLE half (made BLOB);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
             INSERT INTO half SELECT zeroblob(4000) FROM n",
        )
        .unwrap();
    let crashed = tempfile::tempdir().unwrap();
    for name in ["mutirao.db", "mutirao.db-journal"] {
        let from = bench.folder.path().join(name);
        std::fs::copy(from, crashed.path().join(name)).unwrap();
    }
    let (_, recalled) = SqliteStore::open(crashed.path(), Clock::start()).unwrap();
    assert_eq!(recalled.damage, [""; 0]);
    assert_eq!(recalled.tasks.len(), 1);
}
