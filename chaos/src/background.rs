//! A thread that does one thing again and again until it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// The thread; dropping it waits for the end of the step that it is at.
pub struct Background {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

/// Whether the thread is to end, for steps that take long.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether it is.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Background {
    /// Starts it.
    pub fn repeat(mut step: impl FnMut(&Stop) + Send + 'static) -> Self {
        let stop = Stop::default();
        let seen = stop.clone();
        let thread = thread::spawn(move || {
            while !seen.is_asked() {
                step(&seen);
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic of it was printed, and shows as tasks that are not done.
            let _ = thread.join();
        }
    }
}
