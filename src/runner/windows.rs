//! Through which it is seen what runs print, while they run.
//!
//! Rule: a run costs no more than two empty channels as long as nobody looks. What the last look would have seen of a run
//! that was looked at is kept until the run is forgotten.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mutirao_actors::logic::client::RunKey;
use mutirao_actors::model::{Both, PIECE_MAX, Piece, Stream};
use tokio::sync::{mpsc, oneshot};

use super::output::Tally;
use super::printed::Printed;

/// Looks at one stream that wait to be answered: one is taken after the other.
const LOOKS_MAX: usize = 2;
/// Who is further behind than this, in bytes, is not told what lies between: at the pace at which pieces travel nobody would
/// read it live, and all of it comes with the result.
const BEHIND_MAX: u64 = 1 << 20;

/// Some bytes of a stream, and how many came before.
pub type Seen = (u64, Bytes);

/// A look at a stream.
#[derive(Debug)]
pub struct Look {
    /// From there on; nothing: from a little before its end.
    pub from: Option<u64>,
    answer: oneshot::Sender<Seen>,
}

impl Look {
    /// Answers it.
    pub fn answer(self, seen: Seen) {
        // Whoever stopped waiting wants to know nothing.
        let _ = self.answer.send(seen);
    }
}

/// Where looks at one stream come in; by default none ever do.
#[derive(Debug, Default)]
pub struct Looks(Option<mpsc::Receiver<Look>>);

impl Looks {
    /// The next one; never, once nobody can look any more.
    pub async fn next(&mut self) -> Look {
        if let Some(looks) = &mut self.0 {
            if let Some(look) = looks.recv().await {
                return look;
            }
            self.0 = None;
        }
        pending().await
    }
}

/// One run.
#[derive(Debug)]
enum Window {
    /// It runs.
    Open {
        looks: Both<mpsc::Sender<Look>>,
        was_used: bool,
    },
    /// It was looked at, and has ended: what it printed last, and how much in all.
    Closed(Both<Seen>),
}

/// The runs that can be looked at; clones are the same ones. Bounded by the slots and by what waits to be handed in.
#[derive(Debug, Clone, Default)]
pub struct Windows(Arc<Mutex<HashMap<RunKey, Window>>>);

impl Windows {
    /// A run begins: where looks at it come in.
    pub fn open(&self, run: RunKey) -> Both<Looks> {
        let (stdout, of_stdout) = mpsc::channel(LOOKS_MAX);
        let (stderr, of_stderr) = mpsc::channel(LOOKS_MAX);
        let window = Window::Open {
            looks: Both { stdout, stderr },
            was_used: false,
        };
        self.windows().insert(run, window);
        Both {
            stdout: Looks(Some(of_stdout)),
            stderr: Looks(Some(of_stderr)),
        }
    }

    /// The run has ended, and left this on its streams if it ran at all.
    pub async fn close(&self, run: RunKey, left: Option<Both<&mut (Tally, Printed)>>) {
        let is_used = |window: &Window| matches!(window, Window::Open { was_used: true, .. });
        let was_used = self.windows().get(&run).is_some_and(is_used);
        // Read while nobody waits for the lock: a disk may take its time.
        let last = match left.filter(|_| was_used) {
            Some(left) => Some(Both {
                stdout: last_of(left.stdout).await,
                stderr: last_of(left.stderr).await,
            }),
            None => None,
        };
        let mut windows = self.windows();
        match last {
            Some(last) => windows.insert(run, Window::Closed(last)),
            None => windows.remove(&run),
        };
    }

    /// Nobody looks at this run any more.
    pub fn forget(&self, run: RunKey) {
        let mut windows = self.windows();
        if let Some(Window::Closed(_)) = windows.get(&run) {
            windows.remove(&run);
        }
    }

    /// What the run has printed from there on, a piece of it; nothing if it does not run.
    pub async fn look(&self, run: RunKey, from: Option<Both<u64>>) -> Option<Both<Piece>> {
        let at = |stream| from.map(|from: Both<u64>| from[stream]);
        let looks = match self.windows().get_mut(&run)? {
            Window::Open { looks, was_used } => {
                *was_used = true;
                looks.clone()
            }
            Window::Closed(last) => {
                let rest = |stream| piece(stream, rest_of(&last[stream], at(stream)));
                return Some(Both {
                    stdout: rest(Stream::Stdout),
                    stderr: rest(Stream::Stderr),
                });
            }
        };
        let seen = async |stream| {
            let (answer, answered) = oneshot::channel();
            let from = at(stream);
            looks[stream].send(Look { from, answer }).await.ok()?;
            answered.await.ok().map(|seen| piece(stream, seen))
        };
        Some(Both {
            stdout: seen(Stream::Stdout).await?,
            stderr: seen(Stream::Stderr).await?,
        })
    }

