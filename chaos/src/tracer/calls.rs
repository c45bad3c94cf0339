//! The system calls that change the disk, as they stand in the registers of an x86-64 thread that is about to make one.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::unistd::Pid;

/// Longest path that is read for the reader's sake.
const PATH_MAX: usize = 300;
/// What `ptrace_syscall_info.op` says at an entry (linux/ptrace.h).
const ENTRY: u8 = 1;

/// Where a call names what it changes.
#[derive(Debug, Clone, Copy)]
enum What {
    /// The argument of this number is an open file.
    File(usize),
    /// The argument of this number is a path.
    Path(usize),
    /// The same, if these flags, an argument too, make files.
    PathIfMade(usize, usize),
}

/// Every call by which a program changes the disk, or waits until it has.
const CALLS: [(i64, &str, What); 26] = [
    (libc::SYS_write, "write", What::File(0)),
    (libc::SYS_pwrite64, "pwrite", What::File(0)),
    (libc::SYS_writev, "writev", What::File(0)),
    (libc::SYS_pwritev, "pwritev", What::File(0)),
    (libc::SYS_pwritev2, "pwritev2", What::File(0)),
    (libc::SYS_sendfile, "sendfile", What::File(0)),
    (libc::SYS_copy_file_range, "copy_file_range", What::File(2)),
    (libc::SYS_fallocate, "fallocate", What::File(0)),
    (libc::SYS_ftruncate, "ftruncate", What::File(0)),
    (libc::SYS_fsync, "fsync", What::File(0)),
    (libc::SYS_fdatasync, "fdatasync", What::File(0)),
    (libc::SYS_syncfs, "syncfs", What::File(0)),
    (libc::SYS_truncate, "truncate", What::Path(0)),
    (libc::SYS_open, "open", What::PathIfMade(0, 1)),
    (libc::SYS_openat, "openat", What::PathIfMade(1, 2)),
    (libc::SYS_mkdir, "mkdir", What::Path(0)),
    (libc::SYS_mkdirat, "mkdirat", What::Path(1)),
    (libc::SYS_rmdir, "rmdir", What::Path(0)),
    (libc::SYS_rename, "rename", What::Path(0)),
    (libc::SYS_renameat, "renameat", What::Path(1)),
    (libc::SYS_renameat2, "renameat2", What::Path(1)),
    (libc::SYS_link, "link", What::Path(0)),
    (libc::SYS_linkat, "linkat", What::Path(1)),
    (libc::SYS_unlink, "unlink", What::Path(0)),
    (libc::SYS_unlinkat, "unlinkat", What::Path(1)),
    (libc::SYS_symlinkat, "symlinkat", What::Path(2)),
];

/// Those of them that wait until the disk has what was written.
const FLUSHES: [&str; 3] = ["fsync", "fdatasync", "syncfs"];

/// A call that a thread is about to make.
pub struct Call {
    pid: Pid,
    name: &'static str,
    what: What,
    arguments: [u64; 3],
}

impl Call {
    /// The call that this stopped thread enters, if it is one of those.
    pub fn entered(pid: Pid) -> nix::Result<Option<Self>> {
        if ptrace::syscall_info(pid)?.op != ENTRY {
            return Ok(None);
        }
        let (number, arguments) = registers(pid)?;
        let known = CALLS.iter().find(|(known, ..)| *known == number);
        Ok(known.map(|&(_, name, what)| Self {
            pid,
            name,
            what,
            arguments,
        }))
    }

    /// Whether it changes something below the folder. A path counts wherever it leads.
    pub fn changes(&self, root: &Path) -> bool {
        match self.what {
            What::File(at) => self.file(at).starts_with(root),
            What::Path(_) => true,
            What::PathIfMade(_, flags) => self.argument(flags) & (libc::O_CREAT as u64) != 0,
        }
    }

    /// Whether it waits until the disk has what was written.
    pub fn is_flush(&self) -> bool {
        FLUSHES.contains(&self.name)
    }

