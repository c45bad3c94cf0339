//! What a ZIP holds, told after all of it was vetted and inflated once, so that damage is found where the ZIP enters.

use std::collections::BTreeMap;

use mutirao_actors::model::{Digest, Wishes};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use sha2::{Digest as _, Sha256};

use super::limits::Limits;
use super::refusal::Refusal;
use super::task_toml;
use super::vetted::{Entry, Vetted};

/// Longest `main.py`, in bytes: it is hashed whole; code is small, and what is not belongs beside it.
const MAIN_BYTES_MAX: u64 = 16 << 20;
/// Longest `task.toml`, in bytes: it holds a handful of keys.
const TASK_TOML_BYTES_MAX: u64 = 64 << 10;

/// What a task ZIP holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskContents {
    /// The folder inside the ZIP that holds `main.py`: empty, or with a slash at its end (`example/`).
    pub root: String,
    /// SHA-256 of `main.py`.
    pub code: Digest,
    /// What `task.toml` asks for; the default when there is none.
    pub wishes: Wishes,
    /// What `task.toml` runs instead of `main.py`; never empty.
    pub command: Option<Vec<String>>,
    /// What `task.toml` adds to the environment.
    pub env: BTreeMap<String, String>,
    /// Whether `input.csv` lies beside `main.py`.
    pub has_input: bool,
}

/// What a result ZIP holds; a foreign peer's normally has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultContents {
    /// Whether `stdout.txt` is there, at the root or in one folder.
    pub has_stdout: bool,
    /// Whether `stderr.txt` is there, at the root or in one folder.
    pub has_stderr: bool,
}

/// Vets a task ZIP whole and tells what it holds. Blocks for about 2 ms a megabyte.
///
/// # Errors
/// Why it cannot be a task, for the person who made it.
pub fn inspect_task(bytes: &[u8]) -> Result<TaskContents, Refusal> {
    let mut zip = open(bytes)?;
    let mut look = Look::at(&zip)?;
    inflate_all(&mut zip, |path, chunk| look.see(path, chunk))?;
    look.told()
}

/// Vets a result ZIP whole: any sound ZIP is one. Blocks for about 2 ms a megabyte.
///
/// # Errors
/// Why it is not taken.
pub fn inspect_result(bytes: &[u8]) -> Result<ResultContents, Refusal> {
    let mut zip = open(bytes)?;
    inflate_all(&mut zip, |_, _| {})?;
    Ok(ResultContents {
        has_stdout: text_in(&zip, "stdout.txt").is_some(),
        has_stderr: text_in(&zip, "stderr.txt").is_some(),
    })
}

/// So many of the first bytes of a text of a result ZIP, and whether there are more; none where it has no such text. Nothing
/// beyond is inflated, and nothing else is: a program that answers for a master may send any ZIP.
///
/// # Errors
/// Why the ZIP is none that a master takes as a result, or what of the text is damaged.
pub fn result_text(
    bytes: &[u8],
    name: &str,
    most: usize,
) -> Result<Option<(Vec<u8>, bool)>, Refusal> {
    let mut zip = open(bytes)?;
    let Some(entry) = text_in(&zip, name).cloned() else {
        return Ok(None);
    };
    let mut text = Vec::new();
    let read = zip.read(&entry, |chunk| {
        let fits = chunk.len().min(most - text.len());
        text.extend_from_slice(chunk.get(..fits).unwrap_or_default());
        // That is enough, and no fault.
        if fits < chunk.len() {
            Err(None)
        } else {
            Ok(())
        }
    });
    match read {
        Ok(()) => Ok(Some((text, false))),
        Err(None) => Ok(Some((text, true))),
        Err(Some(refusal)) => Err(refusal),
    }
}

/// A text of a result: at its root, or in one folder.
fn text_in<'a>(zip: &'a Vetted<'_>, name: &str) -> Option<&'a Entry> {
    zip.entries().iter().find(|entry| {
        let (folder, file) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        !entry.is_folder && file == name && !folder.contains('/')
    })
}

/// What is seen of a task while its files are inflated, for whatever that is done.
#[derive(Debug)]
pub(super) struct Look {
    root: String,
    main: Watched<Sha256>,
    task_toml: Watched<Vec<u8>>,
    /// If it is there.
    input: Option<String>,
}

