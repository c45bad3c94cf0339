//! The memory of what a process has started, and what that has started in turn.

use std::collections::HashMap;
use std::fs;

/// Where in `/proc/<pid>/stat`, counted from the word after the name, the parent stands.
const PARENT: usize = 1;

/// Bytes of all processes below this one; of what several share, each counts its part. What ends meanwhile counts nothing.
pub fn memory_below(pid: u32) -> anyhow::Result<f64> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if let Some(parent) = parent_in(&stat) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut bytes, mut next) = (0.0, vec![pid]);
    while let Some(pid) = next.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            bytes += proportional(child).unwrap_or(0.0);
            next.push(child);
        }
    }
    Ok(bytes)
}

/// The name in a `/proc/<pid>/stat` may hold anything, so it is read from its end.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(PARENT)?.parse().ok()
}

fn proportional(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: f64 = pss.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_a_process_has_started_is_counted_and_itself_is_not() {
        let before = memory_below(std::process::id()).unwrap();
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        assert!(memory_below(std::process::id()).unwrap() > before);
        assert!(
            memory_below(child.id()).unwrap() < 1.0,
            "it has no children"
        );
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in("7 (a) b) S 12 7 7 0 -1"), Some(12));
        assert_eq!(parent_in("7 (a"), None);
    }
}
