//! `mutirao completions` and `mutirao man`: what shells and `man` know of this program, made from its own options.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

use super::grammar;
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
    /// Of this subcommand instead of the whole program, such as `run` or `store check`
    subcommand: Vec<String>,
}

/// Prints what a shell completes.
pub fn complete(args: Completions) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut grammar(), "mutirao", &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a manual page.
pub fn man(args: Man) -> anyhow::Result<ExitCode> {
    let mut page = grammar();
    page.build();
    for name in args.subcommand {
        let known = page.get_subcommands().map(Command::get_name);
        let meant = did_you_mean(&name, known);
        let full = format!("{}-{name}", page.get_name());
        let sub = page.find_subcommand(&name).cloned();
        page = sub.map(|sub| sub.name(full)).with_context(|| {
            format!("there is no subcommand {name:?}; `mutirao --help` lists them{meant}")
        })?;
    }
    clap_mangen::Man::new(page).render(&mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}
