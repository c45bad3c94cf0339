//! Follows a program through its system calls and strikes just before a chosen one of those that change the disk.
//!
//! The calls of all threads are counted together, in the order in which the kernel takes them. So every point between
//! two changes of the disk has a number, and none is missed because another thread came first; counting per thread,
//! as strace's `inject=…:when=N` does, would leave out whatever a thread does beyond the first that reaches N.

mod calls;
mod follower;
mod spell;
mod start;

use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use follower::Follower;

pub use spell::{Flush, Spell};

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
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

/// What the follower and whoever started it both know.
#[derive(Default)]
struct Shared {
    seen: Seen,
    /// From which call on, and what.
    spell: Option<(u64, Spell)>,
}

/// What the follower saw so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Calls that change the disk.
    pub calls: u64,
    /// The call at which it struck, for readers.
    pub struck: Option<String>,
    /// When the spell first struck.
    pub since: Option<Instant>,
    /// The flushes that were made to wait, in the order in which they began.
    pub flushes: Vec<Flush>,
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
        let wrapped = start::wrap(command, log)?;
        let shared = Arc::<Mutex<Shared>>::default();
        let mut follower = Follower::new(root.canonicalize()?, at, deed, Arc::clone(&shared));
        let (began, begun) = channel();
        let thread = thread::spawn(move || follower.live(wrapped, &began));
        let pid = begun.recv().context("the follower has ended")??;
        Ok(Self {
            pid,
            shared,
            thread: Some(thread),
        })
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        hold(&self.shared).seen.clone()
    }

    /// Casts a spell on the `nth` call from now on, from 1, and on all behind it.
    pub fn cast(&self, nth: u64, spell: Spell) {
        let mut shared = hold(&self.shared);
        shared.seen.since = None;
        shared.spell = Some((shared.seen.calls + nth, spell));
    }

    /// Lifts the spell; what already waits goes on waiting.
    pub fn lift(&self) {
        hold(&self.shared).spell = None;
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

fn hold(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
