//! A folder to start the program in, apart from all others.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::PATIENCE;
use super::program::Program;

/// The folder, and a discovery port that no other test uses.
pub struct Desk {
    pub folder: TempDir,
    discovery: u16,
}

impl Desk {
    pub fn new() -> Self {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self {
            folder: TempDir::new().unwrap(),
            discovery: free.local_addr().unwrap().port(),
        }
    }

    /// Another folder on the same network.
    pub fn elsewhere(&self) -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            discovery: self.discovery,
        }
    }

    /// Where its masters answer questions.
    pub fn discovery(&self) -> u16 {
        self.discovery
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mutirao"));
        command.args(words).current_dir(self.folder.path());
        command.env("MUTIRAO_DISCOVERY_PORT", self.discovery.to_string());
        command.env("MUTIRAO_PORT", "0");
        command.env("XDG_CONFIG_HOME", self.folder.path());
        command
    }

    pub fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it answers as JSON; it must end well.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        let output = self.output(words);
        assert!(output.status.success(), "{}", err(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How many tasks of the master stand how.
    #[track_caller]
    pub fn counts(&self) -> Value {
        self.json(&["status", "--json"])["tasks"].take()
    }

    pub fn start(&self, words: &[&str]) -> Program {
        Program::spawn(words[0], &mut self.command(words))
    }

    /// A master with a peer in one, and where it serves.
    #[track_caller]
    pub fn up(&self) -> (Program, SocketAddr) {
        self.served(&["up", "--name", "lab"])
    }

    /// What serves as `lab` when it is started so, and where.
    #[track_caller]
    pub fn served(&self, words: &[&str]) -> (Program, SocketAddr) {
        let up = self.start(words);
        let serves = up.wait_line(|line| line.contains("serving \"lab\""), PATIENCE);
        let (_, port) = serves
            .split(' ')
            .find_map(|word| word.split_once(':').filter(|(ip, _)| ip.contains('.')))
            .unwrap();
        (
            up,
            SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())),
        )
    }

    /// A master, once it serves.
    #[track_caller]
    pub fn master(&self) -> Program {
        self.serving(&["master", "--name", "lab"])
    }

    /// The same at this port, at which it can be started anew.
    #[track_caller]
    pub fn master_at(&self, port: &str) -> Program {
        self.serving(&["master", "--name", "lab", "--port", port])
    }

    #[track_caller]
    fn serving(&self, words: &[&str]) -> Program {
        let master = self.start(words);
        master.wait_line(|line| line.contains("serving \"lab\""), PATIENCE);
        master
    }
}

/// A port that nobody has now.
pub fn free_port() -> String {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    free.local_addr().unwrap().port().to_string()
}

/// A task for each row of `rows.csv`, of which none that fails is tried again, for a command that hands in.
pub fn each_row(command: &str) -> [&str; 7] {
    [
        command,
        "main.py",
        "rows.csv",
        "--rows",
        "1",
        "--retries",
        "0",
    ]
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
