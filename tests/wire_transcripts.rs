//! Golden transcripts of every dialect: what was said, what it means, and which of it we say in the very same bytes.
//!
//! A transcript has one line a message: `why` it is there, `from` whom, its `bytes` with whatever stands between it and the
//! next one, what it `means`, and whether it is `ours`: what we write when we mean that.

#![expect(
    clippy::unwrap_used,
    reason = "a transcript that cannot be read fails its test"
)]

use std::fs;
use std::path::Path;

use bytes::BytesMut;
use mutirao_actors::wire::datagram::{Datagram, encode_announce, encode_discover, parse_datagram};
use mutirao_actors::wire::scanner::{Caps, Scanner};
use mutirao_actors::wire::{Message, encode_reply, encode_request};
use serde::Deserialize;

/// What is said over TCP; each file is two streams, one a direction.
const TRANSCRIPTS: [&str; 6] = [
    "flat",
    "envelope",
    "super-peer",
    "extensions",
    "control",
    RAW,
];
/// The one in which both sides have agreed that payloads follow their messages.
const RAW: &str = "raw";

#[derive(Deserialize)]
struct Line {
    why: String,
    from: Side,
    bytes: String,
    means: String,
    ours: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    Peer,
    Master,
}

impl Side {
    fn caps(self) -> Caps {
        match self {
            Self::Peer => Caps::REQUESTS,
            Self::Master => Caps::REPLIES,
        }
    }

    /// What the message means, and what we write when we mean it.
    fn read(self, message: &Message) -> (String, Vec<u8>) {
        let message = message.apart();
        match self {
            Self::Peer => {
                let spoken = message.request().unwrap();
                let written = encode_request(spoken.dialect, spoken.id, &spoken.request);
                (format!("{spoken:?}"), written)
            }
            Self::Master => {
                let heard = message.reply().unwrap();
                let written = encode_reply(heard.dialect, heard.id, &heard.reply);
                (format!("{heard:?}"), written)
            }
        }
    }
}

fn transcript(name: &str) -> Vec<Line> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let text = fs::read_to_string(folder.join(name).with_extension("jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn said_by(side: Side, lines: &[Line]) -> Vec<&Line> {
    lines.iter().filter(|line| line.from == side).collect()
}

/// The messages of a stream that arrives in these pieces.
fn messages(name: &str, side: Side, pieces: &[&[u8]]) -> Vec<Message> {
    let mut scanner = Scanner::new(side.caps());
    scanner.take_raw(name == RAW);
    let mut buf = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        while let Some(message) = scanner.split(&mut buf).unwrap() {
            messages.push(message);
        }
    }
    messages
}

#[test]
fn every_message_means_what_its_transcript_says() {
    for name in TRANSCRIPTS {
        let lines = transcript(name);
        for side in [Side::Peer, Side::Master] {
            let said = said_by(side, &lines);
            let stream: String = said.iter().map(|line| line.bytes.as_str()).collect();
            let found = messages(name, side, &[stream.as_bytes()]);
            assert_eq!(found.len(), said.len(), "{name}, {side:?}");
            for (line, message) in said.iter().zip(found) {
                let (means, written) = side.read(&message);
                assert_eq!(means, line.means, "{name}: {}", line.why);
                assert_eq!(
                    written == line.bytes.as_bytes(),
                    line.ours,
                    "{name}: {}",
                    line.why
                );
            }
        }
    }
}

#[test]
fn a_stream_split_at_any_byte_holds_the_same_messages() {
    for name in TRANSCRIPTS {
        let lines = transcript(name);
        for side in [Side::Peer, Side::Master] {
            let said = said_by(side, &lines);
            let stream: Vec<u8> = said.iter().flat_map(|line| line.bytes.bytes()).collect();
            let whole = messages(name, side, &[&stream]);
            for cut in 0..=stream.len() {
                let (left, right) = stream.split_at(cut);
                let found = messages(name, side, &[left, right]);
                assert_eq!(found, whole, "{name}, {side:?}, cut at {cut}");
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(messages(name, side, &bytes), whole, "{name}, {side:?}");
        }
    }
}

#[test]
fn every_datagram_means_what_its_transcript_says() {
    for line in transcript("discovery") {
        let datagram = parse_datagram(line.bytes.as_bytes()).unwrap();
        assert_eq!(format!("{datagram:?}"), line.means, "{}", line.why);
        let (side, written) = match &datagram {
            Datagram::Discover(discover) => (Side::Peer, encode_discover(discover)),
            Datagram::Announce(announce) => (Side::Master, encode_announce(announce)),
        };
        assert_eq!(side, line.from, "{}", line.why);
        assert_eq!(written == line.bytes.as_bytes(), line.ours, "{}", line.why);
    }
}
