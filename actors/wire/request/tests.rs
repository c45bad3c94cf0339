use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::BytesMut;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::{ERROR_CHARS_MAX, Ending, PARTS_MAX, Part, TaskName};
use crate::wire::dialect::answer_to;
use crate::wire::error::WireError;
use crate::wire::report::TaskState;
use crate::wire::scanner::{Caps, Scanner};

fn refusal(message: &str) -> WireError {
    parse_request(message.as_bytes()).unwrap_err()
}

fn request(message: &str) -> Request<'_> {
    parse_request(message.as_bytes()).unwrap().request
}

#[test]
fn an_error_names_the_field_and_what_it_wants() {
    let told = |message: &str| refusal(message).to_string();
    assert_eq!(
        told(r#"{"action":"HEARTBEAT"}"#),
        "the field `peer_id` is missing"
    );
    assert_eq!(
        told(r#"{"action":"HEARTBEAT","peer_id":7}"#),
        "the field `peer_id` must be a string of 1 to 128 printable characters"
    );
    assert_eq!(
        told(r#"{"action":"REGISTER","peer_id":"a","host":"h","port":70000}"#),
        "the field `port` must be a port from 0 to 65535"
    );
    assert_eq!(
        told(r#"{"action":"REGISTER","peer_id":"a","addr":["h"]}"#),
        "the field `addr` must be a list of an address and a port"
    );
    assert_eq!(
        told(r#"{"type":"HEARTBEAT","data":[]}"#),
        "the field `data` must be an object"
    );
    assert_eq!(
        told(r#"{"peer_id":"a"}"#),
        "the message says neither `action` nor `type` nor `status`"
    );
}

#[test]
fn what_a_run_says_went_wrong_is_one_line_and_a_strangers_error_is_none() {
    let ending = |error: &str| {
        let text = format!(
            r#"{{"action":"SUBMIT_RESULT","peer_id":"p","result_name":"a.zip","result_data":"","ending":"exit","exit_code":1,"error":{error}}}"#
        );
        match request(&text) {
            Request::SubmitResult { outcome, .. } => outcome.unwrap().ending.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        ending(r#""KeyError:\n 'x'\u0007""#),
        "exit code 1: KeyError: 'x'"
    );
    assert_eq!(ending("7"), "exit code 1");
    assert_eq!(ending(r#""  ""#), "exit code 1");
    let long = format!("\"{}\"", "x".repeat(999));
    assert_eq!(ending(&long).len(), "exit code 1: ".len() + ERROR_CHARS_MAX);
}

#[test]
fn a_known_field_stands_once_and_an_unknown_one_is_ignored() {
    assert_eq!(
        refusal(r#"{"action":"HEARTBEAT","peer_id":"a","peer_\u0069d":"b"}"#),
        WireError::Twice("peer_id")
    );
    assert_eq!(
        refusal(r#"{"type":"HEARTBEAT","data":{"peer_id":"a","peer_id":"a"}}"#),
        WireError::Twice("peer_id")
    );
    let peer_id = "a".parse().unwrap();
    assert_eq!(
        request(r#"{"x":[{}],"action":"HEARTBEAT","peer_id":"a","x":1}"#),
        Request::Heartbeat { peer_id }
    );
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for message in [
        "",
        "[]",
        "{",
        "{}{}",
        r#"{"action":}"#,
        r#"{"action":"A" "b":1}"#,
    ] {
        assert_eq!(refusal(message).code(), "not_json", "{message}");
    }
    let broken_text = parse_request(b"{\"action\":\"\xff\"}").unwrap_err();
    assert_eq!(broken_text.code(), "not_json");
}

#[test]
fn what_is_inside_the_envelope_wins_over_its_outside() {
    let peer_id = "in".parse().unwrap();
    assert_eq!(
        request(r#"{"type":"HEARTBEAT","peer_id":"out","data":{"peer_id":"in"}}"#),
        Request::Heartbeat { peer_id }
    );
}

#[test]
fn an_unknown_action_is_a_request_and_no_error() {
    let action = Cow::Borrowed("LIST_FILES");
    assert_eq!(
        request(r#"{"action":"LIST_FILES"}"#),
        Request::Unknown { action }
    );
}

#[test]
fn a_refused_request_can_still_be_answered_in_kind() {
    let refused = br#"{"type":"HEARTBEAT","id":4,"data":{}}"#;
    assert!(parse_request(refused).is_err());
    assert_eq!(answer_to(refused), (Dialect::Envelope, Some(4)));
    assert_eq!(answer_to(b"junk"), (Dialect::Flat, None));
}

#[test]
fn a_strangers_fields_with_the_names_of_ours_are_ignored() {
    let register = r#"{"action":"REGISTER","id":"x","peer_id":"a","protocol":"json","slots":{}}"#;
    assert!(matches!(
        parse_request(register.as_bytes()).unwrap(),
        Spoken {
            id: None,
            request: Request::Register { ours: None, .. },
            ..
        }
    ));
    let submit = r#"{"action":"SUBMIT_RESULT","peer_id":"a","result_data":"","task_id":7,"attempt":"first"}"#;
    assert!(matches!(
        request(submit),
        Request::SubmitResult {
            task_id: None,
            attempt: None,
            ..
        }
    ));
}

#[test]
fn a_part_is_a_part_of_a_group_and_there_is_such_a_one() {
    let submit = |words: &str| {
        let message =
            format!(r#"{{"action":"SUBMIT_TASK","task_name":"a.zip","task_data":"UEs=",{words}}}"#);
        parse_request(message.as_bytes()).map(|spoken| match spoken.request {
            Request::SubmitTask { part, .. } => part,
            other => panic!("{other:?}"),
        })
    };
    let said = |words: &str| submit(words).unwrap_err().to_string();
    assert_eq!(submit(r#""group":"a""#), Ok(None));
    let last = submit(r#""group":"a","part":2,"parts":3"#);
    assert_eq!(last, Ok(Part::new(2, 3)));
    assert!(said(r#""group":"a","part":3,"parts":3"#).contains("`parts`"));
    assert!(said(r#""group":"a","part":0,"parts":0"#).contains("from 1 to 1000000"));
    assert!(said(r#""group":"a","part":0,"parts":1000001"#).contains("from 1 to 1000000"));
    assert!(said(r#""group":"a","part":0"#).contains("parts"));
    assert!(said(r#""group":"a","parts":3"#).contains("part"));
    assert!(said(r#""part":0,"parts":3"#).contains("group"));
}

#[test]
fn what_strangers_say_to_people_commands_no_terminal() {
    let submitted = |more: &str| {
        let text = format!(
            r#"{{"action":"SUBMIT_TASK","task_name":"a.zip","task_data":"","group":"a{more}"}}"#
        );
        parse_request(text.as_bytes()).is_ok()
    };
    assert!(submitted("b") && !submitted(r"\u001b[2J"));
    let text = r#"{"action":"CANCEL_GROUP","group":"g","reason":"late \u001b[2J\n\u202ea\u2028gain\u2069"}"#;
    let Request::CancelGroup { reason, .. } = request(text) else {
        panic!("another request");
    };
    assert_eq!(reason.unwrap(), "late [2Jagain");
}

#[test]
fn a_list_of_states_is_no_longer_than_there_are_states() {
    let listed = |times: usize| {
        let states = vec![r#""done""#; times].join(",");
        let text = format!(r#"{{"action":"LIST_TASKS","states":[{states}]}}"#);
        parse_request(text.as_bytes()).is_ok()
    };
    assert!(listed(5) && !listed(6));
}

#[test]
fn how_many_of_a_group_may_run_is_at_least_one_and_said_of_a_group() {
    let submit = |words: &str| {
        let message =
            format!(r#"{{"action":"SUBMIT_TASK","task_name":"a","task_data":"UEs=",{words}}}"#);
        let read = parse_request(message.as_bytes()).map(|_| ());
        read.map_err(|error| error.to_string())
    };
    assert_eq!(submit(r#""group":"a","max_running":1"#), Ok(()));
    let none = submit(r#""group":"a","max_running":0"#).unwrap_err();
    assert!(
        none.contains("`max_running`") && none.contains("from 1"),
        "{none}"
    );
    assert!(submit(r#""max_running":1"#).unwrap_err().contains("group"));
    assert!(submit(r#""after":7"#).unwrap_err().contains("`after`"));
}

#[test]
fn a_payload_is_not_copied_when_it_is_read() {
    let message = r#"{"action":"SUBMIT_RESULT","peer_id":"a","result_data":"UEs="}"#;
    let Request::SubmitResult { result_data, .. } = request(message) else {
        panic!("another request");
    };
    assert_eq!(result_data, Payload::Text(Cow::Borrowed("UEs=")));
    assert!(matches!(result_data, Payload::Text(Cow::Borrowed(_))));
}

#[test]
fn a_payload_is_written_as_base64_without_growing_the_buffer_twice() {
    let zip = vec![7; 100_000];
    let submit = Request::SubmitTask {
        task_name: "a.zip".into(),
        task_data: Payload::Inside(zip.clone().into()),
        sha256: None,
        group: None,
        priority: None,
        time_limit_s: None,
        retries: None,
        max_fails: None,
        part: None,
        after: None,
        max_running: None,
    };
    let message = encode_request(Dialect::Flat, None, &submit);
    assert!(message.capacity() < message.len() + 1024);
    let Request::SubmitTask { task_data, .. } = parse_request(&message).unwrap().request else {
        panic!("another request");
    };
    assert_eq!(task_data.decode().unwrap(), zip);
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    ".{0,20}".prop_map(Cow::Owned)
}

/// Text that is taken as it is where it is shown to people.
fn line() -> impl Strategy<Value = Cow<'static, str>> {
    "[^\\p{Cc}\\p{Cf}\\s]{0,20}".prop_map(Cow::Owned)
}

fn peer() -> impl Strategy<Value = PeerId> {
    "[^\\p{Cc}]{1,20}".prop_map(|id| id.parse().unwrap())
}

fn task() -> impl Strategy<Value = TaskId> {
    any::<u128>().prop_map(|id| TaskId(Uuid::from_u128(id)))
}

fn payload() -> impl Strategy<Value = Payload<'static>> {
    text().prop_map(Payload::Text)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 4]>().prop_map(|bytes| Digest::of(&bytes))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let ending = prop_oneof![
        any::<i32>().prop_map(Ending::Exit),
        (1.., "[a-z]{1,20}").prop_map(|(code, error)| Ending::Raised { code, error }),
        any::<i32>().prop_map(Ending::Signal),
        Just(Ending::TimeLimit),
        Just(Ending::Cancelled),
        line().prop_map(|why| Ending::NotStarted(why.into())),
        line().prop_map(|why| Ending::PeerTrouble(why.into())),
        Just(Ending::Unsaid),
    ];
    let took = any::<u64>().prop_map(Duration::from_millis);
    (ending, took, any::<Option<u64>>()).prop_map(|(ending, took, peak_rss)| Outcome {
        ending,
        took,
        peak_rss,
    })
}

fn offer() -> impl Strategy<Value = PeerOffer<'static>> {
    let capabilities = prop::collection::vec(text(), 0..4);
    let hold = (any::<u128>(), any::<u32>())
        .prop_map(|(task, attempt)| (TaskId(Uuid::from_u128(task)), Attempt(attempt)));
    let holds = prop::collection::vec(hold, 0..3);
    let numbers = (any::<u32>(), any::<u128>(), any::<u32>());
    (numbers, text(), capabilities, holds).prop_map(|(numbers, agent, capabilities, holds)| {
        let (protocol, boot, slots) = numbers;
        PeerOffer {
            protocol,
            agent,
            boot_id: BootId(Uuid::from_u128(boot)),
            slots,
            capabilities,
            holds,
        }
    })
}

fn part() -> impl Strategy<Value = Part> {
    let parts = (any::<prop::sample::Index>(), 1..=PARTS_MAX as usize);
    parts.prop_map(|(number, of)| Part::new(number.index(of) as u32, of as u32).unwrap())
}

fn task_choice() -> impl Strategy<Value = TaskChoice> {
    prop_oneof![
        task().prop_map(TaskChoice::Id),
        "[a-z]{1,9}".prop_map(|name| TaskChoice::Named(TaskName::tamed(&name))),
        Just(TaskChoice::Last),
    ]
}

fn sought() -> impl Strategy<Value = Sought> {
    let states = proptest::sample::subsequence(TaskState::ALL.to_vec(), 0..=5);
    (states, option::of("[a-z]{1,9}"), any::<bool>()).prop_map(|(states, group, single)| Sought {
        states,
        group,
        single,
    })
}

fn any_request() -> impl Strategy<Value = Request<'static>> {
    let address = (text(), any::<u16>()).prop_map(|(host, port)| Address {
        host: Some(host),
        port,
    });
    prop_oneof![
        (peer(), option::of(address), option::of(offer())).prop_map(|(peer_id, address, ours)| {
            Request::Register {
                peer_id,
                address,
                ours,
            }
        }),
        peer().prop_map(|peer_id| Request::Heartbeat { peer_id }),
        (peer(), task(), any::<(u32, bool, u64)>(), text()).prop_map(
            |(peer_id, task_id, (attempt, is_error, offset), printed)| Request::Output {
                peer_id,
                task_id,
                attempt: Attempt(attempt),
                stream: Stream::ALL[usize::from(is_error)],
                offset,
                printed: Payload::Text(printed),
            }
        ),
        (
            peer(),
            any::<Option<u32>>(),
            any::<bool>(),
            any::<Option<u32>>()
        )
            .prop_map(|(peer_id, wait_ms, spare, count)| Request::RequestTask {
                peer_id,
                wait_ms,
                spare,
                count,
            }),
        (
            (peer(), option::of(text()), payload()),
            (option::of(task()), any::<Option<u32>>()),
            (option::of(digest()), option::of(outcome())),
        )
            .prop_map(|(sent, tried, (sha256, outcome))| Request::SubmitResult {
                peer_id: sent.0,
                result_name: sent.1,
                result_data: sent.2,
                task_id: tried.0,
                attempt: tried.1.map(Attempt),
                sha256,
                outcome,
            }),
        peer().prop_map(|peer_id| Request::Leave { peer_id }),
        Just(Request::Status),
        Just(Request::Peers),
        (
            (text(), payload(), option::of(digest())),
            (
                option::of(line()),
                any::<Option<i32>>(),
                any::<[Option<u32>; 3]>(),
                option::of(part()),
                (option::of(task()), any::<Option<NonZeroU32>>())
            ),
        )
            .prop_map(|(sent, wished)| Request::SubmitTask {
                task_name: sent.0,
                task_data: sent.1,
                sha256: sent.2,
                // Only of a group can it be a part, or one of so many.
                group: match (wished.3, wished.4.1) {
                    (None, None) => wished.0,
                    _ => Some(wished.0.unwrap_or("rows".into())),
                },
                priority: wished.1,
                time_limit_s: wished.2[0],
                retries: wished.2[1],
                max_fails: wished.2[2],
                part: wished.3,
                after: wished.4.0,
                max_running: wished.4.1,
            }),
        text().prop_map(|name| Request::OpenGroup { name }),
        (sought(), option::of(task()), any::<Option<u32>>()).prop_map(|(sought, before, limit)| {
            Request::ListTasks {
                sought,
                before,
                limit,
            }
        }),
        (option::of(text()), any::<Option<u32>>())
            .prop_map(|(before, limit)| Request::ListGroups { before, limit }),
        (text(), any::<bool>()).prop_map(|(group, why)| Request::GroupStatus { group, why }),
        text().prop_map(|group| Request::GroupGathered { group }),
        (text(), option::of(line()))
            .prop_map(|(group, reason)| Request::CancelGroup { group, reason }),
        (peer(), any::<bool>()).prop_map(|(peer_id, undo)| Request::DrainPeer { peer_id, undo }),
        task().prop_map(|task_id| Request::RetryTask { task_id }),
        (text(), sought()).prop_map(|(group, sought)| Request::RetryGroup {
            group,
            states: sought.states
        }),
        (sought(), option::of(line()), any::<u32>()).prop_map(|(sought, reason, from)| {
            Request::CancelTasks {
                sought,
                reason,
                from,
            }
        }),
        (sought(), any::<u32>()).prop_map(|(sought, from)| Request::RetryTasks { sought, from }),
        (task_choice(), any::<bool>()).prop_map(|(task, why)| Request::TaskStatus { task, why }),
        task().prop_map(|task_id| Request::FetchResult { task_id }),
        (task(), option::of(line()))
            .prop_map(|(task_id, reason)| Request::CancelTask { task_id, reason }),
        "UNHEARD_[A-Z]{0,9}".prop_map(|word| Request::Unknown {
            action: word.into()
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        enveloped: bool,
        id: Option<u64>,
        request in any_request(),
    ) {
        let dialect = if enveloped { Dialect::Envelope } else { Dialect::Flat };
        let message = encode_request(dialect, id, &request);
        let spoken = parse_request(&message).unwrap();
        prop_assert_eq!(&spoken, &Spoken { dialect, id, request });
        let mut buffer = BytesMut::from(message.as_slice());
        let found = Scanner::new(Caps::REQUESTS).split(&mut buffer).unwrap().unwrap();
        prop_assert!(buffer.is_empty());
        let apart = found.apart();
        prop_assert_eq!(apart.request().unwrap(), spoken);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, key in "[a-z_]{0,9}", value in ".{0,30}") {
        let _ = parse_request(&bytes);
        let _ = answer_to(&bytes);
        let message = format!(r#"{{"action":"REGISTER","peer_id":{value},"{key}":{value}}}"#);
        let _ = parse_request(message.as_bytes());
    }
}
