//! A program under the harness: it writes its words to a file, and is ended by its own id when dropped.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A running child.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts the command; what it prints is added to the file.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("failed to open {}", log.display()))?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn();
        let child = child.with_context(|| format!("failed to start {command:?}"))?;
        Ok(Self(child))
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    /// Sends it a signal. It is not reaped yet, so its id cannot be another's; it may have ended.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(self.pid(), signal);
    }

    /// A line of what the kernel tells of its memory, in KiB; an error once it has ended.
    pub fn memory(&self, what: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("the kernel does not tell")?.parse()?)
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only for a child that was reaped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Whether it has ended, and well.
    pub fn ended_well(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(status)) if status.success())
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
