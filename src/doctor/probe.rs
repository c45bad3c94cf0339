//! What is seen on the way.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use if_addrs::IfAddr;
use jiff::Timestamp;
use mutirao_actors::discovery::questions;
use nix::sys::statvfs::statvfs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::network::{Heard, Interface};
use crate::search;
use crate::sockets::SocketError;
use crate::sockets::places::{broadcast_targets, named_targets};
use crate::sockets::tcp::dial;
use crate::sockets::udp::{Everywhere, discovery_asker};

/// How long a connection may take.
const DIAL_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer over it may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read: its head, and the reason in its body.
const ANSWER_MAX: u64 = 16 << 10;

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
pub async fn http(stream: &mut TcpStream, to: SocketAddr) -> io::Result<Answered> {
    let host = match to.ip() {
        IpAddr::V4(ip) => format!("{ip}:{}", to.port()),
        IpAddr::V6(ip) => format!("[{ip}]:{}", to.port()),
    };
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let asked = async {
        stream.write_all(request.as_bytes()).await?;
        let mut text = Vec::new();
        let read = stream.take(ANSWER_MAX).read_to_end(&mut text).await;
        // One that is cut behind its head has answered all the same.
        read.map(|_| ()).or_else(|error| match text.is_empty() {
            true => Err(error),
            false => Ok(()),
        })?;
        Ok::<_, io::Error>(text)
    };
    let text = timeout(ANSWER_WITHIN, asked)
        .await
        .map_err(|_| silent())??;
    parse(&String::from_utf8_lossy(&text)).ok_or_else(|| io::Error::other("it does not speak HTTP"))
}

fn silent() -> io::Error {
    io::Error::other(format!("nothing came within {} s", ANSWER_WITHIN.as_secs()))
}

fn parse(text: &str) -> Option<Answered> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?;
    let status = status.split(' ').nth(1)?.parse().ok()?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let date = fields.find(|(name, _)| name.eq_ignore_ascii_case("date"));
    let date = date.and_then(|(_, date)| jiff::fmt::rfc2822::parse(date.trim()).ok());
    Some(Answered {
        status,
        date: date.map(|date| date.timestamp()),
        body: body.to_owned(),
    })
}

/// The bytes that are free for us in this folder.
///
/// # Errors
/// What the system says.
pub fn free(folder: &Path) -> io::Result<u64> {
    let disk = statvfs(folder).map_err(io::Error::from)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_its_status_its_time_and_its_words() {
        let text = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nDate: Sun, 29 Nov 2026 06:48:08 GMT\r\n\r\nfull";
        let answered = parse(text).unwrap();
        assert_eq!((answered.status, &*answered.body), (503, "full"));
        assert_eq!(answered.date.unwrap().to_string(), "2026-11-29T06:48:08Z");
        assert_eq!(parse("SSH-2.0-OpenSSH_9.2\r\n\r\n"), None);
        assert_eq!(
            parse("HTTP/1.1 200 OK\r\nDate: now\r\n\r\n").unwrap().date,
            None
        );
    }

    #[test]
    fn a_folder_tells_what_is_free() {
        assert!(free(Path::new(".")).unwrap() > 0);
        assert!(free(Path::new("/nonexistent")).is_err());
    }
}
