//! Less memory for some programs than the machine has: a control group of theirs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mutirao_rig::clock;
use uuid::Uuid;

/// Where the kernel shows control groups.
const GROUPS: &str = "/sys/fs/cgroup";
/// How long the last process of a group may take to be gone after its end.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// A control group: when the programs in it want more memory than it has, the kernel kills the largest of them.
///
/// It is removed when this is dropped. Unlike all else of a row it outlives a row that is killed, empty and idle.
#[derive(Debug)]
pub struct Memory(PathBuf);

impl Memory {
    /// A group with so many bytes and no swap; none where none can be made.
    pub fn of(bytes: u64) -> Option<Self> {
        let name = format!("mutirao-chaos-{}", Uuid::new_v4());
        let set = |folder: &Path, file: &str, value: &str| fs::write(folder.join(file), value);
        let make = |above: PathBuf, limit: &str, swap: &str, no_swap: &str| {
            let folder = above.join(&name);
            fs::create_dir(&folder).ok()?;
            // Removed again when it cannot be limited.
            let group = Self(folder);
            set(&group.0, limit, &bytes.to_string()).ok()?;
            // A kernel that does not count swap has no such file.
            let _ = set(&group.0, swap, no_swap);
            Some(group)
        };
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = |of: &str| {
            own.lines()
                .find_map(|line| line.split_once(of))
                .map(|(_, path)| path)
        };
        let below = |root: &str, path: &str| Path::new(root).join(path.trim_start_matches('/'));
        let first = path(":memory:").and_then(|path| {
            let (limit, swap) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
            let above = below(&format!("{GROUPS}/memory"), path);
            make(above, limit, swap, &bytes.to_string())
        });
        // In the second version only the root may have both programs and groups with limits.
        first.or_else(|| make(GROUPS.into(), "memory.max", "memory.swap.max", "0"))
    }

    /// The file into which a program writes its number to join.
    pub fn door(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let is_gone = || match fs::remove_dir(&self.0) {
            Err(error) => error.kind() == io::ErrorKind::NotFound,
            Ok(()) => true,
        };
        clock::until(GONE_WITHIN, is_gone);
    }
}
