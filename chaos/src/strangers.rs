//! Senders that want to hurt a master: they speak from another address than the honest ones.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use mutirao_rig::clock;
use mutirao_rig::dice::Dice;

use crate::background::Background;
use crate::cage;
use crate::master::Master;

/// Connections that say nothing.
const IDLE: usize = 120;
/// Connections that say a message byte by byte.
const SLOW: usize = 40;
/// Connections that come at once: more than there are seats, and nearly as many as a master with few files may have open.
const CROWD: usize = 900;
/// Between two words of those who take their time.
const SLOWLY: Duration = Duration::from_millis(200);
/// Datagrams at once …
const BURST: usize = 100;
/// … and between two bursts: some 20,000 in a second, of which a master answers a twentieth at most.
const BURST_EVERY: Duration = Duration::from_millis(5);
/// How long anything may take to be sent or answered before it is given up.
const WITHIN: Duration = Duration::from_millis(200);
/// A message that changes nothing.
const HEARTBEAT: &[u8] = br#"{"action":"HEARTBEAT","peer_id":"a-stranger"}"#;
/// A question that is answered.
const QUESTION: &[u8] = br#"{"action":"DISCOVER_MASTER","peer_id":"a-stranger","port_tcp":9}"#;
/// What is sent whole, and what is made of it by chance.
const WORDS: [&[u8]; 8] = [
    HEARTBEAT,
    br#"{"action":"REGISTER","peer_id":"a-stranger","addr":["127.0.0.1",9]}"#,
    br#"{"action":"REQUEST_TASK","peer_id":"a-stranger","wait_ms":"#,
    br#"{"action":"SUBMIT_RESULT","peer_id":"a-stranger","result_name":"../../x","result_data":"UEsFBg=="}"#,
    br#"{"action":"SUBMIT_TASK","task_name":"../../x.zip","task_data":"UEsDBBQAAAAIAA=="}"#,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// All of them, until dropped.
pub struct Strangers {
    _all: Vec<Background>,
}

impl Strangers {
    /// Lets them loose on a master.
    pub fn start(master: &Master, dice: &Dice) -> anyhow::Result<Self> {
        let tcp: SocketAddr = format!("{}:{}", cage::ADDRESS, master.port).parse()?;
        let udp: SocketAddr = format!("{}:{}", cage::ADDRESS, master.discovery).parse()?;
        let (questions, junk) = (
            UdpSocket::bind((cage::ADDRESS, 0))?,
            UdpSocket::bind((cage::ADDRESS, 0))?,
        );
        let (words, more) = (dice.fork("words"), dice.fork("datagrams"));
        Ok(Self {
            _all: vec![
                idle(tcp),
                slow(tcp),
                crowd(tcp),
                babble(tcp, words),
                flood(questions, udp, |_| QUESTION.to_vec(), dice.clone()),
                flood(junk, udp, spoilt, more),
            ],
        })
    }
}

fn dial(master: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&master, WITHIN).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    stream.set_write_timeout(Some(WITHIN)).ok()?;
    Some(stream)
}

/// Whether the other side still holds the connection; what it says is thrown away.
fn is_open(mut stream: &TcpStream) -> bool {
    let mut heard = [0; 256];
    let read = stream
        .set_nonblocking(true)
        .and_then(|()| stream.read(&mut heard));
    let open = match read {
        Ok(length) => length > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    open && stream.set_nonblocking(false).is_ok()
}

/// Says nothing, on many connections; those that lose their seats come again.
fn idle(master: SocketAddr) -> Background {
    let mut held = Vec::new();
    Background::repeat(move |_| {
        held.retain(is_open);
        held.extend((held.len()..IDLE).map_while(|_| dial(master)));
        clock::pause(SLOWLY);
    })
}

/// Says a byte at a time, on many connections.
fn slow(master: SocketAddr) -> Background {
    let (mut held, mut letters) = (Vec::new(), HEARTBEAT.iter().cycle());
    Background::repeat(move |_| {
        let letter = letters.next().copied().unwrap_or_default();
        held.retain(|mut stream: &TcpStream| {
            is_open(stream) && stream.write_all(&[letter]).is_ok()
        });
        held.extend((held.len()..SLOW).map_while(|_| dial(master)));
        clock::pause(SLOWLY);
    })
}

/// Comes with more connections than there are seats for, and goes away.
fn crowd(master: SocketAddr) -> Background {
    Background::repeat(move |_| {
        let held: Vec<_> = (0..CROWD).map_while(|_| dial(master)).collect();
        clock::pause(SLOWLY);
        drop(held);
        clock::pause(SLOWLY);
    })
}

/// Says what is no message, or a hostile one, reads what it is told, or does not, and comes again.
fn babble(master: SocketAddr, mut dice: Dice) -> Background {
    Background::repeat(move |_| {
        let Some(mut stream) = dial(master) else {
            return clock::pause(BURST_EVERY);
        };
        let words = spoilt(&mut dice);
        // It may be cut off for what it says.
        let said = stream.write_all(&words);
        if said.is_ok() && dice.percent(50) {
            let _ = stream.read(&mut [0; 256]);
        }
    })
}

/// Some words, of which a few bytes are others, or are missing.
fn spoilt(dice: &mut Dice) -> Vec<u8> {
    let mut words = WORDS[dice.index(WORDS.len())].to_vec();
    for _ in 0..dice.below(4) {
        let at = dice.index(words.len());
        words[at] = dice.throw().to_le_bytes()[0];
    }
    let end = words.len() - dice.index(words.len() / 2);
    words.truncate(end);
    words
}

/// Sends datagrams as fast as a machine of a network can that does not mean well.
fn flood(
    socket: UdpSocket,
    master: SocketAddr,
    next: impl Fn(&mut Dice) -> Vec<u8> + Send + 'static,
    mut dice: Dice,
) -> Background {
    Background::repeat(move |_| {
        for _ in 0..BURST {
            // One that is not sent is one less.
            let _ = socket.send_to(&next(&mut dice), master);
        }
        clock::pause(BURST_EVERY);
    })
}
