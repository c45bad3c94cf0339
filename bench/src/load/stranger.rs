//! A peer of another group that runs nothing: a connection for each message, and no word of our extensions.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use memchr::{memchr, memmem};
use mutirao_actors::model::PeerId;
use mutirao_actors::wire::request::Address;
use mutirao_actors::wire::{Dialect, Payload, Request, encode_request};

use super::link::Link;
use super::peer::{expect, request};

/// Addresses from which connections come: a closed one keeps its port for a minute, and an address has 28,000.
const SOURCES: usize = 16;
/// What stands before a package's name.
const NAME: &[u8] = br#""task_name":""#;
/// Stands in the words where the name belongs.
const PLACE: &str = "?.zip";

/// A registered peer.
pub struct Stranger {
    address: SocketAddr,
    source: Ipv4Addr,
    request: Vec<u8>,
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Stranger {
    /// Registers the peer of this number, whose results are all this ZIP.
    pub async fn join(address: SocketAddr, number: usize, result: &[u8]) -> anyhow::Result<Self> {
        let source = source(number);
        let peer_id = PeerId::random();
        let register = Request::Register {
            peer_id: peer_id.clone(),
            address: Some(Address {
                host: Some(source.to_string().into()),
                port: 9,
            }),
            ours: None,
        };
        let register = encode_request(Dialect::Flat, None, &register);
        let mut link = Link::dial_from(source, address).await?;
        expect(link.ask(&register).await?, br#"{"status":"REGISTERED""#)?;
        let (before, behind) = submission(peer_id.clone(), result);
        Ok(Self {
            address,
            source,
            request: request(peer_id),
            before,
            behind,
        })
    }

    /// Asks for a task and hands its result in, each over a connection of its own.
    pub async fn cycle(&mut self) -> anyhow::Result<()> {
        let mut link = Link::dial_from(self.source, self.address).await?;
        let package = link.ask(&self.request).await?;
        expect(package, br#"{"action":"TASK_PACKAGE""#)?;
        let name = name_in(package).context("a package without a name")?;
        let submission = [&self.before, name, &self.behind].concat();
        drop(link);
        let mut link = Link::dial_from(self.source, self.address).await?;
        expect(link.ask(&submission).await?, br#"{"status":"OK""#)
    }
}

/// The address of the peer of this number, on the loopback interface.
pub fn source(number: usize) -> Ipv4Addr {
    let last = u8::try_from(number % SOURCES).unwrap_or_default();
    Ipv4Addr::new(127, 0, 1, last + 1)
}

/// SUBMIT_RESULT before and behind the name, which is that of the package.
fn submission(peer_id: PeerId, result: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let submit = Request::SubmitResult {
        peer_id,
        result_name: Some(PLACE.into()),
        result_data: Payload::Inside(result.to_vec().into()),
        task_id: None,
        attempt: None,
        sha256: None,
        outcome: None,
    };
    split(&encode_request(Dialect::Flat, None, &submit), PLACE)
}

/// What stands before and behind this place.
pub fn split(words: &[u8], place: &str) -> (Vec<u8>, Vec<u8>) {
    let at = memmem::find(words, place.as_bytes()).unwrap_or(words.len());
    let behind = words.get(at + place.len()..).unwrap_or_default();
    (
        words.get(..at).unwrap_or_default().to_vec(),
        behind.to_vec(),
    )
}

fn name_in(package: &[u8]) -> Option<&[u8]> {
    let at = memmem::find(package, NAME)?;
    let rest = package.get(at + NAME.len()..)?;
    rest.get(..memchr(b'"', rest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_names_its_task() {
        let package = br#"{"action":"TASK_PACKAGE","task_name":"a.zip","task_data":"UEsD"}"#;
        assert_eq!(name_in(package), Some(&b"a.zip"[..]));
        assert_eq!(name_in(b"{}"), None);
    }

    #[test]
    fn a_submission_around_a_name_is_one_that_a_master_reads() {
        let (before, behind) = submission(PeerId::random(), b"PK");
        let words = [&before, &b"a.zip"[..], &behind].concat();
        let spoken = mutirao_actors::wire::parse_request(&words).unwrap();
        let Request::SubmitResult { result_name, .. } = spoken.request else {
            panic!("{spoken:?}")
        };
        assert_eq!(result_name.as_deref(), Some("a.zip"));
    }
}