/// A file, by its path in the ZIP, and what is made of it.
#[derive(Debug)]
struct Watched<T> {
    path: String,
    made: T,
}

impl Look {
    /// Before anything is inflated.
    pub fn at(zip: &Vetted<'_>) -> Result<Self, Refusal> {
        let root = find_root(zip)?;
        check_size(zip, &root, "main.py", MAIN_BYTES_MAX)?;
        check_size(zip, &root, "task.toml", TASK_TOML_BYTES_MAX)?;
        let input = zip.file(&format!("{root}input.csv"));
        Ok(Self {
            input: input.map(|entry| entry.path.clone()),
            main: Watched {
                path: format!("{root}main.py"),
                made: Sha256::new(),
            },
            task_toml: Watched {
                path: format!("{root}task.toml"),
                made: Vec::new(),
            },
            root,
        })
    }

    /// Where its input lies in the ZIP, if it has one.
    pub fn input(&self) -> Option<&str> {
        self.input.as_deref()
    }

    /// The next piece of this file.
    pub fn see(&mut self, path: &str, chunk: &[u8]) {
        if path == self.main.path {
            self.main.made.update(chunk);
        } else if path == self.task_toml.path {
            self.task_toml.made.extend_from_slice(chunk);
        }
    }

    /// What it is, when all was seen.
    pub fn told(self) -> Result<TaskContents, Refusal> {
        let said = task_toml::parse(&self.task_toml.made)?;
        Ok(TaskContents {
            has_input: self.input.is_some(),
            code: Digest::from(<[u8; 32]>::from(self.main.made.finalize())),
            wishes: said.wishes,
            command: said.command,
            env: said.env,
            root: self.root,
        })
    }
}

/// Vets what came in. It may be a little longer than what goes out, for base64 with wrapped lines is given some room.
pub(super) fn open(bytes: &[u8]) -> Result<Vetted<'_>, Refusal> {
    if bytes.len() > ARCHIVE_MAX {
        return Err(Refusal::TooLong);
    }
    Vetted::open(bytes, &Limits::USUAL)
}

/// The root wins; else the one folder that holds a `main.py`, whatever lies in others (`__MACOSX/`).
fn find_root(zip: &Vetted<'_>) -> Result<String, Refusal> {
    if zip.file("main.py").is_some() {
        return Ok(String::new());
    }
    let files = zip.entries().iter().filter(|entry| !entry.is_folder);
    let mut roots = files
        .filter_map(|entry| entry.path.strip_suffix("main.py"))
        .filter(|root| root.ends_with('/') && root.matches('/').count() == 1);
    let root = roots.next().ok_or(Refusal::NoMain)?;
    match roots.next() {
        Some(other) => Err(Refusal::SeveralMains(root.into(), other.into())),
        None => Ok(root.into()),
    }
}

fn check_size(zip: &Vetted<'_>, root: &str, name: &'static str, limit: u64) -> Result<(), Refusal> {
    match zip.file(&format!("{root}{name}")) {
        Some(entry) if entry.size > limit => Err(Refusal::FileTooLarge { name, limit }),
        _ => Ok(()),
    }
}

