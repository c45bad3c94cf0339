//! What was typed after `mutirao run`: a script with its input, a folder or a ZIP becomes a task with a name.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use crate::archive::{Refusal, pack_folder, pack_script};

/// The task's ZIP.
///
/// # Errors
/// What was typed is not there, cannot be read, or can be no task.
pub fn pack(what: &Path, input: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let shown = what.display();
    let kind = fs::metadata(what).with_context(|| format!("failed to find {shown}"))?;
    let ends_in = |ending| {
        what.extension()
            .is_some_and(|own| own.eq_ignore_ascii_case(ending))
    };
    if kind.is_file() && ends_in("csv") {
        bail!(
            "{shown} is data and no script: name the script first, as in `mutirao run main.py {shown}`"
        );
    }
    match (kind.is_dir(), ends_in("zip"), input) {
        // It is not read at all: it may be larger than our memory.
        (false, true, None) if kind.len() > ARCHIVE_MAX as u64 => {
            Err(Refusal::TooLong).with_context(|| format!("{shown} cannot be a task"))
        }
        (true, _, None) => Ok(pack_folder(what)?),
        (false, true, None) => fs::read(what).with_context(|| format!("failed to read {shown}")),
        (false, false, input) => Ok(pack_script(what, input)?),
        (_, _, Some(_)) => bail!("an input goes with a script; put it into {shown} as input.csv"),
    }
}

/// What the task is called: the folder's own name where `.` or `..` was typed.
pub fn stem(what: &Path) -> String {
    let named = |path: &Path| Some(path.file_stem()?.to_string_lossy().into_owned());
    named(what)
        .or_else(|| named(&fs::canonicalize(what).ok()?))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_the_place_of_the_script_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let table = home.path().join("data.CSV");
        fs::write(&table, "a,b\n").unwrap();
        let error = pack(&table, None).unwrap_err().to_string();
        assert!(error.contains("name the script first"), "{error}");
    }

    #[test]
    fn a_zip_that_is_too_large_to_travel_is_refused_before_it_is_read() {
        let home = tempfile::tempdir().unwrap();
        let large = home.path().join("large.zip");
        let file = fs::File::create(&large).unwrap();
        file.set_len(1 << 40).unwrap();
        let error = format!("{:#}", pack(&large, None).unwrap_err());
        assert!(error.contains("64 MiB: split the task"), "{error}");
    }

    #[test]
    fn a_dot_is_called_as_the_folder_that_it_is() {
        let home = tempfile::tempdir().unwrap();
        let inner = home.path().join("sim");
        fs::create_dir_all(inner.join("sub")).unwrap();
        assert_eq!(stem(&inner.join("sub/..")), "sim");
        assert_eq!(stem(Path::new("folder/main.py")), "main");
    }
}
