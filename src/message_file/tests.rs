use std::fs;
use std::sync::mpsc::Receiver;

use actix::{Actor as _, Addr, Context, Handler};
use mutirao_actors::clock::Clock;
use mutirao_actors::message_log::{Cause, Line as Told, Name};
use mutirao_actors::model::Archive;
use mutirao_actors::port::{Ear as Hearing, Hears, Letter, Port};

use super::*;
use crate::trace::record::{Line, Record};

#[derive(Debug, Serialize)]
struct ParcelArrived {
    name: &'static str,
    archive: Archive,
}

struct Ear;

impl actix::Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Letter<ParcelArrived>> for Ear {
    type Result = ();

    fn handle(&mut self, letter: Letter<ParcelArrived>, _: &mut Context<Self>) {
        letter.open();
    }
}

struct Inbox(Addr<Ear>);

impl Hears<ParcelArrived> for Inbox {
    fn ear(&self) -> &dyn Hearing<ParcelArrived> {
        &self.0
    }
}

fn port(log: &MessageLog) -> Port<Inbox> {
    let inbox = Inbox(Ear.start());
    let session = Name::numbered("peer_session", 3);
    Port::new(log.clone(), session, Name::one("folders"), inbox)
}

fn parcel() -> ParcelArrived {
    ParcelArrived {
        name: "exemplo.zip",
        archive: Archive::new("a ZIP"),
    }
}

fn lines(file: &Path) -> Vec<Line> {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| Line::read(line.as_bytes()).unwrap())
        .collect()
}

fn letter(line: &Line) -> &Record {
    match line {
        Line::Letter(record) => record,
        other => panic!("no letter: {other:?}"),
    }
}

fn lost(lines: &[Line]) -> u64 {
    let lost = lines.iter().map(|line| match line {
        Line::Marker(Marker::LinesLost { lost }) => *lost,
        _ => 0,
    });
    lost.sum()
}

fn letters(lines: &[Line]) -> u64 {
    lines
        .iter()
        .filter(|line| matches!(line, Line::Letter(_)))
        .count() as u64
}

fn queue(room: usize) -> (Tail, Receiver<Entry>) {
    let (entries, queue) = sync_channel(room);
    let lost = Arc::default();
    (Tail { entries, lost }, queue)
}

/// The first lines of a log.
fn told(count: usize) -> Vec<Told> {
    actix_rt::System::new().block_on(async {
        let log = MessageLog::new(Clock::start(), None);
        let port = port(&log);
        (0..count).for_each(|_| port.tell(parcel(), Cause::OUTSIDE));
        log.recent()
    })
}

#[actix_rt::test]
async fn a_letter_comes_back_as_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = MessageFile::start(dir.path()).unwrap();
    let log = MessageLog::new(Clock::start(), Some(file.sink()));
    let port = port(&log);
    port.tell(parcel(), Cause::OUTSIDE);
    port.tell(parcel(), Cause::from(1));
    file.close();
    let lines = lines(&dir.path().join(FILE_NAME));
    assert!(matches!(lines[0], Line::Marker(Marker::RunStarted { .. })));
    let (first, second) = (letter(&lines[1]), letter(&lines[2]));
    assert_eq!((first.seq, first.cause, first.dead), (1, None, false));
    assert_eq!((second.seq, second.cause), (2, Some(1)));
    assert_eq!((&*first.from, &*first.to), ("peer_session#3", "folders"));
    assert_eq!(first.kind, "ParcelArrived");
    assert_eq!(
        first.body.get(),
        serde_json::to_string(&parcel()).unwrap(),
        "the body is the message itself, its archive shown by size and hash"
    );
    assert!(first.body.get().contains("5 bytes sha256:"));
}

