//! Asks over HTTP, for the command line: one GET on a connection of its own.
//!
//! Rule: an answer is bounded in bytes and in time, or comes piece by piece; and whether it came whole is said: one that
//! broke off is no shorter one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest head that is looked at, in bytes: ours have some hundred.
const HEAD_MAX: usize = 16 << 10;
/// The longest line of a chunk's length, in bytes: 16 digits, and what may be said behind them.
const LENGTH_MAX: usize = 256;

/// Longest answer that is no file, in bytes: a problem in words.
const PROBLEM_MAX: u64 = 64 << 10;
/// Bytes of a file that are read at a time.
const PIECE: usize = 64 << 10;
/// How long a file may stand still before it is given up: as long as a master waits for whoever reads it.
const STILL_MAX: Duration = Duration::from_secs(30);
/// Bytes of a file that come within that time at least, or what is left of it: what comes in drops would hold us for ever, and
/// the worst link brings a hundred times as much.
const LEAST: usize = 16 << 10;

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

/// A file that comes piece by piece.
#[derive(Debug)]
pub struct Coming<S = TcpStream> {
    stream: S,
    /// What came with the head.
    early: Bytes,
    /// Bytes that are still to come.
    left: u64,
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

/// The request for a path.
fn request(to: SocketAddr, path: &str) -> String {
    // A zone is of this machine alone, and no part of a name.
    let to = SocketAddr::new(to.ip(), to.port());
    format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n")
}

/// Asks for a file; what is answered instead, if it is none.
///
/// # Errors
/// When nothing comes for half a minute, or what is no HTTP.
pub async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    to: SocketAddr,
    path: &str,
) -> io::Result<Result<Coming<S>, Answered>> {
    let asked = request(to, path);
    timeout(STILL_MAX, begin(stream, &asked))
        .await
        .map_err(|_| silent(STILL_MAX))?
}

async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request: &str,
) -> io::Result<Result<Coming<S>, Answered>> {
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = BytesMut::new();
    let answered = loop {
        let is_over = stream.read_buf(&mut bytes).await? == 0;
        match Answered::parse(&bytes) {
            Some(answered) => break answered,
            None if is_over || bytes.len() > HEAD_MAX => return Err(no_http()),
            None => {}
        }
    };
    let length = answered.field("content-length").map(str::parse::<u64>);
    if let (200, Some(Ok(length))) = (answered.status, length) {
        let mut early = Bytes::from(answered.body);
        early.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        return Ok(Ok(Coming {
            stream,
            left: length - early.len() as u64,
            early,
        }));
    }
    let mut rest = Vec::new();
    stream.take(PROBLEM_MAX).read_to_end(&mut rest).await?;
    bytes.extend_from_slice(&rest);
    Answered::parse(&bytes).map(Err).ok_or_else(no_http)
}

fn silent(within: Duration) -> io::Error {
    io::Error::other(format!("nothing came within {} s", within.as_secs()))
}

fn stalled(came: usize, left: u64) -> io::Error {
    let within = STILL_MAX.as_secs();
    io::Error::other(format!(
        "it stalled {left} bytes before its end: {came} bytes came within {within} s"
    ))
}

fn no_http() -> io::Error {
    io::Error::other("it does not speak HTTP")
}

impl<S: AsyncRead + Unpin> Coming<S> {
    /// Bytes that are still to come, as was announced.
    pub fn left(&self) -> u64 {
        self.early.len() as u64 + self.left
    }

