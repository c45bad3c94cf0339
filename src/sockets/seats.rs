//! How many connections a process may hold open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Connections at a time, however many files may be open: some thousand peers and whoever looks in; each needs a file descriptor and some 10 KB.
const CONNECTIONS_MAX: usize = 12_000;
/// Open files that are asked of the system: enough for all seats; many systems give a thousand unasked.
const FILES_WANTED: u64 = 32_768;
/// Open files of which there is one connection at most, in tenths. A process has two doors at most, and the rest is
/// for results, scripts and whatever else must go on when strangers have taken all seats (promise R7).
const CONNECTIONS_TENTHS: u64 = 4;

/// As many as fit the files that this process may have open, after it has asked for as many as it wants.
pub fn seats() -> usize {
    among(files_max())
}

fn among(files: u64) -> usize {
    let fit = usize::try_from(files / 10 * CONNECTIONS_TENTHS).unwrap_or(CONNECTIONS_MAX);
    fit.min(CONNECTIONS_MAX)
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
        assert_eq!(among(1024), 408);
        assert_eq!(among(u64::MAX), CONNECTIONS_MAX);
        let granted = getrlimit(Resource::RLIMIT_NOFILE).unwrap().0;
        assert!(files_max() >= granted.min(FILES_WANTED));
    }
}
