use std::pin::Pin;
use std::thread;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{advance, sleep};

use super::*;

/// What a pipe holds before its writer waits.
pub(super) const PIPE: usize = 64 << 10;
pub(super) const HEARTBEAT: &[u8] = br#"{"action":"HEARTBEAT","peer_id":"p"}"#;

pub(super) type Messages = Pin<Box<dyn Stream<Item = Result<Incoming<Message>, Broken>> + Send>>;

pub(super) fn open_on<S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
    room: &Room,
) -> (Messages, Writer) {
    let (messages, writer) = open(stream, Caps::REQUESTS, room.clone(), Message::clone);
    (Box::pin(messages), writer)
}

pub(super) fn opened() -> (DuplexStream, Messages, Writer) {
    let (theirs, ours) = duplex(PIPE);
    let (messages, writer) = open_on(ours, &Room::new());
    (theirs, messages, writer)
}

pub(super) async fn heard(messages: &mut Messages) -> Bytes {
    let message = messages.next().await.unwrap().unwrap().message;
    message.value().clone()
}

/// Reads the next and fails unless the connection broke for want of progress.
pub(super) async fn assert_too_slow(messages: &mut Messages) {
    let broken = messages.next().await.unwrap().unwrap_err();
    assert!(matches!(broken, Broken::TooSlow(_)), "{broken}");
}

