//! Peers of ours as they are when there is nothing to do: each holds a request open that the master answers when a task
//! comes, and says meanwhile that it lives.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use mutirao_actors::model::PeerId;
use mutirao_actors::wire::{Dialect, Request, encode_request};
use mutirao_rig::clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Interval;

use super::crowd::beats;
use super::link::Link;
use super::peer::{expect, name_try, registration, shown, submission};
use super::stranger::source;
use crate::serve::Lane;
use crate::serve::end::End;

/// How long a request waits at the master, as a peer of ours has it.
const WAIT_MS: u32 = 25_000;
/// Free room before each read: a package of a small task.
const READ: usize = 4 << 10;
/// The numbers of the three requests that may be on their way together.
const ASK: Option<u64> = Some(1);
const BEAT: Option<u64> = Some(2);
const HAND_IN: Option<u64> = Some(3);

/// Peers that wait.
pub struct Waiting {
    /// They wait until this is dropped; one that ends there tells why.
    pub peers: JoinSet<anyhow::Result<()>>,
    arrived: UnboundedReceiver<Instant>,
}

struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
    end: End,
    peer_id: PeerId,
    result: Rc<Vec<u8>>,
    arrived: UnboundedSender<Instant>,
}

/// What a peer does after a message.
enum Next {
    Wait,
    Ask,
    HandIn(Vec<u8>),
}

impl Waiting {
    /// Has so many join and wait, whose results are all this ZIP.
    pub async fn join(address: SocketAddr, peers: usize, result: Vec<u8>) -> anyhow::Result<Self> {
        let (sender, arrived) = unbounded_channel();
        let result = Rc::new(result);
        let mut waiting = JoinSet::new();
        for number in 0..peers {
            let peer_id = PeerId::random();
            let mut link = Link::dial_from(source(number), address).await?;
            let answer = link.ask(&registration(&peer_id, 1, Lane::Json)).await?;
            expect(answer, br#"{"status":"REGISTERED""#)?;
            let peer = Peer {
                stream: link.into_stream(),
                buffer: Vec::new(),
                end: End::default(),
                peer_id,
                result: Rc::clone(&result),
                arrived: sender.clone(),
            };
            waiting.spawn_local(peer.live(beats(number, peers)));
        }
        Ok(Self {
            peers: waiting,
            arrived,
        })
    }

    /// When the next task arrived at one of them.
    pub async fn next(&mut self) -> anyhow::Result<Instant> {
        self.arrived.recv().await.context("no peer waits any more")
    }
}

impl Peer {
    async fn live(mut self, mut beats: Interval) -> anyhow::Result<()> {
        let ask = Request::RequestTask {
            peer_id: self.peer_id.clone(),
            wait_ms: Some(WAIT_MS),
            spare: false,
            count: None,
        };
        let beat = Request::Heartbeat {
            peer_id: self.peer_id.clone(),
        };
        let ask = encode_request(Dialect::Flat, ASK, &ask);
        let beat = encode_request(Dialect::Flat, BEAT, &beat);
        self.stream.write_all(&ask).await?;
        loop {
            tokio::select! {
                _ = beats.tick() => self.stream.write_all(&beat).await?,
                message = self.next() => {
                    match self.hear(&message?)? {
                        Next::Wait => {}
                        Next::Ask => self.stream.write_all(&ask).await?,
                        Next::HandIn(result) => self.stream.write_all(&result).await?,
                    }
                }
            }
        }
    }

    /// The next message; what was read of it stays when this is dropped.
    async fn next(&mut self) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Some(length) = self.end.find(&self.buffer) {
                self.end = End::default();
                return Ok(self.buffer.drain(..length).collect());
            }
            self.buffer.reserve(READ);
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the master closed the connection");
        }
    }

    fn hear(&self, message: &[u8]) -> anyhow::Result<Next> {
        let says = |words: &[u8]| message.starts_with(words);
        if says(br#"{"status":"ALIVE""#) {
            return Ok(Next::Wait);
        }
        if says(br#"{"status":"OK""#) || says(br#"{"action":"NO_TASK""#) {
            return Ok(Next::Ask);
        }
        let arrived = clock::now();
        let (mut result, _) = submission(self.peer_id.clone(), HAND_IN, &self.result, Lane::Json);
        let is_task = name_try(&mut result, message);
        ensure!(is_task, "answered: {}", shown(message));
        // Nobody may want to know any more.
        let _ = self.arrived.send(arrived);
        Ok(Next::HandIn(result))
    }
}
