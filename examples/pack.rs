//! Packs a folder that holds a `main.py` into a task ZIP, the same bytes for the same files.
//!
//! `cargo run --example pack -- examples/weather tasks/example.zip`; `cargo xtask example` does just that.

use std::path::Path;
use std::{env, fs};

use anyhow::{Context as _, bail};
use mutirao::archive::{inspect_task, pack_folder};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [folder, zip] = words.as_slice() else {
        bail!("say which folder goes into which ZIP");
    };
    let bytes = pack_folder(Path::new(folder))?;
    inspect_task(&bytes).with_context(|| format!("{folder} cannot be a task"))?;
    fs::write(zip, bytes).with_context(|| format!("failed to write {zip}"))?;
    println!("{folder} → {zip}");
    Ok(())
}
