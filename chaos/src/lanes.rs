//! Several trials at a time, each on ports of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Trials at a time: most of a trial is waiting, also on a machine of two processors.
const LANES: u16 = 4;

/// Does the work for each job and gives what came of it, in the order in which it came.
pub fn lanes<J: Send, T: Send>(
    jobs: impl IntoIterator<Item = J, IntoIter: Send>,
    work: impl Fn(u16, J) -> T + Sync,
) -> Vec<T> {
    in_lanes(LANES, jobs, work)
}

/// The same in so many lanes.
pub fn in_lanes<J: Send, T: Send>(
    count: u16,
    jobs: impl IntoIterator<Item = J, IntoIter: Send>,
    work: impl Fn(u16, J) -> T + Sync,
) -> Vec<T> {
    let (jobs, results) = (Mutex::new(jobs.into_iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for lane in 0..count {
            let (jobs, results, work) = (&jobs, &results, &work);
            scope.spawn(move || {
                loop {
                    let Some(job) = hold(jobs).next() else { return };
                    let result = work(lane, job);
                    hold(results).push(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once() {
        let mut done = lanes(0..100, |_, job| job);
        done.sort();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }
}
