//! A peer of ours that runs nothing: its requests are made once, and only what names a try is put into them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_actors::model::{BootId, Digest, Ending, Outcome, PeerId};
use mutirao_actors::wire::request::{Address, PeerOffer};
use mutirao_actors::wire::{
    Dialect, Extension, PROTOCOL, Request, capabilities_of_peers, encode_request,
};

use super::link::Link;
use crate::serve::Lane;

/// What stands before the two things that name a try; both come after the payload.
const TASK_ID: &[u8] = br#""task_id":""#;
const ATTEMPT: &[u8] = br#""attempt":"#;
/// Bytes of a UUID in words.
const UUID_LEN: usize = 36;

/// A registered peer.
pub struct Peer {
    link: Link,
    lane: Lane,
    request: Vec<u8>,
    submission: Vec<u8>,
    /// How much of the submission is the same each time.
    fixed: usize,
    /// What follows the submission in the raw lane.
    behind: Vec<u8>,
}

impl Peer {
    /// Connects and registers a peer with one slot whose results are all this ZIP.
    pub async fn join(address: SocketAddr, result: &[u8]) -> anyhow::Result<Self> {
        Self::join_with(address, result, 1, Lane::Json).await
    }

    /// The same with so many slots, and payloads in this lane.
    pub async fn join_with(
        address: SocketAddr,
        result: &[u8],
        slots: u32,
        lane: Lane,
    ) -> anyhow::Result<Self> {
        let mut link = Link::dial(address).await?;
        let peer_id = PeerId::random();
        link.ask(&registration(&peer_id, slots, lane)).await?;
        let (submission, behind) = submission(peer_id.clone(), None, result, lane);
        Ok(Self {
            link,
            lane,
            request: request(peer_id),
            fixed: submission.len(),
            submission,
            behind,
        })
    }

    /// Asks for a task and hands its result in.
    pub async fn cycle(&mut self) -> anyhow::Result<()> {
        self.take().await?;
        self.hand_in().await
    }

    /// Asks for a task, which must be there.
    pub async fn take(&mut self) -> anyhow::Result<()> {
        ensure!(self.try_take().await?, "the master has no task");
        Ok(())
    }

