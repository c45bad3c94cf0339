//! What the suites need besides cargo: installed where that is allowed, else told in one sentence.

use std::fs;
use std::process::id;

use crate::shell::{cargo, program, root, works};

/// A program that some suite needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `cargo fmt`.
    Rustfmt,
    /// `cargo clippy`.
    Clippy,
    /// Runs the tasks, and the speakers of other groups' dialects.
    Python,
    /// Network namespaces and `ip`, to make a LAN of.
    Namespaces,
    /// Calls the HTTP API in all ways that its description allows.
    Schemathesis,
    /// Checks the types of the Python client.
    Mypy,
    /// What the fuzz targets are made of, which is a workspace of its own.
    FuzzCrates,
}

/// A Python program in an environment of its own.
#[derive(Debug, Clone, Copy)]
struct Venv {
    name: &'static str,
    /// Where it is put.
    folder: &'static str,
    /// In which version.
    requirements: &'static str,
}

/// The fuzz targets' workspace.
pub const FUZZ: &str = "fuzz/Cargo.toml";

const SCHEMATHESIS: Venv = Venv {
    name: "schemathesis",
    folder: "target/tools/schemathesis",
    requirements: "tests/api/requirements.txt",
};
const MYPY: Venv = Venv {
    name: "mypy",
    folder: "target/tools/mypy",
    requirements: "tests/python/requirements.txt",
};

impl Tool {
    /// Makes sure of it.
    ///
    /// # Errors
    /// Why it is not here and what to do, for the reader.
    pub fn ensure(self) -> Result<(), &'static str> {
        if self.is_here() {
            return Ok(());
        }
        self.install();
        if self.is_here() {
            Ok(())
        } else {
            Err(self.way_out())
        }
    }

    fn is_here(self) -> bool {
        match self {
            Self::Rustfmt => works(cargo(&["fmt", "--version"])),
            Self::Clippy => works(cargo(&["clippy", "--version"])),
            Self::Python => works(program("python3", &["--version"])),
            Self::Namespaces => has_unshare() && makes_namespaces(),
            Self::Schemathesis => SCHEMATHESIS.is_here(),
            Self::Mypy => MYPY.is_here(),
            Self::FuzzCrates => works(cargo(&["fetch", "--offline", "--manifest-path", FUZZ])),
        }
    }

    fn install(self) {
        match self {
            Self::Rustfmt => rustup("rustfmt"),
            Self::Clippy => rustup("clippy"),
            Self::Python => apt_get(&["python3"]),
            Self::Namespaces if !has_ip() || !has_unshare() => {
                apt_get(&["iproute2", "util-linux"]);
            }
            // The programs are here: what is missing is a right, which cannot be installed.
            Self::Namespaces => {}
            Self::Schemathesis => SCHEMATHESIS.install(),
            Self::Mypy => MYPY.install(),
            Self::FuzzCrates => {
                works(cargo(&["fetch", "--manifest-path", FUZZ]));
            }
        }
    }

    fn way_out(self) -> &'static str {
        match self {
            Self::Rustfmt => "rustfmt is missing: rustup component add rustfmt",
            Self::Clippy => "clippy is missing: rustup component add clippy",
            Self::Python => "python3 is missing: install Python 3",
            Self::Namespaces if !has_ip() => "the program ip is missing: install iproute2",
            Self::Schemathesis => {
                "schemathesis cannot be installed: install Python's venv, and let pip reach its index"
            }
            Self::Mypy => {
                "mypy cannot be installed: install Python's venv, and let pip reach its index"
            }
            Self::FuzzCrates => {
                "what the fuzz targets need is not here: let cargo reach its registry"
            }
            Self::Namespaces => "it makes network namespaces, for which it must be root on Linux",
        }
    }
}

impl Venv {
    /// The copy of the requirements says which version was put there.
    fn is_here(self) -> bool {
        let wanted = fs::read(root().join(self.requirements)).ok();
        let there = fs::read(root().join(self.folder).join("requirements.txt")).ok();
        wanted.is_some() && wanted == there
    }

    fn install(self) {
        let make = || works(program("python3", &["-m", "venv", "--clear", self.folder]));
        if !make() {
            apt_get(&["python3-venv"]);
            make();
        }
        println!("installing {}", self.name);
        let folder = root().join(self.folder);
        let pip = folder.join("bin/pip");
        let install = ["install", "--quiet", "--requirement", self.requirements];
        if works(program(&pip.to_string_lossy(), &install)) {
            // If it cannot be written, it is installed once more next time.
            let _ = fs::copy(
                root().join(self.requirements),
                folder.join("requirements.txt"),
            );
        }
    }
}

fn has_ip() -> bool {
    works(program("ip", &["-V"]))
}

fn has_unshare() -> bool {
    works(program("unshare", &["--version"]))
}

/// Being root is not enough in a container, so one is made and removed.
fn makes_namespaces() -> bool {
    let name = format!("mutirao-probe-{}", id());
    works(program("ip", &["netns", "add", &name]))
        && works(program("ip", &["netns", "delete", &name]))
}

fn rustup(component: &str) {
    println!("installing {component}");
    works(program("rustup", &["component", "add", component]));
}

/// Does nothing where there is no apt-get, or for a user who may not install.
fn apt_get(packages: &[&str]) {
    if !is_root() || !works(program("apt-get", &["--version"])) {
        return;
    }
    println!("installing {}", packages.join(" "));
    let install = ["install", "--yes", "--no-install-recommends"];
    let run = |args: &[&str]| {
        let mut command = program("apt-get", args);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        works(command)
    };
    // The lists of a fresh image are empty; those of another may do.
    run(&["update"]);
    run(&[&install[..], packages].concat());
}

fn is_root() -> bool {
    let told = program("id", &["-u"]).output();
    told.is_ok_and(|told| told.stdout.trim_ascii() == b"0")
}
