//! Tells the program which commit it was built from, for `mutirao --version`, and whether the system has a `/proc` that
//! shows the relatives of a process.

use std::env;
use std::process::Command;

/// Set, it has the program built as for a system without such a `/proc`, so that this can be tried where there is one.
const WITHOUT_PROCFS: &str = "MUTIRAO_WITHOUT_PROCFS";

fn main() {
    tell_commit();
    tell_procfs();
}

fn tell_procfs() {
    println!("cargo::rerun-if-env-changed={WITHOUT_PROCFS}");
    println!("cargo::rustc-check-cfg=cfg(procfs)");
    let is_linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    if is_linux && env::var_os(WITHOUT_PROCFS).is_none() {
        println!("cargo::rustc-cfg=procfs");
    }
}

fn tell_commit() {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/logs/HEAD");
    let commit = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let commit = commit.as_deref().map_or("unknown", str::trim);
    println!("cargo::rustc-env=MUTIRAO_COMMIT={commit}");
}
