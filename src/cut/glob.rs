//! The files that a pattern means, for `--each`.
//!
//! Rule: `*` is any text and `?` any one character, within one name of a path. What is hidden is meant only by a pattern
//! that begins with a dot itself, as in a shell.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::PARTS_MAX;

/// Why a pattern means no files.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// There are none.
    #[error("no file is called {0}")]
    Nothing(String),
    /// There are too many.
    #[error("more than {PARTS_MAX} files are called {0}")]
    Many(String),
    /// A folder cannot be listed.
    #[error("failed to list {}: {source}", path.display())]
    List {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The files that the pattern means, sorted by their paths. Blocks.
///
/// # Errors
/// When there are none or too many, or a folder cannot be listed.
pub fn each(pattern: &str) -> Result<Vec<PathBuf>, GlobError> {
    let mut found = vec![match pattern.starts_with('/') {
        true => PathBuf::from("/"),
        false => PathBuf::new(),
    }];
    for name in pattern.split('/').filter(|name| !name.is_empty()) {
        let mut inner = Vec::new();
        for folder in &found {
            extend(&mut inner, folder, name)?;
            if inner.len() > PARTS_MAX as usize {
                return Err(GlobError::Many(pattern.into()));
            }
        }
        found = inner;
    }
    found.retain(|path| path.is_file());
    found.sort();
    match found.is_empty() {
        true => Err(GlobError::Nothing(pattern.into())),
        false => Ok(found),
    }
}

/// Adds what a folder holds under this name or names like it.
fn extend(found: &mut Vec<PathBuf>, folder: &Path, name: &str) -> Result<(), GlobError> {
    if !name.contains(['*', '?']) {
        found.push(folder.join(name));
        return Ok(());
    }
    let listed = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let failed = |source| GlobError::List {
        path: listed.into(),
        source,
    };
    let entries = match fs::read_dir(listed) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let own = entry.map_err(failed)?.file_name();
        if is_like(&own, name) {
            found.push(folder.join(own));
        }
    }
    Ok(())
}

fn is_like(name: &OsStr, pattern: &str) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (name, pattern): (Vec<_>, Vec<_>) = (name.chars().collect(), pattern.chars().collect());
    matches(&name, &pattern)
}

/// After a mismatch only the last star is tried with one more character, so it takes no longer than both lengths
/// multiplied.
fn matches(name: &[char], pattern: &[char]) -> bool {
    let (mut at, mut next) = (0, 0);
    let mut star = None;
    while let Some(own) = name.get(at) {
        match (pattern.get(next), star) {
            (Some('*'), _) => {
                star = Some((next + 1, at));
                next += 1;
            }
            (Some(wanted), _) if wanted == own || *wanted == '?' => {
                at += 1;
                next += 1;
            }
            (_, Some((after, from))) => {
                star = Some((after, from + 1));
                at = from + 1;
                next = after;
            }
            (_, None) => return false,
        }
    }
    let rest = pattern.get(next..).unwrap_or_default();
    rest.iter().all(|wanted| *wanted == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        let cases = [
            ("a.csv", "*.csv", true),
            ("a.csv", "?.csv", true),
            ("ab.csv", "?.csv", false),
            ("aab", "*ab", true),
            ("aXbYb", "a*b*b", true),
            ("aXb", "a*b*b", false),
            ("", "*", true),
            (".csv", "*.csv", false),
            (".a", ".*", true),
            ("ação", "a??o", true),
        ];
        for (name, pattern, is_meant) in cases {
            assert_eq!(
                is_like(OsStr::new(name), pattern),
                is_meant,
                "{name} {pattern}"
            );
        }
    }

    #[test]
    fn files_are_found_in_their_order_and_folders_are_none() {
        let home = tempfile::tempdir().unwrap();
        for folder in ["x", "y", "y/c.txt"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        for file in ["x/b.txt", "x/a.txt", "y/a.txt", "x/.a.txt", "z.txt"] {
            fs::write(home.path().join(file), "").unwrap();
        }
        let pattern = |tail: &str| format!("{}/{tail}", home.path().display());
        let found = each(&pattern("*/*.txt")).unwrap();
        let wanted = ["x/a.txt", "x/b.txt", "y/a.txt"].map(|file| home.path().join(file));
        assert_eq!(found, wanted);
        assert_eq!(each(&pattern("z.txt")).unwrap().len(), 1);
        assert!(matches!(
            each(&pattern("*.csv")),
            Err(GlobError::Nothing(_))
        ));
    }
}
