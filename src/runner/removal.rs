//! Removing what a script left, whatever it made of its folder.
//!
//! Rule: a script can nest folders deeper than any stack, path or limit of open files, and forbid us to enter them. So
//! nothing here descends: what lies in a folder of the folder is moved up beside it, and links are never followed.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use uuid::Uuid;

/// Removes a folder with all that it holds; one that is gone already is no error. Blocks.
///
/// # Errors
/// What the system says of the first thing that cannot be removed; what is left then stays below the folder.
pub fn remove(folder: &Path) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if !found.is_dir() => return fs::remove_file(folder),
        _ => open_up(folder)?,
    }
    while flatten(folder)? {}
    fs::remove_dir(folder)
}

/// Removes all that lies in the folder except what its folders hold, which then lies in it; whether there was anything.
fn flatten(folder: &Path) -> io::Result<bool> {
    let mut found_any = false;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        found_any = true;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
            for inner in fs::read_dir(entry.path())? {
                let inner = inner?;
                if inner.file_type()?.is_dir() {
                    // A folder that may not be written to cannot be moved either.
                    open_up(&inner.path())?;
                    fs::rename(inner.path(), folder.join(Uuid::new_v4().to_string()))?;
                } else {
                    fs::remove_file(inner.path())?;
                }
            }
            fs::remove_dir(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(found_any)
}

fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_with_forbidden_folders_and_links_goes_and_what_links_lead_to_stays() {
        let home = tempfile::tempdir().unwrap();
        let (folder, other) = (home.path().join("run"), home.path().join("other"));
        fs::create_dir_all(folder.join("a/b/c")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("kept"), "1").unwrap();
        fs::write(folder.join("a/b/c/file"), "1").unwrap();
        for place in ["link", "a/link", "a/b/link"] {
            std::os::unix::fs::symlink(&other, folder.join(place)).unwrap();
        }
        for forbidden in ["a/b/c", "a/b", "a", ""] {
            fs::set_permissions(folder.join(forbidden), Permissions::from_mode(0o000)).unwrap();
        }
        remove(&folder).unwrap();
        assert!(!folder.exists() && other.join("kept").exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_goes_and_nothing_is_no_error() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("kept"), "1").unwrap();
        std::os::unix::fs::symlink(home.path(), home.path().join("run")).unwrap();
        remove(&home.path().join("run")).unwrap();
        remove(&home.path().join("run")).unwrap();
        assert!(home.path().join("kept").exists());
    }
}
