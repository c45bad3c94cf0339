//! Follows a program through its system calls and strikes just before a chosen one of those that change the disk.
//!
//! The calls of all threads are counted together, in the order in which the kernel takes them. So every point between
//! two changes of the disk has a number, and none is missed because another thread came first; counting per thread,
//! as strace's `inject=…:when=N` does, would leave out whatever a thread does beyond the first that reaches N.

mod calls;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use calls::Call;

/// Waits for a word on its input, so that whoever says it can take hold first, and becomes the program.
const WAIT: &str = r#"read word && exec "$@" < /dev/null"#;

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// The program dies, and the call does not happen.
    Kill,
    /// The call does not happen and says this.
    Fail(Errno),
}

/// A program that is followed; killed when dropped.
pub struct Traced {
    pid: Pid,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

/// What the follower saw so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Calls that change the disk.
    pub calls: u64,
    /// The call at which it struck, for readers.
    pub struck: Option<String>,
    /// Whether the program has ended.
    pub is_over: bool,
}

impl Traced {
    /// Starts the program and strikes at its call number `at`, from 1; never when that is 0. What counts is what
    /// happens below `root`.
    pub fn start(
        command: &Command,
        log: &Path,
        root: &Path,
        at: u64,
        deed: Deed,
    ) -> anyhow::Result<Self> {
        let wrapped = wrap(command, log)?;
        let seen = Arc::<Mutex<Seen>>::default();
        let mut follower = Follower {
            root: root.canonicalize()?,
            at,
            deed,
            seen: Arc::clone(&seen),
            failing: None,
        };
        let (began, begun) = channel();
        // The kernel lets only the thread that took hold of a program command it.
        let thread = thread::spawn(move || follower.live(wrapped, &began));
        let pid = begun.recv().context("the follower has ended")??;
        Ok(Self {
            pid,
            seen,
            thread: Some(thread),
        })
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.seen().is_over {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The command behind a shell that waits; what it prints is added to the file.
fn wrap(command: &Command, log: &Path) -> anyhow::Result<Command> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(log)?;
    let mut wrapped = Command::new("sh");
    wrapped
        .args(["-c", WAIT, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    Ok(wrapped)
}

struct Follower {
    root: PathBuf,
    at: u64,
    deed: Deed,
    seen: Arc<Mutex<Seen>>,
    /// The thread whose call is to fail, between its entry and its exit.
    failing: Option<Pid>,
}

impl Follower {
    fn live(&mut self, mut command: Command, began: &Sender<anyhow::Result<Pid>>) {
        let taken = take_hold(&mut command);
        let leader = taken.as_ref().ok().copied();
        // Whoever asked may have gone.
        let _ = began.send(taken);
        if let Some(leader) = leader {
            self.follow(leader);
        }
        self.note(|seen| seen.is_over = true);
    }

    /// Until no process is left.
    fn follow(&mut self, leader: Pid) {
        let all_of_this_thread = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            // A call on a thread that died meanwhile fails, and its end is heard next.
            let _ = match waitpid(None, Some(all_of_this_thread)) {
                Ok(WaitStatus::PtraceSyscall(pid)) => self.stopped_at_call(leader, pid),
                Ok(WaitStatus::PtraceEvent(pid, ..)) => ptrace::syscall(pid, None),
                Ok(WaitStatus::Stopped(pid, signal)) => ptrace::syscall(pid, signal),
                Ok(_) | Err(Errno::EINTR) => Ok(()),
                Err(_) => return,
            };
        }
    }

    fn stopped_at_call(&mut self, leader: Pid, pid: Pid) -> nix::Result<()> {
        if self.failing == Some(pid) {
            self.failing = None;
            if let Deed::Fail(errno) = self.deed {
                calls::answer(pid, errno)?;
            }
        } else if let Some(call) = Call::entered(pid)?.filter(|call| call.changes(&self.root)) {
            let number = self.note(|seen| {
                seen.calls += 1;
                seen.calls
            });
            if number == self.at {
                self.strike(leader, pid, &call)?;
            }
        }
        ptrace::syscall(pid, None)
    }

    fn strike(&mut self, leader: Pid, pid: Pid, call: &Call) -> nix::Result<()> {
        self.note(|seen| seen.struck = Some(call.in_words(&self.root)));
        match self.deed {
            Deed::Kill => kill(leader, Signal::SIGKILL),
            Deed::Fail(_) => {
                self.failing = Some(pid);
                calls::prevent(pid)
            }
        }
    }

    fn note<T>(&self, note: impl FnOnce(&mut Seen) -> T) -> T {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts the command and takes hold of it while it waits; from the program's first call on it is followed.
fn take_hold(command: &mut Command) -> anyhow::Result<Pid> {
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_EXITKILL;
    let taken = ptrace::seize(pid, options).context("failed to follow the program");
    if taken.is_err() {
        child.kill()?;
        child.wait()?;
    }
    taken?;
    let mut word = child.stdin.take().context("no way to say the word")?;
    std::io::Write::write_all(&mut word, b"\n")?;
    Ok(pid)
}
