//! Speaks to a master like a peer does, for the command line: one request, one reply.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use mutirao_actors::wire::scanner::Caps;
use mutirao_actors::wire::{
    Dialect, Message, Reply, Request, ScanError, Scanner, WireError, encode_request,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::sockets::SocketError;
use crate::sockets::tcp::dial;

/// How long a master may take to accept the connection.
const DIAL_WITHIN: Duration = Duration::from_secs(3);
/// How long nothing may move: a large task is looked over and written before it is answered.
const REPLY_WITHIN: Duration = Duration::from_secs(60);
/// What is written or read at once, and moves within that time even over the worst link.
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
    #[error("the master did not answer within {} s", REPLY_WITHIN.as_secs())]
    Silent,
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
}

/// A connection to a master.
#[derive(Debug)]
pub struct Control {
    address: SocketAddr,
    stream: TcpStream,
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
            scanner: Scanner::new(Caps::REPLIES),
            buffer: BytesMut::new(),
        })
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
        for part in encode_request(Dialect::Flat, None, request).chunks(MOVES) {
            moving(self.stream.write_all(part)).await?;
        }
        let message = self.read().await?;
        match message.apart().reply()?.reply {
            Reply::Error { message, .. } => Err(ControlError::Refused(message.into_owned())),
            reply => read(reply).ok_or(ControlError::Strange(self.address)),
        }
    }

    async fn read(&mut self) -> Result<Message, ControlError> {
        loop {
            if let Some(message) = self.scanner.split(&mut self.buffer)? {
                return Ok(message);
            }
            self.buffer.reserve(MOVES);
            if moving(self.stream.read_buf(&mut self.buffer)).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

/// A step of a transfer, which may be slow but must not stand still.
async fn moving<T>(step: impl Future<Output = std::io::Result<T>>) -> Result<T, ControlError> {
    let moved = timeout(REPLY_WITHIN, step).await;
    Ok(moved.map_err(|_| ControlError::Silent)??)
}
