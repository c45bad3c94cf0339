//! A connection to a master, spoken to in the project's own protocol as `docs/protocol.md` has it.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::de::IoRead;
use serde_json::{Deserializer, StreamDeserializer, Value, json};

use crate::archives::sha256;

/// How long a master may take to accept a connection.
const DIAL_WITHIN: Duration = Duration::from_secs(2);
/// How long a reply may take; beyond it the request counts as unanswered.
const REPLY_WITHIN: Duration = Duration::from_secs(20);

/// A connection that asks one thing at a time.
pub struct Client {
    stream: TcpStream,
    replies: StreamDeserializer<'static, IoRead<BufReader<TcpStream>>, Value>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DIAL_WITHIN)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_WITHIN))?;
        stream.set_write_timeout(Some(REPLY_WITHIN))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self {
            stream,
            replies: Deserializer::from_reader(reader).into_iter(),
        })
    }

    /// Asks; any error means that it is not known whether the request arrived.
    pub fn ask(&mut self, request: &Value) -> anyhow::Result<Value> {
        self.stream.write_all(request.to_string().as_bytes())?;
        loop {
            let reply = self.replies.next();
            let reply = reply.context("the master closed the connection")??;
            // This one is no reply: the master may say it at any time.
            if reply["action"] != "CANCEL_ATTEMPT" {
                return Ok(reply);
            }
        }
    }

    /// How the master stands.
    pub fn status(&mut self) -> anyhow::Result<Value> {
        let mut reply = self.ask(&json!({"action": "STATUS"}))?;
        let report = reply.get_mut("report").map(Value::take);
        report.context("the reply to STATUS holds no report")
    }

    /// Hands in a task under this name.
    pub fn submit(&mut self, name: &str, task: &[u8]) -> anyhow::Result<Value> {
        self.ask(&json!({
            "action": "SUBMIT_TASK", "task_name": name,
            "task_data": BASE64_STANDARD.encode(task), "sha256": sha256(task),
        }))
    }
}

/// How the master at this address stands, if it serves.
pub fn status(address: SocketAddr) -> anyhow::Result<Value> {
    Client::connect(address)?.status()
}
