//! A real peer in a folder of its own: started, killed, started again.

use std::fs;
use std::path::{Path, PathBuf};

use mutirao_rig::program::program;

use crate::master::Master;
use crate::memory::Memory;
use crate::place::Place;
use crate::process::Process;

/// A peer, running or killed.
pub struct Peer {
    /// Where it is started.
    pub folder: PathBuf,
    /// What it printed, in all its lives.
    pub log: PathBuf,
    /// Where it runs.
    place: Place,
    binary: PathBuf,
    arguments: Vec<String>,
    /// The door of the control group in which it lives, if it has one of its own.
    door: Option<PathBuf>,
    process: Option<Process>,
}

/// Joins a control group and becomes the program.
const JOIN: &str = r#"echo $$ > "$0" && exec "$@""#;

impl Peer {
    /// Starts one there that looks for the master on its UDP port, unless the arguments name another; with all the memory
    /// of the machine, unless it is to have less.
    pub fn start(
        master: &Master,
        (place, memory): (Place, Option<&Memory>),
        folder: &Path,
        name: &str,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let discovery = master.discovery.to_string();
        let common = ["peer", "--discovery-port", &discovery];
        let arguments = common
            .iter()
            .chain(arguments)
            .map(|word| (*word).to_owned());
        let mut peer = Self {
            folder: folder.join(name),
            log: folder.join(format!("{name}.log")),
            place,
            binary: master.binary.clone(),
            arguments: arguments.collect(),
            door: memory.map(Memory::door),
            process: None,
        };
        fs::create_dir_all(&peer.folder)?;
        peer.restart()?;
        Ok(peer)
    }

    /// Starts it (again) in its folder.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        // What still runs of an earlier life goes first.
        self.process = None;
        let mut command = match &self.door {
            Some(door) => {
                let mut shell = program(Path::new("sh"), &self.folder);
                shell.args(["-c", JOIN]).arg(door).arg(&self.binary);
                shell
            }
            None => program(&self.binary, &self.folder),
        };
        command.args(&self.arguments);
        let start = || Process::start(&mut command, &self.log);
        self.process = Some(self.place.on(start)?);
        Ok(())
    }

    /// Starts it again if it has ended by itself.
    pub fn revive(&mut self) -> anyhow::Result<()> {
        match self.process.as_mut().is_some_and(Process::is_running) {
            true => Ok(()),
            false => self.restart(),
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Whether it runs a script, or gets it ready or packs it.
    pub fn is_at_work(&self) -> bool {
        let runs = fs::read_dir(self.folder.join("work"));
        runs.is_ok_and(|mut runs| runs.next().is_some())
    }

    /// The process, while it runs.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }
}
