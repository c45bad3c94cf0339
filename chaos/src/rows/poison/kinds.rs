//! What a task can do that cannot be done, and what is to be said of it.

/// A task that cannot be done.
pub struct Poison {
    /// What it is called.
    pub name: &'static str,
    /// What its script does.
    pub deed: &'static str,
    /// Its `task.toml`.
    pub wishes: &'static str,
    /// What the note in `tasks/failed/` must say.
    pub cause: &'static str,
    /// What its last errors must say besides.
    pub says: &'static str,
}

/// Takes memory until it is killed, but never so much that a machine without limits suffers.
const TAKES_ALL_MEMORY: &str = "
held = [b'x' * (1 << 20) for _ in range(1024)]
raise SystemExit(7)";
/// The same where the kernel does not give a group of programs less than all: Python is told that there is no more.
const TAKES_ALL_IT_MAY: &str = "
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
held = [b'x' * (1 << 20) for _ in range(1024)]
raise SystemExit(7)";
/// Ends the peer that runs it, and lives on.
const KILLS_ITS_PEER: &str = "
import os, time
pid = os.getppid()
while b'\\0peer\\0' not in open(f'/proc/{pid}/cmdline', 'rb').read():
    pid = int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
os.kill(pid, 9)
time.sleep(3600)";
/// After a want of memory a task rests for long: that is seen once.
const TWICE: &str = "retries = 1";

/// So many of those that come among good tasks, the first ones, are what they are whatever memory their peer has.
pub const PLAIN: usize = 4;
/// Those that come among good tasks.
pub const AMONG: [Poison; 6] = [
    Poison {
        deed: "raise SystemExit(3)",
        cause: "exit code 3",
        ..Poison::named("exits")
    },
    Poison {
        deed: "import os\nos.abort()",
        cause: "killed by signal 6",
        ..Poison::named("aborts")
    },
    Poison {
        deed: "import time\ntime.sleep(3600)",
        wishes: "time_limit = '1s'",
        cause: "time limit passed",
        ..Poison::named("hangs")
    },
    Poison {
        deed: "import no_such_module",
        cause: "exit code 1",
        says: "No module named 'no_such_module'",
        ..Poison::named("lacks-a-module")
    },
    Poison {
        deed: "raise MemoryError()",
        wishes: TWICE,
        cause: "out of memory",
        says: "MemoryError",
        ..Poison::named("gives-up-for-memory")
    },
    Poison {
        deed: TAKES_ALL_MEMORY,
        wishes: TWICE,
        cause: "out of memory",
        ..Poison::named("takes-all-memory")
    },
];

/// In the place of the last of them where the kernel kills nobody for memory.
pub const WITHOUT_A_LIMIT: Poison = Poison {
    deed: TAKES_ALL_IT_MAY,
    wishes: TWICE,
    cause: "out of memory",
    says: "MemoryError",
    ..Poison::named("takes-all-it-may")
};

/// Those that come later. Which process the kernel killed for memory cannot be told from one that was killed at the same
/// time, and who kills a peer takes more from the others than the poison that their pace is promised beside.
pub const LATER: [Poison; 2] = [
    Poison {
        deed: "import os\nos.kill(os.getpid(), 9)",
        cause: "killed by signal 9",
        ..Poison::named("kills-itself")
    },
    Poison {
        deed: KILLS_ITS_PEER,
        cause: "it started a new life",
        ..Poison::named("kills-its-peer")
    },
];

impl Poison {
    const fn named(name: &'static str) -> Self {
        Self {
            name,
            deed: "",
            wishes: "",
            cause: "",
            says: "",
        }
    }
}
