//! One network namespace, and all that is tied to its name: processes, files laid over `/etc`, a folder.
//!
//! The name carries the id of the process that made it, so that what a killed test run left behind is known to be stale
//! and removed by the next run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// First part of the name of every namespace that these tests make.
const PREFIX: &str = "mutirao";
/// Where `ip netns` keeps a name per namespace.
const NAMESPACES: &str = "/run/netns";
/// Where `ip netns exec` looks for files to lay over those in `/etc`. The folder itself stays: a test that removed it
/// could do so while another makes its own place in it.
const OVERLAYS: &str = "/etc/netns";
/// How often the processes of a namespace are listed and killed, for they may fork meanwhile.
const KILL_ROUNDS_MAX: usize = 100;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A namespace that is gone when dropped, with its processes and files.
pub struct Namespace {
    /// `mutirao-<process id>-<number>-<label>`.
    pub name: String,
}

impl Namespace {
    /// A new one, without any link that is up; the first of a process removes what dead processes left.
    pub fn new(label: &str) -> Self {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(remove_stale);
        let namespace = Self::unused(label);
        ip(&["netns", "add", &namespace.name]).unwrap();
        namespace
    }

    /// A name that no namespace has; what is made under it goes when this is dropped.
    pub fn unused(label: &str) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            name: format!("{PREFIX}-{}-{number}-{label}", process::id()),
        }
    }

    /// Runs `ip` with these arguments inside; panics when it fails.
    #[track_caller]
    pub fn ip(&self, arguments: &[&str]) {
        ip(&[&["-n", &self.name], arguments].concat()).unwrap();
    }

    /// Where files lie that programs inside see in `/etc`. Not made yet.
    pub fn overlay(&self) -> PathBuf {
        Path::new(OVERLAYS).join(&self.name)
    }

    /// A place for what programs inside write. Not made yet.
    pub fn folder(&self) -> PathBuf {
        env::temp_dir().join(&self.name)
    }

    /// The processes inside.
    pub fn pids(&self) -> Vec<Pid> {
        let listed = ip(&["netns", "pids", &self.name]).unwrap_or_default();
        let pids = listed.lines().filter_map(|line| line.parse().ok());
        pids.map(Pid::from_raw).collect()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        for _ in 0..KILL_ROUNDS_MAX {
            let pids = self.pids();
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
        // A failure here must not hide the test's own; the next run sweeps what stays.
        let _ = ip(&["netns", "delete", &self.name]);
        let _ = fs::remove_dir_all(self.folder());
        let _ = fs::remove_dir_all(self.overlay());
    }
}

fn remove_stale() {
    let places = [NAMESPACES.into(), OVERLAYS.into(), env::temp_dir()];
    for entry in places
        .into_iter()
        .flat_map(fs::read_dir)
        .flatten()
        .flatten()
    {
        if let Ok(name) = entry.file_name().into_string()
            && maker_of(&name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        {
            drop(Namespace { name });
        }
    }
}

/// The process that made the namespace of this name; none if these tests never made such a name.
fn maker_of(name: &str) -> Option<u32> {
    let mut parts = name.strip_prefix(PREFIX)?.strip_prefix('-')?.splitn(3, '-');
    let maker = parts.next()?.parse().ok()?;
    let _number: u32 = parts.next()?.parse().ok()?;
    parts.next().map(|_label| maker)
}

/// What `ip` prints, or why it failed.
pub fn ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output();
    let output = output.map_err(|e| format!("cannot run ip: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("ip {}: {}", arguments.join(" "), why.trim()))
    }
}
