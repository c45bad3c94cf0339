//! Speaks to a master like a peer does, for the command line: one request, one reply.
//!
//! Rule: only who asks how something stands may ask again when the connection broke; what changes something is asked once.
//! Whoever answers may be anybody, so a reply is tamed before anything is made of it.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use mutirao_actors::wire::scanner::Caps;
use mutirao_actors::wire::{
    Dialect, Message, Reply, Request, ScanError, Scanner, WireError, encode_request,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::said;
use crate::sockets::SocketError;
use crate::sockets::tcp::dial;

/// How long a master may take to accept the connection.
const DIAL_WITHIN: Duration = Duration::from_secs(3);
/// How long nothing may move: a large task is looked over and written before it is answered.
const REPLY_WITHIN: Duration = Duration::from_secs(60);
/// How long a master that is gone is looked for: one that is started anew, on a machine too, is back by then.
const AWAY_MAX: Duration = Duration::from_secs(300);
/// The pause before it is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// What is written at once, and of what is read as much moves within that time even over the worst link; else it comes in drops,
/// and would hold us for ever.
const MOVES: usize = 64 << 10;

/// Why a master did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It could not be reached.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The connection broke.
    #[error("the connection to the master broke: {0}")]
    Io(#[from] std::io::Error),
    /// It did not answer in time.
    #[error("the master did not answer within {} s, or stalled in the middle", REPLY_WITHIN.as_secs())]
    Silent,
    /// It was gone for long.
    #[error(
        "the master at {address} is gone for {} s ({error}); what was handed in is written down there and goes on with it: \
         {then}", AWAY_MAX.as_secs()
    )]
    Gone {
        /// Where it was.
        address: SocketAddr,
        /// What the last try met.
        error: Box<ControlError>,
        /// What to type when it is back.
        then: &'static str,
    },
    /// What it sent is no message.
    #[error("the master sent what is no message: {0}")]
    Scan(#[from] ScanError),
    /// What it sent is not understood.
    #[error("the master sent what is not understood: {0}")]
    Wire(#[from] WireError),
    /// It will not.
    #[error("the master says: {0}")]
    Refused(String),
    /// It answered something else.
    #[error("the master at {0} does not know what was asked: it is another program or version")]
    Strange(SocketAddr),
    /// What it answers leads to no end.
    #[error(
        "the master at {0} answers page after page and comes to no end: it is another program or version, or broken"
    )]
    Endless(SocketAddr),
    /// What it answers does not fit here.
    #[error(
        "the master at {0} lists more than can be kept here: name some of it, as a group or a state; if it has less, it is \
         another program or broken"
    )]
    TooMuch(SocketAddr),
}

impl ControlError {
    /// Whether the master cannot be reached now.
    pub fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Socket(_) | Self::Io(_) | Self::Silent | Self::Gone { .. }
        )
    }
}

/// A connection to a master.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    stream: TcpStream,
    incoming: Incoming,
    /// What to type when the master stays away, of whoever looks for it again.
    then: Option<&'static str>,
}

/// What came of the next message.
#[derive(Debug)]
struct Incoming {
    scanner: Scanner,
    buffer: BytesMut,
}

impl Control {
    /// Connects.
    ///
    /// # Errors
    /// When the master cannot be reached.
    pub async fn connect(address: SocketAddr) -> Result<Self, ControlError> {
        let stream = dial(address, DIAL_WITHIN).await?;
        Ok(Self {
            address,
            stream,
            incoming: Incoming {
                scanner: Scanner::new(Caps::REPLIES),
                buffer: BytesMut::new(),
            },
            then: None,
        })
    }

    /// From here on only asks how something stands, and looks for the master again when it is gone; `then` says what to type
    /// when it stays away.
    pub fn be_patient(&mut self, then: &'static str) {
        self.then = Some(then);
    }

