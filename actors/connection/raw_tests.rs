//! Payloads that follow their message, on a connection.

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use super::tests::{HEARTBEAT, Messages, PIPE, assert_too_slow, heard, open_on, opened};
use super::*;
use crate::model::{Archive, Attempt, TaskId};
use crate::wire::reply::Lease;
use crate::wire::{Dialect, Payload, Reply, pack_reply};

/// A SUBMIT_RESULT with this payload behind it.
fn submission(payload: &[u8]) -> Vec<u8> {
    let words = format!(
        r#"{{"action":"SUBMIT_RESULT","peer_id":"p","raw":{}}}"#,
        payload.len()
    );
    [words.as_bytes(), payload].concat()
}

/// The next message's payload.
async fn payload(messages: &mut Messages) -> Option<Vec<u8>> {
    let message = messages.next().await.unwrap().unwrap().message;
    message.raw().map(|raw| raw.to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_heard_with_its_message_once_that_is_agreed_also_while_it_is_waited_for() {
    let (mut theirs, mut messages, writer) = opened();
    writer.allow_many();
    let speaking = async {
        sleep(Duration::from_secs(1)).await;
        writer.take_raw();
        let stream = [&submission(b"}{"), HEARTBEAT, &submission(b"")].concat();
        for byte in stream.chunks(1) {
            theirs.write_all(byte).await.unwrap();
        }
    };
    let hearing = async {
        assert_eq!(payload(&mut messages).await, Some(b"}{".to_vec()));
        assert_eq!(heard(&mut messages).await, HEARTBEAT);
        assert_eq!(payload(&mut messages).await, Some(Vec::new()));
    };
    tokio::join!(speaking, hearing);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_nobody_agreed_to_breaks_the_connection_behind_its_message() {
    let (mut theirs, mut messages, writer) = opened();
    writer.allow_many();
    theirs.write_all(&submission(b"PK")).await.unwrap();
    assert_eq!(payload(&mut messages).await, None);
    let broken = messages.next().await.unwrap().unwrap_err();
    assert!(matches!(broken, Broken::Scan(_)), "{broken}");
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_cut_is_an_error_and_not_a_shorter_one() {
    let whole = submission(&[b'}'; 5000]);
    for kept in [whole.len() - 5000, whole.len() - 4999, whole.len() - 1] {
        let (mut theirs, mut messages, writer) = opened();
        writer.take_raw();
        theirs.write_all(&whole[..kept]).await.unwrap();
        drop(theirs);
        let broken = messages.next().await.unwrap().unwrap_err();
        assert!(matches!(broken, Broken::Io(_)), "{broken}");
        assert!(messages.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_payload_is_heard_as_long_as_it_moves_and_no_longer() {
    let long = submission(&vec![b'{'; 5 << 20]);
    for (part, is_heard) in [(LAP_BYTES / 10, true), (1 << 10, false)] {
        let (mut theirs, mut messages, writer) = opened();
        writer.take_raw();
        let speaking = async {
            for part in long.chunks(part) {
                theirs.write_all(part).await.unwrap();
                sleep(LAP / 12).await;
            }
        };
        if is_heard {
            let (heard, ()) = tokio::join!(payload(&mut messages), speaking);
            assert_eq!(heard.unwrap().len(), 5 << 20);
        } else {
            tokio::select! {
                () = speaking => panic!("a trickle was heard out"),
                () = assert_too_slow(&mut messages) => {}
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_costs_no_room_before_it_comes() {
    let room = Room::new();
    let mut kept = Vec::new();
    for _ in 0..100 {
        let (mut theirs, ours) = tokio::io::duplex(PIPE);
        let (mut messages, writer) = open_on(ours, &room);
        writer.take_raw();
        let announced = br#"{"action":"SUBMIT_RESULT","raw":60000000}"#;
        theirs.write_all(announced).await.unwrap();
        assert!(timeout(LAP / 100, messages.next()).await.is_err());
        kept.push((theirs, messages, writer));
    }
    let (mut theirs, ours) = tokio::io::duplex(PIPE);
    let (mut messages, writer) = open_on(ours, &room);
    writer.take_raw();
    let honest = submission(&vec![b'x'; 1 << 20]);
    let sending = async { theirs.write_all(&honest).await.unwrap() };
    let (heard, ()) = tokio::join!(payload(&mut messages), sending);
    assert_eq!(heard.unwrap().len(), 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_written_behind_its_message_and_nothing_is_between_them() {
    let (mut theirs, _messages, writer) = opened();
    let archive = Archive::new(vec![b'}'; 3 * LAP_BYTES + 1]);
    let reply = Reply::TaskPackage {
        task_name: "a.zip".into(),
        task_data: Payload::Behind(archive.bytes().clone()),
        ours: Some(Lease {
            task_id: TaskId::new(),
            attempt: Attempt(1),
            sha256: archive.digest(),
            time_limit_ms: None,
            more: 0,
        }),
    };
    let wanted = pack_reply(Dialect::Flat, Some(1), &reply).into_vec();
    assert!(wanted.ends_with(archive.bytes()));
    writer.send(pack_reply(Dialect::Flat, Some(1), &reply), None);
    writer.send(HEARTBEAT.to_vec(), None);
    drop(writer);
    let mut written = Vec::new();
    theirs.read_to_end(&mut written).await.unwrap();
    assert!(written == [&wanted, HEARTBEAT].concat());
}