    /// Asks for a task; whether there is one.
    pub async fn try_take(&mut self) -> anyhow::Result<bool> {
        let package = match self.lane {
            Lane::Json => self.link.ask(&self.request).await?,
            Lane::Raw => self.link.ask_raw([&self.request, &[]]).await?,
        };
        self.submission.truncate(self.fixed);
        let is_one = name_try(&mut self.submission, package);
        if !is_one {
            expect(package, br#"{"action":"NO_TASK""#)?;
        }
        Ok(is_one)
    }

    /// Hands in the result of the task that was taken last.
    pub async fn hand_in(&mut self) -> anyhow::Result<()> {
        let answer = match self.lane {
            Lane::Json => self.link.ask(&self.submission).await?,
            Lane::Raw => self.link.ask_raw([&self.submission, &self.behind]).await?,
        };
        expect(answer, br#"{"status":"OK""#)
    }
}

/// REQUEST_TASK that does not wait.
pub fn request(peer_id: PeerId) -> Vec<u8> {
    let request = Request::RequestTask {
        peer_id,
        wait_ms: None,
        spare: false,
        count: None,
    };
    encode_request(Dialect::Flat, None, &request)
}

/// REGISTER as a peer of ours says it that has its payloads in this lane.
pub fn registration(peer_id: &PeerId, slots: u32, lane: Lane) -> Vec<u8> {
    let is_spoken = |name: &&str| *name != Extension::Raw.name() || lane == Lane::Raw;
    let capabilities = capabilities_of_peers().filter(is_spoken);
    let ours = PeerOffer {
        protocol: PROTOCOL,
        agent: "mutirao-bench/0".into(),
        boot_id: BootId::random(),
        slots,
        capabilities: capabilities.map(Into::into).collect(),
        holds: Vec::new(),
    };
    let address = Address {
        host: Some("127.0.0.1".into()),
        port: 9,
    };
    let register = Request::Register {
        peer_id: peer_id.clone(),
        address: Some(address),
        ours: Some(ours),
    };
    encode_request(Dialect::Flat, None, &register)
}

/// SUBMIT_RESULT up to what names the try, which follows, and what is to stand behind the message.
pub fn submission(
    peer_id: PeerId,
    id: Option<u64>,
    result: &[u8],
    lane: Lane,
) -> (Vec<u8>, Vec<u8>) {
    let outcome = Outcome {
        ending: Ending::Exit(0),
        took: Duration::from_millis(1),
        peak_rss: None,
    };
    let submit = Request::SubmitResult {
        peer_id,
        result_name: Some("result.zip".into()),
        result_data: lane.payload(result.to_vec()),
        task_id: None,
        attempt: None,
        sha256: Some(Digest::of(result)),
        outcome: Some(outcome),
    };
    let mut words = encode_request(Dialect::Flat, id, &submit);
    let behind = match lane {
        Lane::Json => Vec::new(),
        Lane::Raw => words.split_off(words.len() - result.len()),
    };
    words.pop();
    words.push(b',');
    (words, behind)
}

/// Ends a [`submission`] with what names the try of this package; whether it is one.
pub fn name_try(submission: &mut Vec<u8>, package: &[u8]) -> bool {
    let Some((task_id, attempt)) = lease(package) else {
        return false;
    };
    for words in [TASK_ID, task_id, b"\",", ATTEMPT, attempt, b"}"] {
        submission.extend_from_slice(words);
    }
    true
}

/// The task and the try in a TASK_PACKAGE; none if it is something else.
fn lease(package: &[u8]) -> Option<(&[u8], &[u8])> {
    let task_id = after(package, TASK_ID)?.get(..UUID_LEN)?;
    let attempt = after(package, ATTEMPT)?;
    let digits = attempt.iter().take_while(|byte| byte.is_ascii_digit());
    Some((task_id, attempt.get(..digits.count())?))
}

/// What follows the last of these words; sought from the end, for that is where they stand.
fn after<'a>(text: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::rfind(text, words)?;
    text.get(at + words.len()..)
}

/// The beginning of an answer, for a reader.
pub fn shown(answer: &[u8]) -> String {
    const SHOWN: usize = 200;
    let start = answer.get(..SHOWN).unwrap_or(answer);
    String::from_utf8_lossy(start).into_owned()
}

/// An answer that must have come.
pub fn expect(answer: &[u8], start: &[u8]) -> anyhow::Result<()> {
    let is_it = answer.starts_with(start).then_some(());
    is_it.with_context(|| format!("answered: {}", shown(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mutirao_actors::wire::Scanner;
    use mutirao_actors::wire::scanner::Caps;

    #[test]
    fn the_try_is_read_from_behind_the_payload() {
        let id = "01993f5a-0000-7000-8000-000000000001";
        let package = format!(
            r#"{{"action":"TASK_PACKAGE","task_data":"UEsD","task_id":"{id}","attempt":12,"sha256":"ab"}}"#
        );
        let (task_id, attempt) = lease(package.as_bytes()).unwrap();
        assert_eq!((task_id, attempt), (id.as_bytes(), &b"12"[..]));
        assert_eq!(lease(br#"{"action":"NO_TASK","task_name":null}"#), None);
    }

    #[test]
    fn a_submission_is_one_that_a_master_reads() {
        for lane in [Lane::Json, Lane::Raw] {
            let (mut words, behind) = submission(PeerId::random(), None, b"PK", lane);
            words.extend_from_slice(br#""attempt":3}"#);
            words.extend_from_slice(&behind);
            let mut scanner = Scanner::new(Caps::REQUESTS);
            scanner.take_raw(lane == Lane::Raw);
            let message = scanner
                .split(&mut words.as_slice().into())
                .unwrap()
                .unwrap();
            let message = message.apart();
            let Request::SubmitResult {
                attempt,
                result_data,
                ..
            } = message.request().unwrap().request
            else {
                panic!("{message:?}")
            };
            assert_eq!(attempt.unwrap().to_string(), "3");
            assert_eq!(result_data.decode().unwrap(), b"PK"[..]);
        }
    }
}
