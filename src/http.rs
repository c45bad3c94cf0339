//! Asks over HTTP, for the command line: one GET on a connection of its own.
//!
//! Rule: an answer is bounded in bytes and in time, and says whether it came whole: one that broke off is no shorter one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest head that is looked at, in bytes: ours have some hundred.
const HEAD_MAX: usize = 16 << 10;
/// The longest line of a chunk's length, in bytes: 16 digits, and what may be said behind them.
const LENGTH_MAX: usize = 256;

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The fields of its head.
    fields: Vec<(String, String)>,
    /// What it says.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub is_whole: bool,
}

/// How much is waited for and read.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long it may take to come.
    pub within: Duration,
    /// Bytes that are read.
    pub bytes: u64,
}

impl Answered {
    /// The value of a field; its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Why it was not done what was asked, in a master's own words: another program knows nothing of them.
    pub fn problem(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Problem {
            detail: String,
        }
        let is_one = self.field("content-type") == Some("application/problem+json");
        let problem: Option<Problem> = serde_json::from_slice(&self.body).ok();
        problem.filter(|_| is_one).map(|problem| problem.detail)
    }

    /// Takes an answer apart; `None` if it is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let looked_at = bytes.get(..HEAD_MAX).unwrap_or(bytes);
        let end = looked_at.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, body) = bytes.split_at_checked(end)?;
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let status = lines.next()?.strip_prefix("HTTP/1.")?;
        let status = status.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let fields = fields
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answered = Self {
            status,
            fields,
            body: body.get(4..)?.to_vec(),
            is_whole: true,
        };
        answered.unwrap_body();
        Some(answered)
    }

    /// Puts the pieces of a body together, and looks whether it is all there.
    fn unwrap_body(&mut self) {
        if self.field("transfer-encoding") == Some("chunked") {
            (self.body, self.is_whole) = joined(&self.body);
        } else if let Some(length) = self.field("content-length") {
            self.is_whole = length.parse() == Ok(self.body.len());
        }
    }
}

/// Asks for a path on a connection to this address, which ends with the answer.
///
/// # Errors
/// When nothing comes in time, or what is no HTTP.
pub async fn get(
    stream: &mut TcpStream,
    to: SocketAddr,
    path: &str,
    bounds: Bounds,
) -> io::Result<Answered> {
    // A zone is of this machine alone, and no part of a name.
    let to = SocketAddr::new(to.ip(), to.port());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    let asked = async {
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        let read = stream.take(bounds.bytes).read_to_end(&mut bytes).await;
        // One that is cut behind its head has answered all the same, and says that it is not whole.
        read.map(|_| ()).or_else(|error| match bytes.is_empty() {
            true => Err(error),
            false => Ok(()),
        })?;
        Ok::<_, io::Error>(bytes)
    };
    let silent = || {
        let seconds = bounds.within.as_secs();
        io::Error::other(format!("nothing came within {seconds} s"))
    };
    let bytes = timeout(bounds.within, asked)
        .await
        .map_err(|_| silent())??;
    Answered::parse(&bytes).ok_or_else(|| io::Error::other("it does not speak HTTP"))
}

/// The chunks of a body, put together; whether the last one is there.
fn joined(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut whole = Vec::new();
    loop {
        let Some((length, behind)) = chunk_length(rest) else {
            return (whole, false);
        };
        if length == 0 {
            return (whole, true);
        }
        let Some((chunk, behind)) = behind.split_at_checked(length) else {
            whole.extend_from_slice(behind);
            return (whole, false);
        };
        whole.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n").unwrap_or_default();
    }
}

/// How long the next chunk is, and what stands behind that line.
fn chunk_length(text: &[u8]) -> Option<(usize, &[u8])> {
    let looked_at = text.get(..LENGTH_MAX).unwrap_or(text);
    let end = looked_at.windows(2).position(|two| two == b"\r\n")?;
    let (line, behind) = text.split_at_checked(end)?;
    let digits = line.split(|byte| *byte == b';').next()?;
    let length = usize::from_str_radix(str::from_utf8(digits).ok()?.trim(), 16).ok()?;
    Some((length, behind.get(2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Answered {
        Answered::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_is_read_with_its_status_its_fields_and_its_words() {
        let full = parsed(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nDate: now\r\n\r\nfull",
        );
        assert_eq!((full.status, &*full.body), (503, &b"full"[..]));
        assert_eq!(full.field("date"), Some("now"));
        assert!(full.is_whole);
        assert_eq!(Answered::parse(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), None);
        assert_eq!(Answered::parse(b"HTTP/1.1 200 OK\r\n"), None);
    }

    #[test]
    fn a_problem_is_told_in_the_words_of_a_master_alone() {
        let body = "{\"status\":503,\"detail\":\"full\"}";
        let of = |kind: &str| {
            parsed(&format!(
                "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {kind}\r\n\r\n{body}"
            ))
            .problem()
        };
        assert_eq!(of("application/problem+json"), Some("full".into()));
        assert_eq!(of("application/json"), None);
    }

    #[test]
    fn a_body_in_chunks_is_put_together() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = parsed(&format!(
            "{head}4;a=b\r\nfou\n\r\n1A\r\n{}\r\n0\r\n\r\n",
            "x".repeat(26)
        ));
        assert_eq!(whole.body, format!("fou\n{}", "x".repeat(26)).into_bytes());
        assert!(whole.is_whole);
    }

    #[test]
    fn one_that_broke_off_is_not_taken_for_a_shorter_one() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for body in [
            "",
            "4",
            "4\r\n",
            "4\r\nfo",
            "4\r\nfour\r\n",
            "x\r\nfour\r\n0\r\n\r\n",
        ] {
            assert!(!parsed(&format!("{chunked}{body}")).is_whole, "{body:?}");
        }
        let short = parsed("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfo");
        assert_eq!((&*short.body, short.is_whole), (&b"fo"[..], false));
    }
}
