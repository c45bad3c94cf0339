//! Several trials at a time, each on ports of its own.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

/// Trials at a time: most of a trial is waiting, also on a machine of two processors.
const LANES: u16 = 4;

/// Does the work for each job and gives what came of it, in the order in which it came; the first error ends all.
pub fn lanes<J: Send, T: Send>(
    jobs: impl IntoIterator<Item = J, IntoIter: Send>,
    work: impl Fn(u16, J) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let jobs = Mutex::new(jobs.into_iter());
    let results = Mutex::new(Ok(Vec::new()));
    thread::scope(|scope| {
        for lane in 0..LANES {
            let (jobs, results, work) = (&jobs, &results, &work);
            scope.spawn(move || {
                while results.lock().is_ok_and(|results| results.is_ok())
                    && let Some(job) = next(jobs)
                {
                    let done = work(lane, job);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    match (done, &mut *results) {
                        (Ok(done), Ok(results)) => results.push(done),
                        (Err(error), Ok(_)) => *results = Err(error),
                        (_, Err(_)) => {}
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn next<J>(jobs: &Mutex<impl Iterator<Item = J>>) -> Option<J> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once() {
        let mut done = lanes(0..100, |_, job| Ok(job)).unwrap();
        done.sort();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_all() {
        let failed = lanes(0.., |_, job: u64| {
            anyhow::ensure!(job < 10, "enough");
            Ok(job)
        });
        assert_eq!(failed.unwrap_err().to_string(), "enough");
    }
}
