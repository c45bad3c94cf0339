//! A child under measurement: its processor time and memory are read from `/proc`, and it ends with the bench.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Where in `/proc/<pid>/stat`, counted from the word after the name, the time in user mode stands; the time in the
/// kernel follows. Neither counts children.
const USER_TIME: usize = 11;
/// How often it is looked whether a process still works.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// One that used no more than this between two looks did not: a timer or two, and the smallest time that is counted.
const REST_MOST: Duration = Duration::from_millis(10);
/// So many looks at a process that does not work are enough: its longest pause between two pieces of work is shorter.
const LOOKS: u32 = 4;
/// How long work that goes on behind may last.
const QUIET_WITHIN: Duration = Duration::from_secs(120);
/// How long one may take to end that was told to.
const LEAVE_WITHIN: Duration = Duration::from_secs(20);

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts the command; what it prints goes to the file.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdout(file.try_clone()?).stderr(file);
        Self::of(command)
    }

    /// Starts the command with its streams as they were set.
    pub fn of(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.with_context(|| format!("failed to start {command:?}"))?;
        Ok(Self(child))
    }

    /// The child itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// The processor time that it has used, in whole ticks of the system (10 ms).
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        Ok(ticks(times_of(self.pid())?))
    }

    /// Its resident memory in bytes.
    pub fn rss(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<f64>().ok());
        Ok(kib.context("the status of a process without VmRSS")? * 1024.0)
    }

    /// Tells it to end, and waits until it has.
    pub fn leave(&mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM)?;
        let has_ended = clock::until(LEAVE_WITHIN, || !self.is_running());
        ensure!(has_ended, "it does not end within {LEAVE_WITHIN:?}");
        Ok(())
    }

    /// Waits until it does nothing any more, so that what it does behind disturbs no other measurement: since when.
    pub fn quiet(&self) -> anyhow::Result<Instant> {
        let end = clock::now() + QUIET_WITHIN;
        let (mut since, mut cpu, mut looks) = (clock::now(), self.cpu()?, 0);
        while looks < LOOKS {
            clock::pause(LOOK_EVERY);
            let used = self.cpu()?;
            if used.saturating_sub(cpu) <= REST_MOST {
                looks += 1;
            } else {
                (since, looks) = (clock::now(), 0);
            }
            cpu = used;
            ensure!(since < end, "it is not quiet after {QUIET_WITHIN:?}");
        }
        Ok(since)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn times_of(pid: u32) -> anyhow::Result<[u64; 2]> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
    times_in(&stat).with_context(|| format!("{path} has no times"))
}

/// The two times of a `/proc/<pid>/stat`; the name in it may hold anything, so it is read from its end.
fn times_in(stat: &str) -> Option<[u64; 2]> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut words = rest.split(' ').skip(USER_TIME);
    let mut next = || words.next()?.parse().ok();
    Some([next()?, next()?])
}

fn ticks(times: [u64; 2]) -> Duration {
    let ticks: u64 = times.iter().sum();
    let a_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    Duration::from_secs_f64(ticks as f64 / a_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 3 0 99";
        assert_eq!(times_in(stat), Some([11, 22]));
        assert_eq!(times_in("7 (a"), None);
    }
}
