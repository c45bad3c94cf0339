//! UDP: the port on which a master hears questions, the one from which a peer asks, and what flows through them.
//!
//! Rule: a datagram may always be lost, so nothing here fails because one could not be sent or taken.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use mutirao_actors::discovery::{Outgoing, Received};
use mutirao_actors::wire::datagram::DATAGRAM_MAX;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::SocketError;
use super::places::{Place, broadcast_targets, named_targets};

/// Where masters listen for questions, unless they are told otherwise.
pub const DISCOVERY_PORT: u16 = 50005;
/// Datagrams that wait for the actor: a burst of a whole room in about 1 MB at most. What comes beyond it is dropped,
/// and asked for again.
pub const DATAGRAMS_MAX: usize = 1024;
/// Datagrams or rounds that wait to be sent; a socket takes them in microseconds.
pub const OUTGOING_MAX: usize = 1024;
/// After a failed read, so that one which fails for ever does not turn a core.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Hears what is sent to this port of any interface, broadcasts included. Several masters of one machine may share it:
/// each hears the broadcasts, and one of them what is sent to the machine alone.
///
/// # Errors
/// [`SocketError`], in words fit for the user, if the port is taken or not ours to take.
pub fn discovery_listener(port: u16) -> Result<UdpSocket, SocketError> {
    let failed = |error| SocketError::opening("UDP", port, "--discovery-port", error);
    open(port, true).map_err(failed)
}

/// Asks from any free port; the answers come back to it.
///
/// # Errors
/// [`SocketError`] if the system opens no socket.
pub fn discovery_asker() -> Result<UdpSocket, SocketError> {
    let failed = |error| SocketError::opening("UDP", 0, "--discovery-port", error);
    open(0, false).map_err(failed)
}

fn open(port: u16, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(shared)?;
    // Linux shares broadcasts among sockets with SO_REUSEADDR, also with programs that know nothing else; its
    // SO_REUSEPORT would demand the same of all of them. The BSDs and macOS share by SO_REUSEPORT.
    #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
    socket.set_reuse_port(shared)?;
    // On Linux only a socket of the wildcard address hears broadcasts.
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    UdpSocket::from_std(socket.into())
}

/// Everything that the socket hears, until the stream is dropped.
pub fn datagrams(socket: Arc<UdpSocket>) -> impl Stream<Item = Received> + Unpin + use<> {
    let (queue, mut waiting) = mpsc::channel(DATAGRAMS_MAX);
    tokio::spawn(async move {
        tokio::select! {
            () = queue.closed() => {}
            () = read(&socket, &queue) => {}
        }
    });
    stream::poll_fn(move |cx| waiting.poll_recv(cx))
}

async fn read(socket: &UdpSocket, queue: &mpsc::Sender<Received>) {
    // One byte more than any message has, so that a longer one is seen to be too long.
    let mut buffer = [0; DATAGRAM_MAX + 1];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                let read = buffer.get(..length).unwrap_or_default();
                let bytes = Bytes::copy_from_slice(read);
                if queue.try_send(Received { from, bytes }).is_err() {
                    tracing::trace!(%from, "a datagram was dropped: the queue is full");
                }
            }
            Err(error) => {
                tracing::debug!("failed to read a datagram: {error}");
                tokio::time::sleep(READ_AGAIN_AFTER).await;
            }
        }
    }
}

/// Where the questions of a peer go.
#[derive(Debug, Clone, Default)]
pub struct Everywhere {
    /// The ports on which masters listen for broadcasts.
    pub ports: Vec<u16>,
    /// Who is asked besides.
    pub places: Vec<Place>,
}

/// The way out through this socket, until the sender is dropped. Who only answers has nowhere else to ask.
pub fn outgoing(socket: Arc<UdpSocket>, everywhere: Everywhere) -> mpsc::Sender<Outgoing> {
    let (sender, mut queue) = mpsc::channel(OUTGOING_MAX);
    tokio::spawn(async move {
        while let Some(outgoing) = queue.recv().await {
            match outgoing {
                Outgoing::To(to, bytes) => send(&socket, to, &bytes).await,
                Outgoing::Everywhere(questions) => ask(&socket, &everywhere, &questions).await,
            }
        }
    });
    sender
}

