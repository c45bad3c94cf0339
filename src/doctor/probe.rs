//! What is seen on the way.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use if_addrs::IfAddr;
use jiff::Timestamp;
use mutirao_actors::discovery::questions;
use nix::sys::statvfs::statvfs;
use tokio::net::TcpStream;

use super::network::{Heard, Interface};
use crate::http::{self, Bounds};
use crate::search;
use crate::sockets::SocketError;
use crate::sockets::places::{broadcast_targets, named_targets};
use crate::sockets::tcp::dial;
use crate::sockets::udp::{Everywhere, discovery_asker};

/// How long a connection may take.
const DIAL_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer over it may take, and how many bytes are read of it: its head, and the reason in its body.
const ANSWER: Bounds = Bounds {
    within: Duration::from_secs(10),
    bytes: 16 << 10,
};

/// What was answered over HTTP.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The time there, if it says.
    pub date: Option<Timestamp>,
    /// What it says.
    pub body: String,
}

/// The interfaces that have an address.
///
/// # Errors
/// What the system says.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let listed = if_addrs::get_if_addrs()?.into_iter();
    let known = listed.filter_map(|one| match one.addr {
        IfAddr::V4(own) => Some(Interface {
            name: one.name,
            address: own.ip,
            broadcast: own
                .broadcast
                .filter(|to| *to != own.ip && !own.ip.is_loopback()),
        }),
        IfAddr::V6(_) => None,
    });
    Ok(known.collect())
}

/// Sends one question to everywhere that a peer asks, and says what became of each.
///
/// # Errors
/// When no socket can be opened.
pub async fn broadcasts(
    everywhere: &Everywhere,
) -> Result<Vec<(SocketAddr, io::Result<()>)>, SocketError> {
    let socket = discovery_asker()?;
    let questions = questions(None, None);
    let mut targets = broadcast_targets(&everywhere.ports);
    targets.extend(named_targets(&everywhere.places, &everywhere.ports).await);
    let mut sent = Vec::new();
    for to in targets {
        let mut told = Ok(());
        for question in questions.iter().take(1) {
            told = socket.send_to(question, to).await.map(|_| ());
        }
        sent.push((to, told));
    }
    Ok(sent)
}

/// The masters that answer within this time, the one that a peer would choose first.
///
/// # Errors
/// When no socket can be opened.
pub async fn masters(everywhere: Everywhere, wait: Duration) -> Result<Vec<Heard>, SocketError> {
    let heard = search::masters(everywhere, wait).await?.ranked(&[]);
    let heard = heard.into_iter().map(|master| Heard {
        name: master.name,
        addresses: master.addresses,
        is_ours: master.ours.is_some(),
    });
    Ok(heard.collect())
}

/// A connection to the first of these addresses that takes one, or what became of the last.
pub async fn connection(
    addresses: &[SocketAddr],
) -> Option<(SocketAddr, Result<TcpStream, SocketError>)> {
    let mut last = None;
    for to in addresses {
        let dialled = dial(*to, DIAL_WITHIN).await;
        let is_well = dialled.is_ok();
        last = Some((*to, dialled));
        if is_well {
            break;
        }
    }
    last
}

/// What a master answers to `GET /readyz`.
///
/// # Errors
/// When it does not answer in time, or with what is no HTTP.
pub async fn readiness(stream: &mut TcpStream, to: SocketAddr) -> io::Result<Answered> {
    let answered = http::get(stream, to, "/readyz", ANSWER).await?;
    let date = answered.field("date");
    let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let body = || String::from_utf8_lossy(&answered.body).into_owned();
    Ok(Answered {
        status: answered.status,
        date: date.map(|date| date.timestamp()),
        body: answered.problem().unwrap_or_else(body),
    })
}

/// The bytes that are free for us in this folder.
///
/// # Errors
/// What the system says; or that its file system does not say how much room it has.
pub fn free(folder: &Path) -> io::Result<u64> {
    let disk = statvfs(folder).map_err(io::Error::from)?;
    room(disk.blocks(), disk.blocks_available(), disk.fragment_size())
}

/// The bytes of the blocks that are available. A disk that is full has blocks, and none of them is available.
fn room(blocks: u64, available: u64, size: u64) -> io::Result<u64> {
    match blocks {
        0 => {
            let why = "its file system does not say how much room it has";
            Err(io::Error::new(io::ErrorKind::Unsupported, why))
        }
        _ => Ok(available.saturating_mul(size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_what_is_free() {
        assert!(free(Path::new(".")).unwrap() > 0);
        assert!(free(Path::new("/nonexistent")).is_err());
    }

    #[test]
    fn a_full_disk_has_no_room_and_one_that_does_not_say_is_not_full() {
        assert_eq!(room(100, 0, 4096).unwrap(), 0);
        assert_eq!(room(100, 3, 4096).unwrap(), 12_288);
        let unknown = room(0, 0, 4096).unwrap_err();
        assert_eq!(unknown.kind(), io::ErrorKind::Unsupported);
    }
}
