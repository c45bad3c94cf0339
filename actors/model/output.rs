//! What a task prints while it runs.

use std::fmt;
use std::ops::{Index, IndexMut};
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::Digest;

/// Most bytes of one stream that travel at a time: with their base64 and the words around them they fit a message
/// without a payload, and are more than a person reads at a glance.
pub const PIECE_MAX: usize = 32 << 10;
/// Most bytes that a stream may be said to have: every reader of JSON understands the number.
pub const STREAM_MAX: u64 = (1 << 53) - 1;

/// One of the two streams on which a script prints.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// What it says.
    Stdout,
    /// What it says of errors.
    Stderr,
}

impl Stream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word is that of no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream is stdout or stderr")]
pub struct NoStream;

impl FromStr for Stream {
    type Err = NoStream;

    fn from_str(word: &str) -> Result<Self, NoStream> {
        let found = Self::ALL.into_iter().find(|stream| stream.word() == word);
        found.ok_or(NoStream)
    }
}

/// Something of each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Both<T> {
    /// Of what the script says.
    pub stdout: T,
    /// Of what it says of errors.
    pub stderr: T,
}

impl<T> Index<Stream> for Both<T> {
    type Output = T;

    fn index(&self, stream: Stream) -> &T {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }
}

impl<T> IndexMut<Stream> for Both<T> {
    fn index_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// Some of what a try has printed. The message log shows the size and the hash of its bytes only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// On which stream.
    pub stream: Stream,
    /// How many bytes the try had printed on it before.
    pub offset: u64,
    /// What it printed then; nothing says that it has printed nothing more.
    #[serde(serialize_with = "in_short")]
    pub bytes: Bytes,
}

impl Piece {
    /// How many bytes the try has printed on the stream up to the end of this.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes.len() as u64)
    }
}

fn in_short<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let digest = Digest::of(bytes);
    serializer.collect_str(&format_args!("{} bytes sha256:{digest}", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_its_word() {
        for stream in Stream::ALL {
            assert_eq!(stream.word().parse(), Ok(stream));
            let json = format!("\"{stream}\"");
            assert_eq!(serde_json::to_string(&stream).unwrap(), json);
        }
        assert_eq!("stdin".parse::<Stream>(), Err(NoStream));
    }

    #[test]
    fn the_log_shows_how_much_was_printed_and_not_what() {
        let piece = Piece {
            stream: Stream::Stderr,
            offset: 7,
            bytes: "secret".into(),
        };
        let logged = serde_json::to_string(&piece).unwrap();
        assert!(logged.contains("6 bytes sha256:") && !logged.contains("secret"));
        assert_eq!(piece.end(), 13);
    }
}
