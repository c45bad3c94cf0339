use std::fs;
use std::path::Path;

use super::*;
use crate::message_file::older;
use crate::trace::filter::{Wanted, When};
use crate::trace::source::Source;

const A: &str = "01930000-0000-7000-8000-00000000000a";
const B: &str = "01930000-0000-7000-8000-00000000000b";
const PEER: &str = "3f2a90bc-0000-4000-8000-000000000001";
const OTHER_PEER: &str = "77777777-0000-4000-8000-000000000002";

/// A letter sent `seq` seconds after noon.
fn letter(seq: u64, route: (&str, &str), kind: &str, cause: Option<u64>, body: &str) -> String {
    let cause = cause.map_or("null".into(), |cause| cause.to_string());
    let (from, to) = route;
    format!(
        r#"{{"v":1,"seq":{seq},"at":"2026-11-22T12:00:{seq:02}Z","moment":{seq}000000,"from":"{from}","to":"{to}","kind":"{kind}","cause":{cause},"dead":false,"body":{body}}}"#
    )
}

/// Two tasks of which one is handed out under another name, by two peers that take turns.
fn two_tasks() -> String {
    let asks = |peer: &str, n: u32| {
        format!(
            r#"{{"endpoint":{{"peer":"{peer}"}},"reply":{{"session":"peer_session#{n}","request":1}}}}"#
        )
    };
    let offer = |task: &str, name: &str| {
        format!(r#"{{"request":1,"offer":{{"task":"{task}","attempt":1,"name":"{name}"}}}}"#)
    };
    let (one, two) = ("peer_session#1", "peer_session#2");
    let (desk, folders) = ("scheduler", "folders");
    let log = [
        letter(
            1,
            (folders, desk),
            "TaskArrived",
            None,
            &format!(r#"{{"task":{{"id":"{A}","name":"exemplo.zip"}}}}"#),
        ),
        letter(
            2,
            (folders, desk),
            "TaskArrived",
            None,
            &format!(r#"{{"task":{{"id":"{B}","name":"other.zip"}}}}"#),
        ),
        letter(3, (one, desk), "TaskRequested", None, &asks(PEER, 1)),
        letter(4, (two, desk), "TaskRequested", None, &asks(OTHER_PEER, 2)),
        letter(
            5,
            (desk, one),
            "TaskOffered",
            Some(3),
            &offer(A, "exemplo.7.zip"),
        ),
        letter(
            6,
            (desk, two),
            "TaskOffered",
            Some(4),
            &offer(B, "other.zip"),
        ),
        letter(
            7,
            (one, folders),
            "LoadTask",
            Some(5),
            &format!(r#"{{"task":"{A}"}}"#),
        ),
        letter(
            8,
            (folders, one),
            "PayloadLoaded",
            Some(7),
            r#"{"request":1,"archive":"5 bytes sha256:00"}"#,
        ),
        letter(
            9,
            (two, desk),
            "ResultSubmitted",
            None,
            r#"{"claim":{"attempt":null,"name":"other.zip"}}"#,
        ),
        letter(
            10,
            (one, desk),
            "ResultSubmitted",
            None,
            r#"{"claim":{"attempt":null,"name":"exemplo.7.zip"}}"#,
        ),
        letter(
            11,
            (desk, folders),
            "KeepResult",
            Some(10),
            &format!(r#"{{"task":"{A}","name":"exemplo.zip","attempt":1}}"#),
        ),
        letter(
            12,
            (desk, one),
            "ResultAnswered",
            Some(11),
            r#"{"request":2,"verdict":"taken"}"#,
        ),
    ];
    log.join("\n") + "\n"
}

fn shown(log: &str, form: Form, wanted: Wanted, task: Option<&str>) -> (String, u64) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    fs::write(&file, log).unwrap();
    let mut out = Vec::new();
    let mut view = View::new(
        look(form, false),
        Filter::new(wanted),
        task.map(Story::of),
        &mut out,
    );
    view.show(&mut Source::open(&file).unwrap(), || false)
        .unwrap();
    let torn = view.torn();
    (String::from_utf8(out).unwrap(), torn)
}

fn look(form: Form, live: bool) -> Look {
    Look {
        form,
        zone: TimeZone::UTC,
        width: None,
        live,
    }
}

fn numbers(json_lines: &str) -> Vec<u64> {
    let seq = |line: &str| match Line::read(line.as_bytes()).unwrap() {
        Line::Letter(record) => record.seq,
        other => panic!("no letter: {other:?}"),
    };
    json_lines.lines().map(seq).collect()
}

#[test]
fn a_filter_shows_what_it_is_asked_for() {
    let some = |text: &str| Some(text.to_owned());
    let at = |second| format!("2026-11-22T12:00:{second:02}Z").parse().ok();
    let wanted = Wanted::default;
    let table: [(Wanted, &[u64]); 8] = [
        (wanted(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (
            Wanted {
                actor: some("peer_session"),
                ..wanted()
            },
            &[3, 4, 5, 6, 7, 8, 9, 10, 12],
        ),
        (
            Wanted {
                actor: some("peer_session#2"),
                ..wanted()
            },
            &[4, 6, 9],
        ),
        (
            Wanted {
                actor: some("peer"),
                ..wanted()
            },
            &[],
        ),
        (
            Wanted {
                kind: some("TaskOffered"),
                ..wanted()
            },
            &[5, 6],
        ),
        (
            Wanted {
                peer: some("3f2a"),
                ..wanted()
            },
            &[3, 5, 7, 8, 10, 12],
        ),
        (
            Wanted {
                since: at(3),
                until: at(6),
                ..wanted()
            },
            &[3, 4, 5],
        ),
        (
            Wanted {
                peer: some("3f2a"),
                kind: some("TaskOffered"),
                ..wanted()
            },
            &[5],
        ),
    ];
    for (wanted, numbers_wanted) in table {
        let (json, _) = shown(&two_tasks(), Form::Json, wanted.clone(), None);
        assert_eq!(numbers(&json), numbers_wanted, "{wanted:?}");
    }
}

#[test]
fn a_session_that_asks_about_a_peer_is_not_the_peers() {
    let log = [
        letter(
            1,
            ("peer_session#9", "registry"),
            "DescribePeer",
            None,
            &format!(r#"{{"peer":"{PEER}"}}"#),
        ),
        letter(2, ("peer_session#9", "registry"), "ListPeers", None, "{}"),
    ];
    let peer = Some("3f2a".to_owned());
    let (json, _) = shown(
        &log.join("\n"),
        Form::Json,
        Wanted {
            peer,
            ..Wanted::default()
        },
        None,
    );
    assert_eq!(numbers(&json), [1]);
}

#[test]
fn a_time_is_typed_as_a_time_or_as_how_long_ago() {
    let now = "2026-11-22T14:30:00-03:00[-03:00]".parse().unwrap();
    let table = [
        ("10m", "2026-11-22T17:20:00Z"),
        ("1d", "2026-11-21T17:30:00Z"),
        ("14:05", "2026-11-22T17:05:00Z"),
        ("2026-11-20 14:05", "2026-11-20T17:05:00Z"),
        ("2026-11-20T14:05:00Z", "2026-11-20T14:05:00Z"),
    ];
    for (typed, meant) in table {
        let when: When = typed.parse().unwrap();
        assert_eq!(when.before(&now).unwrap().to_string(), meant, "{typed}");
    }
    for typed in ["", "soon", "-10m", "25:00"] {
        assert!(typed.parse::<When>().is_err(), "{typed}");
    }
}

#[test]
fn a_story_tells_the_whole_way_of_one_task_and_of_no_other() {
    let way = [1, 3, 5, 7, 8, 10, 11, 12];
    for asked in [
        A,
        "exemplo.zip",
        "exemplo",
        "exemplo.7.zip",
        "0000000a",
        "…0000000a",
    ] {
        let (json, _) = shown(&two_tasks(), Form::Json, Wanted::default(), Some(asked));
        let expected = match asked {
            // Under the name that it was handed out with it is known only from then on.
            "exemplo.7.zip" => &way[1..],
            _ => &way,
        };
        assert_eq!(numbers(&json), expected, "{asked}");
    }
}

#[test]
fn a_story_stands_below_its_causes() {
    let (text, _) = shown(&two_tasks(), Form::Text, Wanted::default(), Some("exemplo"));
    let expected = "\
12:00:01.000       1  folders → scheduler               TaskArrived  task=…0000000a name=exemplo.zip
12:00:03.000       3  peer_session#1 → scheduler        TaskRequested  peer=3f2a90bc
12:00:05.000       5    scheduler → peer_session#1        TaskOffered  task=…0000000a name=exemplo.7.zip attempt=1
12:00:07.000       7      peer_session#1 → folders          LoadTask  task=…0000000a
12:00:08.000       8        folders → peer_session#1          PayloadLoaded
12:00:10.000      10  peer_session#1 → scheduler        ResultSubmitted  name=exemplo.7.zip
12:00:11.000      11    scheduler → folders               KeepResult  task=…0000000a name=exemplo.zip attempt=1
12:00:12.000      12      scheduler → peer_session#1        ResultAnswered  verdict=taken
";
    assert_eq!(text, expected);
}

#[test]
fn a_name_belongs_to_the_task_that_it_was_given_to_last() {
    let offer = |seq, task| {
        let body = format!(r#"{{"offer":{{"task":"{task}","attempt":1,"name":"same.zip"}}}}"#);
        letter(
            seq,
            ("scheduler", "peer_session#1"),
            "TaskOffered",
            None,
            &body,
        )
    };
    let submitted = |seq| {
        let body = r#"{"claim":{"attempt":null,"name":"same.zip"}}"#;
        letter(
            seq,
            ("peer_session#1", "scheduler"),
            "ResultSubmitted",
            None,
            body,
        )
    };
    let log = [offer(1, A), submitted(2), offer(3, B), submitted(4)].join("\n");
    let (json, _) = shown(&log, Form::Json, Wanted::default(), Some(A));
    assert_eq!(numbers(&json), [1, 2]);
    let (json, _) = shown(&log, Form::Json, Wanted::default(), Some("same.zip"));
    assert_eq!(numbers(&json), [1, 2, 3, 4]);
}

#[test]
fn numbers_of_another_run_are_no_causes() {
    let started = r#"{"v":1,"kind":"RunStarted","program":"mutirao 0.1.0"}"#;
    let asked = letter(
        1,
        ("peer_session#1", "scheduler"),
        "TaskRequested",
        None,
        "{}",
    );
    let offered = letter(
        2,
        ("scheduler", "peer_session#1"),
        "TaskOffered",
        Some(1),
        &format!(r#"{{"offer":{{"task":"{A}"}}}}"#),
    );
    let log = [started, &asked, started, &offered].join("\n");
    let (json, _) = shown(&log, Form::Json, Wanted::default(), Some(A));
    assert_eq!(numbers(&json), [2]);
}

#[test]
fn a_story_becomes_a_diagram_for_mermaid() {
    let (mermaid, _) = shown(
        &two_tasks(),
        Form::Mermaid,
        Wanted::default(),
        Some("exemplo"),
    );
    let expected = "\
sequenceDiagram
    participant a0 as folders
    participant a1 as scheduler
    participant a2 as peer_session#35;1
    a0->>a1: TaskArrived task=…0000000a name=exemplo.zip
    a2->>a1: TaskRequested peer=3f2a90bc
    a1->>a2: TaskOffered task=…0000000a name=exemplo.7.zip attempt=1
    a2->>a0: LoadTask task=…0000000a
    a0->>a2: PayloadLoaded
    a2->>a1: ResultSubmitted name=exemplo.7.zip
    a1->>a0: KeepResult task=…0000000a name=exemplo.zip attempt=1
    a1->>a2: ResultAnswered verdict=taken
";
    assert_eq!(mermaid, expected);
}

#[test]
fn a_diagram_in_text_shows_the_dead_the_lonely_and_the_gaps() {
    let dead = letter(
        3,
        ("scheduler", "peer_session#1"),
        "AttemptCancelled",
        None,
        "{}",
    )
    .replace(r#""dead":false"#, r#""dead":true"#);
    let log = [
        letter(1, ("folders", "scheduler"), "TaskArrived", None, "{}"),
        letter(2, ("folders", "folders"), "Swept", None, "{}"),
        r#"{"v":1,"kind":"LinesLost","lost":4}"#.into(),
        dead,
        letter(4, ("peer_session#1", "folders"), "LoadTask", None, "{}"),
    ];
    let (ascii, _) = shown(&log.join("\n"), Form::Ascii, Wanted::default(), None);
    let expected = "
               folders         scheduler          peer_session#1
12:00:01.000      |--TaskArrived-->|                     |
12:00:02.000      o Swept          |                     |
              ---- 4 letters are missing here ----
12:00:03.000      |                |--AttemptCancelled--x|
12:00:04.000      |<--------------LoadTask---------------|
";
    assert_eq!(format!("\n{ascii}"), expected);
}

#[test]
fn a_diagram_says_what_it_does_not_draw() {
    let register = |seq| {
        let from = format!("peer_session#{seq}");
        letter(seq, (&from, "registry"), "PeerRegistered", None, "{}")
    };
    let log: Vec<_> = (1..=20).map(register).collect();
    for form in [Form::Ascii, Form::Mermaid] {
        let (diagram, _) = shown(&log.join("\n"), form, Wanted::default(), None);
        assert!(diagram.contains("peer_session#") && !diagram.contains("peer_session#12"));
        assert!(
            diagram.contains("9 more letters are not drawn"),
            "{diagram}"
        );
    }
}

#[test]
fn a_torn_line_is_skipped_and_counted() {
    let log = format!("{}{{\"v\":1,\"seq\":13,\"at\":\"20", two_tasks());
    let (json, torn) = shown(&log, Form::Json, Wanted::default(), None);
    assert_eq!((numbers(&json).len(), torn), (12, 1));
}

#[test]
fn an_unknown_version_is_refused_by_its_number() {
    let newer = two_tasks().replace(r#""v":1"#, r#""v":2"#);
    let error = Line::read(newer.lines().next().unwrap().as_bytes()).unwrap_err();
    assert!(matches!(error, TraceError::Version { found: 2, known: 1 }));
    assert!(
        error
            .to_string()
            .contains("use the version of mutirao that wrote it")
    );
}

#[test]
fn a_missing_log_names_the_command_that_writes_it() {
    let error = Source::open(Path::new("no/messages.jsonl")).unwrap_err();
    assert!(error.to_string().contains("`mutirao master`"), "{error}");
}

#[test]
fn what_a_peer_calls_itself_does_not_command_the_terminal() {
    let log = letter(
        1,
        ("a", "b"),
        "PeerHeard",
        None,
        r#"{"peer":"\u001b[2Jhello"}"#,
    );
    let (text, _) = shown(&log, Form::Text, Wanted::default(), None);
    assert!(text.contains("peer=\u{fffd}[2Jhello"), "{text}");
}

/// What is shown by a view that follows the log while these steps change it, one at each wait.
fn followed(dir: &Path, task: Option<&str>, steps: Vec<Box<dyn FnOnce()>>) -> String {
    let mut steps = steps.into_iter();
    let mut out = Vec::new();
    let story = task.map(Story::of);
    let mut view = View::new(look(Form::Json, true), Filter::default(), story, &mut out);
    let mut source = Source::open(&dir.join("messages.jsonl")).unwrap();
    view.show(&mut source, || steps.next().map(|step| step()).is_some())
        .unwrap();
    String::from_utf8(out).unwrap()
}

fn append(file: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn following_survives_rotation_and_half_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    let line = |seq| letter(seq, ("a", "b"), "K", None, "{}") + "\n";
    append(&file, &line(1));
    append(&file, &line(2));
    let half = line(4);
    let (head, tail) = (half[..30].to_owned(), half[30..].to_owned());
    let at = |step: Box<dyn FnOnce(&Path)>| -> Box<dyn FnOnce()> {
        let file = file.clone();
        Box::new(move || step(&file))
    };
    let steps = vec![
        at(Box::new(move |file| append(file, &(line(3) + &head)))),
        at(Box::new(move |file| append(file, &tail))),
        at(Box::new(move |file| {
            append(file, &line(5));
            rotate(file);
            append(file, &line(6));
        })),
        at(Box::new(move |file| {
            append(file, &line(7));
            rotate(file);
            append(file, &line(8));
            rotate(file);
        })),
        at(Box::new(move |file| append(file, line(9).split_at(40).0))),
        at(Box::new(move |file| append(file, line(9).split_at(40).1))),
    ];
    let json = followed(dir.path(), None, steps);
    assert_eq!(numbers(&json), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

/// Moves the files on as the writer does.
fn rotate(file: &Path) {
    for age in [2, 1] {
        if older(file, age).exists() {
            fs::rename(older(file, age), older(file, age + 1)).unwrap();
        }
    }
    fs::rename(file, older(file, 1)).unwrap();
}

#[test]
fn a_reader_that_was_overtaken_goes_on_with_the_oldest_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    let line = |seq| letter(seq, ("a", "b"), "K", None, "{}") + "\n";
    append(&file, &line(1));
    let overtaken = file.clone();
    let overtake = move || {
        for seq in 2..=5 {
            rotate(&overtaken);
            append(&overtaken, &line(seq));
        }
    };
    let json = followed(dir.path(), None, vec![Box::new(overtake)]);
    assert_eq!(numbers(&json), [1, 2, 3, 4, 5]);
}

#[test]
fn older_files_are_read_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    let line = |seq| letter(seq, ("a", "b"), "K", None, "{}") + "\n";
    append(&older(&file, 2), &line(1));
    append(&older(&file, 1), &line(2));
    append(&file, &line(3));
    let json = followed(dir.path(), None, Vec::new());
    assert_eq!(numbers(&json), [1, 2, 3]);
}

#[test]
fn a_story_that_is_followed_is_told_as_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.jsonl");
    let log = two_tasks();
    let (first, later) = log.split_at(log.match_indices('\n').nth(5).unwrap().0 + 1);
    append(&file, first);
    let later = later.to_owned();
    let growing = file.clone();
    let json = followed(
        dir.path(),
        Some("exemplo"),
        vec![Box::new(move || append(&growing, &later))],
    );
    assert_eq!(numbers(&json), [1, 3, 5, 7, 8, 10, 11, 12]);
}
