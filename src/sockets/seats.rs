//! How many connections a process may hold open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Connections at a time, however many files may be open: some thousand peers and whoever looks in; each needs a file descriptor and some 10 KB.
const CONNECTIONS_MAX: usize = 12_000;
/// Open files that are asked of the system: enough for all seats; many systems give a thousand unasked.
const FILES_WANTED: u64 = 32_768;

/// Whose door it is; a process has one of each at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// All peers come to it, and everybody who looks in.
    Master,
    /// Masters that call it back come to it.
    Peer,
}

impl Host {
    /// Open files of which its door has one connection at most, in tenths. What both leave is for results, scripts and
    /// whatever else must go on when strangers have taken all seats (promise R7).
    fn tenths(self) -> u64 {
        match self {
            Self::Master => 6,
            Self::Peer => 2,
        }
    }

    fn among(self, files: u64) -> usize {
        let fit = usize::try_from(files / 10 * self.tenths()).unwrap_or(CONNECTIONS_MAX);
        fit.min(CONNECTIONS_MAX)
    }
}

/// As many as fit the files that this process may have open, after it has asked for as many as it wants.
pub fn seats_of(host: Host) -> usize {
    host.among(files_max())
}

fn files_max() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((FILES_WANTED, FILES_WANTED));
    let wanted = hard.min(FILES_WANTED);
    let granted = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    if granted { wanted } else { soft }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else_where_few_may_be_open() {
        assert_eq!(Host::Master.among(1024), 612);
        assert_eq!(Host::Peer.among(1024), 204);
        assert_eq!(Host::Master.among(u64::MAX), CONNECTIONS_MAX);
        let granted = getrlimit(Resource::RLIMIT_NOFILE).unwrap().0;
        assert!(files_max() >= granted.min(FILES_WANTED));
    }
}
