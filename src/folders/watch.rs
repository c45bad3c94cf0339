//! Hears when something happens in `tasks/`.
//!
//! Rule: news tells where to look, never what is there: notifications come in any order, more than once, or not at all
//! (network shares). What lies there is the truth, and a look at everything every few seconds finds what was missed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::stay;
use super::strangers::{is_expected, is_named_like_a_task};

/// Files of which news is kept at a time: more than a second's worth of a busy master. With more, everything is looked at.
const NAMES_MAX: usize = 8192;

/// Has ears in a folder.
#[derive(Debug)]
pub struct Watch {
    /// Stops watching when dropped; none when the system would not watch.
    _watcher: Option<RecommendedWatcher>,
    news: Arc<Mutex<News>>,
}

/// What happened since it was asked last.
#[derive(Debug, Default)]
struct News {
    /// Something happened with these files.
    names: BTreeSet<OsString>,
    /// Something happened of which no name tells enough.
    is_everywhere: bool,
}

impl Watch {
    /// Watches a folder itself, not those below it. Where that is impossible there is never any news.
    pub fn of(folder: &Path) -> Self {
        let news = Arc::<Mutex<News>>::default();
        let (heard, here) = (Arc::clone(&news), folder.to_owned());
        let hear = move |event| locked(&heard).hear(&here, event);
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
            news,
        }
    }

    /// Watches nothing: there is never any news.
    pub fn nothing() -> Self {
        Self {
            _watcher: None,
            news: Arc::default(),
        }
    }

    /// Files with which something happened since this was asked last.
    pub fn take_names(&self) -> BTreeSet<OsString> {
        std::mem::take(&mut locked(&self.news).names)
    }

    /// Whether something happened that only a look at everything shows.
    pub fn is_everywhere(&self) -> bool {
        locked(&self.news).is_everywhere
    }

    /// Everything is about to be looked at: what happened before is no news.
    pub fn forget(&self) {
        *locked(&self.news) = News::default();
    }
}

fn locked(news: &Mutex<News>) -> MutexGuard<'_, News> {
    news.lock().unwrap_or_else(PoisonError::into_inner)
}

impl News {
    fn hear(&mut self, folder: &Path, event: notify::Result<Event>) {
        let Ok(event) = event else {
            self.is_everywhere = true;
            return;
        };
        if !is_news(&event.kind) {
            return;
        }
        self.is_everywhere |= event.need_rescan() || event.paths.is_empty();
        for path in event.paths {
            match path.file_name() {
                Some(name) if path.parent() == Some(folder) => self.add(name.to_owned()),
                _ => self.is_everywhere = true,
            }
        }
    }

    fn add(&mut self, name: OsString) {
        if is_named_like_a_task(&name) && self.names.len() < NAMES_MAX {
            self.names.insert(name);
        } else {
            // `.stay` speaks of other files; of the rest it is known what it is, or to be said.
            self.is_everywhere |= name == stay::FILE || !is_expected(&name);
        }
    }
}

/// Reading is no news: our own looks would bring the next one for ever.
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

    fn news_of(names: impl IntoIterator<Item = String>) -> News {
        let mut news = News::default();
        for name in names {
            let event = Event::new(EventKind::Any).add_path(Path::new("tasks").join(name));
            news.hear(Path::new("tasks"), Ok(event));
        }
        news
    }

    fn of(name: &str) -> News {
        news_of([name.to_owned()])
    }

    #[tokio::test]
    async fn a_new_file_is_news() {
        let temp = tempfile::tempdir().unwrap();
        let watch = Watch::of(temp.path());
        assert_eq!(watch.take_names(), BTreeSet::new());
        for name in ["a.zip", "b.zip", ".mutirao-1.part"] {
            fs::write(temp.path().join(name), b"x").unwrap();
        }
        let mut names = BTreeSet::new();
        let heard = async {
            while names.len() < 2 {
                names.extend(watch.take_names());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), heard)
            .await
            .unwrap();
        assert!(names.iter().eq(["a.zip", "b.zip"]));
        assert!(!watch.is_everywhere());
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
    fn what_says_something_of_other_files_is_news_of_all() {
        assert!(of(".stay").is_everywhere);
        assert!(of("main.py").is_everywhere, "its author is to be told");
        for quiet in [".mutirao-7.part", "done", "a.zip.txt"] {
            let news = of(quiet);
            assert!(!news.is_everywhere && news.names.is_empty(), "{quiet}");
        }
        let mut news = News::default();
        news.hear(Path::new("tasks"), Err(notify::Error::generic("lost")));
        assert!(news.is_everywhere);
    }

    #[test]
    fn more_news_than_is_kept_is_news_of_all() {
        let names = (0..=NAMES_MAX).map(|number| format!("{number}.zip"));
        let news = news_of(names);
        assert_eq!(news.names.len(), NAMES_MAX);
        assert!(!of("1.zip").is_everywhere && news.is_everywhere);
    }

    #[test]
    fn a_folder_that_cannot_be_watched_is_no_error() {
        let temp = tempfile::tempdir().unwrap();
        let watch = Watch::of(&temp.path().join("missing"));
        assert_eq!(watch.take_names(), BTreeSet::new());
    }
}
