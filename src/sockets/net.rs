//! The network as the program uses it: a trait, so that a simulated one can lose, delay and cut.
//!
//! Rule: whoever listens, dials or discovers is given a [`Net`]; only the real one opens sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use mutirao_actors::discovery::{Outgoing, Received};
use mutirao_actors::master_session::{Dialled, Duplex};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::SocketError;
use super::places::routes_towards;
use super::seats::{Host, seats_of};
use super::tcp::{dial, listen_tcp, local_address};
use super::udp::{Everywhere, datagrams, discovery_asker, discovery_listener, outgoing};

/// Where connections come in.
pub struct Door {
    /// Where it really listens.
    pub address: SocketAddr,
    /// What takes them.
    pub listener: Box<dyn Listen>,
    /// How many may be open at a time.
    pub seats: usize,
}

/// Takes connections.
pub trait Listen: Send {
    /// The next connection, ready to be served, and where it comes from.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Duplex>, SocketAddr)>>;
}

/// A socket for datagrams: what it hears, until that is dropped, and the way out through it.
pub struct Datagrams {
    /// What is heard.
    pub heard: Box<dyn Stream<Item = Received> + Unpin>,
    /// What is to be sent.
    pub outgoing: mpsc::Sender<Outgoing>,
}

/// The network.
pub trait Net: fmt::Debug + Send + Sync {
    /// Listens for connections to this host on a port of every interface; 0 for any free one.
    ///
    /// # Errors
    /// [`SocketError`], in words fit for the user, if the port is taken or not ours to take.
    fn listen(&self, port: u16, host: Host) -> BoxFuture<'_, Result<Door, SocketError>>;

    /// Connects, or gives up after `within`.
    ///
    /// # Errors
    /// [`SocketError::Dial`] if it is refused, [`SocketError::Silent`] if nothing answers.
    fn dial(
        &self,
        to: SocketAddr,
        within: Duration,
    ) -> BoxFuture<'static, Result<Dialled, SocketError>>;

    /// Hears the questions of peers on a port of every interface, broadcasts included.
    ///
    /// # Errors
    /// [`SocketError`], in words fit for the user, if the port is taken or not ours to take.
    fn hear_questions(&self, port: u16) -> BoxFuture<'_, Result<Datagrams, SocketError>>;

    /// Asks for masters at all of these places; the answers are heard.
    ///
    /// # Errors
    /// [`SocketError`] if the system opens no socket.
    fn ask(&self, everywhere: Everywhere) -> BoxFuture<'_, Result<Datagrams, SocketError>>;

    /// At which of its addresses this machine is reached by somebody; none if no route leads there.
    fn route_towards(&self, asker: SocketAddr) -> Option<IpAddr>;
}

/// The network that this machine is on.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealNet;

impl Net for RealNet {
    fn listen(&self, port: u16, host: Host) -> BoxFuture<'_, Result<Door, SocketError>> {
        let listen = async move {
            let wildcard = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            let listener = listen_tcp(wildcard)?;
            let address = local_address(&listener, port)?;
            let listener = Box::new(listener);
            Ok(Door {
                address,
                listener,
                seats: seats_of(host),
            })
        };
        listen.boxed()
    }

    fn dial(
        &self,
        to: SocketAddr,
        within: Duration,
    ) -> BoxFuture<'static, Result<Dialled, SocketError>> {
        let dialling = async move {
            let stream = dial(to, within).await?;
            let local = stream.local_addr().ok().map(|local| local.ip());
            let stream = Box::new(stream);
            Ok(Dialled { stream, local })
        };
        dialling.boxed()
    }

    fn hear_questions(&self, port: u16) -> BoxFuture<'_, Result<Datagrams, SocketError>> {
        let open = async move {
            let socket = Arc::new(discovery_listener(port)?);
            Ok(Datagrams {
                outgoing: outgoing(Arc::clone(&socket), Everywhere::default()),
                heard: Box::new(datagrams(socket)),
            })
        };
        open.boxed()
    }

    fn ask(&self, everywhere: Everywhere) -> BoxFuture<'_, Result<Datagrams, SocketError>> {
        let open = async move {
            let socket = Arc::new(discovery_asker()?);
            Ok(Datagrams {
                outgoing: outgoing(Arc::clone(&socket), everywhere),
                heard: Box::new(datagrams(socket)),
            })
        };
        open.boxed()
    }

    fn route_towards(&self, asker: SocketAddr) -> Option<IpAddr> {
        routes_towards(asker)
    }
}

impl Listen for TcpListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Duplex>, SocketAddr)>> {
        let next = async {
            let (stream, remote) = Self::accept(self).await?;
            Ok((Box::new(stream) as Box<dyn Duplex>, remote))
        };
        next.boxed()
    }
}
