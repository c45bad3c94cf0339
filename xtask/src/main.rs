//! What a developer of mutirao runs: `cargo xtask VERB`, one file a verb.

mod bench;
mod chaos;
mod example;
mod scale;
mod shell;
mod sim;
mod suites;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a developer of mutirao runs
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Test(test::Test),
    Bench(bench::Bench),
    Chaos(chaos::Chaos),
    Example(example::Example),
    Scale(scale::Scale),
    Sim(sim::Sim),
}

fn main() -> ExitCode {
    let told = match Xtask::parse().verb {
        Verb::Test(test) => test.run(),
        Verb::Bench(bench) => bench.run(),
        Verb::Chaos(chaos) => chaos.run(),
        Verb::Example(example) => example.run(),
        Verb::Scale(scale) => scale.run(),
        Verb::Sim(sim) => sim.run(),
    };
    told.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
