//! A runner that lets the time pass that a task says, and ends as it says: `"5 0"` takes 5 s and exits with 0.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mutirao_actors::model::{Archive, Attempt, Both, Ending, Outcome, Piece, Stream, TaskId};
use mutirao_actors::runner::{Finished, Job, Runner};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What was run by everybody, in order, with how it ended; none while it runs.
pub type Runs = Arc<Mutex<Vec<(TaskId, Option<Ending>)>>>;

#[derive(Debug, Clone, Default)]
pub struct Sleeper {
    pub runs: Runs,
    /// What each task has printed.
    printed: Arc<Mutex<HashMap<TaskId, String>>>,
}

impl Sleeper {
    /// Lets a task print this.
    pub fn prints(&self, task: TaskId, text: &str) {
        let mut printed = self.printed.lock().unwrap();
        printed.entry(task).or_default().push_str(text);
    }
}

impl Runner for Sleeper {
    fn run(&self, job: Job, stop: CancellationToken) -> BoxFuture<'static, Finished> {
        let runs = Arc::clone(&self.runs);
        let number = {
            let mut runs = runs.lock().unwrap();
            runs.push((job.task, None));
            runs.len() - 1
        };
        let text = String::from_utf8_lossy(job.archive.bytes()).into_owned();
        let (seconds, code) = text.split_once(' ').unwrap();
        let seconds: u64 = seconds.parse().unwrap();
        let code: i32 = code.parse().unwrap();
        async move {
            let ending = tokio::select! {
                () = sleep(Duration::from_secs(seconds)) => Ending::Exit(code),
                () = stop.cancelled() => Ending::Cancelled,
            };
            runs.lock().unwrap()[number].1 = Some(ending.clone());
            Finished {
                outcome: Outcome {
                    ending,
                    took: Duration::from_secs(seconds),
                    peak_rss: None,
                },
                result: Archive::new(format!("result of {}", job.task).into_bytes()),
            }
        }
        .boxed()
    }

    fn printed(
        &self,
        task: TaskId,
        _: Attempt,
        from: Option<Both<u64>>,
    ) -> BoxFuture<'static, Option<Both<Piece>>> {
        let printed = self.printed.lock().unwrap();
        let text = printed.get(&task).cloned().unwrap_or_default();
        let piece = |stream, text: &str, from: u64| Piece {
            stream,
            offset: from,
            bytes: text[from as usize..].to_owned().into(),
        };
        let from = from.unwrap_or_default();
        let seen = Both {
            stdout: piece(Stream::Stdout, &text, from.stdout),
            stderr: piece(Stream::Stderr, "", 0),
        };
        async move { Some(seen) }.boxed()
    }

    fn forget(&self, _: TaskId, _: Attempt) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }
}
