//! One flush of a folder serves all who wait for it.
//!
//! Rule: whoever asks waits for a flush that begins after asking, never for one under way, which may have missed the
//! last rename. A failed one may have lost every name that was given before it ended, and a later one that succeeds says
//! nothing of those: so it fails for all who gave a name before that, whichever flush they wait for.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// The flushes of all folders of one disk.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    state: Mutex<State>,
    /// Some flush has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By folder; forgotten when nobody flushes it or waits for that.
    lanes: HashMap<PathBuf, Lane>,
    /// How many flushes have failed, of whichever folder: one that is broken is on a disk that is.
    failures: u64,
    /// How the last of them failed.
    last: Option<Failure>,
}

/// A moment before names are given: no flush that failed after it is forgotten. Two are the same if none has failed between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark(u64);

/// The flushes of one folder: one under way at most, and one that gathers those who asked since.
#[derive(Debug, Default)]
struct Lane {
    is_under_way: bool,
    next: Option<Arc<Flush>>,
}

/// One flush and how it ended: how many had failed until then, or why it did.
type Flush = OnceLock<Result<u64, Failure>>;

/// What several callers are told of one error, which cannot be copied.
#[derive(Debug, Clone)]
struct Failure {
    code: Option<i32>,
    kind: io::ErrorKind,
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        Self {
            code: error.raw_os_error(),
            kind: error.kind(),
        }
    }

    fn error(&self) -> io::Error {
        self.code
            .map_or_else(|| self.kind.into(), io::Error::from_raw_os_error)
    }
}

