//! Tells a run that ended for want of memory from one that failed by itself.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use mutirao_actors::model::Ending;
use nix::sys::signal::Signal;

use super::kernel::text_of;
use super::printed::Printed;

/// How much of the end of what a script printed as errors is looked at: the last line of a traceback is short.
const LAST_WORDS_MAX: usize = 4096;
/// The exit code of a Python that an exception ended.
const BY_EXCEPTION: i32 = 1;

/// Where control groups are shown.
const GROUPS: &str = "/sys/fs/cgroup";
/// Where the kernel counts for the whole machine.
const MACHINE: &str = "/proc/vmstat";

/// How often the kernel has killed a process for want of memory; none where it does not tell. Those of our own control
/// group are counted, in which the scripts are too, where the kernel shows it: what else it killed on the machine is
/// nothing to them.
pub fn kills() -> Option<u64> {
    static COUNT: LazyLock<PathBuf> = LazyLock::new(|| {
        let groups = text_of("/proc/self/cgroup").unwrap_or_default();
        let mut counts = counts_of(&groups, Path::new(GROUPS)).into_iter();
        counts
            .find(|count| kills_at(count).is_some())
            .unwrap_or_else(|| MACHINE.into())
    });
    kills_at(&COUNT)
}

/// The files in which the kernel may count for the control groups of a process, by its `/proc/self/cgroup`.
fn counts_of(groups: &str, shown: &Path) -> Vec<PathBuf> {
    let count_of = |line: &str| {
        let (_, controllers_and_path) = line.split_once(':')?;
        let (controllers, path) = controllers_and_path.split_once(':')?;
        let path = path.trim_start_matches('/');
        match controllers {
            "" => Some(shown.join(path).join("memory.events")),
            "memory" => Some(shown.join("memory").join(path).join("memory.oom_control")),
            _ => None,
        }
    };
    groups.lines().filter_map(count_of).collect()
}

fn kills_at(count: &Path) -> Option<u64> {
    kills_in(&text_of(count).ok()?)
}

fn kills_in(counts: &str) -> Option<u64> {
    let mut lines = counts.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// How a run really ended that ended by itself: `kills_before` is what [`kills`] was when it started, `kills` asks
/// what it is now, which the kernel has to count first, and `stderr` has what it printed as errors.
pub async fn ending(
    ending: Ending,
    kills_before: Option<u64>,
    kills: impl FnOnce() -> Option<u64>,
    stderr: &mut Printed,
) -> Ending {
    let ran_out = match ending {
        Ending::Signal(signal) => {
            let killed = signal == Signal::SIGKILL as i32;
            killed && kills_before.is_some() && kills_before < kills()
        }
        Ending::Exit(code) => code == BY_EXCEPTION && raised(stderr).await,
        _ => false,
    };
    if ran_out { Ending::OutOfMemory } else { ending }
}

/// Whether the last line is that of a `MemoryError`, or of a library's own kind of it.
async fn raised(stderr: &mut Printed) -> bool {
    let end = stderr.end(LAST_WORDS_MAX).await;
    let text = String::from_utf8_lossy(&end);
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    let name = last.split(':').next().unwrap_or_default();
    name.split('.')
        .next_back()
        .is_some_and(|name| name.ends_with("MemoryError"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn printed(text: &str) -> Printed {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Printed::in_file(file)
    }

    async fn of_exit(code: i32, stderr: &str) -> Ending {
        ending(
            Ending::Exit(code),
            Some(1),
            || Some(2),
            &mut printed(stderr),
        )
        .await
    }

    #[tokio::test]
    async fn a_memory_error_on_the_last_line_is_a_want_of_memory() {
        let long = "x".repeat(2 * LAST_WORDS_MAX);
        for last in [
            "MemoryError",
            "MemoryError: no room",
            "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8 TiB",
        ] {
            let text = format!("{long}\nTraceback\n{last}\n");
            assert_eq!(of_exit(1, &text).await, Ending::OutOfMemory, "{last}");
        }
        for text in ["", "MemoryError\nValueError: 7\n", "NoMemoryErrorAtAll: 7"] {
            assert_eq!(of_exit(1, text).await, Ending::Exit(1), "{text}");
        }
        assert_eq!(of_exit(3, "MemoryError").await, Ending::Exit(3));
        assert_eq!(of_exit(0, "MemoryError").await, Ending::Exit(0));
    }

    #[tokio::test]
    async fn a_kill_while_the_kernel_killed_for_memory_is_a_want_of_memory() {
        let of = async |signal, before, now| {
            ending(Ending::Signal(signal), before, || now, &mut printed("")).await
        };
        assert_eq!(of(9, Some(4), Some(5)).await, Ending::OutOfMemory);
        assert_eq!(of(9, Some(4), Some(4)).await, Ending::Signal(9));
        assert_eq!(of(9, None, Some(4)).await, Ending::Signal(9));
        assert_eq!(of(11, Some(4), Some(5)).await, Ending::Signal(11));
    }

    #[test]
    fn the_kernel_counts_for_each_control_group_in_a_file_of_it() {
        let second = "0::/user.slice/user-1000.slice/session-3.scope\n";
        let first = "9:name=systemd:/\n4:memory:/lab/peer\n1:cpu,cpuacct:/\n0::/\n";
        let counts = |groups| counts_of(groups, Path::new("/groups"));
        let of_session = "/groups/user.slice/user-1000.slice/session-3.scope/memory.events";
        assert_eq!(counts(second), [PathBuf::from(of_session)]);
        let of_peer = "/groups/memory/lab/peer/memory.oom_control".into();
        assert_eq!(
            counts(first),
            [of_peer, PathBuf::from("/groups/memory.events")]
        );
        assert!(counts("").is_empty());
    }

    #[test]
    fn the_kernels_count_is_read() {
        let vmstat = "nr_free_pages 7\noom_kill_disable 3\noom_kill 12\ndrop_pagecache 0\n";
        assert_eq!(kills_in(vmstat), Some(12));
        assert_eq!(kills_in("nr_free_pages 7\n"), None);
        let events = "low 0\nhigh 0\nmax 8\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(kills_in(events), Some(1));
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(kills_in(control), Some(3));
    }
}
