use bytes::Bytes;
use proptest::prelude::*;

use super::*;

pub(super) const SMALL: Caps = Caps {
    envelope: 100,
    payload: 1000,
    raw: 700,
    carriers: &["SUBMIT_RESULT"],
};

/// Feeds the pieces as they would arrive, and gives the values until the first error.
fn values(caps: Caps, pieces: &[&[u8]]) -> (Vec<Bytes>, Option<ScanError>) {
    let (messages, error) = messages(Scanner::new(caps), pieces);
    let values = messages.iter().map(|message| message.value().clone());
    (values.collect(), error)
}

pub(super) fn messages(
    mut scanner: Scanner,
    pieces: &[&[u8]],
) -> (Vec<Message>, Option<ScanError>) {
    let mut buf = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match scanner.split(&mut buf) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn refusal(caps: Caps, stream: &[u8]) -> Option<ScanError> {
    values(caps, &[stream]).1
}

fn message(action: &str, key: &str, length: usize) -> Vec<u8> {
    format!(
        r#"{{"action":"{action}","{key}":"{}"}}"#,
        "A".repeat(length)
    )
    .into_bytes()
}

const STREAM: &[u8] =
    b" {\"a\":\"}\\\"{\\\\\"}\n{\"b\":[{},[\"]\"],1.5e3,null]}{}\r\n\t{\"\\u007b\":\"\xc3\xa3\"}";

#[test]
fn values_stand_back_to_back_with_or_without_space() {
    let (values, error) = values(Caps::REQUESTS, &[STREAM]);
    assert_eq!(error, None);
    assert_eq!(values[0], b"{\"a\":\"}\\\"{\\\\\"}"[..]);
    assert_eq!(values[1], br#"{"b":[{},["]"],1.5e3,null]}"#[..]);
    assert_eq!(values[2], b"{}"[..]);
    assert_eq!(values.len(), 4);
}

#[test]
fn a_value_split_at_any_byte_is_found() {
    let whole = values(Caps::REQUESTS, &[STREAM]);
    for cut in 0..=STREAM.len() {
        let (left, right) = STREAM.split_at(cut);
        assert_eq!(values(Caps::REQUESTS, &[left, right]), whole, "cut {cut}");
    }
    let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
    assert_eq!(values(Caps::REQUESTS, &bytes), whole);
}

#[test]
fn a_found_value_stays_found_until_it_is_consumed() {
    let mut scanner = Scanner::new(Caps::REQUESTS);
    let found = Found {
        value: 1..3,
        payload: None,
        raw: None,
    };
    assert_eq!(scanner.scan(b" {} {}"), Ok(Some(found.clone())));
    assert_eq!(scanner.scan(b" {} {}"), Ok(Some(found.clone())));
    scanner.consumed();
    assert_eq!(scanner.scan(b" {}"), Ok(Some(found)));
}

#[test]
fn a_bomb_of_brackets_is_refused_at_its_first_bytes() {
    let bomb = [b"{\"a\":".to_vec(), vec![b'['; 5_000_000]].concat();
    let mut scanner = Scanner::new(Caps::REQUESTS);
    assert_eq!(scanner.scan(&bomb), Err(ScanError::TooDeep));
    assert!(scanner.at < 64);
}

#[test]
fn the_deepest_nesting_is_taken_and_one_more_is_not() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let deepest = DEPTH_MAX as usize;
    let refused = |depth| refusal(Caps::REPLIES, nested(depth).as_bytes());
    assert_eq!(refused(deepest), None);
    assert_eq!(refused(deepest + 1), Some(ScanError::TooDeep));
}

#[test]
fn what_is_no_object_is_refused_by_its_first_byte() {
    for byte in [b'[', b'"', b'\0', b'G', 0x16, b'}', 0xef] {
        assert_eq!(
            refusal(Caps::REQUESTS, &[b' ', byte]),
            Some(ScanError::NotAnObject(byte))
        );
    }
}

#[test]
fn a_payload_has_its_own_cap() {
    let taken = |action, length| refusal(SMALL, &message(action, "result_data", length));
    assert_eq!(taken("SUBMIT_RESULT", 1000), None);
    let too_large = Some(ScanError::PayloadTooLarge(1000));
    assert_eq!(taken("SUBMIT_RESULT", 1001), too_large);
}

#[test]
fn two_payloads_share_the_cap() {
    let half = "A".repeat(501);
    let twice = format!(r#"{{"result_data":"{half}","task_data":"{half}"}}"#);
    let too_large = Some(ScanError::PayloadTooLarge(1000));
    assert_eq!(refusal(SMALL, twice.as_bytes()), too_large);
}

#[test]
fn only_who_may_carry_a_payload_gets_its_room() {
    let too_large = Some(ScanError::EnvelopeTooLarge(100));
    let taken = |action, key| refusal(SMALL, &message(action, key, 500));
    assert_eq!(taken("HEARTBEAT", "result_data"), too_large);
    assert_eq!(taken("SUBMIT_RESULT", "result_name"), too_large);
    assert_eq!(taken("SUBMIT_RESULT", "task_data"), None);
}

#[test]
fn a_payload_that_comes_before_its_action_has_its_room() {
    let text = "A".repeat(500);
    let early = format!(r#"{{"result_data":"{text}","action":"SUBMIT_RESULT"}}"#);
    assert_eq!(refusal(SMALL, early.as_bytes()), None);
}

#[test]
fn a_payload_has_its_room_in_an_envelope_and_nowhere_deeper() {
    let text = "A".repeat(500);
    let inside = format!(r#"{{"type":"SUBMIT_RESULT","data":{{"result_data":"{text}"}}}}"#);
    assert_eq!(refusal(SMALL, inside.as_bytes()), None);
    for (open, close) in [("{\"x\":{", "}}"), ("{\"data\":{\"x\":{", "}}}")] {
        let deeper = format!("{open}\"result_data\":\"{text}\"{close}");
        let too_large = Some(ScanError::EnvelopeTooLarge(100));
        assert_eq!(refusal(SMALL, deeper.as_bytes()), too_large, "{open}");
    }
}

#[test]
fn the_envelope_is_full_to_the_byte() {
    let padded = |length| message("X", "k", length - message("X", "k", 0).len());
    assert_eq!(padded(100).len(), 100);
    assert_eq!(refusal(SMALL, &padded(100)), None);
    let too_large = Some(ScanError::EnvelopeTooLarge(100));
    assert_eq!(refusal(SMALL, &padded(101)), too_large);
}

#[test]
fn white_space_between_values_is_dropped_as_it_comes() {
    let spaces = [b' '; 99];
    let mut pieces = vec![&spaces[..]; 1000];
    pieces.push(b"{}");
    assert_eq!(values(SMALL, &pieces).0.len(), 1);
}

#[test]
fn an_error_reads_well() {
    let error = ScanError::NotAnObject(0x16).to_string();
    assert_eq!(
        error,
        r"a message is a JSON object and begins with {, not with \x16"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        values(SMALL, &[b"{", &bytes]);
        values(SMALL, &[&bytes]);
    }

    #[test]
    fn any_text_of_json_marks_is_found_alike_however_it_is_split(
        text in r#"(\{"(action|data|result_data|x)":["\\A\{\}\[\]:, ]{0,200}\}? ?){1,4}"#,
        size in 1_usize..20,
    ) {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        prop_assert_eq!(values(SMALL, &pieces), values(SMALL, &[text.as_bytes()]));
    }
}
