//! The suites, in the order in which they run: what fails soonest comes first.

use std::process::Command;

use crate::shell::cargo;
use crate::tools::{FUZZ, Tool};

/// Something that can pass or fail.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// What it is called.
    pub name: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Tool],
    /// What cargo is told.
    args: &'static [&'static str],
    /// What the compilers are told besides.
    env: &'static [(&'static str, &'static str)],
    /// What of it leaves itself out where something is missing.
    pub parts: &'static [Part],
}

/// Tests that look by themselves whether they can run, within a suite.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Tool],
}

/// Every suite.
pub const SUITES: [Suite; 8] = [
    Suite {
        name: "format",
        needs: &[Tool::Rustfmt],
        args: &["fmt", "--all", "--check"],
        env: &[],
        parts: &[],
    },
    Suite {
        name: "lints",
        needs: &[Tool::Clippy],
        args: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        env: &[],
        parts: &[],
    },
    Suite {
        name: "lints of what is built where `/proc` shows no relatives",
        needs: &[Tool::Clippy],
        args: &[
            "clippy",
            "--package",
            "mutirao",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        env: &[("MUTIRAO_WITHOUT_PROCFS", "1")],
        parts: &[],
    },
    Suite {
        name: "lints of the fuzz targets",
        needs: &[Tool::Clippy, Tool::FuzzCrates],
        args: &[
            "clippy",
            "--manifest-path",
            FUZZ,
            "--target-dir",
            "target/fuzz",
            "--",
            "-D",
            "warnings",
        ],
        // They are looked at and not linked, so the fuzzer itself need not be compiled.
        env: &[("CUSTOM_LIBFUZZER_PATH", "target/fuzz/libnone.a")],
        parts: &[],
    },
    Suite {
        name: "tests",
        needs: &[Tool::Python],
        args: &["test", "--workspace", "--no-fail-fast"],
        env: &[],
        parts: &[
            Part {
                name: "tests on a LAN of network namespaces",
                needs: &[Tool::Namespaces],
            },
            Part {
                name: "the HTTP API against its description",
                needs: &[Tool::Schemathesis],
            },
            Part {
                name: "types and package of the Python client",
                needs: &[Tool::Mypy],
            },
        ],
    },
    Suite {
        name: "simulated clusters",
        needs: &[],
        args: &[
            "run",
            "--quiet",
            "--package",
            "mutirao-sim",
            "--",
            // The tests run the first hundred.
            "--first",
            "100",
            "--seeds",
            "200",
        ],
        env: &[],
        parts: &[],
    },
    Suite {
        name: "chaos on the program",
        needs: &[Tool::Python, Tool::Namespaces],
        args: &["xtask", "chaos"],
        env: &[],
        parts: &[],
    },
    Suite {
        name: "documentation",
        needs: &[],
        args: &["doc", "--workspace", "--no-deps"],
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        parts: &[],
    },
];

impl Suite {
    /// How it is run; with `require_all` a test that cannot run fails.
    pub fn command(&self, require_all: bool) -> Command {
        let mut command = cargo(self.args);
        command.envs(self.env.iter().copied());
        if require_all {
            command.env("MUTIRAO_REQUIRE_ALL", "1");
        }
        command
    }
}
