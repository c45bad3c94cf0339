//! What is measured, as a child in a folder of its own: the real master, or a baseline.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use mutirao_rig::clock;
use mutirao_rig::program::program;

use crate::process::Process;
use crate::serve::{Lane, Mode};
use crate::stage::Stage;

/// How long a master may take to serve: it may have a million tasks to read first.
const SERVE_WITHIN: Duration = Duration::from_secs(120);

/// Something that serves.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Server {
    /// The real master in this folder, with these options besides, once it serves.
    pub fn ours(stage: &Stage, folder: &Path, options: &[&str]) -> anyhow::Result<Self> {
        let mut command = program(&stage.binary, folder);
        command
            .args(["master", "--name", "bench", "--port", "0"])
            .args(["--discovery-port", &free_udp_port()?.to_string()])
            .args(options);
        let log = folder.join("master.log");
        // What an earlier life in this folder said is of no use.
        fs::write(&log, "")?;
        let mut process = Process::start(&mut command, &log)?;
        let told = || fs::read_to_string(&log).unwrap_or_default();
        let mut port = None;
        clock::until(SERVE_WITHIN, || {
            port = port_in(&told());
            port.is_some() || !process.is_running()
        });
        let port = port.with_context(|| format!("the master does not serve: {}", told()))?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Self { process, address })
    }

    /// A baseline that hands this ZIP out, with its log in this folder.
    pub fn baseline(folder: &Path, mode: Mode, lane: Lane, task: &[u8]) -> anyhow::Result<Self> {
        let zip = folder.join("task.zip");
        fs::write(&zip, task)?;
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["serve", "--mode", mode.word(), "--lane", lane.word()])
            .arg("--task")
            .arg(zip)
            .arg("--log")
            .arg(folder.join("log"))
            .stdout(Stdio::piped());
        let mut process = Process::of(&mut command)?;
        let told = process
            .child()
            .stdout
            .take()
            .context("no output is collected")?;
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line)?;
        let port: u16 = line.trim().parse().context("the baseline does not serve")?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Self { process, address })
    }
}

/// A folder of its own for a server, below that of the stage.
pub fn folder(stage: &Stage, name: &str) -> anyhow::Result<PathBuf> {
    let folder = stage.folder.join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The TCP port that the master names when it begins to serve.
fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("serving \"bench\" on ")?;
    let (address, _) = rest.split_once(" (discovery")?;
    address.rsplit(':').next()?.parse().ok()
}

/// One that was free just now; the system gives the same one again only when it has gone through the others.
fn free_udp_port() -> anyhow::Result<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    Ok(socket.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_once_it_is_told() {
        let log = "12:00:00  INFO serving \"bench\" on 10.0.0.7:41234 (discovery 5) · join with: mutirao peer";
        assert_eq!(port_in(log), Some(41234));
        assert_eq!(port_in("12:00:00  INFO serving \"bench\" on 10.0"), None);
    }
}
