//! The program `mutirao`: what was typed is parsed, logging started and the subcommand run.

use std::process::ExitCode;

use clap::Parser as _;
use mutirao::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            mutirao::cli::exit_code(&error)
        }
    }
}
