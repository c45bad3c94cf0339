//! A network of pipes in memory: no sockets, no files, and as many connections as there is memory for.

use std::fmt;
use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;
use mutirao::sockets::SocketError;
use mutirao::sockets::net::{Datagrams, Door, Listen, Net};
use mutirao::sockets::seats::Host;
use mutirao::sockets::udp::Everywhere;
use mutirao_actors::master_session::{Dialled, Duplex};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// What a pipe holds each way, in bytes: a small task or its result.
const PIPE: usize = 16 << 10;

/// The master's end: one listener, and nobody who asks for a master.
pub struct Pipes(Mutex<Option<mpsc::UnboundedReceiver<Joined>>>);

/// The peers' end.
#[derive(Debug, Clone)]
pub struct Dialler(mpsc::UnboundedSender<Joined>);

type Joined = (DuplexStream, SocketAddr);

/// Both ends.
pub fn pipes() -> (Pipes, Dialler) {
    let (dial, joined) = mpsc::unbounded_channel();
    (Pipes(Mutex::new(Some(joined))), Dialler(dial))
}

impl Dialler {
    /// Connects; the other side sees an address of its own for each number.
    pub fn dial(&self, number: u32) -> DuplexStream {
        let (ours, theirs) = duplex(PIPE);
        let ip = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + number);
        // A master that has ended is seen by whoever reads.
        let _ = self.0.send((theirs, (ip, 9).into()));
        ours
    }
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipes")
    }
}

struct Ear(mpsc::UnboundedReceiver<Joined>);

impl Listen for Ear {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Duplex>, SocketAddr)>> {
        let next = async {
            match self.0.recv().await {
                Some((stream, from)) => Ok((Box::new(stream) as Box<dyn Duplex>, from)),
                None => pending().await,
            }
        };
        next.boxed()
    }
}

impl Net for Pipes {
    fn listen(&self, port: u16, _: Host) -> BoxFuture<'_, Result<Door, SocketError>> {
        let joined = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let door = joined.map(|joined| Door {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            listener: Box::new(Ear(joined)),
            seats: usize::MAX,
        });
        let taken = SocketError::Taken {
            protocol: "TCP",
            port,
            flag: "--port",
        };
        async move { door.ok_or(taken) }.boxed()
    }

    fn dial(
        &self,
        to: SocketAddr,
        within: Duration,
    ) -> BoxFuture<'static, Result<Dialled, SocketError>> {
        async move { Err(SocketError::Silent { to, within }) }.boxed()
    }

    fn hear_questions(&self, _: u16) -> BoxFuture<'_, Result<Datagrams, SocketError>> {
        nobody().boxed()
    }

    fn ask(&self, _: Everywhere) -> BoxFuture<'_, Result<Datagrams, SocketError>> {
        nobody().boxed()
    }

    fn route_towards(&self, _: SocketAddr) -> Option<IpAddr> {
        None
    }
}

async fn nobody() -> Result<Datagrams, SocketError> {
    Ok(Datagrams {
        heard: Box::new(stream::pending()),
        outgoing: mpsc::channel(1).0,
    })
}
