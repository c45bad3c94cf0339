//! How tasks stood at a time, and what an older or a newer program wrote.

use jiff::Timestamp;
use mutirao_actors::logic::ledger::State;

use super::*;
use crate::store::FOLDER;
use crate::store::export::export;
use crate::store::past::Past;

/// A master's folder, and its database with these records, each batch at its time.
fn written(batches: &[(i64, &[Record])]) -> TempDir {
    let home = folder();
    let store = home.path().join(FOLDER);
    drop(SqliteStore::open(&store, Clock::start()).unwrap());
    let mut base = Base::known(&store.join("mutirao.db"), true).unwrap();
    base.recall().unwrap();
    for (at, records) in batches {
        base.write(records, *at).unwrap();
    }
    home
}

/// The state of the task of this number at this time, and the fault of its first try.
fn stood(home: &TempDir, number: u128, at: i64) -> (State, Option<Fault>) {
    let at = Timestamp::from_millisecond(at).unwrap();
    let past = Past::open(home.path(), at).unwrap();
    let entry = past.one(id(number)).unwrap().unwrap();
    let first = entry.story.tries.first();
    let fault = first.and_then(|tried| tried.fault.clone());
    (entry.story.state.clone(), fault)
}

#[test]
fn a_task_had_ended_at_the_time_though_it_was_tried_again_since() {
    let (fault, why) = (Fault::Run(Ending::Exit(1)), "exit code 1".to_owned());
    let failed = Fate::Failed {
        why: why.clone(),
        output: Some((submitted(1, Some(fault.clone())), "failed/a.zip".into())),
    };
    let cancelled = Fate::Cancelled { why: why.clone() };
    let retried = |number| [Record::Retried { task: id(number) }, adopted(number)];
    let home = written(&[
        (100, &[adopted(1), leased(1, 1, ours("a"))]),
        (100, &[adopted(2), leased(2, 1, ours("a"))]),
        (200, &[try_ended(1, 1, fault.clone()), ended(1, failed)]),
        (200, &[ended(2, cancelled)]),
        (300, &retried(1)),
        (300, &retried(2)),
        (400, &[leased(1, 2, ours("b")), ended(1, done(2))]),
    ]);
    let is_leased = |state: &State| state.lease().is_some();
    let (state, nothing) = stood(&home, 1, 150);
    assert!(is_leased(&state) && nothing.is_none(), "{state:?}");
    let output = None;
    let had_failed = State::Failed {
        why: why.clone(),
        output,
    };
    assert_eq!(stood(&home, 1, 250), (had_failed, Some(fault.clone())));
    let forgiven = Some(fault.forgiven());
    assert_eq!(stood(&home, 1, 350), (State::Waiting, forgiven));
    assert!(matches!(stood(&home, 1, 400).0, State::Done { .. }));
    assert!(is_leased(&stood(&home, 2, 150).0));
    assert_eq!(stood(&home, 2, 250).0, State::Cancelled { why });
    assert_eq!(stood(&home, 2, 350).0, State::Waiting);
}

#[test]
fn an_export_tells_how_a_task_had_ended_before_it_was_tried_again() {
    let cancelled = |why: &str| {
        let why = why.to_owned();
        ended(1, Fate::Cancelled { why })
    };
    let retried = [Record::Retried { task: id(1) }, adopted(1)];
    let home = written(&[
        (100, &[adopted(1), adopted(2)]),
        (200, &[cancelled("too early")]),
        (300, &retried),
        (400, &[cancelled("too late")]),
        (500, &retried),
    ]);
    let mut told = Vec::new();
    let unread = export(home.path(), |task| {
        told.push(serde_json::to_value(task).unwrap());
        true
    });
    assert_eq!(unread.unwrap(), 0);
    let end = |reason, ended: u8, opened: u8| {
        serde_json::json!({
            "state": "cancelled",
            "reason": reason,
            "ended_at": format!("1970-01-01T00:00:00.{ended}Z"),
            "opened_at": format!("1970-01-01T00:00:00.{opened}Z"),
        })
    };
    let ends = serde_json::json!([end("too early", 2, 3), end("too late", 4, 5)]);
    assert_eq!(told[0]["earlier_ends"], ends);
    assert_eq!(told[1]["earlier_ends"], serde_json::json!([]));
}

#[test]
fn what_an_older_program_wrote_is_read_and_brought_up_to_date() {
    let home = written(&[(100, &[adopted(1)])]);
    let file = home.path().join(FOLDER).join("mutirao.db");
    let older = Connection::open(&file).unwrap();
    older
        .execute_batch(
            "DROP VIEW earlier_ends; DROP TABLE earlier_end; PRAGMA user_version = 1; \
             DELETE FROM refinery_schema_history WHERE version > 1",
        )
        .unwrap();
    drop(older);
    assert_eq!(stood(&home, 1, 150).0, State::Waiting);
    assert_eq!(export(home.path(), |_| true).unwrap(), 0);
    let store = home.path().join(FOLDER);
    let (mut store, recalled) = SqliteStore::open(&store, Clock::start()).unwrap();
    assert_eq!((recalled.damage.len(), recalled.tasks.len()), (0, 1));
    let why = "no".to_owned();
    let records = [
        ended(1, Fate::Cancelled { why }),
        Record::Retried { task: id(1) },
    ];
    store.commit(&records).unwrap();
}

#[test]
fn a_store_of_a_newer_program_is_refused_and_left_alone() {
    let mut bench = Bench::new();
    bench.commit(&[adopted(1)]);
    bench.store = None;
    let file = bench.folder.path().join("mutirao.db");
    let newer = Connection::open(&file).unwrap();
    newer
        .execute_batch(
            "PRAGMA user_version = 999; INSERT INTO refinery_schema_history \
             SELECT 999, name, applied_on, checksum FROM refinery_schema_history LIMIT 1",
        )
        .unwrap();
    drop(newer);
    let before = std::fs::read(&file).unwrap();
    let error = SqliteStore::open(bench.folder.path(), Clock::start()).unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 999, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("start that one again"),
        "{error}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