fn inflate_all(zip: &mut Vetted<'_>, mut see: impl FnMut(&str, &[u8])) -> Result<(), Refusal> {
    for entry in zip.entries().to_vec() {
        if !entry.is_folder {
            zip.read(&entry, |chunk| {
                see(&entry.path, chunk);
                Ok::<_, Refusal>(())
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::limits::ENTRIES_MAX;
    use super::super::samples::zip_of;
    use super::*;

    #[test]
    fn a_task_at_the_root_is_told() {
        let zip = zip_of(&[("main.py", b"print(1)"), ("input.csv", b"a\n1\n")]);
        let contents = inspect_task(&zip).unwrap();
        assert_eq!(contents.root, "");
        assert_eq!(contents.code, Digest::of(b"print(1)"));
        assert!(contents.has_input);
        assert_eq!(
            (contents.wishes, contents.command),
            (Wishes::default(), None)
        );
    }

    #[test]
    fn a_task_in_its_one_folder_is_told() {
        let zip = zip_of(&[
            ("example/main.py", b""),
            ("__MACOSX/._main.py", b""),
            ("input.csv", b""),
        ]);
        let contents = inspect_task(&zip).unwrap();
        assert_eq!(contents.root, "example/");
        assert!(
            !contents.has_input,
            "it lies outside the folder in which the script runs"
        );
    }

    #[test]
    fn task_toml_beside_main_py_is_heard() {
        let zip = zip_of(&[
            ("t/main.py", b""),
            ("t/task.toml", b"time_limit = '2m'"),
            ("task.toml", b"?"),
        ]);
        assert_eq!(
            inspect_task(&zip).unwrap().wishes.time_limit,
            Some(Duration::from_secs(120))
        );
        let zip = zip_of(&[("main.py", b""), ("task.toml", b"no")]);
        assert!(matches!(inspect_task(&zip), Err(Refusal::TaskToml(_))));
        let zip = zip_of(&[("main.py", b""), ("task.toml", &[b'#'; 70_000])]);
        assert!(matches!(
            inspect_task(&zip),
            Err(Refusal::FileTooLarge {
                name: "task.toml",
                ..
            })
        ));
    }

    #[test]
    fn a_zip_without_one_main_py_is_no_task() {
        for names in [
            &["a/b/main.py"][..],
            &["domain.py", "a/xmain.py"],
            &["main.py/"],
            &[],
        ] {
            let files: Vec<_> = names.iter().map(|name| (*name, &b""[..])).collect();
            assert_eq!(
                inspect_task(&zip_of(&files)),
                Err(Refusal::NoMain),
                "{names:?}"
            );
        }
        let zip = zip_of(&[("a/main.py", b""), ("b/main.py", b"")]);
        assert_eq!(
            inspect_task(&zip),
            Err(Refusal::SeveralMains("a/".into(), "b/".into()))
        );
    }

    #[test]
    fn a_result_is_any_sound_zip() {
        let told = |files: &[(&str, &[u8])]| {
            let contents = inspect_result(&zip_of(files)).unwrap();
            (contents.has_stdout, contents.has_stderr)
        };
        assert_eq!(
            told(&[("stdout.txt", b"1"), ("stderr.txt", b"")]),
            (true, true)
        );
        assert_eq!(told(&[("exemplo/stdout.txt", b"1")]), (true, false));
        assert_eq!(told(&[]), (false, false));
    }

    #[test]
    fn of_a_text_of_a_result_as_much_is_read_as_is_wanted() {
        let files: &[(&str, &[u8])] = &[("exemplo/stdout.txt", b"said much"), ("stderr.txt", b"")];
        let zip = zip_of(files);
        let text = |name, most| result_text(&zip, name, most).unwrap();
        let whole = Some((b"said much".to_vec(), false));
        assert_eq!(
            (text("stdout.txt", 9), text("stdout.txt", 99)),
            (whole.clone(), whole)
        );
        assert_eq!(text("stdout.txt", 4), Some((b"said".to_vec(), true)));
        assert_eq!(text("stderr.txt", 4), Some((Vec::new(), false)));
        assert_eq!(text("stdin.txt", 4), None);
    }

    #[test]
    fn no_text_is_read_of_a_result_that_no_master_takes() {
        let names: Vec<_> = (0..=ENTRIES_MAX).map(|number| number.to_string()).collect();
        let many = names.iter().map(|name| (name.as_str(), &b""[..]));
        let files: Vec<_> = many.chain([("stdout.txt", &b"said"[..])]).collect();
        let read = |zip: &[u8]| result_text(zip, "stdout.txt", 9).unwrap_err();
        assert_eq!(read(&zip_of(&files)), Refusal::TooManyEntries);
        assert!(matches!(read(b"no ZIP"), Refusal::NotAZip(_)));
    }

    #[test]
    fn what_is_too_large_to_travel_is_refused_whatever_it_is() {
        let zip = vec![0; ARCHIVE_MAX + 1];
        assert_eq!(inspect_task(&zip), Err(Refusal::TooLong));
        assert_eq!(inspect_result(&zip), Err(Refusal::TooLong));
    }
}
