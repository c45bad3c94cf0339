//! The log of a master that runs, over HTTP: `GET /api/v1/log`, page after page.
//!
//! Rule: a page is read whole before it is shown, however long whoever reads it takes, for a connection that stands still
//! is cut. Numbers are of one life of the master; when it was started anew its log is read from the beginning. Whoever follows
//! it waits for that half a minute. Whoever answers may be anybody, so each page goes on behind the one before it, and there is
//! an end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_rt::Runtime;
use mutirao_actors::message_log::{RING_BYTES_MAX, RING_MAX};
use serde::Deserialize;

use super::text::plain;
use super::{Lines, TraceError};
use crate::http::{self, Answered, Bounds};
use crate::sockets::tcp::dial;

/// How long a connection may take.
const DIAL_WITHIN: Duration = Duration::from_secs(3);
/// Letters of a page.
const PAGE: usize = 1000;
/// How often in a row a master that is followed may not answer, while it is started anew: half a minute, as it is asked.
const MISSED_MAX: u32 = 60;
/// Lines of a page: before each letter it may be said that some are missing.
const LINES_MAX: usize = 2 * PAGE;
/// Full pages that are read before that is all there is for now: twenty times what a master remembers.
const PAGES_MAX: usize = 20 * RING_MAX.div_ceil(PAGE);
/// How long a page may take, and how long it may be: all bodies that a master remembers, twice as much for what it says of each.
const ANSWER: Bounds = Bounds {
    within: Duration::from_secs(60),
    bytes: 2 * RING_BYTES_MAX as u64,
};

/// A log that is being read.
#[derive(Debug)]
pub struct Remote {
    address: SocketAddr,
    runtime: Runtime,
    /// In which life of the master the letters were sent, once one page was read.
    epoch: Option<String>,
    /// The number of the last letter that was read.
    after: u64,
    page: Vec<u8>,
    /// Where the next line of the page begins.
    at: usize,
    /// Whether nothing more was there when it was asked for.
    is_last: bool,
    /// How often in a row it may not answer, once it has, and how often it did not.
    missed_max: u32,
    missed: u32,
    /// How many pages were read since nothing more was there.
    pages: usize,
    /// Whether the master was started anew since then.
    is_anew: bool,
}

impl Remote {
    /// Will read the log of the master at this address.
    ///
    /// # Errors
    /// [`TraceError::Broken`], when the system lets nothing be asked at all.
    pub fn of(address: SocketAddr) -> Result<Self, TraceError> {
        Ok(Self {
            address,
            runtime: Runtime::new().map_err(|error| TraceError::Broken { address, error })?,
            epoch: None,
            after: 0,
            page: Vec::new(),
            at: 0,
            is_last: false,
            missed_max: 0,
            missed: 0,
            pages: 0,
            is_anew: false,
        })
    }

    /// Will ask on when the master is gone for a while: it may be started anew.
    pub fn patient(mut self) -> Self {
        self.missed_max = MISSED_MAX;
        self
    }

    /// Reads the next page.
    fn turn(&mut self) -> Result<(), TraceError> {
        let answered = self.ask()?;
        let epoch = answered.field("mutirao-epoch").map(str::to_owned);
        let is_new = self.epoch.is_some() && self.epoch != epoch;
        self.epoch = epoch;
        match answered.status {
            200 if !is_new => {}
            // What was read last is of an earlier life: the master does not know its number, or another letter by it.
            200 | 409 if self.after > 0 => {
                self.after = 0;
                // Nobody starts a master twice while its log is read once.
                return match std::mem::replace(&mut self.is_anew, true) {
                    false => Ok(()),
                    true => Err(TraceError::Circles(self.address)),
                };
            }
            200 => {}
            status => {
                let address = self.address;
                return Err(match answered.problem() {
                    Some(why) if status == 503 => TraceError::Refused {
                        address,
                        why: plain(&why),
                    },
                    _ => TraceError::Strange { address, status },
                });
            }
        }
        let lines = answered.body.split(|byte| *byte == b'\n');
        let lines: Vec<_> = lines.take(LINES_MAX + 2).collect();
        let numbers = lines.iter().filter_map(|line| number(line));
        let (before, mut letters) = (self.after, 0);
        let goes_on = numbers.into_iter().all(|number| {
            letters += 1;
            number > std::mem::replace(&mut self.after, number)
        });
        // Behind the last line end is nothing.
        if !goes_on || letters > PAGE || lines.len() > LINES_MAX + 1 {
            self.after = before;
            return Err(TraceError::Circles(self.address));
        }
        self.pages += 1;
        self.is_last = letters < PAGE || self.pages == PAGES_MAX;
        self.page = answered.body;
        self.at = 0;
        Ok(())
    }

