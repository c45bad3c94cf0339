//! One connection of somebody who only speaks the protocol.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mutirao_actors::wire::scanner::Caps;
use mutirao_actors::wire::{Dialect, Request, Scanner, encode_request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use turmoil::net::TcpStream;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// Asks on a new connection, and gives the reply's bytes.
///
/// # Errors
/// When the connection breaks, or nothing comes in time.
pub async fn ask(to: SocketAddr, request: &Request<'_>) -> io::Result<Bytes> {
    let asking = async {
        let mut stream = TcpStream::connect(to).await?;
        stream
            .write_all(&encode_request(Dialect::Flat, None, request))
            .await?;
        let (mut scanner, mut buffer) = (Scanner::new(Caps::REPLIES), BytesMut::new());
        loop {
            if let Some(reply) = scanner.split(&mut buffer).map_err(io::Error::other)? {
                return Ok(reply.value().clone());
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    };
    timeout(PATIENCE, asking).await?
}
