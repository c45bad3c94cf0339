//! The simulated network as the program sees it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::poll_fn;
use mutirao::sockets::SocketError;
use mutirao::sockets::net::{Datagrams, Door, Listen, Net};
use mutirao::sockets::seats::{Host, seats_of};
use mutirao::sockets::udp::Everywhere;
use mutirao_actors::discovery::{Outgoing, Received};
use mutirao_actors::master_session::{Dialled, Duplex};
use mutirao_actors::wire::datagram::DATAGRAM_MAX;
use mutirao_rig::dice::Dice;
use tokio::sync::mpsc;
use turmoil::net::{TcpListener, TcpStream, UdpSocket};

use crate::tally::{Met, Tally};
use crate::tap::{Tap, Tapped};

/// Datagrams that wait, each way.
const DATAGRAMS_MAX: usize = 1024;

/// The network of one host.
#[derive(Clone)]
pub struct SimNet {
    /// Where this host is.
    pub ip: IpAddr,
    /// Datagrams of a hundred that are lost on the way out.
    pub loss: Arc<AtomicU64>,
    /// What loses them.
    pub dice: Arc<Mutex<Dice>>,
    /// Where lost datagrams are counted.
    pub tally: Tally,
    /// Who listens in on what is dialled from here.
    pub tap: Option<Tap>,
}

impl fmt::Debug for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimNet({})", self.ip)
    }
}

/// A listener.
struct Ear(TcpListener);

impl Listen for Ear {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Box<dyn Duplex>, SocketAddr)>> {
        let next = async {
            let (stream, remote) = self.0.accept().await?;
            Ok((Box::new(stream) as Box<dyn Duplex>, remote))
        };
        next.boxed()
    }
}

/// What it means that a port could not be opened.
fn failed(protocol: &'static str, port: u16) -> impl FnOnce(io::Error) -> SocketError {
    move |error| SocketError::Open {
        protocol,
        port,
        error,
    }
}

impl SimNet {
    async fn datagrams(&self, port: u16, everywhere: Everywhere) -> io::Result<Datagrams> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
        socket.set_broadcast(true)?;
        let socket = Arc::new(socket);
        let (tell, mut heard) = mpsc::channel(DATAGRAMS_MAX);
        tokio::spawn(hear(Arc::clone(&socket), tell));
        let (outgoing, queue) = mpsc::channel(DATAGRAMS_MAX);
        tokio::spawn(self.clone().say(socket, queue, everywhere.ports));
        Ok(Datagrams {
            heard: Box::new(poll_fn(move |cx| heard.poll_recv(cx))),
            outgoing,
        })
    }

    async fn say(
        self,
        socket: Arc<UdpSocket>,
        mut queue: mpsc::Receiver<Outgoing>,
        ports: Vec<u16>,
    ) {
        while let Some(outgoing) = queue.recv().await {
            match outgoing {
                Outgoing::To(to, bytes) => self.send(&socket, to, &bytes).await,
                Outgoing::Everywhere(questions) => {
                    for port in &ports {
                        for question in questions.iter() {
                            let to = SocketAddr::from((Ipv4Addr::BROADCAST, *port));
                            self.send(&socket, to, question).await;
                        }
                    }
                }
            }
        }
    }

    async fn send(&self, socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) {
        let is_lost = self
            .dice
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .percent(self.loss.load(Ordering::Relaxed));
        if is_lost {
            self.tally.count(Met::DatagramLost);
        } else {
            // A datagram may always be lost.
            let _ = socket.send_to(bytes, to).await;
        }
    }
}

async fn hear(socket: Arc<UdpSocket>, tell: mpsc::Sender<Received>) {
    let mut buffer = vec![0; DATAGRAM_MAX + 1];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
        if tell.send(Received { from, bytes }).await.is_err() {
            return;
        }
    }
}

impl Net for SimNet {
    fn listen(&self, port: u16, host: Host) -> BoxFuture<'_, Result<Door, SocketError>> {
        let listen = async move {
            let bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
            let listener = bound.map_err(failed("TCP", port))?;
            let address = listener.local_addr().map_err(failed("TCP", port))?;
            Ok(Door {
                address,
                listener: Box::new(Ear(listener)),
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
        let (tap, ip, tally) = (self.tap.clone(), self.ip, self.tally.clone());
        let dial = async move {
            let dialling = tokio::time::timeout(within, TcpStream::connect(to)).await;
            if !matches!(dialling, Ok(Ok(_))) {
                tally.count(Met::DialFailed);
            }
            let stream = dialling.map_err(|_| SocketError::Silent { to, within })?;
            let stream = stream.map_err(|error| SocketError::Dial { to, error })?;
            let stream: Box<dyn Duplex> = match tap {
                Some(tap) => Box::new(Tapped::new(stream, tap)),
                None => Box::new(stream),
            };
            Ok(Dialled {
                stream,
                local: Some(ip),
            })
        };
        dial.boxed()
    }

    fn hear_questions(&self, port: u16) -> BoxFuture<'_, Result<Datagrams, SocketError>> {
        async move {
            self.datagrams(port, Everywhere::default())
                .await
                .map_err(failed("UDP", port))
        }
        .boxed()
    }

    fn ask(&self, everywhere: Everywhere) -> BoxFuture<'_, Result<Datagrams, SocketError>> {
        async move {
            self.datagrams(0, everywhere)
                .await
                .map_err(failed("UDP", 0))
        }
        .boxed()
    }

    fn route_towards(&self, _: SocketAddr) -> Option<IpAddr> {
        Some(self.ip)
    }
}