    /// Whether it may be gone once more: it was there, and not for long.
    fn may_miss(&self) -> bool {
        self.epoch.is_some() && self.missed < self.missed_max
    }

    fn ask(&self) -> Result<Answered, TraceError> {
        let address = self.address;
        let path = format!("/api/v1/log?after={}&limit={PAGE}", self.after);
        let broken = |error| TraceError::Broken { address, error };
        self.runtime.block_on(async {
            let mut stream = dial(address, DIAL_WITHIN).await?;
            let answered = http::get(&mut stream, address, &path, ANSWER).await;
            let answered = answered.map_err(broken)?;
            match answered.is_whole {
                true => Ok(answered),
                false => Err(broken(io::Error::other("its answer broke off"))),
            }
        })
    }
}

impl Lines for Remote {
    fn next_line(&mut self) -> Result<Option<&[u8]>, TraceError> {
        while self.at >= self.page.len() {
            if std::mem::take(&mut self.is_last) {
                (self.pages, self.is_anew) = (0, false);
                return Ok(None);
            }
            match self.turn() {
                Ok(()) => self.missed = 0,
                Err(TraceError::Unreached(_) | TraceError::Broken { .. }) if self.may_miss() => {
                    self.missed += 1;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        let rest = self.page.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n');
        let end = self.at + length.unwrap_or(rest.len());
        let line = self.at..end;
        self.at = end + 1;
        Ok(self.page.get(line))
    }

    /// Pages have whole lines.
    fn rest(&mut self) -> Option<&[u8]> {
        None
    }
}

/// The number of the letter in this line, if one is.
fn number(line: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let numbered: Numbered = serde_json::from_slice(line).ok()?;
    Some(numbered.seq)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A master that answers so, one after the other, and what it was asked in the end.
    fn master(answers: Vec<String>) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        serve("127.0.0.1:0".parse().unwrap(), answers)
    }

    /// The same, there.
    fn serve(
        address: SocketAddr,
        answers: Vec<String>,
    ) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let answer = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut head = lines.map_while(Result::ok);
                let asked = head.next().unwrap();
                head.find(String::is_empty).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                asked
            };
            answers.into_iter().map(answer).collect()
        });
        (address, answering)
    }

    fn page(epoch: u64, numbers: impl IntoIterator<Item = u64>) -> String {
        let lines: String = numbers
            .into_iter()
            .map(|number| format!("{{\"v\":1,\"seq\":{number}}}\n"))
            .collect();
        let length = lines.len();
        format!(
            "HTTP/1.1 200 OK\r\nmutirao-epoch: {epoch}\r\ncontent-length: {length}\r\n\r\n{lines}"
        )
    }

    fn rest(remote: &mut Remote) -> Vec<u64> {
        let next = || {
            remote
                .next_line()
                .unwrap()
                .map(|line| number(line).unwrap())
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn pages_are_read_until_one_is_not_full_and_then_from_there() {
        let full = PAGE as u64;
        let answers = vec![page(1, 1..=full), page(1, []), page(1, [full + 5])];
        let (address, asked) = master(answers);
        let mut remote = Remote::of(address).unwrap();
        assert_eq!(rest(&mut remote), (1..=full).collect::<Vec<_>>());
        assert_eq!(rest(&mut remote), [full + 5]);
        drop(remote);
        let asked = asked.join().unwrap();
        for (asked, after) in asked.iter().zip([0, full, full]) {
            let path = format!("GET /api/v1/log?after={after}&limit={PAGE} ");
            assert!(asked.starts_with(&path), "{asked}");
        }
    }

    #[test]
    fn a_master_that_was_started_anew_is_read_from_the_beginning() {
        let unknown = "HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n".to_owned();
        let answers = vec![
            page(1, [1, 2, 3]),
            page(2, [4]),
            page(2, [1, 2, 3, 4]),
            unknown,
            page(3, [1]),
        ];
        let (address, _asked) = master(answers);
        let mut remote = Remote::of(address).unwrap();
        assert_eq!(rest(&mut remote), [1, 2, 3]);
        assert_eq!(rest(&mut remote), [1, 2, 3, 4]);
        assert_eq!(rest(&mut remote), [1]);
    }

    #[test]
    fn a_master_that_is_followed_may_be_gone_for_a_while_and_not_for_good() {
        let (address, first) = master(vec![page(1, [1, 2])]);
        let mut remote = Remote::of(address).unwrap().patient();
        assert_eq!(rest(&mut remote), [1, 2]);
        first.join().unwrap();
        assert_eq!(rest(&mut remote), [0; 0], "it is gone");
        let (_, second) = serve(address, vec![page(2, []), page(2, [1])]);
        assert_eq!(rest(&mut remote), [1]);
        second.join().unwrap();
        for _ in 0..MISSED_MAX {
            assert_eq!(rest(&mut remote), [0; 0]);
        }
        assert!(remote.next_line().is_err());

        let (address, only) = master(vec![page(1, [1])]);
        let mut remote = Remote::of(address).unwrap();
        assert_eq!(rest(&mut remote), [1]);
        only.join().unwrap();
        assert!(remote.next_line().is_err(), "nobody follows it");
    }

    #[test]
    fn a_log_that_goes_in_circles_is_read_no_further() {
        let full = 1..=PAGE as u64;
        let pages = [
            vec![page(1, vec![1; PAGE])],
            vec![page(1, [2, 1])],
            vec![page(1, full.clone()), page(1, full.clone())],
            vec![page(1, 1..=PAGE as u64 + 1)],
            (1..=4).map(|epoch| page(epoch, full.clone())).collect(),
            vec![format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {LINES_MAX}1\r\n\r\n{}x",
                "\n".repeat(10 * LINES_MAX)
            )],
        ];
        for answers in pages {
            let (address, _asked) = master(answers);
            let mut remote = Remote::of(address).unwrap();
            let error = loop {
                match remote.next_line() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it came to an end"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, TraceError::Circles(_)), "{error}");
        }
    }

    #[test]
    fn a_log_without_an_end_has_one_for_now() {
        let pages = (0..PAGES_MAX as u64).map(|number| number * PAGE as u64);
        let pages = pages.map(|before| page(1, before + 1..=before + PAGE as u64));
        let (address, _asked) = master(pages.collect());
        assert_eq!(
            rest(&mut Remote::of(address).unwrap()).len(),
            PAGES_MAX * PAGE
        );
    }

    #[test]
    fn what_is_no_whole_page_is_not_read() {
        let torn = page(1, [1, 2]).trim_end().to_owned();
        let other = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
        let full = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n\r\n{\"detail\":\"full\\u001b\"}";
        let (address, _asked) = master(vec![torn, other, full.to_owned()]);
        let mut remote = Remote::of(address).unwrap();
        let error = remote.next_line().unwrap_err().to_string();
        assert!(error.contains("broke off"), "{error}");
        let error = remote.next_line().unwrap_err().to_string();
        assert!(error.contains("(404)"), "{error}");
        let error = remote.next_line().unwrap_err().to_string();
        assert!(error.ends_with("now: full\u{fffd}"), "{error}");
    }
}