#[actix_rt::test]
async fn a_run_that_did_not_log_leaves_its_ring() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE_NAME);
    fs::write(&file, "an older run\n").unwrap();
    let log = MessageLog::new(Clock::start(), None);
    let port = port(&log);
    for _ in 0..RING_MAX + 3 {
        port.tell(parcel(), Cause::OUTSIDE);
    }
    leave(dir.path(), &log).unwrap();
    assert_eq!(
        fs::read_to_string(older(&file, 1)).unwrap(),
        "an older run\n"
    );
    let lines = lines(&file);
    assert!(matches!(lines[0], Line::Marker(Marker::RunStarted { .. })));
    assert_eq!(
        lost(&lines[..2]),
        3,
        "what the ring had dropped is said first"
    );
    assert_eq!(letter(&lines[2]).seq, 4);
    assert_eq!(letters(&lines), RING_MAX as u64);
}

#[test]
fn lines_that_find_no_room_are_counted_where_they_are_missing() {
    let (tail, queue) = queue(2);
    let told = told(6);
    told.iter().take(5).for_each(|line| tail.take(line.clone()));
    let taken: Vec<_> = queue.try_iter().collect();
    assert!(matches!(&taken[..], [Entry::Line(_), Entry::Line(_)]));
    tail.take(told[5].clone());
    let taken: Vec<_> = queue.try_iter().collect();
    assert!(matches!(&taken[..], [Entry::Lost(3), Entry::Line(_)]));
}

#[test]
fn every_line_is_written_or_said_to_be_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (tail, queue) = queue(2);
    told(5).into_iter().for_each(|line| tail.take(line));
    let lost_now = Arc::clone(&tail.lost);
    drop(tail);
    Writer::new(Files::new(dir.path(), Limits::default())).run(&queue, &lost_now);
    let lines = lines(&dir.path().join(FILE_NAME));
    assert_eq!((letters(&lines), lost(&lines)), (2, 3));
}

#[test]
fn a_failing_disk_is_waited_for_and_what_is_missing_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("log");
    fs::write(&folder, "a file where the folder should be").unwrap();
    let mut writer = Writer::new(Files::new(&folder, Limits::default()));
    let told = told(4);
    for line in &told[..3] {
        writer.batch.push(line);
        writer.write();
    }
    assert!(writer.failing);
    fs::remove_file(&folder).unwrap();
    writer.batch.push(&told[3]);
    writer.write();
    assert!(!writer.failing);
    let lines = lines(&folder.join(FILE_NAME));
    assert!(matches!(lines[0], Line::Marker(Marker::RunStarted { .. })));
    assert_eq!(lost(&lines), 3);
    assert_eq!(letter(&lines[2]).seq, 4);
}

#[test]
fn files_never_grow_beyond_their_bound_and_only_so_many_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        file_max: 1000,
        files_max: 3,
    };
    let mut files = Files::new(dir.path(), limits);
    for line in told(100) {
        files.append(format!("{line}\n").as_bytes()).unwrap();
    }
    let mut found: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    found.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = found.iter().map(fs::DirEntry::file_name).collect();
    assert_eq!(
        names,
        ["messages.1.jsonl", "messages.2.jsonl", "messages.jsonl"]
    );
    assert!(
        found
            .iter()
            .all(|file| file.metadata().unwrap().len() <= 1000)
    );
    let newest = lines(&dir.path().join(FILE_NAME));
    let older = lines(&older(&dir.path().join(FILE_NAME), 1));
    assert_eq!(letter(newest.last().unwrap()).seq, 100);
    assert_eq!(
        letter(older.last().unwrap()).seq + 1,
        letter(&newest[0]).seq
    );
}

#[test]
fn a_line_that_a_crash_has_torn_is_ended_before_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE_NAME);
    let told = told(1);
    fs::write(&file, format!("{}\n{{\"v\":1,\"seq\":2,", told[0])).unwrap();
    let running = MessageFile::start(dir.path()).unwrap();
    running.sink().take(told[0].clone());
    running.close();
    let lines = lines(&file);
    assert_eq!(letters(&lines), 2);
    assert!(matches!(lines[1], Line::Torn));
    assert!(matches!(lines[2], Line::Marker(Marker::RunStarted { .. })));
}