    fn windows(&self) -> MutexGuard<'_, HashMap<RunKey, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where somebody is shown a stream that has carried so many bytes, who asks to see it from there on. Who says to have seen
/// what was not printed has seen another, and is new to this one.
pub fn beginning(from: Option<u64>, bytes: u64) -> u64 {
    let behind = from.and_then(|from| bytes.checked_sub(from));
    match behind {
        Some(behind @ ..=BEHIND_MAX) => bytes - behind,
        _ => bytes.saturating_sub(PIECE_MAX as u64),
    }
}

fn piece(stream: Stream, (offset, bytes): Seen) -> Piece {
    Piece {
        stream,
        offset,
        bytes,
    }
}

/// The last piece of a stream that has ended. Its end is kept in one, whatever was left out before.
async fn last_of((tally, printed): &mut (Tally, Printed)) -> Seen {
    let last = printed.end(PIECE_MAX).await;
    (tally.bytes.saturating_sub(last.len() as u64), last.into())
}

/// What of the last piece somebody has not seen; all of it, if it says to have seen more than there was.
fn rest_of((offset, last): &Seen, from: Option<u64>) -> Seen {
    let passed = from.unwrap_or_default().saturating_sub(*offset);
    let passed = usize::try_from(passed).unwrap_or(usize::MAX);
    match last.len() < passed {
        true => (*offset, last.clone()),
        false => (offset.saturating_add(passed as u64), last.slice(passed..)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mutirao_actors::model::{Attempt, TaskId};

    use super::*;

    fn run() -> RunKey {
        (TaskId::new(), Attempt(1))
    }

    async fn printed(text: &str) -> (Tally, Printed) {
        let mut printed = Printed::in_memory(Path::new("nowhere"));
        printed.add(text.as_bytes()).await.unwrap();
        let tally = Tally {
            bytes: text.len() as u64,
            ..Tally::default()
        };
        (tally, printed)
    }

    #[test]
    fn who_is_far_behind_or_new_sees_the_end_and_others_what_follows() {
        let piece = PIECE_MAX as u64;
        assert_eq!(beginning(None, 5), 0);
        assert_eq!(beginning(None, piece + 5), 5);
        assert_eq!(beginning(Some(3), 5), 3);
        assert_eq!(beginning(Some(5), 5), 5);
        assert_eq!(beginning(Some(9), 5), 0, "so much was not printed");
        assert_eq!(beginning(Some(5), BEHIND_MAX + 5), 5);
        assert_eq!(beginning(Some(4), BEHIND_MAX + 5), BEHIND_MAX + 5 - piece);
    }

    #[tokio::test]
    async fn of_a_run_that_has_ended_the_last_words_are_kept_if_somebody_had_looked() {
        for was_used in [true, false] {
            let (windows, run) = (Windows::default(), run());
            let mut looks = windows.open(run);
            if was_used {
                let pumped = async {
                    looks.stdout.next().await.answer((0, "a".into()));
                    looks.stderr.next().await.answer((0, "".into()));
                };
                let (seen, ()) = tokio::join!(windows.look(run, None), pumped);
                assert_eq!(seen.unwrap().stdout.bytes, "a");
            }
            drop(looks);
            let (mut stdout, mut stderr) = (printed("abc").await, printed("").await);
            let left = Both {
                stdout: &mut stdout,
                stderr: &mut stderr,
            };
            windows.close(run, Some(left)).await;
            let from = Both {
                stdout: 1,
                stderr: 0,
            };
            let seen = windows.look(run, Some(from)).await;
            let rest = seen.map(|seen| (seen.stdout.offset, seen.stdout.bytes));
            assert_eq!(rest, was_used.then(|| (1, "bc".into())));
            let never_printed = Both {
                stdout: 4,
                stderr: u64::MAX,
            };
            let seen = windows.look(run, Some(never_printed)).await;
            let all = seen.map(|seen| (seen.stdout.offset, seen.stdout.bytes));
            assert_eq!(all, was_used.then(|| (0, "abc".into())));
            windows.forget(run);
            assert!(windows.windows().is_empty());
        }
    }

    #[tokio::test]
    async fn a_look_at_what_does_not_run_or_has_just_ended_sees_nothing() {
        let (windows, run) = (Windows::default(), run());
        assert_eq!(windows.look(run, None).await, None);
        drop(windows.open(run));
        assert_eq!(windows.look(run, None).await, None);
        windows.close(run, None).await;
        assert!(windows.windows().is_empty());
    }
}
