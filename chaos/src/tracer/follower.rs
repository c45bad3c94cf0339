//! The thread that follows a program: the kernel lets only the one that took hold of it command it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mutirao_rig::clock;
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::calls::{self, Call};
use super::spell::{Fate, Slow};
use super::start::take_hold;
use super::{Deed, Shared, hold};

/// How often it is looked whether a flush has waited long enough, while one waits.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Follows one program.
pub struct Follower {
    root: PathBuf,
    at: u64,
    deed: Deed,
    shared: Arc<Mutex<Shared>>,
    /// The threads whose call is to fail, between its entry and its exit.
    failing: HashMap<Pid, Errno>,
    slow: Slow,
}

impl Follower {
    /// One that strikes at the call number `at`, from 1.
    pub fn new(root: PathBuf, at: u64, deed: Deed, shared: Arc<Mutex<Shared>>) -> Self {
        Self {
            root,
            at,
            deed,
            shared,
            failing: HashMap::new(),
            slow: Slow::default(),
        }
    }

    /// Starts the program, says that it did, and follows it to its end.
    pub fn live(&mut self, mut command: Command, began: &Sender<anyhow::Result<Pid>>) {
        let taken = take_hold(&mut command);
        let leader = taken.as_ref().ok().copied();
        // Whoever asked may have gone.
        let _ = began.send(taken);
        if let Some(leader) = leader {
            self.follow(leader);
        }
        hold(&self.shared).seen.is_over = true;
    }

    /// Until no process is left.
    fn follow(&mut self, leader: Pid) {
        let all_of_this_thread = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            for pid in self.slow.due() {
                // It may have died meanwhile.
                let _ = ptrace::syscall(pid, None);
            }
            let or_go_on = match self.slow.is_idle() {
                true => WaitPidFlag::empty(),
                false => WaitPidFlag::WNOHANG,
            };
            // A call on a thread that died meanwhile fails, and its end is heard next.
            let _ = match waitpid(None, Some(all_of_this_thread | or_go_on)) {
                Ok(WaitStatus::StillAlive) => {
                    clock::pause(LOOK_EVERY);
                    Ok(())
                }
                Ok(WaitStatus::PtraceSyscall(pid)) => self.stopped_at_call(leader, pid),
                Ok(WaitStatus::PtraceEvent(pid, ..)) => ptrace::syscall(pid, None),
                Ok(WaitStatus::Stopped(pid, signal)) => ptrace::syscall(pid, signal),
                Ok(_) | Err(Errno::EINTR) => Ok(()),
                Err(_) => return,
            };
        }
    }

    fn stopped_at_call(&mut self, leader: Pid, pid: Pid) -> nix::Result<()> {
        self.slow.back(pid, &mut hold(&self.shared).seen);
        if let Some(errno) = self.failing.remove(&pid) {
            calls::answer(pid, errno)?;
        } else if let Some(call) = Call::entered(pid)?.filter(|call| call.changes(&self.root))
            && self.is_held(leader, pid, &call)?
        {
            return Ok(());
        }
        ptrace::syscall(pid, None)
    }

    /// Does to the call what is to be done to it; whether its thread is to wait.
    fn is_held(&mut self, leader: Pid, pid: Pid, call: &Call) -> nix::Result<bool> {
        let shared = Arc::clone(&self.shared);
        let mut shared = hold(&shared);
        let Shared { seen, spell } = &mut *shared;
        seen.calls += 1;
        if seen.calls == self.at {
            seen.struck = Some(call.in_words(&self.root));
            return match self.deed {
                Deed::Kill => kill(leader, Signal::SIGKILL),
                Deed::Fail(errno) => self.fail(pid, errno),
            }
            .map(|()| false);
        }
        let spell = spell.filter(|(from, _)| seen.calls >= *from);
        match spell.map_or(Fate::Goes, |(_, spell)| spell.on(call)) {
            Fate::Goes => Ok(false),
            Fate::Fails(errno) => {
                seen.since.get_or_insert_with(clock::now);
                self.fail(pid, errno).map(|()| false)
            }
            Fate::Waits(wait) => {
                seen.since.get_or_insert_with(clock::now);
                self.slow.hold(pid, call.in_words(&self.root), wait, seen);
                Ok(true)
            }
        }
    }

    /// Lets a call fail that its thread is about to make.
    fn fail(&mut self, pid: Pid, errno: Errno) -> nix::Result<()> {
        self.failing.insert(pid, errno);
        calls::prevent(pid)
    }
}
