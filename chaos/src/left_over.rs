//! What something under way has on the disk, and nothing that is over may leave there.

use std::fs;
use std::path::Path;

use crate::peer::Peer;
use crate::trial::Trial;

/// Files and folders that only something under way may have.
pub fn left_over(trial: &Trial, peers: &[Peer]) -> Vec<String> {
    let mut found = Vec::new();
    let master = &trial.master.folder;
    walk(master, &mut |path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_payload = path
            .parent()
            .is_some_and(|folder| folder.ends_with(".mutirao/payloads"));
        if name.ends_with(".part") || is_payload {
            found.push(path.display().to_string());
        }
    });
    for peer in peers {
        walk(&peer.folder, &mut |path| {
            let is_in = |folder: &str| path.parent().is_some_and(|above| above.ends_with(folder));
            if is_in("work") || is_in("spool") || is_in("runs") {
                found.push(path.display().to_string());
            }
        });
    }
    found
}

fn walk(folder: &Path, seen: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        seen(&path);
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, seen);
        }
    }
}
