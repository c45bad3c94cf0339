//! Payloads that follow their message.

use bytes::Bytes;
use proptest::prelude::*;

use super::tests::{SMALL, messages};
use super::*;

/// Bytes that would be messages, or begin one.
const TRAP: &[u8] = br#"{"action":"LEAVE"}{"raw":9}}"]{"#;

fn agreed() -> Scanner {
    let mut scanner = Scanner::new(SMALL);
    scanner.take_raw(true);
    scanner
}

/// The refusal of a message with this in the place of the length, and a lot behind it.
fn refusal(length: &str) -> Option<ScanError> {
    let message = format!(r#"{{"action":"SUBMIT_RESULT","raw":{length}}}"#);
    let stream = [message.as_bytes(), &[b' '; 800]].concat();
    messages(agreed(), &[&stream]).1
}

fn submission(payload: &[u8]) -> Vec<u8> {
    let words = format!(
        r#" {{"action":"SUBMIT_RESULT","raw":{},"a":1}}"#,
        payload.len()
    );
    [words.as_bytes(), payload].concat()
}

/// The payloads of the messages in a stream that arrives in these pieces.
fn payloads(pieces: &[&[u8]]) -> (Vec<Option<Bytes>>, Option<ScanError>) {
    let (messages, error) = messages(agreed(), pieces);
    let raws = messages.iter().map(|message| message.raw().cloned());
    (raws.collect(), error)
}

#[test]
fn what_follows_a_message_is_its_payload_whatever_it_looks_like() {
    let stream = [submission(TRAP), b"{}".to_vec(), submission(b"")].concat();
    let trap = Bytes::from_static(TRAP);
    let wanted = vec![Some(trap), None, Some(Bytes::new())];
    assert_eq!(payloads(&[&stream]), (wanted, None));
}

#[test]
fn it_is_split_at_any_byte() {
    let stream = [submission(TRAP), b"\n{}".to_vec(), submission(TRAP)].concat();
    let whole = payloads(&[&stream]);
    assert_eq!(whole.0.len(), 3);
    for cut in 0..=stream.len() {
        let (left, right) = stream.split_at(cut);
        assert_eq!(payloads(&[left, right]), whole, "cut {cut}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(payloads(&bytes), whole);
}

#[test]
fn the_bytes_are_not_copied() {
    let mut buffer = BytesMut::from(&submission(&[7; 600])[..]);
    let place = buffer.as_ptr().addr() + buffer.len() - 600;
    let message = agreed().split(&mut buffer).unwrap().unwrap();
    assert_eq!(message.raw().unwrap().as_ptr().addr(), place);
}

#[test]
fn a_length_has_its_own_cap() {
    assert_eq!(refusal("700"), None);
    for length in [
        "701",
        "7000000000000000000000000000000000000000000",
        "64000",
    ] {
        assert_eq!(
            refusal(length),
            Some(ScanError::RawTooLarge(700)),
            "{length}"
        );
    }
}

#[test]
fn a_length_that_is_too_large_is_refused_before_the_message_ends() {
    let mut scanner = agreed();
    assert_eq!(
        scanner.scan(br#"{"raw":7000"#),
        Err(ScanError::RawTooLarge(700))
    );
}

#[test]
fn what_is_no_length_is_refused() {
    let wrong = [
        "-1",
        "1.5",
        "1e2",
        "\"7\"",
        "null",
        "true",
        "[7]",
        "{}",
        "",
        "7,\"raw\":7",
        "0x10",
        "+7",
    ];
    for length in wrong {
        assert_eq!(refusal(length), Some(ScanError::BadRaw), "{length}");
    }
}

#[test]
fn only_what_may_carry_a_payload_is_followed_by_one() {
    for heartbeat in [
        r#"{"action":"HEARTBEAT","raw":2}"#,
        r#"{"raw":2,"action":"HEARTBEAT"}"#,
    ] {
        let told = payloads(&[heartbeat.as_bytes(), b"PK"]);
        assert_eq!(told, (Vec::new(), Some(ScanError::BadRaw)));
    }
    assert_eq!(
        payloads(&[br#"{"raw":2,"action":"SUBMIT_RESULT"}PK"#]).1,
        None
    );
}

#[test]
fn a_field_deeper_in_the_message_is_no_length() {
    for message in [
        r#"{"data":{"raw":2}}"#,
        r#"{"x":{"raw":-1}}"#,
        r#"{"x":"raw","y":["raw"]}"#,
    ] {
        assert_eq!(
            payloads(&[message.as_bytes()]),
            (vec![None], None),
            "{message}"
        );
    }
}

#[test]
fn where_nobody_agreed_to_it_the_field_is_anyones() {
    let stream = br#"{"action":"SUBMIT_RESULT","raw":-7,"raw":"x"}{}"#;
    let (messages, error) = messages(Scanner::new(SMALL), &[stream]);
    assert_eq!((messages.len(), error), (2, None));
    assert!(messages.iter().all(|message| message.raw().is_none()));
}

proptest! {
    #[test]
    fn any_bytes_are_found_alike_however_they_are_split(
        these in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..4),
        size in 1_usize..50,
    ) {
        let stream: Vec<u8> = these.iter().flat_map(|payload| submission(payload)).collect();
        let pieces: Vec<&[u8]> = stream.chunks(size).collect();
        let wanted = these.into_iter().map(|payload| Some(payload.into())).collect();
        prop_assert_eq!(payloads(&pieces), (wanted, None));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, length in ".{0,9}") {
        messages(agreed(), &[b"{\"raw\":", &bytes]);
        messages(agreed(), &[b"{\"raw\":", length.as_bytes(), b"}", &bytes]);
    }
}
