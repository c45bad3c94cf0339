//! What the disk costs before anything is measured on it: a new file.
//!
//! An ext4 without a journal looks past each file that was removed in the last minutes before it makes one, which then
//! costs up to half a millisecond. So whatever the benches make stays until all are done, and where files were removed
//! shortly before, it is said.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use mutirao_rig::clock;

/// Files that are made to tell.
const FILES: u32 = 100;
/// A new file that takes longer distorts what is measured: it usually takes a tenth of this.
const SLOW: Duration = Duration::from_micros(100);

/// What to do about a disk on which new files take so long; nothing if it is as it should be.
///
/// # Errors
/// Whatever the disk refuses.
pub fn trouble(folder: &Path) -> anyhow::Result<Option<String>> {
    let folder = folder.join("ground");
    fs::create_dir(&folder)?;
    let begun = clock::now();
    for file in 0..FILES {
        File::create_new(folder.join(file.to_string()))?;
    }
    let each = begun.elapsed() / FILES;
    Ok((each > SLOW).then(|| {
        format!(
            "a new file takes {} µs here, so that tasks and results seem slow: many were removed in the last minutes; wait for six, \
             or give another --folder",
            each.as_micros()
        )
    }))
}
