//! `cargo xtask scale`: how many peers one master could have, on virtual time.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use mutirao::sockets::seats::{Host, seats_of};
use mutirao_sim::scale::measure;

/// Give one master more peers than this machine has room for, on virtual time
#[derive(Debug, Parser)]
#[command(name = "cargo xtask scale")]
struct Args {
    /// How many peers
    #[arg(default_value_t = 50_000)]
    peers: u32,
    /// How long a task lasts, in seconds
    #[arg(long, default_value_t = 60)]
    task: u64,
    /// Where the master's files go: a folder in memory, else the disk is measured too
    #[arg(long, default_value = "/dev/shm")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let peers = f64::from(args.peers);
    let load = measure(args.peers, Duration::from_secs(args.task), &args.folder)?;
    println!(
        "{peers} peers, tasks of {} s; of one core the master uses",
        args.task
    );
    println!(
        "  {:>5.1} %  while all wait, each with a heartbeat every 5 s",
        load.waiting * 100.0
    );
    println!(
        "  {:>5.1} %  while all work, {:.0} tasks a second",
        load.working * 100.0,
        load.rate
    );
    println!(
        "{:.1} KiB of memory a peer, both ends of its connection",
        load.memory / 1024.0
    );
    println!(
        "limits: {} open connections on this machine, for each needs a file;",
        seats_of(Host::Master)
    );
    println!(
        "        one core is full at about {:.0} peers at work",
        peers / load.working
    );
    Ok(())
}