    /// Asks, and makes something of the reply; `None` from `read` means that it is not the right one.
    ///
    /// # Errors
    /// [`ControlError`], in words fit for the user.
    pub async fn ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(Reply<'_>) -> Option<T>,
    ) -> Result<T, ControlError> {
        let mut told = self.exchange(request).await;
        if let Some(then) = self.then {
            told = self.again(request, told, then).await;
        }
        match told?.apart().reply()?.reply {
            Reply::Error { message, .. } => Err(ControlError::Refused(said::refusal(&message))),
            reply => said::reply(reply)
                .and_then(read)
                .ok_or(ControlError::Strange(self.address)),
        }
    }

    async fn exchange(&mut self, request: &Request<'_>) -> Result<Message, ControlError> {
        for part in encode_request(Dialect::Flat, None, request).chunks(MOVES) {
            moving(self.stream.write_all(part)).await?;
        }
        self.incoming.next(&mut self.stream).await
    }

    /// Asks again while the master is gone, and not for ever.
    async fn again(
        &mut self,
        request: &Request<'_>,
        told: Result<Message, ControlError>,
        then: &'static str,
    ) -> Result<Message, ControlError> {
        let mut error = match told {
            Err(error) if error.is_away() => error,
            told => return told,
        };
        let (address, minutes) = (self.address, AWAY_MAX.as_secs() / 60);
        eprintln!(
            "{error}; what was handed in is safe there: looking for {address} again for {minutes} minutes"
        );
        // A try that is on its way ends with that time too: one alone may wait for long.
        let mut over = pin!(sleep(AWAY_MAX));
        loop {
            tokio::select! {
                told = self.anew(request, then) => match told {
                    Err(met) if met.is_away() => error = met,
                    told => return told,
                },
                () = &mut over => {
                    let error = Box::new(error);
                    return Err(ControlError::Gone { address, error, then });
                }
            }
        }
    }

    /// Asks over a fresh connection, after the pause.
    async fn anew(
        &mut self,
        request: &Request<'_>,
        then: &'static str,
    ) -> Result<Message, ControlError> {
        sleep(AGAIN_AFTER).await;
        *self = Self::connect(self.address).await?;
        self.then = Some(then);
        self.exchange(request).await
    }

    /// The error for answers that lead to no end.
    pub fn endless(&self) -> ControlError {
        ControlError::Endless(self.address)
    }

    /// The error for answers that are more than can be kept.
    pub fn too_much(&self) -> ControlError {
        ControlError::TooMuch(self.address)
    }
}

impl Incoming {
    /// The next message.
    async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<Message, ControlError> {
        // It may have been thought about for as long as a piece of it may take.
        if self.buffer.is_empty() {
            moving(self.more(stream)).await?;
        }
        loop {
            if let Some(message) = moving(self.piece(stream)).await? {
                return Ok(message);
            }
        }
    }

    /// The message, if it ends within the next piece of it.
    async fn piece(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<Option<Message>, ControlError> {
        let mut came = 0;
        loop {
            let message = self.scanner.split(&mut self.buffer)?;
            if message.is_some() || came >= MOVES {
                return Ok(message);
            }
            came += self.more(stream).await?;
        }
    }

    /// Reads what is there; how much that was.
    async fn more(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<usize> {
        self.buffer.reserve(MOVES);
        match stream.read_buf(&mut self.buffer).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            came => Ok(came),
        }
    }
}

/// A step of a transfer, which may be slow but must not stand still, nor come in drops.
async fn moving<T, E>(step: impl Future<Output = Result<T, E>>) -> Result<T, ControlError>
where
    ControlError: From<E>,
{
    let moved = timeout(REPLY_WITHIN, step).await;
    Ok(moved.map_err(|_| ControlError::Silent)??)
}

#[cfg(test)]
pub mod fake {
    //! A master that answers what a test wants.

    use mutirao_actors::wire::parse_request;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;

    /// A report, as a master answers with it.
    pub fn report(report: &Value) -> Value {
        json!({ "status": "REPORT", "report": report })
    }

