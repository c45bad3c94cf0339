//! Breaks the real program in every way that it promises to survive, and counts what it lost.
//!
//! A row is one kind of fault (`rows/`). It runs in a cage of namespaces (`cage`), plays with real processes, and is
//! judged from what lies on the disk in the end (`checker`). `docs/reliability.md` says what is promised.

mod archives;
mod asking;
mod background;
mod cage;
mod checker;
mod client;
mod damage;
mod disks;
mod ip;
mod lan;
mod lanes;
mod left_over;
mod load;
mod master;
#[cfg(target_arch = "x86_64")]
mod meanwhile;
mod memory;
mod mute;
mod need;
mod peer;
mod place;
mod process;
mod proxy;
mod rows;
mod run;
mod scope;
#[cfg(target_arch = "x86_64")]
mod script;
mod strangers;
mod tasks;
#[cfg(target_arch = "x86_64")]
mod tracer;
mod trial;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Break the real program and count what it lost
#[derive(Debug, Clone, Parser)]
#[command(name = "mutirao-chaos")]
pub struct Options {
    /// The rows to run [default: all]
    names: Vec<String>,
    /// List the rows
    #[arg(long)]
    list: bool,
    /// As many faults as an occasional long run has
    #[arg(long)]
    long: bool,
    /// So many faults a row
    #[arg(long)]
    n: Option<u64>,
    /// Where chance begins [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// The program under trial
    #[arg(long, value_name = "PATH", default_value = "target/debug/mutirao")]
    binary: PathBuf,
    /// Where the rows work; a row that missed a target leaves its folder there
    #[arg(long, value_name = "FOLDER", default_value = "target/chaos")]
    folder: PathBuf,
    /// Rows at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Leave out what cannot run here
    #[arg(long)]
    skip_missing: bool,
    /// Give the program a defect that the row must find (`power-cut` knows `no-dir-sync`)
    #[arg(long, value_name = "DEFECT")]
    mutant: Option<String>,
    /// Be the row, inside its cage
    #[arg(long, hide = true)]
    inside: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let told = match options.inside {
        true => run::inside(&options),
        false if options.list => Ok(rows::list()),
        false => run::all(&options),
    };
    told.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
