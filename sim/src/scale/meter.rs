//! What of the processor's time goes to some futures of a thread, so that it can be told from the rest.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The time that the futures with this meter have used.
#[derive(Debug, Clone, Default)]
pub struct Meter(Rc<Cell<Duration>>);

impl Meter {
    /// So far.
    pub fn used(&self) -> Duration {
        self.0.get()
    }

    /// The future, with what it uses added here.
    pub fn on<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let (used, mut future) = (Rc::clone(&self.0), Box::pin(future));
        poll_fn(move |cx| {
            let before = thread_time();
            let polled = future.as_mut().poll(cx);
            used.set(used.get() + thread_time().saturating_sub(before));
            polled
        })
    }
}

/// The processor time of this thread since it began.
pub fn thread_time() -> Duration {
    // Every Linux has this clock.
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
