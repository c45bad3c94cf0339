//! A program under watch: its lines are kept, its end is seen, and it does not outlive the test.
//!
//! The program is reaped last of all: until then its id and its process group cannot become another's,
//! so that a signal never reaches a stranger.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// Lines kept per program: a test that prints more than this has gone wild; the rest is read and dropped.
const LINES_MAX: usize = 100_000;
/// How long a killed program may take to be gone.
const KILL_WITHIN: Duration = Duration::from_secs(10);

/// A running child, leader of its own process group.
pub struct Program {
    name: String,
    child: Child,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Watch {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    streams_at_end: usize,
    ended: Option<WaitStatus>,
}

impl Program {
    /// Starts the command with its streams collected.
    pub fn spawn(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("failed to start {name}: {e}"));
        let watch = Arc::new(Watch::default());
        watch.collect(child.stdout.take().unwrap());
        watch.collect(child.stderr.take().unwrap());
        watch.see_end(Pid::from_raw(child.id().cast_signed()));
        Self {
            name: name.into(),
            child,
            watch,
        }
    }

    /// The first line, of either stream, of which `wanted` is true; panics when none came `within` this long.
    #[track_caller]
    pub fn wait_line(&self, wanted: impl Fn(&str) -> bool, within: Duration) -> String {
        self.wait_lines(1, wanted, within).remove(0)
    }

    /// The first `count` lines of which `wanted` is true; panics when fewer came `within` this long.
    #[track_caller]
    pub fn wait_lines(
        &self,
        count: usize,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Vec<String> {
        let mut looked_at = 0;
        let mut found = Vec::new();
        let seen = self.watch.wait(within, |seen| {
            let fresh = seen.lines[looked_at..].iter();
            found.extend(fresh.filter(|line| wanted(line)).cloned());
            looked_at = seen.lines.len();
            found.len() >= count || seen.streams_at_end == 2
        });
        drop(seen);
        let name = &self.name;
        assert!(
            found.len() >= count,
            "{name} printed {} of {count} awaited lines within {within:?}",
            found.len()
        );
        found.truncate(count);
        found
    }

    /// How many lines so far are wanted ones.
    pub fn count(&self, wanted: impl Fn(&str) -> bool) -> usize {
        let seen = self.watch.seen();
        seen.lines.iter().filter(|line| wanted(line)).count()
    }

    /// The exit code, or none when a signal ended it; panics when it still runs after `within`.
    #[track_caller]
    pub fn wait_end(&self, within: Duration) -> Option<i32> {
        let name = &self.name;
        match self.watch.wait(within, |seen| seen.ended.is_some()).ended {
            Some(WaitStatus::Exited(_, code)) => Some(code),
            Some(_) => None,
            None => panic!("{name} still runs after {within:?}"),
        }
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        self.watch.seen().ended.is_none()
    }

    /// Asks it to end: SIGTERM to the program alone.
    pub fn terminate(&self) {
        // It may have ended by itself; as it is not reaped, nobody else can be hit.
        let _ = kill(self.pid(), Signal::SIGTERM);
    }

    /// Ends it as Ctrl-C does: SIGINT.
    pub fn interrupt(&self) {
        let _ = kill(self.pid(), Signal::SIGINT);
    }

    /// Ends it and its process group: SIGKILL.
    pub fn kill(&self) {
        let _ = killpg(self.pid(), Signal::SIGKILL);
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        let seen = self.watch.wait(KILL_WITHIN, |seen| seen.ended.is_some());
        if thread::panicking() {
            eprintln!(
                "── what {} printed ──\n{}",
                self.name,
                seen.lines.join("\n")
            );
        }
        if seen.ended.is_some() {
            let _ = self.child.wait();
        }
    }
}

impl Watch {
    fn collect(self: &Arc<Self>, stream: impl Read + Send + 'static) {
        let watch = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let mut seen = watch.seen();
                if seen.lines.len() < LINES_MAX {
                    seen.lines.push(String::from_utf8_lossy(&line).into_owned());
                }
                watch.changed.notify_all();
            }
            watch.seen().streams_at_end += 1;
            watch.changed.notify_all();
        });
    }

    fn see_end(self: &Arc<Self>, pid: Pid) {
        let watch = Arc::clone(self);
        thread::spawn(move || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            let status = loop {
                match waitid(Id::Pid(pid), flags) {
                    Err(Errno::EINTR) => {}
                    status => break status,
                }
            };
            watch.seen().ended = Some(status.unwrap());
            watch.changed.notify_all();
        });
    }

    fn wait(
        &self,
        within: Duration,
        mut enough: impl FnMut(&Seen) -> bool,
    ) -> MutexGuard<'_, Seen> {
        self.changed
            .wait_timeout_while(self.seen(), within, |seen| !enough(seen))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A wait that panics poisons the lock, and what was printed is to be shown all the same.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
