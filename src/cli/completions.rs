//! `mutirao completions` and `mutirao man`: what shells and `man` know of this program, made from its own options.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::near::did_you_mean;

/// Print what a shell completes: mutirao completions bash > ~/.local/share/bash-completion/completions/mutirao
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// Whose completions
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page: mutirao man > ~/.local/share/man/man1/mutirao.1
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// Of this subcommand instead of the whole program
    subcommand: Option<String>,
}

/// Prints what a shell completes.
pub fn complete(args: Completions) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mutirao", &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a manual page.
pub fn man(args: Man) -> anyhow::Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    let page = match args.subcommand {
        None => command,
        Some(name) => {
            let sub = command.find_subcommand(&name).cloned();
            let full = format!("mutirao-{name}");
            sub.map(|sub| sub.name(full)).ok_or_else(|| {
                let meant = did_you_mean(&name, command.get_subcommands().map(Command::get_name));
                anyhow!("there is no subcommand {name:?}; `mutirao --help` lists them{meant}")
            })?
        }
    };
    clap_mangen::Man::new(page).render(&mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}
