//! The list of what a damage took: all of it in a file, the first lines in the program's log.
//!
//! Rule: the log leaves out lines that come too often, so it says where all of them are.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::Files;

/// Lines that are shown: fewer than the log shows of one kind in a minute.
const SHOWN_MAX: usize = 10;
/// The file of all lines, beside the damaged files.
const LIST: &str = "lost.txt";

/// Where masters put what they took, below their folder. In `results/` others put something too.
const TRACES: [&str; 5] = [
    ".mutirao/payloads",
    ".mutirao/unclaimed",
    ".mutirao/set-aside",
    "tasks/done",
    "tasks/failed",
];

/// Writes the lines beside the damaged files, and says where in the first of them.
pub(super) fn list(files: &Files, lines: &mut [String]) {
    // One line is not left out by the log.
    if lines.len() < 2 {
        return;
    }
    let text = lines.join("\n") + "\n";
    match files.put_aside(LIST, &text) {
        Ok(list) => {
            if let (Some(first), Some(list)) = (lines.first_mut(), list) {
                first.push_str(&format!("; what was lost is listed in {}", list.display()));
            }
        }
        Err(error) => tracing::warn!("what was lost is listed nowhere but here: {error}"),
    }
}

/// The lines for the program's log.
pub fn shown(lines: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = lines.iter().take(SHOWN_MAX).cloned().collect();
    let more = lines.len() - shown.len();
    if more > 0 {
        shown.push(format!(
            "{more} more things are lost; {LIST} beside the damaged files lists all"
        ));
    }
    shown
}

/// A folder that only a master before this one can have filled.
pub(super) fn trace(folder: &Path) -> Option<PathBuf> {
    let root = folder
        .ends_with(super::FOLDER)
        .then(|| folder.ancestors().nth(2))??;
    let mut traces = TRACES.iter().map(|trace| root.join(trace));
    traces.find(|trace| {
        let entries = fs::read_dir(trace);
        entries.is_ok_and(|mut entries| entries.next().is_some())
    })
}
