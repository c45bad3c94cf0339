//! A connection that asks one thing at a time, and does next to nothing to read the answer.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, ensure};
use bytes::Buf;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::serve::end::{End, raw_len};

/// Free room before each read: more than most answers have. A long one gets as much as it has already.
const READ: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Link {
    /// Connects.
    pub async fn dial(address: SocketAddr) -> anyhow::Result<Self> {
        Self::dial_from(Ipv4Addr::LOCALHOST, address).await
    }

    /// Connects from this address of ours.
    pub async fn dial_from(source: Ipv4Addr, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if source != Ipv4Addr::LOCALHOST {
            socket.bind((source, 0).into())?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Asks. The answer is taken to be whole when its last byte closes an object, so it must have no object inside.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.say(request).await?;
        while self.more().await? != b'}' {}
        Ok(&self.buffer)
    }

    /// Asks with these parts of one message, of which the last may be a payload; the words of the answer, of which the
    /// payload is read and dropped.
    pub async fn ask_raw(&mut self, request: [&[u8]; 2]) -> anyhow::Result<&[u8]> {
        self.buffer.clear();
        let [words, payload] = request;
        self.stream
            .write_all_buf(&mut Buf::chain(words, payload))
            .await?;
        let mut end = End::default();
        let words = loop {
            if let Some(words) = end.find(&self.buffer) {
                break words;
            }
            self.more().await?;
        };
        let whole = words + raw_len(self.buffer.get(..words).unwrap_or_default());
        while self.buffer.len() < whole {
            self.more().await?;
        }
        Ok(self.buffer.get(..words).unwrap_or_default())
    }

    /// Asks for something whose answer may be any object.
    pub async fn ask_json(&mut self, request: &[u8]) -> anyhow::Result<Value> {
        self.say(request).await?;
        loop {
            if self.more().await? == b'}'
                && let Ok(value) = serde_json::from_slice(&self.buffer)
            {
                return Ok(value);
            }
        }
    }

    /// Gives the room of the last answer back: for those who seldom ask, and are many.
    pub fn slim(&mut self) {
        self.buffer = Vec::new();
    }

    /// The connection itself, for who says several things at a time. Nothing may be on its way.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    async fn say(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.buffer.clear();
        Ok(self.stream.write_all(request).await?)
    }

    /// Reads on; the last byte that has come.
    async fn more(&mut self) -> anyhow::Result<u8> {
        self.buffer.reserve(READ.max(self.buffer.len()));
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the other side closed the connection");
        self.buffer.last().copied().context("nothing was read")
    }
}