/// One round of questions. The broadcasts go first: looking up a name may take its time.
pub async fn ask(socket: &UdpSocket, everywhere: &Everywhere, questions: &[Bytes]) {
    let ports = &everywhere.ports;
    send_all(socket, broadcast_targets(ports), questions).await;
    send_all(
        socket,
        named_targets(&everywhere.places, ports).await,
        questions,
    )
    .await;
}

async fn send_all(socket: &UdpSocket, targets: Vec<SocketAddr>, questions: &[Bytes]) {
    for to in targets {
        for question in questions {
            send(socket, to, question).await;
        }
    }
}

/// An interface without a route, a firewall, an asker that is gone: none of it is an error of ours.
async fn send(socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) {
    if let Err(error) = socket.send_to(bytes, to).await {
        tracing::debug!(%to, "a datagram was not sent: {error}");
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    fn loopback(socket: &UdpSocket) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, socket.local_addr().unwrap().port()).into()
    }

    #[tokio::test]
    async fn a_question_asked_everywhere_reaches_a_master_of_this_machine_and_its_answer_comes_back()
     {
        let master = Arc::new(discovery_listener(0).unwrap());
        let peer = Arc::new(discovery_asker().unwrap());
        let everywhere = Everywhere {
            ports: vec![loopback(&master).port()],
            places: Vec::new(),
        };
        let asking = outgoing(Arc::clone(&peer), everywhere);
        let answering = outgoing(Arc::clone(&master), Everywhere::default());

        let question = Bytes::from_static(b"who is there?");
        asking
            .send(Outgoing::Everywhere([question.clone()].into()))
            .await
            .unwrap();
        let heard = datagrams(master).next().await.unwrap();
        assert_eq!(heard.bytes, question);

        let answer = Bytes::from_static(b"I am");
        answering
            .send(Outgoing::To(heard.from, answer.clone()))
            .await
            .unwrap();
        assert_eq!(datagrams(peer).next().await.unwrap().bytes, answer);
    }

    #[tokio::test]
    async fn two_masters_of_one_machine_both_hear_a_broadcast() {
        let one = Arc::new(discovery_listener(0).unwrap());
        let port = loopback(&one).port();
        let other = Arc::new(discovery_listener(port).unwrap());
        let peer = discovery_asker().unwrap();
        let everywhere = Everywhere {
            ports: vec![port],
            places: Vec::new(),
        };
        ask(&peer, &everywhere, &[Bytes::from_static(b"?")]).await;
        assert!(datagrams(one).next().await.is_some());
        assert!(datagrams(other).next().await.is_some());
    }

    #[tokio::test]
    async fn what_cannot_be_reached_does_not_keep_the_next_from_being_asked() {
        let master = Arc::new(discovery_listener(0).unwrap());
        let peer = Arc::new(discovery_asker().unwrap());
        let asking = outgoing(peer, Everywhere::default());
        let nowhere = "0.0.0.1:0".parse().unwrap();
        asking
            .send(Outgoing::To(nowhere, Bytes::from_static(b"lost")))
            .await
            .unwrap();
        asking
            .send(Outgoing::To(loopback(&master), Bytes::from_static(b"?")))
            .await
            .unwrap();
        assert_eq!(datagrams(master).next().await.unwrap().bytes, "?");
    }

    #[tokio::test]
    async fn a_datagram_that_is_too_long_is_seen_to_be() {
        let master = Arc::new(discovery_listener(0).unwrap());
        let peer = discovery_asker().unwrap();
        peer.send_to(&[b'a'; DATAGRAM_MAX * 2], loopback(&master))
            .await
            .unwrap();
        assert!(datagrams(master).next().await.unwrap().bytes.len() > DATAGRAM_MAX);
    }

    #[tokio::test]
    async fn a_flood_that_nobody_reads_is_dropped_not_kept() {
        let master = Arc::new(discovery_listener(0).unwrap());
        let (queue, mut waiting) = mpsc::channel(2);
        let peer = discovery_asker().unwrap();
        for _ in 0..10 {
            peer.send_to(b"?", loopback(&master)).await.unwrap();
        }
        let drained = async {
            while queue.capacity() > 0 || master.try_peek_sender().is_ok() {
                tokio::task::yield_now().await;
            }
        };
        let reading = read(&master, &queue);
        tokio::select! { () = reading => {}, () = drained => {} }
        assert!(waiting.try_recv().is_ok() && waiting.try_recv().is_ok());
        assert!(waiting.try_recv().is_err());
    }
}