    /// `fdatasync .mutirao/store/mutirao.db-wal`.
    pub fn in_words(&self, root: &Path) -> String {
        let subject = match self.what {
            What::File(at) => {
                let file = self.file(at);
                file.strip_prefix(root)
                    .unwrap_or(&file)
                    .display()
                    .to_string()
            }
            What::Path(at) | What::PathIfMade(at, _) => self.text(self.argument(at)),
        };
        format!("{} {subject}", self.name)
    }

    fn argument(&self, at: usize) -> u64 {
        self.arguments.get(at).copied().unwrap_or_default()
    }

    fn file(&self, at: usize) -> std::path::PathBuf {
        let link = format!("/proc/{}/fd/{}", self.pid, self.argument(at));
        fs::read_link(link).unwrap_or_default()
    }

    fn text(&self, address: u64) -> String {
        let mut bytes = [0; PATH_MAX];
        let memory = File::open(format!("/proc/{}/mem", self.pid));
        let read = memory.and_then(|memory| memory.read_at(&mut bytes, address));
        let read = bytes.get(..read.unwrap_or_default()).unwrap_or_default();
        let text = read.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }
}

/// The number of the call and its first arguments.
fn registers(pid: Pid) -> nix::Result<(i64, [u64; 3])> {
    let registers = ptrace::getregs(pid)?;
    let arguments = [registers.rdi, registers.rsi, registers.rdx];
    Ok((registers.orig_rax.cast_signed(), arguments))
}

/// Lets the call that this thread enters not happen.
pub fn prevent(pid: Pid) -> nix::Result<()> {
    let mut registers = ptrace::getregs(pid)?;
    registers.orig_rax = u64::MAX;
    ptrace::setregs(pid, registers)
}

/// Lets the call that this thread leaves say this error.
pub fn answer(pid: Pid, errno: Errno) -> nix::Result<()> {
    let mut registers = ptrace::getregs(pid)?;
    registers.rax = i64::from(-(errno as i32)).cast_unsigned();
    ptrace::setregs(pid, registers)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::super::{Deed, Seen, Traced};
    use super::*;
    use mutirao_rig::clock;

    /// Makes `a`, writes to it and names it `b`, from a thread of its own.
    const SCRIPT: &str = "
import os, threading
def work():
    try:
        a = os.open('a', os.O_CREAT | os.O_WRONLY)
        os.write(a, b'1')
        os.rename('a', 'b')
    except OSError as error:
        print(error.errno, flush=True)
worker = threading.Thread(target=work)
worker.start()
worker.join()
";

    fn run(at: u64, deed: Deed) -> (Seen, Vec<String>, String) {
        let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
        let root = folder.join("root");
        fs::create_dir_all(&root).unwrap();
        let mut command = Command::new("/usr/bin/env");
        command
            .args(["python3", "-B", "-c", SCRIPT])
            .current_dir(&root);
        let traced = Traced::start(&command, &folder.join("log"), &root, at, deed).unwrap();
        assert!(clock::until(Duration::from_secs(60), || traced
            .seen()
            .is_over));
        let left = fs::read_dir(&root).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left = left.collect();
        let printed = fs::read_to_string(folder.join("log")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        (traced.seen(), left, printed)
    }

    #[test]
    fn a_program_dies_before_the_chosen_change_of_any_thread() {
        let (whole, left, _) = run(0, Deed::Kill);
        assert_eq!((whole.struck, left), (None, vec!["b".to_owned()]));
        let last = whole.calls;
        for (at, left_then, words) in [
            (last, vec!["a".to_owned()], "rename a"),
            (last - 2, vec![], "openat a"),
        ] {
            let (seen, left, _) = run(at, Deed::Kill);
            assert_eq!((seen.struck.as_deref(), left), (Some(words), left_then));
        }
    }

    #[test]
    fn a_call_that_is_to_fail_does_not_happen_and_says_so() {
        let last = run(0, Deed::Kill).0.calls;
        let (seen, left, printed) = run(last, Deed::Fail(Errno::EIO));
        assert_eq!(
            (seen.struck.as_deref(), left),
            (Some("rename a"), vec!["a".to_owned()])
        );
        assert_eq!(printed, "5\n");
    }
}
