//! The nouns that every other file uses: who, which life, which connection, which task, which try.
//!
//! Rule: plain values only. What can be wrong about a value from outside is refused by its constructor,
//! so that whoever holds one need not check it again.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::digest::Digest;
pub use self::group_name::{GROUP_NAME_WANTED, is_group_name};
pub use self::output::{Both, PIECE_MAX, Piece, STREAM_MAX, Stream};
pub use self::short::FileName;
pub use self::task::{Kind, Kinds, PARTS_MAX, Part, Task, Wishes};
pub use self::task_name::TaskName;

mod digest;
mod group_name;
mod output;
mod short;
mod task;
mod task_name;

/// Longest `peer_id` taken from the wire, in bytes: the text says UUID (36), some groups send names.
pub const PEER_ID_MAX: usize = 128;
/// Longest stem of a task's name, in bytes (protocol, section 3).
pub const TASK_STEM_MAX: usize = 100;

/// Why a value from outside was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The `peer_id` is empty, too long or holds control characters.
    #[error("a peer_id has 1 to {PEER_ID_MAX} printable characters")]
    PeerId,
    /// The name cannot be a task's name.
    #[error("a task name is [A-Za-z0-9._-]{{1,{TASK_STEM_MAX}}}.zip and does not start with a dot")]
    TaskName,
    /// The digest is not 64 hexadecimal digits.
    #[error("a sha256 has 64 hexadecimal digits")]
    Digest,
}

/// Who a peer is, by its own word; 1 to [`PEER_ID_MAX`] bytes, printable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 1, max_length = 128)]
pub struct PeerId(Arc<str>);

impl PeerId {
    /// A new random identity.
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }

    /// The identity as it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PeerId {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let fits = (1..=PEER_ID_MAX).contains(&text.len());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(ModelError::PeerId)
        }
    }
}

impl TryFrom<String> for PeerId {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<PeerId> for String {
    fn from(peer: PeerId) -> Self {
        peer.0.as_ref().into()
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which life of a peer: a new one each time our program starts. Peers of section 1 have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub Uuid);

impl BootId {
    /// A new life.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

/// What tells two live speakers of one `peer_id` apart: the life that ours name, or the address of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// A peer of ours: its boot id, wherever it speaks from.
    Boot(BootId),
    /// Any other peer: the address that it speaks from; its port changes with every message.
    Address(IpAddr),
}

/// One living speaker: leases belong to it, and a word of another with the same `peer_id` changes nothing of its.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// Who it says it is.
    pub peer: PeerId,
    /// Which of those who say so.
    pub life: Life,
}

impl Endpoint {
    /// Whether it speaks our extensions; only those name a boot id.
    pub fn is_ours(&self) -> bool {
        matches!(self.life, Life::Boot(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}

/// Which connection, counted from 1 in the life of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

/// The dialects that speakers of the protocol use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// The fixed part of the protocol: `{"action":X, …fields}`. Our extensions ride on it.
    #[default]
    Flat,
    /// `{"type":X,"data":{…fields}}`, replies too.
    Envelope,
    /// Flat, with other words for discovery, for errors and for the list of peers.
    SuperPeer,
}

/// Which request of one session, counted from 1 in the order of arrival.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// Which task; given by the master when it adopts the task, in the order of time.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
pub struct TaskId(pub Uuid);

impl TaskId {
    /// A new task; later ones compare greater.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// When the master gave it, to the millisecond, by its clock on the wall; none if no master of ours did.
    pub fn given_at(&self) -> Option<Timestamp> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanos).ok()?).ok()
    }
}

impl Default for TaskId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which task somebody means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskChoice {
    /// This one.
    Id(TaskId),
    /// The newest of this name.
    Named(TaskName),
    /// The newest of all.
    Last,
}

impl TaskChoice {
    /// What was typed: an id, `last`, or a name with or without its `.zip`.
    pub fn typed(text: &str) -> Self {
        match (text, text.parse()) {
            (_, Ok(id)) => Self::Id(TaskId(id)),
            ("last", _) => Self::Last,
            _ => Self::Named(TaskName::tamed(text)),
        }
    }
}