/// A SUBMIT_RESULT of this many bytes, or a few more.
fn submission(size: usize) -> Vec<u8> {
    let data = "A".repeat(size);
    format!(r#"{{"action":"SUBMIT_RESULT","peer_id":"p","result_data":"{data}"}}"#).into_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_message_split_at_any_byte_is_heard_whole() {
    for at in 0..HEARTBEAT.len() {
        let (mut theirs, mut messages, _writer) = opened();
        let (head, tail) = HEARTBEAT.split_at(at);
        let speaking = async {
            theirs.write_all(head).await.unwrap();
            sleep(Duration::from_secs(1)).await;
            theirs.write_all(tail).await.unwrap();
        };
        let (message, ()) = tokio::join!(heard(&mut messages), speaking);
        assert_eq!(message, HEARTBEAT);
    }
}

#[tokio::test(start_paused = true)]
async fn several_messages_in_one_write_are_heard_one_by_one() {
    let (mut theirs, mut messages, _writer) = opened();
    let glued = [HEARTBEAT, b"\n ", br#"{"action":"STATUS"}"#, HEARTBEAT].concat();
    theirs.write_all(&glued).await.unwrap();
    drop(theirs);
    assert_eq!(heard(&mut messages).await, HEARTBEAT);
    assert_eq!(heard(&mut messages).await, r#"{"action":"STATUS"}"#);
    assert_eq!(heard(&mut messages).await, HEARTBEAT);
    assert!(messages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_told_so_and_closed() {
    let (_theirs, mut messages, _writer) = opened();
    assert_too_slow(&mut messages).await;
    drop(_theirs);
    assert!(messages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn white_space_buys_no_time() {
    let (mut theirs, mut messages, _writer) = opened();
    let flood = async {
        while theirs.write_all(b" \n\t").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = flood => panic!("the connection was dropped"),
        () = assert_too_slow(&mut messages) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_message_that_stands_still_is_too_slow_also_after_a_whole_one() {
    let (mut theirs, mut messages, _writer) = opened();
    theirs.write_all(HEARTBEAT).await.unwrap();
    heard(&mut messages).await;
    theirs.write_all(&HEARTBEAT[..9]).await.unwrap();
    let began = Box::pin(assert_too_slow(&mut messages));
    timeout(LAP * 2, began).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_of_use_may_be_quiet_for_hours() {
    let (mut theirs, mut messages, _writer) = opened();
    theirs.write_all(HEARTBEAT).await.unwrap();
    heard(&mut messages).await;
    let speaking = async {
        sleep(Duration::from_secs(5 * 3600)).await;
        theirs.write_all(HEARTBEAT).await.unwrap();
    };
    let (message, ()) = tokio::join!(heard(&mut messages), speaking);
    assert_eq!(message, HEARTBEAT);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_that_moves_is_heard_however_long_it_takes() {
    let (mut theirs, mut messages, _writer) = opened();
    let large = submission(5 << 20);
    let speaking = async {
        for part in large.chunks(LAP_BYTES / 10) {
            theirs.write_all(part).await.unwrap();
            sleep(LAP / 12).await;
        }
    };
    let (message, ()) = tokio::join!(heard(&mut messages), speaking);
    assert_eq!(message, large);
}

#[tokio::test(start_paused = true)]
async fn a_large_message_that_trickles_is_too_slow() {
    let (mut theirs, mut messages, _writer) = opened();
    let trickle = async {
        for part in submission(5 << 20).chunks(1 << 10) {
            theirs.write_all(part).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = trickle => panic!("a trickle of 1 KiB a second was heard out"),
        () = assert_too_slow(&mut messages) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_message_at_the_end_is_an_error_and_not_a_silent_end() {
    let (mut theirs, mut messages, _writer) = opened();
    theirs.write_all(&HEARTBEAT[..9]).await.unwrap();
    drop(theirs);
    let broken = messages.next().await.unwrap().unwrap_err();
    assert!(matches!(broken, Broken::Io(_)), "{broken}");
    assert!(messages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_second_request_is_not_heard_before_the_first_is_answered() {
    let (mut theirs, mut messages, writer) = opened();
    theirs.write_all(&HEARTBEAT.repeat(2)).await.unwrap();
    let first = messages.next().await.unwrap().unwrap();
    let early = timeout(LAP * 100, messages.next()).await;
    assert!(early.is_err(), "the second was heard too early");
    writer.send(b"answer".to_vec(), Some(first.turn));
    assert_eq!(heard(&mut messages).await, HEARTBEAT);
}

#[tokio::test(start_paused = true)]
async fn as_many_as_agreed_are_heard_before_any_is_answered() {
    let (mut theirs, mut messages, writer) = opened();
    writer.allow_many();
    theirs
        .write_all(&HEARTBEAT.repeat(IN_FLIGHT_MAX + 1))
        .await
        .unwrap();
    let mut unanswered = Vec::new();
    while let Ok(next) = timeout(LAP * 2, messages.next()).await {
        unanswered.push(next.unwrap().unwrap());
    }
    assert_eq!(unanswered.len(), IN_FLIGHT_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_has_stopped_is_cut_and_not_buffered() {
    let (mut theirs, mut messages, writer) = opened();
    theirs.write_all(HEARTBEAT).await.unwrap();
    heard(&mut messages).await;
    // More than the pipe holds, so that the writer's task waits with the first.
    for _ in 0..REPLIES_MAX + 2 {
        writer.send(vec![b'x'; 2 * PIPE], None);
        tokio::task::yield_now().await;
    }
    assert!(messages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_not_read_in_time_ends_the_connection() {
    let (mut theirs, mut messages, writer) = opened();
    theirs.write_all(HEARTBEAT).await.unwrap();
    let request = messages.next().await.unwrap().unwrap();
    writer.send(vec![b'x'; 2 * PIPE], Some(request.turn));
    let ended = timeout(LAP * 2, messages.next()).await;
    assert!(ended.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_order_to_stop_every_run_that_a_peer_may_hold_fits() {
    let (mut theirs, mut messages, writer) = opened();
    theirs.write_all(HEARTBEAT).await.unwrap();
    heard(&mut messages).await;
    for _ in 0..1024 {
        writer.send(b"CANCEL_ATTEMPT".to_vec(), None);
    }
    drop(writer);
    let mut orders = Vec::new();
    theirs.read_to_end(&mut orders).await.unwrap();
    assert_eq!(orders.len(), 1024 * b"CANCEL_ATTEMPT".len());
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_ends_the_stream_at_once() {
    let (_theirs, mut messages, writer) = opened();
    writer.close();
    let ended = timeout(Duration::from_secs(1), messages.next()).await;
    assert!(ended.unwrap().is_none());
}

#[tokio::test]
async fn heavy_messages_are_taken_apart_off_the_arbiter_and_light_ones_on_it() {
    for (size, on_arbiter) in [(1, true), (HEAVY, false)] {
        let (mut theirs, ours) = duplex(4 * HEAVY);
        let where_am_i = |_: &Message| thread::current().id();
        let (messages, _writer) = open(ours, Caps::REQUESTS, Room::new(), where_am_i);
        theirs.write_all(&submission(size)).await.unwrap();
        let taken_apart_on = Box::pin(messages).next().await.unwrap().unwrap().message;
        assert_eq!(taken_apart_on == thread::current().id(), on_arbiter);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_after_a_long_message_keeps_none_of_its_memory() {
    let (mut theirs, ours) = duplex(PIPE);
    let room = Room::new();
    let (mut messages, writer) = open_on(ours, &room);
    let long = submission(8 << 20);
    let speaking = async {
        theirs.write_all(&long).await.unwrap();
        theirs.write_all(HEARTBEAT).await.unwrap();
    };
    let (incoming, ()) = tokio::join!(messages.next(), speaking);
    let Incoming { message, turn } = incoming.unwrap().unwrap();
    writer.send(Vec::new(), Some(turn));
    assert_eq!(heard(&mut messages).await, HEARTBEAT);
    let value = message.value().clone();
    drop(message);
    assert!(
        value.is_unique(),
        "the buffer still shares the long message's memory"
    );
}

#[tokio::test(start_paused = true)]
async fn long_messages_take_turns_when_the_room_is_full_and_all_are_heard() {
    let room = Room::new();
    let long = Bytes::from(submission(5 << 20));
    let speakers = (0..20).map(|_| {
        let (mut theirs, ours) = duplex(PIPE);
        let (mut messages, writer) = open_on(ours, &room);
        let long = long.clone();
        async move {
            let answered = async {
                let Incoming { message, turn } = messages.next().await.unwrap().unwrap();
                sleep(Duration::from_secs(1)).await;
                writer.send(b"OK".to_vec(), Some(turn));
                message.length()
            };
            let (heard, sent) = tokio::join!(answered, theirs.write_all(&long));
            sent.unwrap();
            (heard, theirs, writer)
        }
    });
    let all = timeout(Duration::from_secs(60), join_all(speakers))
        .await
        .unwrap();
    assert!(all.iter().all(|(heard, ..)| *heard == long.len()));
}

#[tokio::test(start_paused = true)]
async fn however_many_send_half_of_a_long_message_what_is_kept_is_bounded() {
    let room = Room::new();
    let half = &submission(20 << 20)[..10 << 20];
    let mut taken = 0;
    let mut kept = Vec::new();
    for _ in 0..20 {
        let (mut theirs, ours) = duplex(PIPE);
        let (mut messages, writer) = open_on(ours, &room);
        let mut sent = 0;
        let sending = async {
            for part in half.chunks(PIPE) {
                theirs.write_all(part).await.unwrap();
                sent += part.len();
            }
        };
        tokio::select! {
            biased;
            _ = messages.next() => {}
            () = sending => {}
            () = advance_a_little() => {}
        }
        taken += sent;
        kept.push((theirs, messages, writer));
    }
    assert!(
        taken < (24 << 20) + (10 << 20) + 20 * 3 * PIPE,
        "{taken} bytes were taken"
    );
    drop(kept);
}

/// Long enough for pipes, too short for a lap.
async fn advance_a_little() {
    for _ in 0..5_000 {
        tokio::task::yield_now().await;
    }
    advance(Duration::from_millis(1)).await;
}

#[tokio::test]
async fn a_sender_of_endless_nonsense_can_read_what_was_wrong_with_it() {
    for nonsense in ["[", "{\"a\":", "{\"a\":\"", "x"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut theirs = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let (mut messages, writer) = open_on(accepted, &Room::new());
        let serving = async move {
            let broken = messages.next().await.unwrap().unwrap_err();
            assert!(matches!(broken, Broken::Scan(_)), "{broken}");
            writer.send(b"what was wrong".to_vec(), None);
            assert!(messages.next().await.is_none());
        };
        let speaking = async {
            let filler = nonsense.repeat(5_000_000);
            theirs.write_all(filler.as_bytes()).await.unwrap();
            theirs.shutdown().await.unwrap();
            let mut reply = String::new();
            theirs.read_to_string(&mut reply).await.unwrap();
            assert_eq!(reply, "what was wrong", "after {nonsense}…");
        };
        tokio::join!(serving, speaking);
    }
}
