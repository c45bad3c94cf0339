//! A real master in a folder of its own: started, killed, started again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use mutirao_rig::program::program;

use crate::client::status;
use crate::place::Place;
use crate::process::Process;
use crate::tracer::{Deed, Traced};

/// How long a master may take to serve after its start; damaged stores and busy machines included.
const SERVE_WITHIN: Duration = Duration::from_secs(30);
/// Ports between the masters of two lanes.
const LANE: u16 = 100;

/// A master, running or not.
pub struct Master {
    /// Where it is started.
    pub folder: PathBuf,
    /// What it printed, in all its lives.
    pub log: PathBuf,
    /// Its TCP port.
    pub port: u16,
    /// The UDP port on which it answers.
    pub discovery: u16,
    /// Where it runs.
    pub place: Place,
    /// What it is told besides.
    pub arguments: Vec<String>,
    /// How many files it may have open, if not as many as the system grants.
    pub files: Option<usize>,
    /// What its environment has besides.
    pub env: Vec<(&'static str, &'static str)>,
    /// The program.
    pub binary: PathBuf,
    process: Option<Process>,
}

impl Master {
    /// A master that does not run yet, in `master/` below the folder.
    pub fn new(binary: &Path, folder: &Path, place: Place, lane: u16) -> anyhow::Result<Self> {
        let own = folder.join("master");
        fs::create_dir_all(&own)?;
        Ok(Self {
            folder: own,
            log: folder.join("master.log"),
            port: 50020 + LANE * lane,
            discovery: 50005 + LANE * lane,
            place,
            arguments: Vec::new(),
            files: None,
            env: Vec::new(),
            binary: binary.into(),
            process: None,
        })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        (self.place.address, self.port).into()
    }

    /// How it is started.
    pub fn command(&self) -> Command {
        let mut command = match self.files {
            Some(files) => {
                let mut shell = program(Path::new("sh"), &self.folder);
                let limit = format!(r#"ulimit -n {files} && exec "$0" "$@""#);
                shell.args(["-c", &limit]).arg(&self.binary);
                shell
            }
            None => program(&self.binary, &self.folder),
        };
        let (port, discovery) = (self.port.to_string(), self.discovery.to_string());
        command
            .args(["master", "--name", "chaos", "--port", &port])
            .args(["--discovery-port", &discovery])
            .args(&self.arguments)
            .envs(self.env.iter().copied());
        command
    }

    /// Starts it without waiting for it.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let process = self
            .place
            .on(|| Process::start(&mut self.command(), &self.log))?;
        self.process = Some(process);
        Ok(())
    }

    /// Starts it under a tracer, which does this deed at its call number `at`; never when that is 0.
    pub fn traced(&self, at: u64, deed: Deed) -> anyhow::Result<Traced> {
        Traced::start(&self.command(), &self.log, &self.folder, at, deed)
    }

    /// Starts it and waits until it serves: how long that took.
    pub fn serve(&mut self) -> anyhow::Result<Duration> {
        let began = clock::now();
        self.start()?;
        self.served()?;
        Ok(began.elapsed())
    }

    /// Waits until it serves.
    pub fn served(&mut self) -> anyhow::Result<()> {
        clock::until(SERVE_WITHIN, || {
            status(self.address()).is_ok() || !self.is_running()
        });
        ensure!(
            self.is_running(),
            "the master ended: see {}",
            self.log.display()
        );
        self.answers()
    }

    /// Waits until it answers, whoever started it.
    pub fn answers(&self) -> anyhow::Result<()> {
        clock::until(SERVE_WITHIN, || status(self.address()).is_ok());
        status(self.address()).with_context(|| {
            format!(
                "the master does not serve within {SERVE_WITHIN:?}: see {}",
                self.log.display()
            )
        })?;
        Ok(())
    }

    /// Whether it was started and has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The process, while it runs.
    pub fn process(&self) -> anyhow::Result<&Process> {
        self.process.as_ref().context("the master does not run")
    }
}
