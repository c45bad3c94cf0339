//! A real peer under measurement, and the interpreter that it is given.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::program::program;

use crate::load;
use crate::process::Process;
use crate::server::{Server, folder};
use crate::stage::Stage;
use crate::status;

/// How long a peer may take to join.
const JOIN_WITHIN: Duration = Duration::from_secs(20);

/// How a peer starts scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Each in an interpreter of its own.
    Cold,
    /// Each forked from one that is there already.
    Warm,
}

impl Start {
    /// How it is typed, and called in figures.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
        }
    }

    /// Those that the program knows.
    pub fn known(stage: &Stage) -> anyhow::Result<Vec<Self>> {
        let help = Command::new(&stage.binary)
            .args(["peer", "--help"])
            .output()?;
        let knows = String::from_utf8_lossy(&help.stdout).contains("--start");
        Ok(match knows {
            true => vec![Self::Cold, Self::Warm],
            false => vec![Self::Cold],
        })
    }
}

/// Starts a peer in a folder of its own, and waits until it has joined the master, which had no other, and is idle.
pub fn start(
    stage: &Stage,
    name: &str,
    master: &Server,
    python: &Path,
    (slots, start): (usize, Start),
) -> anyhow::Result<Process> {
    let folder = folder(stage, name)?;
    let mut command = program(&stage.binary, &folder);
    command
        .args(["peer", "--slots", &slots.to_string()])
        .args(["--master", &master.address.to_string()])
        .arg("--python")
        .arg(python);
    if Start::known(stage)?.len() > 1 {
        command.args(["--start", start.word()]);
    }
    let peer = Process::start(&mut command, &folder.join("peer.log"))?;
    load::run(status::until(master.address, JOIN_WITHIN, |queue| {
        queue.peers > 0
    }))?;
    peer.quiet()?;
    Ok(peer)
}

/// The interpreter itself: what `PATH` names may be a shim.
pub fn python() -> anyhow::Result<PathBuf> {
    let question = ["-I", "-c", "import sys; print(sys.executable)"];
    let said = Command::new("python3").args(question).output();
    let said = said.context("python3 is missing: install Python 3")?;
    ensure!(said.status.success(), "python3 does not work");
    Ok(String::from_utf8(said.stdout)?.trim().into())
}
