//! A ZIP of a stranger, vetted and unpacked. Besides that nothing panics: all that was vetted can be unpacked, nothing of it
//! lies outside of its folder, and nothing is left of what cannot.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{fs, process};

use archive::{UnpackError, inspect_result, inspect_task, unpack};
use libfuzzer_sys::fuzz_target;

#[expect(
    dead_code,
    unused_imports,
    reason = "the rest of the program uses the rest of it"
)]
#[path = "../../src/archive/mod.rs"]
mod archive;

/// Where this process unpacks: two levels deep, so that what climbs out is seen.
static ABOVE: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let above = target.join(format!("unpacked-{}/above", process::id()));
    fs::create_dir_all(&above).expect("a place to unpack into");
    above
});

fuzz_target!(|bytes: &[u8]| {
    let is_sound = inspect_result(bytes).is_ok();
    assert!(
        is_sound || inspect_task(bytes).is_err(),
        "a task that is no sound ZIP"
    );
    let into = ABOVE.join("task");
    let unpacked = unpack(bytes, &into);
    // A name that is too long together with its folders is the disk's to refuse.
    let by_disk = matches!(unpacked, Err(UnpackError::Io { .. }));
    assert_eq!(unpacked.is_ok() || by_disk, is_sound, "{unpacked:?}");
    assert_eq!(into.exists(), unpacked.is_ok());
    if is_sound {
        let home = ABOVE.parent().unwrap_or(&ABOVE);
        assert_eq!(names_in(home), 1, "something lies above");
        assert_eq!(
            names_in(&ABOVE),
            usize::from(unpacked.is_ok()),
            "something lies beside"
        );
    }
    if unpacked.is_ok() {
        fs::remove_dir_all(&into).expect("the folder is ours to remove");
    }
});

fn names_in(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