    /// A connection to a master that answers so, for as long as it is asked.
    pub async fn master(mut answer: impl FnMut(Request<'_>) -> Value + 'static) -> Control {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        actix_rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut scanner, mut asked) = (Scanner::new(Caps::REQUESTS), BytesMut::new());
            while stream.read_buf(&mut asked).await.is_ok_and(|read| read > 0) {
                while let Some(request) = scanner.split(&mut asked).unwrap() {
                    let request = parse_request(request.value()).unwrap().request;
                    let answer = answer(request).to_string();
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
        Control::connect(address).await.unwrap()
    }
}

#[cfg(test)]
mod tests {
    use mutirao_actors::clock::Clock;
    use mutirao_actors::model::Moment;
    use mutirao_actors::wire::report::FailuresRow;
    use serde_json::json;
    use tokio::io::duplex;
    use tokio::net::TcpListener;

    use super::*;

    /// What comes of a reply of which pieces of so many bytes come, one each so often.
    async fn answered(piece: usize, every: Duration) -> Result<usize, ControlError> {
        let (mut near, mut far) = duplex(2 * MOVES);
        let text = format!("{{\"status\":\"{}\"}}", "x".repeat(4 * MOVES));
        let answer = async {
            for piece in text.as_bytes().chunks(piece) {
                sleep(every).await;
                if far.write_all(piece).await.is_err() {
                    return;
                }
            }
        };
        let read = async {
            let mut incoming = Incoming {
                scanner: Scanner::new(Caps::REPLIES),
                buffer: BytesMut::new(),
            };
            let read = incoming.next(&mut near).await;
            drop(near);
            Ok(read?.value().len())
        };
        tokio::join!(answer, read).1
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_comes_in_drops_is_given_up_and_one_that_comes_slowly_is_not() {
        let slow = answered(MOVES, REPLY_WITHIN - Duration::from_secs(1)).await;
        assert_eq!(slow.unwrap(), 4 * MOVES + 13);
        for piece in [1, MOVES / 16] {
            let dripped = answered(piece, REPLY_WITHIN / 10).await;
            assert!(matches!(dripped, Err(ControlError::Silent)), "{dripped:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_master_that_takes_connections_and_says_nothing_is_looked_for_as_long_as_is_said() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut control = Control::connect(silent.local_addr().unwrap())
            .await
            .unwrap();
        control.be_patient("mutirao wait last");
        let clock = Clock::start();
        let gone = control.ask(&Request::Peers, |_| Some(())).await;
        assert!(matches!(gone, Err(ControlError::Gone { .. })), "{gone:?}");
        let looked = clock.now().since(Moment::default());
        let whole = REPLY_WITHIN + AWAY_MAX;
        assert!(
            looked >= AWAY_MAX && looked <= whole + AGAIN_AFTER,
            "{looked:?}"
        );
    }

    #[actix_rt::test]
    async fn what_a_master_says_is_tamed_before_it_is_read() {
        let mut answers = vec![
            fake::report(&json!({ "reason": "a\u{1b}[2Jb", "tasks": u64::MAX })),
            fake::report(&json!({ "reason": "a\u{1b}[2Jb", "tasks": 1 })),
            json!({ "status": "ERROR", "message": "no\u{1b}]0;PWNED\u{7}" }),
        ];
        let mut control = fake::master(move |_| answers.pop().unwrap()).await;
        let read = |reply: Reply<'_>| match reply {
            Reply::Report(text) => serde_json::from_str::<FailuresRow>(&text).ok(),
            _ => None,
        };
        let refused = control.ask(&Request::Peers, read).await.unwrap_err();
        assert_eq!(refused.to_string(), "the master says: no]0;PWNED");
        let row = control.ask(&Request::Peers, read).await.unwrap();
        assert_eq!((row.reason.as_str(), row.tasks), ("a[2Jb", 1));
        let strange = control.ask(&Request::Peers, read).await.unwrap_err();
        assert!(matches!(strange, ControlError::Strange(_)), "{strange}");
    }
}
