//! One flush of a folder serves all who wait for it.
//!
//! Rule: whoever asks waits for a flush that begins after asking, never for one under way, which may have missed the
//! last rename. A failed one fails for all of its own, and for nobody else.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

/// The flushes of all folders of one disk.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    /// By folder; forgotten when nobody flushes it or waits for that.
    lanes: Mutex<HashMap<PathBuf, Lane>>,
    /// Some flush has ended.
    ended: Condvar,
}

/// The flushes of one folder: one under way at most, and one that gathers those who asked since.
#[derive(Debug, Default)]
struct Lane {
    is_under_way: bool,
    next: Option<Arc<Flush>>,
}

/// One flush and how it ended.
type Flush = OnceLock<Result<(), Failure>>;

/// What several callers are told of one error, which cannot be copied.
#[derive(Debug)]
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
    /// Comes back when a flush of the folder that began after this call has ended; `sync` is one, done by the caller
    /// whose turn it is.
    ///
    /// # Errors
    /// Those of that flush.
    pub fn flush(&self, folder: &Path, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(folder.to_owned()).or_default();
        let mine = Arc::clone(lane.next.get_or_insert_default());
        loop {
            if let Some(outcome) = mine.get() {
                return outcome.as_ref().copied().map_err(Failure::error);
            }
            let lane = lanes.entry(folder.to_owned()).or_default();
            if !lane.is_under_way {
                // Nobody has done mine yet, so it is the next one.
                (lane.is_under_way, lane.next) = (true, None);
                break;
            }
            lanes = self
                .ended
                .wait(lanes)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(lanes);
        let outcome = sync();
        self.end(folder, &mine, &outcome);
        outcome
    }

    fn end(&self, folder: &Path, flush: &Flush, outcome: &io::Result<()>) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        // Set once: only the caller whose turn it was comes here.
        let _ = flush.set(outcome.as_ref().copied().map_err(Failure::of));
        if let Some(lane) = lanes.get_mut(folder) {
            lane.is_under_way = false;
            if lane.next.is_none() {
                lanes.remove(folder);
            }
        }
        self.ended.notify_all();
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
                let lanes = self.lanes.lock().unwrap();
                let next = lanes.get(Path::new(FOLDER))?.next.as_ref()?;
                Some(Arc::strong_count(next) - 1)
            };
            while waiting() != Some(count) {
                thread::yield_now();
            }
        }
    }

    /// Lets `count` callers ask while a flush is under way, and says how often was flushed and what each was told.
    fn gather(count: usize, second: fn() -> io::Result<()>) -> (usize, Vec<io::Result<()>>) {
        let (flushes, runs) = (Flushes::default(), AtomicUsize::new(0));
        let (release, held) = mpsc::channel();
        let folder = Path::new(FOLDER);
        let told = thread::scope(|scope| {
            let (under_way, has_begun) = mpsc::channel();
            let first = scope.spawn({
                let (flushes, runs) = (&flushes, &runs);
                move || {
                    flushes.flush(folder, || {
                        runs.fetch_add(1, Ordering::SeqCst);
                        under_way.send(()).unwrap();
                        held.recv().unwrap();
                        Ok(())
                    })
                }
            });
            has_begun.recv().unwrap();
            let ask = || {
                flushes.flush(folder, || {
                    runs.fetch_add(1, Ordering::SeqCst);
                    second()
                })
            };
            let waiting: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
            flushes.until_waiting(count);
            release.send(()).unwrap();
            assert!(first.join().unwrap().is_ok());
            let told = waiting.into_iter().map(|asked| asked.join().unwrap());
            told.collect()
        });
        assert!(flushes.lanes.lock().unwrap().is_empty(), "all is forgotten");
        (runs.into_inner(), told)
    }

    #[test]
    fn all_who_ask_during_a_flush_share_the_next_one() {
        let (runs, told) = gather(8, || Ok(()));
        assert_eq!(runs, 2, "one was under way, and one served eight");
        assert!(told.iter().all(Result::is_ok));
    }

    #[test]
    fn a_failed_flush_fails_for_all_who_waited_for_it_and_nobody_else() {
        let (runs, told) = gather(3, || Err(io::Error::from_raw_os_error(5)));
        assert_eq!(runs, 2);
        for told in told {
            assert_eq!(told.unwrap_err().raw_os_error(), Some(5));
        }
    }

    #[test]
    fn each_call_alone_flushes_for_itself() {
        let (flushes, runs) = (Flushes::default(), AtomicUsize::new(0));
        for _ in 0..3 {
            let sync = || {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            flushes.flush(Path::new(FOLDER), sync).unwrap();
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
                        let mine = renamed.fetch_add(1, Ordering::SeqCst) + 1;
                        let sync = || {
                            let seen = renamed.load(Ordering::SeqCst);
                            thread::yield_now();
                            flushed.fetch_max(seen, Ordering::SeqCst);
                            Ok(())
                        };
                        flushes.flush(Path::new(FOLDER), sync).unwrap();
                        assert!(flushed.load(Ordering::SeqCst) >= mine);
                    }
                });
            }
        });
    }
}
