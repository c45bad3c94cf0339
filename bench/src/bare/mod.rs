//! What running a script costs at least: the loops that do nothing but start it, so many at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;

/// A template interpreter that forks itself once a task.
const FORK_LOOP: &str = include_str!("fork_loop.py");

/// A script with what it reads, in a folder of its own.
#[derive(Debug, Clone)]
pub struct Script {
    /// The interpreter.
    pub python: PathBuf,
    /// What is in the folder.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Script {
    /// Writes its files into this folder.
    fn unpack(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        for (name, bytes) in &self.files {
            fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }

    /// How it is started in its folder; what it prints goes to files there.
    fn command(&self, folder: &Path) -> anyhow::Result<Command> {
        let mut command = Command::new(&self.python);
        command
            .args(["main.py", "input.csv"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("stdout.txt"))?)
            .stderr(File::create(folder.join("stderr.txt"))?);
        Ok(command)
    }

    /// Starts it so often, in so many threads: how long that took.
    pub fn spawn_loop(
        &self,
        folder: &Path,
        slots: usize,
        count: usize,
    ) -> anyhow::Result<Duration> {
        let taken = AtomicUsize::new(0);
        let run = |slot: usize| {
            let folder = folder.join(format!("slot-{slot}"));
            self.unpack(&folder)?;
            while taken.fetch_add(1, Ordering::Relaxed) < count {
                let status = self.command(&folder)?.status()?;
                ensure!(status.success(), "the script failed");
            }
            anyhow::Ok(())
        };
        let began = clock::now();
        thread::scope(|scope| {
            let run = &run;
            let slots = (0..slots).map(|slot| scope.spawn(move || run(slot)));
            let slots: Vec<_> = slots.collect();
            let mut ended = slots.into_iter().map(|slot| slot.join());
            ended.try_for_each(|slot| slot.ok().context("a thread panicked")?)
        })?;
        Ok(began.elapsed())
    }

    /// Forks it so often from a template that has compiled it and imported what it imports: how long that took, without
    /// the start of the template.
    pub fn fork_loop(&self, folder: &Path, slots: usize, count: usize) -> anyhow::Result<Duration> {
        self.unpack(folder)?;
        let said = Command::new(&self.python)
            .args(["-c", FORK_LOOP])
            .args([slots.to_string(), count.to_string()])
            .current_dir(folder)
            .output()?;
        let error = String::from_utf8_lossy(&said.stderr);
        ensure!(said.status.success(), "the fork loop failed: {error}");
        let seconds: f64 = String::from_utf8_lossy(&said.stdout).trim().parse()?;
        Ok(Duration::from_secs_f64(seconds))
    }

    /// Starts it once and does not wait for it.
    pub fn spawn(&self, folder: &Path) -> anyhow::Result<std::process::Child> {
        self.unpack(folder)?;
        Ok(self.command(folder)?.spawn()?)
    }
}
