//! The baselines: a bare tokio master in one thread, without actors or a store. It takes the same requests as the real
//! one, answers the same package to each peer that asks, and keeps nothing, or appends each result to one log.
//!
//! It runs as a child of the bench program, so that its processor time is counted as the real master's is.

pub mod end;
mod log;

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::rc::Rc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use memchr::{memchr, memmem};
use mutirao_actors::model::{Archive, Attempt, TaskId};
use mutirao_actors::wire::reply::{Lease, encode_reply};
use mutirao_actors::wire::{Dialect, Payload, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use self::end::{End, raw_len};
use self::log::Log;

/// Free room in a buffer before each read; a long message gets as much as it has already.
const READ: usize = 16 << 10;

/// Be a baseline
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// What is done with a result
    #[arg(long)]
    mode: Mode,
    /// The ZIP that is handed out
    #[arg(long)]
    task: PathBuf,
    /// Where the log is kept
    #[arg(long)]
    log: PathBuf,
    /// How payloads travel
    #[arg(long, default_value = "json")]
    lane: Lane,
}

/// How payloads travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lane {
    /// In the message, as base64.
    Json,
    /// Behind the message, as they are.
    Raw,
}

impl Lane {
    /// How it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Raw => "raw",
        }
    }

    /// A payload of this lane.
    pub fn payload(self, bytes: Vec<u8>) -> Payload<'static> {
        match self {
            Self::Json => Payload::Inside(bytes.into()),
            Self::Raw => Payload::Behind(bytes.into()),
        }
    }
}

/// What is done with a result before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Nothing.
    Bare,
    /// It is appended to a log with group commit.
    Log,
}

impl Mode {
    /// How it is typed, and called in figures.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Log => "log",
        }
    }
}

/// What all connections share.
struct Master {
    package: Vec<u8>,
    log: Option<Log>,
    lane: Lane,
}

impl Serve {
    /// Serves until it is killed; prints its port first.
    pub fn run(self) -> anyhow::Result<()> {
        // A bench that is killed leaves none behind.
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        let package = package(fs::read(&self.task)?, self.lane);
        let log = match self.mode {
            Mode::Bare => None,
            Mode::Log => Some(Log::open(&self.log)?),
        };
        let master = Rc::new(Master {
            package,
            log,
            lane: self.lane,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        LocalSet::new().block_on(&runtime, let_in(master))
    }
}

/// The words of a master of ours that hands this ZIP out.
fn package(zip: Vec<u8>, lane: Lane) -> Vec<u8> {
    let lease = Lease {
        task_id: TaskId::new(),
        attempt: Attempt(1),
        sha256: Archive::new(zip.clone()).digest(),
        time_limit_ms: None,
        more: 0,
    };
    let reply = Reply::TaskPackage {
        task_name: "task.zip".into(),
        task_data: lane.payload(zip),
        ours: Some(lease),
    };
    encode_reply(Dialect::Flat, None, &reply)
}

async fn let_in(master: Rc<Master>) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let master = Rc::clone(&master);
        spawn_local(async move {
            // A peer that goes away is no concern of the others.
            let _ = serve(stream, &master).await;
        });
    }
}

/// One connection, until its other side ends it.
async fn serve(mut stream: TcpStream, master: &Master) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    let (mut words, mut end) = (None, End::default());
    loop {
        buffer.reserve(READ.max(buffer.len()));
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        loop {
            words = words.or_else(|| end.find(&buffer));
            let Some(length) = words else { break };
            let message = buffer.get(..length).unwrap_or_default();
            let whole = match master.lane {
                Lane::Json => length,
                Lane::Raw => length + raw_len(message),
            };
            let Some(payload) = buffer.get(length..whole) else {
                break;
            };
            answer(&mut stream, master, message, payload).await?;
            buffer.drain(..whole);
            (words, end) = (None, End::default());
        }
    }
}

async fn answer(
    stream: &mut TcpStream,
    master: &Master,
    message: &[u8],
    payload: &[u8],
) -> anyhow::Result<()> {
    let reply: &[u8] = if message.starts_with(br#"{"action":"REQUEST_TASK""#) {
        &master.package
    } else if message.starts_with(br#"{"action":"SUBMIT_RESULT""#) {
        if let Some(log) = &master.log {
            let result = match master.lane {
                Lane::Json => result_of(message)?,
                Lane::Raw => payload.to_vec(),
            };
            log.append(result).await?;
        }
        br#"{"status":"OK"}"#
    } else if message.starts_with(br#"{"action":"HEARTBEAT""#) {
        br#"{"status":"ALIVE"}"#
    } else {
        br#"{"status":"REGISTERED"}"#
    };
    Ok(stream.write_all(reply).await?)
}

/// The ZIP in a SUBMIT_RESULT.
fn result_of(message: &[u8]) -> anyhow::Result<Vec<u8>> {
    const BEFORE: &[u8] = br#""result_data":""#;
    let at = memmem::find(message, BEFORE).context("a result without data")?;
    let rest = message.get(at + BEFORE.len()..).unwrap_or_default();
    let end = memchr(b'"', rest).context("data without an end")?;
    let text = str::from_utf8(rest.get(..end).unwrap_or_default())?;
    Ok(Payload::Text(text.into()).decode()?.into())
}
