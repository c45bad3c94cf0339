//! Panics of actors, which their runtime catches and nobody would see.

use std::cell::Cell;

thread_local! {
    /// Panics of this thread that were not asked for.
    static COUNT: Cell<u32> = const { Cell::new(0) };
    /// Whether what happens now is the end of a host, where panics mean nothing.
    static IS_DEAF: Cell<bool> = const { Cell::new(false) };
}

/// Counts panics from now on, in the whole process.
pub fn watch() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !IS_DEAF.get() {
            COUNT.set(COUNT.get() + 1);
            before(info);
        }
    }));
}

/// Forgets those of an earlier run.
pub(super) fn forget() {
    COUNT.set(0);
}

/// Panics of this run.
pub(super) fn count() -> u32 {
    COUNT.get()
}

/// Takes a host apart: its runtime is gone before its actors are, and some of them miss it.
pub(super) fn unheard<T>(end: impl FnOnce() -> T) -> T {
    IS_DEAF.set(true);
    let ended = end();
    IS_DEAF.set(false);
    ended
}
