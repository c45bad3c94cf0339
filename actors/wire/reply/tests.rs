use std::borrow::Cow;

use bytes::BytesMut;
use jiff::Timestamp;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::TaskName;
use crate::wire::report::{TaskReport, TaskState};
use crate::wire::scanner::{Caps, Scanner};

fn written(dialect: Dialect, reply: &Reply<'_>) -> String {
    String::from_utf8(encode_reply(dialect, None, reply)).unwrap()
}

#[test]
fn a_report_is_embedded_as_it_is() {
    let reply = Reply::report(&vec!["a\nb"]);
    let message = encode_reply(Dialect::Flat, Some(1), &reply);
    assert_eq!(message, br#"{"status":"REPORT","id":1,"report":["a\nb"]}"#);
    assert_eq!(parse_reply(&message).unwrap().reply, reply);
}

#[test]
fn an_error_toward_a_stranger_has_only_the_words_of_its_dialect() {
    let error = Reply::Error {
        message: "no".into(),
        code: None,
    };
    let told = [Dialect::Flat, Dialect::Envelope, Dialect::SuperPeer].map(|d| written(d, &error));
    assert_eq!(
        told,
        [
            r#"{"status":"ERROR","message":"no"}"#,
            r#"{"type":"ERROR","data":{"error":"no"}}"#,
            r#"{"status":"error","message":"no"}"#,
        ]
    );
}

#[test]
fn an_error_without_a_reason_is_an_error_still() {
    let error = parse_reply(br#"{"status":"ERROR"}"#).unwrap().reply;
    assert!(matches!(error, Reply::Error { code: None, .. }));
}

#[test]
fn half_a_task_is_an_error_that_names_the_other_half() {
    let refused = parse_reply(br#"{"action":"TASK_PACKAGE","task_name":"a.zip"}"#);
    let error = refused.unwrap_err().to_string();
    assert_eq!(error, "the field `task_data` is missing");
}

#[test]
fn the_first_word_that_we_know_decides() {
    let reply = parse_reply(br#"{"action":"HEARTBEAT_ACK","status":"ALIVE"}"#);
    assert_eq!(reply.unwrap().reply, Reply::Alive);
    let reply = parse_reply(br#"{"action":"HELLO","status":"WORLD"}"#).unwrap();
    let word = Cow::Borrowed("HELLO");
    assert_eq!(reply.reply, Reply::Unknown { word });
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    ".{0,20}".prop_map(Cow::Owned)
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

fn welcome() -> impl Strategy<Value = Welcome<'static>> {
    let capabilities = prop::collection::vec(text(), 0..4);
    let numbers = (any::<u32>(), any::<u64>(), any::<u32>());
    (numbers, any::<u128>(), capabilities).prop_map(|(numbers, master, capabilities)| Welcome {
        protocol: numbers.0,
        master_id: Uuid::from_u128(master),
        epoch: numbers.1,
        heartbeat_s: numbers.2,
        capabilities,
    })
}

fn lease() -> impl Strategy<Value = Lease> {
    let numbers = any::<(u32, Option<u64>, u32)>();
    (task(), digest(), numbers).prop_map(|(task_id, sha256, (attempt, time_limit_ms, more))| {
        Lease {
            task_id,
            attempt: Attempt(attempt),
            sha256,
            time_limit_ms,
            more,
        }
    })
}

fn task_report() -> impl Strategy<Value = TaskReport> {
    let reason = option::of(".{0,20}");
    (task(), "\\PC{1,20}", any::<u32>(), reason).prop_map(|(task_id, name, attempts, reason)| {
        TaskReport {
            task_id,
            task_name: TaskName::tamed(&name),
            state: TaskState::Failed,
            peer: None,
            attempts,
            reason,
            result_file: None,
            took_ms: Some(1),
            submitted_at: task_id.given_at(),
            started_at: None,
            ended_at: Some(Timestamp::UNIX_EPOCH),
            group: Some("rows".into()),
            part: Some(attempts),
            parts: Some(9),
            tries: Vec::new(),
            conflicts: Vec::new(),
            why: Some(Box::default()),
        }
    })
}

fn any_reply() -> impl Strategy<Value = Reply<'static>> {
    prop_oneof![
        option::of(welcome()).prop_map(|ours| Reply::Registered { ours }),
        Just(Reply::Alive),
        Just(Reply::NoTask),
        (text(), payload(), option::of(lease())).prop_map(|(task_name, task_data, ours)| {
            Reply::TaskPackage {
                task_name,
                task_data,
                ours,
            }
        }),
        Just(Reply::Ok),
        text().prop_map(|group| Reply::GroupOpen { group }),
        (text(), option::of(text())).prop_map(|(message, code)| Reply::Error { message, code }),
        prop::collection::vec(text(), 0..4).prop_map(Reply::Peers),
        (text(), text(), any::<u16>()).prop_map(|(peer_id, peer_ip, peer_port)| {
            Reply::PeerInfo {
                peer_id,
                peer_ip,
                peer_port,
            }
        }),
        Just(Reply::Left),
        prop::collection::vec(".{0,9}", 0..4).prop_map(|value| Reply::report(&value)),
        (task(), text()).prop_map(|(task_id, task_name)| Reply::Accepted { task_id, task_name }),
        task_report().prop_map(Reply::TaskState),
        (text(), payload(), digest()).prop_map(|(result_name, result_data, sha256)| {
            Reply::ResultPackage {
                result_name,
                result_data,
                sha256,
            }
        }),
        (task(), any::<u32>()).prop_map(|(task_id, attempt)| Reply::CancelAttempt {
            task_id,
            attempt: Attempt(attempt),
        }),
        (task(), any::<(u32, u32)>(), any::<Option<(u64, u64)>>()).prop_map(
            |(task_id, (attempt, follow_ms), from)| Reply::FollowOutput {
                task_id,
                attempt: Attempt(attempt),
                follow_ms,
                from: from.map(|(stdout, stderr)| Both { stdout, stderr }),
            }
        ),
        "UNHEARD_[A-Z]{0,9}".prop_map(|word| Reply::Unknown { word: word.into() }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        dialect in prop::sample::select(vec![Dialect::Flat, Dialect::Envelope, Dialect::SuperPeer]),
        id: Option<u64>,
        reply in any_reply(),
    ) {
        let message = encode_reply(dialect, id, &reply);
        let mut buffer = BytesMut::from(message.as_slice());
        let found = Scanner::new(Caps::REPLIES).split(&mut buffer).unwrap().unwrap();
        prop_assert!(buffer.is_empty());
        let heard = parse_reply(&message).unwrap();
        let apart = found.apart();
        prop_assert_eq!(&apart.reply().unwrap(), &heard);
        prop_assert_eq!(heard.dialect == Dialect::Envelope, dialect == Dialect::Envelope);
        prop_assert_eq!((heard.id, heard.reply), (id, reply));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, key in "[a-z_]{0,9}", value in ".{0,30}") {
        let _ = parse_reply(&bytes);
        let message = format!(r#"{{"action":"TASK_PACKAGE","task_name":{value},"{key}":{value}}}"#);
        let _ = parse_reply(message.as_bytes());
    }
}
