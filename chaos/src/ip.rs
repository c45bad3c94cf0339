//! The program `ip`, which makes and changes what a network has.

use std::process::Command;

use anyhow::{Context as _, bail};

/// What it prints when told these words.
///
/// # Errors
/// What it says when it refuses.
pub fn ip(words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("ip").args(words).output();
    let output = output.context("failed to run ip")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {}", words.join(" "), why.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
