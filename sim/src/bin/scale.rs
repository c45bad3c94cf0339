//! `cargo xtask scale`: how many peers one master could have, on virtual time.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use mutirao::sockets::seats::seats;
use mutirao_sim::scale::measure;

/// Give one master more peers than this machine has room for, on virtual time
#[derive(Debug, Parser)]
#[command(name = "cargo xtask scale")]
struct Args {
    /// How many peers; one run for each number
    #[arg(default_values_t = [1000, 5000, 10_000, 50_000])]
    peers: Vec<u32>,
    /// How long a task lasts, in seconds
    #[arg(long, default_value_t = 60)]
    task: u64,
    /// Where the master's files go; a folder in memory, for a disk would be measured else
    #[arg(long, default_value = "/dev/shm")]
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let task = Duration::from_secs(args.task);
    println!("   peers   all wait   at work   tasks/s   memory a peer");
    let mut full = None;
    for peers in args.peers {
        let load = measure(peers, task, &args.folder)?;
        println!(
            "{:>8}   {:>6.1} %  {:>6.1} %  {:>8.0}   {:>9.1} KiB",
            load.peers,
            load.waiting * 100.0,
            load.working * 100.0,
            load.rate,
            load.memory / 1024.0
        );
        full = Some(f64::from(peers) / load.working);
    }
    println!("in % of a core; memory is that of both ends of a connection");
    println!("open connections end at {}, for each needs a file", seats());
    if let Some(full) = full {
        println!("with as many peers as last, one core is full at about {full:.0} peers at work");
    }
    Ok(())
}
