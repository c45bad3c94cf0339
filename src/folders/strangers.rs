//! What lies in `tasks/` and is no ZIP: a script, a folder, a table.
//!
//! Rule: it is left alone, and whoever put it there is told once, with what to do instead. Hidden files, our own folders
//! and the notes beside ZIPs are nobody's mistake.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::disk::Volume;

/// Names that are remembered, so that none is told twice; when so many were told, nobody reads on.
const TOLD_MAX: usize = 64;
/// Names in one line; the rest is counted.
const NAMED_MAX: usize = 5;
/// Folders in `tasks/` that are ours.
const FOLDERS: [&str; 3] = ["done", "failed", "rejected"];

/// Those that one look found.
#[derive(Debug, Default)]
pub struct Strangers {
    /// The first by name, at most [`TOLD_MAX`].
    names: BTreeSet<OsString>,
    count: usize,
}

impl Strangers {
    /// Those that lie there now; none where the folder cannot be listed, which is for others to say.
    pub fn list(volume: &Volume, tasks: &Path) -> Self {
        let mut strangers = Self::default();
        let names = volume.list(tasks).into_iter().flatten().flatten();
        for name in names.filter(|name| !is_named_like_a_task(name)) {
            strangers.see(name);
        }
        strangers
    }

    /// Something lies there that is no ZIP.
    pub fn see(&mut self, name: OsString) {
        if is_expected(&name) {
            return;
        }
        self.count += 1;
        self.names.insert(name);
        if self.names.len() > TOLD_MAX {
            self.names.pop_last();
        }
    }

    /// What to do about all of them; none if there are none.
    pub fn in_words(&self, tasks: &Path) -> Option<String> {
        in_words(tasks, self.names.iter(), self.count)
    }
}

/// Those that were told.
#[derive(Debug, Default)]
pub struct Said(BTreeSet<OsString>);

impl Said {
    /// What is to be said of those that were not told yet.
    pub fn hear(&mut self, tasks: &Path, found: &Strangers) -> Option<String> {
        let room = TOLD_MAX.saturating_sub(self.0.len());
        let new: BTreeSet<_> = found
            .names
            .difference(&self.0)
            .take(room)
            .cloned()
            .collect();
        // What is beyond the first names is counted once, when these are told.
        let beyond = if self.0.is_empty() {
            found.count - found.names.len()
        } else {
            0
        };
        let told = in_words(tasks, new.iter(), new.len() + beyond);
        self.0.extend(new);
        told
    }
}

/// Plain ZIP names; a dot before hides a file from us as from `ls`.
pub fn is_named_like_a_task(name: &OsStr) -> bool {
    let ending = Path::new(name).extension();
    !is_hidden(name) && ending.is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// Whether it is known what this is doing here.
pub fn is_expected(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_lowercase();
    is_hidden(OsStr::new(&name)) || FOLDERS.contains(&&*name) || name.ends_with(".zip.txt")
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn in_words<'a>(
    tasks: &Path,
    names: impl Iterator<Item = &'a OsString>,
    count: usize,
) -> Option<String> {
    let paths = names.take(NAMED_MAX).map(|name| tasks.join(name));
    let paths: Vec<_> = paths.map(|path| path.display().to_string()).collect();
    let first = paths.first()?;
    let verb = if count == 1 {
        "is no ZIP and is"
    } else {
        "are no ZIPs and are"
    };
    let more = match count - paths.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let way = if count == 1 && first.ends_with(".py") {
        format!("`mutirao run {first}` runs it, or put it into a ZIP as main.py")
    } else {
        "a task is a ZIP with main.py in it, and `mutirao run` takes scripts and folders".to_owned()
    };
    Some(format!(
        "{}{more} {verb} left alone: {way}",
        paths.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Strangers {
        let mut found = Strangers::default();
        for name in names {
            found.see(name.into());
        }
        found
    }

    #[test]
    fn a_script_is_told_once_with_the_way_to_run_it() {
        let (mut told, tasks) = (Said::default(), Path::new("tasks"));
        let said = told.hear(tasks, &found(&["hello.py"])).unwrap();
        assert_eq!(
            said,
            "tasks/hello.py is no ZIP and is left alone: `mutirao run tasks/hello.py` runs it, or put it into a ZIP as main.py"
        );
        assert_eq!(told.hear(tasks, &found(&["hello.py"])), None);
        let said = told.hear(tasks, &found(&["hello.py", "rows.csv"])).unwrap();
        assert!(said.starts_with("tasks/rows.csv is no ZIP"), "{said}");
    }

    #[test]
    fn what_belongs_there_is_no_stranger() {
        let names = [".stay", ".a.zip", "done", "failed", "rejected", "a.zip.txt"];
        assert_eq!(found(&names).in_words(Path::new("tasks")), None);
    }

    #[test]
    fn of_many_the_first_are_named_and_all_are_counted() {
        let names: Vec<_> = (0..1000).map(|number| format!("{number:03}.py")).collect();
        let found = found(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut told = Said::default();
        let said = told.hear(Path::new("t"), &found).unwrap();
        let first = "t/000.py, t/001.py, t/002.py, t/003.py, t/004.py and 995 more are no ZIPs";
        assert!(said.starts_with(first), "{said}");
        assert_eq!(found.names.len(), TOLD_MAX);
        let mut later = Strangers::default();
        later.see("000".into());
        assert_eq!(told.hear(Path::new("t"), &later), None, "enough was told");
    }
}
