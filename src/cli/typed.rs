//! What was typed after `mutirao run`: a script with its input, a folder or a ZIP becomes a task with a name.

use std::fs::{self, Metadata};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;

use super::near::did_you_mean;
use crate::archive::{Refusal, pack_folder, pack_script};

/// Names that are compared with one that is not there: more than a folder of somebody's own work holds.
const BESIDE_MAX: usize = 10_000;

/// The task's ZIP.
///
/// # Errors
/// What was typed is not there, cannot be read, or can be no task.
pub fn pack(what: &Path, input: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let shown = what.display();
    let kind = look_at(what)?;
    input.map(look_at).transpose()?;
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

/// What is there under this name.
///
/// # Errors
/// When there is nothing; with the name beside it that was likely meant.
pub fn look_at(path: &Path) -> anyhow::Result<Metadata> {
    fs::metadata(path).map_err(|error| {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let beside = fs::read_dir(folder.unwrap_or(Path::new(".")));
        let names = beside.into_iter().flatten().flatten().take(BESIDE_MAX);
        let names: Vec<_> = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        let typed = path.file_name().unwrap_or_default().to_string_lossy();
        let meant = did_you_mean(&typed, names.iter().map(String::as_str));
        anyhow!("failed to find {}: {error}{meant}", path.display())
    })
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
    fn a_name_that_is_not_there_is_asked_about() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("main.py"), "").unwrap();
        let told = |name| look_at(&home.path().join(name)).unwrap_err().to_string();
        assert!(told("mian.py").ends_with("; did you mean main.py?"));
        assert!(told("other.csv").ends_with("(os error 2)"));
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
