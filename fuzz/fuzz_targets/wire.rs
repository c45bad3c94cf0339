//! A TCP stream, from its bytes to requests and replies.
//!
//! Besides that nothing panics: messages are found alike however the stream is split, what is read without its payload is
//! what is read whole, and what was understood is written alike again and again.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use mutirao_actors::wire::scanner::Caps;
use mutirao_actors::wire::{
    Heard, Message, ScanError, Scanner, Spoken, encode_reply, encode_request, parse_reply,
    parse_request,
};

/// Small enough to be met.
const SMALL: Caps = Caps {
    envelope: 300,
    payload: 500,
    raw: 200,
    carriers: &["SUBMIT_RESULT", "TASK_PACKAGE"],
};

fuzz_target!(|input: &[u8]| {
    let Some((choice, stream)) = input.split_first() else {
        return;
    };
    let caps = match choice & 3 {
        0 => Caps::REQUESTS,
        1 => Caps::REPLIES,
        _ => SMALL,
    };
    let takes_raw = choice & 4 != 0;
    let step = 1 + usize::from(choice >> 3);
    let whole = messages(caps, takes_raw, stream.chunks(stream.len().max(1)));
    assert_eq!(
        whole,
        messages(caps, takes_raw, stream.chunks(step)),
        "split by {step}"
    );
    for message in &whole.0 {
        look_at(message);
    }
});

/// The messages until the first error, and that.
fn messages<'a>(
    caps: Caps,
    takes_raw: bool,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<ScanError>) {
    let mut scanner = Scanner::new(caps);
    scanner.take_raw(takes_raw);
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match scanner.split(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn look_at(message: &Message) {
    let apart = message.apart();
    let (request, reply) = (apart.request(), apart.reply());
    if message.raw().is_some() {
        // Only what our own programs say goes with a payload behind it, and others may leave out what that takes.
        return;
    }
    // The text of a payload is not looked at before it is decoded, so what is no JSON there is no fault yet.
    if let Ok(whole) = parse_request(message.value()) {
        assert_eq!(request.as_ref(), Ok(&whole));
    }
    if let Ok(whole) = parse_reply(message.value()) {
        assert_eq!(reply.as_ref(), Ok(&whole));
    }
    if let Ok(spoken) = request {
        let write =
            |spoken: &Spoken<'_>| encode_request(spoken.dialect, spoken.id, &spoken.request);
        let written = write(&spoken);
        let again = only_message(Caps::REQUESTS, &written);
        assert_eq!(Ok(written), again.apart().request().as_ref().map(write));
    }
    if let Ok(heard) = reply {
        let write = |heard: &Heard<'_>| encode_reply(heard.dialect, heard.id, &heard.reply);
        let written = write(&heard);
        let again = only_message(Caps::REPLIES, &written);
        assert_eq!(Ok(written), again.apart().reply().as_ref().map(write));
    }
}

fn only_message(caps: Caps, bytes: &[u8]) -> Message {
    let (mut messages, error) = messages(caps, false, [bytes].into_iter());
    assert_eq!(
        (messages.len(), error),
        (1, None),
        "{}",
        bytes.escape_ascii()
    );
    messages.remove(0)
}