    /// The next piece; none when that was all.
    ///
    /// # Errors
    /// When it breaks off, or next to nothing of it comes for half a minute.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if !self.early.is_empty() {
            return Ok(Some(std::mem::take(&mut self.early)));
        }
        if self.left == 0 {
            return Ok(None);
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        let mut stream = (&mut self.stream).take(self.left.min(PIECE as u64));
        let least = stream.limit().min(LEAST as u64);
        let read = async {
            while (piece.len() as u64) < least && stream.read_buf(&mut piece).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        let came = timeout(STILL_MAX, read).await;
        self.left -= piece.len() as u64;
        match came {
            Ok(Ok(())) if piece.len() as u64 >= least => Ok(Some(piece.freeze())),
            Ok(Ok(())) => {
                let broke_off = format!("it broke off {} bytes before its end", self.left);
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, broke_off))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(stalled(piece.len(), self.left)),
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
    let request = request(to, path);
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
    let bytes = timeout(bounds.within, asked)
        .await
        .map_err(|_| silent(bounds.within))??;
    Answered::parse(&bytes).ok_or_else(no_http)
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
    use std::net::Ipv4Addr;

    use tokio::io::duplex;
    use tokio::net::TcpListener;
    use tokio::time::sleep;

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

    /// What comes of a file, and how, from a server that says this and hangs up.
    async fn file_of(said: &'static str) -> Result<Vec<u8>, String> {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let to = server.local_addr().unwrap();
        let serve = async {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut asked = [0; 1024];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            for part in said.as_bytes().chunks(20) {
                stream.write_all(part).await.unwrap();
            }
        };
        let read = async {
            let stream = TcpStream::connect(to).await.unwrap();
            let opened = open(stream, to, "/x").await;
            let mut coming = match opened.map_err(|error| error.to_string())? {
                Ok(coming) => coming,
                Err(answered) => return Err(answered.problem().unwrap_or_default()),
            };
            let mut whole = Vec::new();
            while let Some(piece) = coming.next().await.map_err(|error| error.to_string())? {
                whole.extend(piece);
            }
            Ok(whole)
        };
        tokio::join!(serve, read).1
    }

    #[tokio::test]
    async fn a_file_comes_whole_or_says_that_it_does_not() {
        let whole = file_of("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole").await;
        assert_eq!(whole, Ok(b"whole".to_vec()));
        let empty = file_of("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(empty, Ok(Vec::new()));
        let more = file_of("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole and more").await;
        assert_eq!(more, Ok(b"whole".to_vec()));
        let torn = file_of("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ntorn").await;
        assert_eq!(torn.unwrap_err(), "it broke off 5 bytes before its end");
        let absent = file_of(
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\n\r\n{\"detail\":\"none\"}",
        );
        assert_eq!(absent.await.unwrap_err(), "none");
        let other = file_of("SSH-2.0-OpenSSH_9.2\r\n").await;
        assert_eq!(other.unwrap_err(), "it does not speak HTTP");
    }

    /// How a file ends of which pieces of so many bytes come, one each so often.
    async fn trickled(length: usize, piece: usize, every: Duration) -> Result<usize, String> {
        let (near, mut far) = duplex(PIECE);
        let serve = async {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            far.write_all(head.as_bytes()).await.unwrap();
            while far.write_all(&vec![b'x'; piece]).await.is_ok() {
                sleep(every).await;
            }
        };
        let read = async {
            let opened = open(near, (Ipv4Addr::LOCALHOST, 1).into(), "/x").await;
            let (mut coming, mut whole) = (opened.unwrap().unwrap(), 0);
            while let Some(piece) = coming.next().await.map_err(|error| error.to_string())? {
                whole += piece.len();
            }
            Ok(whole)
        };
        tokio::join!(serve, read).1
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_drops_is_given_up_and_what_comes_slowly_is_not() {
        let length = 10 * LEAST;
        let dripped = trickled(length, 100, Duration::from_secs(7))
            .await
            .unwrap_err();
        assert!(dripped.starts_with("it stalled "), "{dripped}");
        assert!(dripped.ends_with(" bytes came within 30 s"), "{dripped}");
        let slow = trickled(length, LEAST / 4, STILL_MAX / 5).await;
        assert_eq!(slow, Ok(length), "all of it took minutes");
        let short = trickled(LEAST, LEAST - 1, STILL_MAX / 2).await;
        assert_eq!(short, Ok(LEAST), "no more was left");
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
