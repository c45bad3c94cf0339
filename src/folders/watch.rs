//! Wakes the desk when something happens in a folder.
//!
//! Rule: a waker tells that there is something to see, never what: notifications come in any order, more than once, or not
//! at all (network shares). The listing is the truth, and a look every few seconds finds what was missed.

use std::path::Path;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Wakes that wait to be heard: one says as much as many.
const WAKES_MAX: usize = 1;

/// Says whether something happened in the watched folder.
#[derive(Debug)]
pub struct Waker {
    /// Stops watching when dropped; none when the system would not watch.
    _watcher: Option<RecommendedWatcher>,
    wakes: mpsc::Receiver<()>,
}

impl Waker {
    /// Watches a folder itself, not those below it. Where that is impossible nothing ever wakes.
    pub fn of(folder: &Path) -> Self {
        let (sender, wakes) = mpsc::channel(WAKES_MAX);
        let hear = move |event: notify::Result<Event>| {
            if event.map_or(true, |event| is_news(&event.kind)) {
                // Full means that the desk is going to look anyway.
                let _ = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(hear).and_then(|mut watcher| {
            watcher.watch(folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        if let Err(error) = &watcher {
            let folder = folder.display();
            tracing::warn!(
                "failed to watch {folder}: {error}; it is listed every few seconds instead"
            );
        }
        Self {
            _watcher: watcher.ok(),
            wakes,
        }
    }

    /// Watches nothing and never wakes.
    pub fn asleep() -> Self {
        let (_, wakes) = mpsc::channel(WAKES_MAX);
        Self {
            _watcher: None,
            wakes,
        }
    }

    /// Whether something happened since this was asked last.
    pub fn was_woken(&mut self) -> bool {
        self.wakes.try_recv().is_ok()
    }
}

/// Reading is no news: our own looks would wake the next one for ever.
fn is_news(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_new_file_wakes() {
        let temp = tempfile::tempdir().unwrap();
        let mut waker = Waker::of(temp.path());
        assert!(!waker.was_woken());
        for name in ["a", "b", "c"] {
            fs::write(temp.path().join(name), b"x").unwrap();
        }
        let woken = tokio::time::timeout(Duration::from_secs(20), waker.wakes.recv()).await;
        assert_eq!(woken, Ok(Some(())));
    }

    #[test]
    fn looking_is_no_news() {
        assert!(!is_news(&EventKind::Access(AccessKind::Open(
            AccessMode::Any
        ))));
        assert!(!is_news(&EventKind::Access(AccessKind::Close(
            AccessMode::Read
        ))));
        assert!(is_news(&EventKind::Access(AccessKind::Close(
            AccessMode::Write
        ))));
        assert!(is_news(&EventKind::Any));
    }

    #[test]
    fn a_folder_that_cannot_be_watched_is_no_error() {
        let temp = tempfile::tempdir().unwrap();
        assert!(!Waker::of(&temp.path().join("missing")).was_woken());
    }
}
