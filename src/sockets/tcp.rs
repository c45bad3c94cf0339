//! TCP: the one port that the master listens on, and the peer's way to it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use super::SocketError;

/// Connections that wait to be accepted: a room of 1,000 peers that comes back at once. Linux cuts it to
/// `net.core.somaxconn` (4096).
const BACKLOG_MAX: i32 = 1024;
/// A connection that carries nothing is asked after this long whether it is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// How long to wait for that answer.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// How often to ask before giving it up: a machine that lost its power is noticed within a minute.
const KEEPALIVE_TRIES_MAX: u32 = 3;

/// Listens at this address; the wildcard address for every interface.
///
/// # Errors
/// [`SocketError`], in words fit for the user, if the port is taken or not ours to take.
pub fn listen_tcp(address: SocketAddr) -> Result<TcpListener, SocketError> {
    let listener = || -> io::Result<TcpListener> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        // A restarted master takes its port back while connections of its former life still linger.
        socket.set_reuse_address(true)?;
        // Each connection inherits it, which saves as many system calls as that takes.
        prepare(&socket)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG_MAX)?;
        TcpListener::from_std(socket.into())
    };
    listener().map_err(|error| SocketError::opening("TCP", address.port(), "--port", error))
}

/// Where a listener really listens; `port` is the one that it was to have.
///
/// # Errors
/// [`SocketError::Open`] if the system does not tell.
pub fn local_address(listener: &TcpListener, port: u16) -> Result<SocketAddr, SocketError> {
    let protocol = "TCP";
    listener.local_addr().map_err(|error| SocketError::Open {
        protocol,
        port,
        error,
    })
}

/// Connects, or gives up after `within`.
///
/// # Errors
/// [`SocketError::Dial`] if it is refused, [`SocketError::Silent`] if nothing answers.
pub async fn dial(to: SocketAddr, within: Duration) -> Result<TcpStream, SocketError> {
    let connected = tokio::time::timeout(within, TcpStream::connect(to)).await;
    let stream = connected.map_err(|_| SocketError::Silent { to, within })?;
    let ready = stream.and_then(|stream| {
        prepare(&SockRef::from(&stream))?;
        // Our own port may be the one that is dialled when nobody listens on it: TCP then connects it to itself.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(stream)
    });
    ready.map_err(|error| SocketError::Dial { to, error })
}

/// What every connection wants, accepted ones too: each message at once, and word of a machine that is gone.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TRIES_MAX);
    socket.set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
    const WITHIN: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_listener_is_reached_and_each_message_leaves_at_once() {
        let listener = listen_tcp(LOOPBACK).unwrap();
        let to = listener.local_addr().unwrap();
        let (accepted, dialled) = tokio::join!(listener.accept(), dial(to, WITHIN));
        let (dialled, (accepted, remote)) = (dialled.unwrap(), accepted.unwrap());
        assert_eq!(remote, dialled.local_addr().unwrap());
        for end in [dialled, accepted] {
            assert!(end.nodelay().unwrap());
            let socket = SockRef::from(&end);
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
            let tries = socket.tcp_keepalive_retries().unwrap();
            assert_eq!(tries, KEEPALIVE_TRIES_MAX);
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_told_with_what_to_do() {
        let listener = listen_tcp(LOOPBACK).unwrap();
        let taken = listener.local_addr().unwrap();
        let error = listen_tcp(taken).unwrap_err().to_string();
        assert!(
            error.contains(&format!("TCP port {} is taken", taken.port())),
            "{error}"
        );
        assert!(error.contains("--port"), "{error}");
    }

    #[tokio::test]
    async fn a_closed_port_is_an_error_with_its_address() {
        // Bound and not listening, so that no other test gets the port meanwhile.
        let held = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        held.bind(&LOOPBACK.into()).unwrap();
        let closed = held.local_addr().unwrap().as_socket().unwrap();
        let error = dial(closed, WITHIN).await.unwrap_err().to_string();
        assert!(error.contains(&closed.to_string()), "{error}");
    }
}