/// Which try of a task, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A ZIP's bytes with their digest; cloning shares the bytes. The message log shows its size and hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct Archive {
    bytes: Bytes,
    digest: Digest,
}

impl Archive {
    /// Takes the bytes and hashes them.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    /// The same archive with its bytes held by another owner, who is dropped with the last copy of them.
    ///
    /// The bytes must be the same: they are not hashed again.
    #[must_use]
    pub fn held_by(&self, bytes: Bytes) -> Self {
        Self {
            bytes,
            digest: self.digest,
        }
    }

    /// The ZIP itself.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The SHA-256 of the ZIP.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Serialize for Archive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "{} bytes sha256:{}",
            self.bytes.len(),
            self.digest
        ))
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({} bytes {})", self.bytes.len(), self.digest)
    }
}

/// An instant on the clock that only moves forward: microseconds since the process (or the simulated host) started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// This much later; the end of time if there is none.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// What changes when a file's content does, as far as the file system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// Length in bytes.
    pub size: u64,
    /// When its content changed last, in seconds and nanoseconds of the wall clock; compared for equality only.
    pub modified: (i64, i64),
    /// When its content, name or rights changed last; unlike `modified` nobody can set it back.
    pub changed: (i64, i64),
    /// Its number in the file system: another file under the same name has another.
    pub inode: u64,
}

/// Characters of what a run said that went wrong: some lines of a terminal, and enough to tell it from others.
pub const ERROR_CHARS_MAX: usize = 300;

/// How one run of a script ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It ended by itself with this exit code; 0 is success.
    Exit(i32),
    /// It ended by itself with this exit code, which is not 0, and said why.
    Raised {
        /// The exit code.
        code: i32,
        /// The one line of what it printed as errors that tells: `ValueError: no number: 'x' (main.py:7)`.
        error: String,
    },
    /// A signal that we did not send ended it.
    Signal(i32),
    /// There was not as much memory as it wanted.
    OutOfMemory,
    /// It was killed because its time limit passed.
    TimeLimit,
    /// It was killed because the task was cancelled or the peer stopped.
    Cancelled,
    /// It could not be started at all: no `main.py`, no disk, no interpreter.
    NotStarted(String),
    /// The peer could not run it for a reason of its own, as a full disk: the task is not to blame.
    PeerTrouble(String),
    /// A peer of section 1 handed in a result; it says nothing of how the run ended.
    Unsaid,
}

/// Whether a character of somebody else's words could command a terminal, or let a line be read as another: control
/// characters, what ends a line or a paragraph, and what turns the direction of writing.
pub fn commands_a_reader(char: char) -> bool {
    let turns_or_ends = matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    char.is_control() || turns_or_ends
}

/// Words of somebody else as a line for a terminal: without what could command it or its reader, and with at most so many
/// characters.
pub fn in_one_line(words: &str, chars_max: usize) -> String {
    let printable = words.trim().chars();
    let printable = printable.filter(|char| !commands_a_reader(*char));
    printable.take(chars_max).collect()
}

impl Ending {
    /// Whether the run counts as the task's success.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Exit(0) | Self::Unsaid)
    }

    /// The same run, which also said what went wrong: kept on one line, cut to [`ERROR_CHARS_MAX`], and of a run that failed
    /// by itself only.
    #[must_use]
    pub fn saying(self, error: Option<&str>) -> Self {
        let error = in_one_line(error.unwrap_or_default(), ERROR_CHARS_MAX);
        match self {
            Self::Exit(code) if code != 0 && !error.is_empty() => Self::Raised { code, error },
            ending => ending,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Raised { code, error } => write!(f, "exit code {code}: {error}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::TimeLimit => f.write_str("time limit passed"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::NotStarted(why) => write!(f, "not started: {why}"),
            Self::PeerTrouble(why) => write!(f, "the peer is in trouble: {why}"),
            Self::Unsaid => f.write_str("finished"),
        }
    }
}

/// One run of a script, as the peer that ran it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// From the start of the interpreter to its end.
    pub took: Duration,
    /// Peak resident memory of the script in bytes, where the system tells.
    pub peak_rss: Option<u64>,
}