impl Flushes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be taken before a name is given that is to be flushed.
    pub fn mark(&self) -> Mark {
        Mark(self.state().failures)
    }

    /// Comes back when a flush of the folder that began after this call has ended; `sync` is one, done by the caller
    /// whose turn it is.
    ///
    /// # Errors
    /// Those of that flush, and of any other that failed between the mark and its end.
    pub fn flush(
        &self,
        folder: &Path,
        since: Mark,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let failures = self.wait(folder, sync)?;
        match &self.state().last {
            Some(failure) if failures > since.0 => Err(failure.error()),
            _ => Ok(()),
        }
    }

    /// Comes back with how many flushes had failed when this one ended.
    fn wait(&self, folder: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<u64> {
        let mut state = self.state();
        let lane = state.lanes.entry(folder.to_owned()).or_default();
        let mine = Arc::clone(lane.next.get_or_insert_default());
        loop {
            if let Some(outcome) = mine.get() {
                return outcome.as_ref().copied().map_err(Failure::error);
            }
            let lane = state.lanes.entry(folder.to_owned()).or_default();
            if !lane.is_under_way {
                // Nobody has done mine yet, so it is the next one.
                (lane.is_under_way, lane.next) = (true, None);
                break;
            }
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let outcome = sync();
        self.end(folder, &mine, outcome)
    }

    /// A flush failed that nobody shares.
    pub fn failed(&self, error: &io::Error) {
        self.state().failed(error);
    }

    fn end(&self, folder: &Path, flush: &Flush, outcome: io::Result<()>) -> io::Result<u64> {
        let mut state = self.state();
        if let Err(error) = &outcome {
            state.failed(error);
        }
        let outcome = outcome.map(|()| state.failures);
        // Set once: only the caller whose turn it was comes here.
        let _ = flush.set(outcome.as_ref().copied().map_err(Failure::of));
        if let Some(lane) = state.lanes.get_mut(folder) {
            lane.is_under_way = false;
            if lane.next.is_none() {
                state.lanes.remove(folder);
            }
        }
        self.ended.notify_all();
        outcome
    }
}

impl State {
    fn failed(&mut self, error: &io::Error) {
        self.failures += 1;
        self.last = Some(Failure::of(error));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    const FOLDER: &str = "results";

    impl Flushes {
        /// Comes back when this many callers wait for the next flush; one more is the flush's own count.
        fn until_waiting(&self, count: usize) {
            let waiting = || {
                let state = self.state();
                let next = state.lanes.get(Path::new(FOLDER))?.next.as_ref()?;
                Some(Arc::strong_count(next) - 1)
            };
            while waiting() != Some(count) {
                thread::yield_now();
            }
        }
    }

    /// Lets `count` callers ask while a flush is under way, and says how often was flushed and what each was told.
    fn gather(
        count: usize,
        first: fn() -> io::Result<()>,
        second: fn() -> io::Result<()>,
    ) -> (usize, Vec<io::Result<()>>) {
        let (flushes, runs) = (Flushes::default(), AtomicUsize::new(0));
        let (release, held) = mpsc::channel();
        let folder = Path::new(FOLDER);
        let told = thread::scope(|scope| {
            let (under_way, has_begun) = mpsc::channel();
            let under_way = scope.spawn({
                let (flushes, runs) = (&flushes, &runs);
                move || {
                    flushes.flush(folder, flushes.mark(), || {
                        runs.fetch_add(1, Ordering::SeqCst);
                        under_way.send(()).unwrap();
                        held.recv().unwrap();
                        first()
                    })
                }
            });
            has_begun.recv().unwrap();
            let ask = || {
                flushes.flush(folder, flushes.mark(), || {
                    runs.fetch_add(1, Ordering::SeqCst);
                    second()
                })
            };
            let waiting: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
            flushes.until_waiting(count);
            release.send(()).unwrap();
            assert_eq!(under_way.join().unwrap().is_ok(), first().is_ok());
            let told = waiting.into_iter().map(|asked| asked.join().unwrap());
            told.collect()
        });
        assert!(flushes.state().lanes.is_empty(), "all is forgotten");
        (runs.into_inner(), told)
    }

    #[test]
    fn all_who_ask_during_a_flush_share_the_next_one() {
        let (runs, told) = gather(8, || Ok(()), || Ok(()));
        assert_eq!(runs, 2, "one was under way, and one served eight");
        assert!(told.iter().all(Result::is_ok));
    }

    #[test]
    fn a_failed_flush_fails_for_all_who_waited_for_it() {
        let (runs, told) = gather(3, || Ok(()), broken);
        assert_eq!(runs, 2);
        for told in told {
            assert_eq!(told.unwrap_err().raw_os_error(), Some(5));
        }
    }

    fn broken() -> io::Result<()> {
        Err(io::Error::from_raw_os_error(5))
    }

    #[test]
    fn whoever_gave_a_name_before_a_flush_failed_is_not_served_by_the_next_one() {
        let (runs, told) = gather(3, broken, || Ok(()));
        assert_eq!(runs, 2);
        for told in told {
            assert_eq!(told.unwrap_err().raw_os_error(), Some(5));
        }
        let (flushes, folder) = (Flushes::default(), Path::new(FOLDER));
        let before = flushes.mark();
        flushes.flush(folder, before, broken).unwrap_err();
        flushes.flush(folder, before, || Ok(())).unwrap_err();
        let between = flushes.mark();
        flushes.flush(folder, between, || Ok(())).unwrap();
        flushes.failed(&broken().unwrap_err());
        flushes.flush(folder, between, || Ok(())).unwrap_err();
    }

    #[test]
    fn each_call_alone_flushes_for_itself() {
        let (flushes, runs) = (Flushes::default(), AtomicUsize::new(0));
        for _ in 0..3 {
            let mark = flushes.mark();
            let sync = || {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            flushes.flush(Path::new(FOLDER), mark, sync).unwrap();
        }
        assert_eq!(runs.into_inner(), 3);
    }

    #[test]
    fn a_rename_is_never_served_by_a_flush_that_began_before_it() {
        let (flushes, renamed, flushed) =
            (Flushes::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let mark = flushes.mark();
                        let mine = renamed.fetch_add(1, Ordering::SeqCst) + 1;
                        let sync = || {
                            let seen = renamed.load(Ordering::SeqCst);
                            thread::yield_now();
                            flushed.fetch_max(seen, Ordering::SeqCst);
                            Ok(())
                        };
                        flushes.flush(Path::new(FOLDER), mark, sync).unwrap();
                        assert!(flushed.load(Ordering::SeqCst) >= mine);
                    }
                });
            }
        });
    }
}
