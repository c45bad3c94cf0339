//! Measures the real program beside bare baselines, in the same run and on the same machine.
//!
//! A bench (`benches/`) starts what it measures as children (`server`), loads them with peers that run nothing (`load`) or
//! with real ones, and gives figures (`figure`). The baselines are this same program (`serve`). What counts are ratios:
//! rounds of ours and of the baselines take turns, so that whatever disturbs the machine disturbs both.
//! `docs/performance.md` says how to read them.

mod archives;
mod bare;
mod benches;
mod family;
mod figure;
mod ground;
mod load;
mod process;
mod record;
mod serve;
mod server;
mod show;
mod stage;
mod status;
mod worker;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand};

use crate::benches::{BENCHES, Bench};
use crate::figure::Figure;
use crate::stage::{Size, Stage};

/// Measure the program beside bare baselines
#[derive(Debug, Clone, Parser)]
#[command(name = "mutirao-bench", args_conflicts_with_subcommands = true)]
struct Options {
    /// The benches to run [default: all]
    names: Vec<String>,
    /// List the benches
    #[arg(long)]
    list: bool,
    /// A few seconds each
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// As many tasks and peers as the targets name
    #[arg(long)]
    long: bool,
    /// How often each figure is measured [default: 5, or 3 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Print JSON, one line a bench
    #[arg(long)]
    json: bool,
    /// Fail if a ratio is more than 15 % below the recorded one
    #[arg(long)]
    check: bool,
    /// Record the ratios
    #[arg(long, conflicts_with = "check")]
    record: bool,
    /// The program under measurement, built for release
    #[arg(long, value_name = "PATH", default_value = "target/release/mutirao")]
    binary: PathBuf,
    /// Where the benches work: on the disk that is to be measured
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    folder: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What the bench program is as a child of itself.
#[derive(Debug, Clone, Subcommand)]
enum Part {
    #[command(hide = true)]
    Serve(serve::Serve),
}

impl Options {
    fn size(&self) -> Size {
        match (self.quick, self.long) {
            (true, _) => Size::Quick,
            (_, true) => Size::Long,
            _ => Size::Usual,
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let told = match options.part.clone() {
        Some(Part::Serve(serve)) => serve.run().map(|()| ExitCode::SUCCESS),
        None if options.list => Ok(list()),
        None => run(&options),
    };
    told.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn list() -> ExitCode {
    for bench in &BENCHES {
        println!("{:14} {}", bench.name, bench.about);
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = chosen(&options.names)?;
    std::fs::create_dir_all(&options.folder)?;
    let folder = tempfile::tempdir_in(options.folder.canonicalize()?)?;
    if let Some(trouble) = ground::trouble(folder.path())? {
        eprintln!("note: {trouble}");
    }
    let mut measured = Vec::new();
    for bench in chosen {
        let figures = measure(options, bench, folder.path())
            .with_context(|| format!("{} failed", bench.name))?;
        if options.json {
            println!("{}", show::json(bench.name, &figures));
        } else {
            println!("{}\n", show::table(bench.name, &figures));
        }
        let name = format!("{}{}", bench.name, options.size().mark());
        measured.push((name, figures));
    }
    let path = record::path();
    if options.record {
        record::write(&path, &measured)?;
    }
    let worse = match options.check {
        true => record::regressions(&record::read(&path)?, &measured),
        false => Vec::new(),
    };
    worse.iter().for_each(|worse| eprintln!("worse: {worse}"));
    Ok(match worse.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Bench>> {
    for name in names {
        let is_one = BENCHES.iter().any(|bench| bench.name == name);
        ensure!(is_one, "there is no bench {name:?}: see --list");
    }
    let is_chosen =
        |bench: &&Bench| names.is_empty() || names.iter().any(|name| bench.name == name);
    Ok(BENCHES.iter().filter(is_chosen).collect())
}

/// Runs one bench in a folder of its own below this one.
fn measure(options: &Options, bench: &Bench, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let folder = folder.join(bench.name);
    std::fs::create_dir(&folder)?;
    let rounds = if options.quick { 3 } else { 5 };
    let stage = Stage {
        binary: options
            .binary
            .canonicalize()
            .with_context(|| format!("{} is missing: build it", options.binary.display()))?,
        folder,
        size: options.size(),
        rounds: options.rounds.map_or(rounds, usize::from),
    };
    (bench.run)(&stage)
}
