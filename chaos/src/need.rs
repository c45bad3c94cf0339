//! What rows need besides the program: installed from the system's packages where that is allowed, else told in words.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::Uid;

/// Something that a row cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Namespaces of its own, which every row runs in.
    Cage,
    /// Runs the tasks, and asks a file system to shut down.
    Python,
    /// File systems in files.
    Loop,
}

impl Need {
    /// Makes sure of it.
    ///
    /// # Errors
    /// Why it is not here and what to do.
    pub fn ensure(self) -> Result<(), String> {
        match self {
            Self::Cage => cage(),
            Self::Python => program("python3", "--version", "python3"),
            Self::Loop => program("mkfs.ext4", "-V", "e2fsprogs").and_then(|()| loops()),
        }
    }
}

fn cage() -> Result<(), String> {
    if !Uid::effective().is_root() {
        return Err("it runs in namespaces of its own, for which it must be root on Linux".into());
    }
    program("unshare", "--version", "util-linux")?;
    program("ip", "-V", "iproute2")?;
    let unshare = [
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--mount-proc",
        "true",
    ];
    if works(Command::new("unshare").args(unshare)) {
        Ok(())
    } else {
        Err("it runs in namespaces of its own, which cannot be made here".into())
    }
}

fn loops() -> Result<(), String> {
    if Path::new("/dev/loop-control").exists() {
        Ok(())
    } else {
        Err("it mounts a file, and there is no /dev/loop-control: `modprobe loop`".into())
    }
}

fn program(name: &str, version: &str, package: &str) -> Result<(), String> {
    let is_here = || works(Command::new(name).arg(version));
    if !is_here() {
        install(package);
    }
    if is_here() {
        Ok(())
    } else {
        Err(format!("the program {name} is missing: install {package}"))
    }
}

/// Does nothing where there is no apt-get, or for a user who may not install.
fn install(package: &str) {
    if !Uid::effective().is_root() || !works(Command::new("apt-get").arg("--version")) {
        return;
    }
    eprintln!("installing {package}");
    let run = |arguments: &[&str]| {
        works(
            Command::new("apt-get")
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    // The lists of a fresh image are empty; those of another may do.
    run(&["update"]);
    run(&["install", "--yes", "--no-install-recommends", package]);
}

fn works(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
