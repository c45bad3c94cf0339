//! The program `mutirao`: what was typed is parsed, logging started and the subcommand run.

use std::io;
use std::process::ExitCode;

use mutirao::cli::{Cli, exit_code};

fn main() -> ExitCode {
    match Cli::read().and_then(Cli::run) {
        Ok(code) => code,
        // Whoever read our output has seen enough of it.
        Err(error) if is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {}", told(&error));
            exit_code(&error)
        }
    }
}

fn is_unread(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The error and its causes; a cause that the text before it ends with already is not said twice.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .reduce(|told, cause| {
            if told.ends_with(&cause) {
                told
            } else {
                format!("{told}: {cause}")
            }
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || anyhow::anyhow!("no such file");
        assert_eq!(told(&cause()), "no such file");
        assert_eq!(
            told(&cause().context("failed to read a.csv")),
            "failed to read a.csv: no such file"
        );
        assert_eq!(
            told(&cause().context("failed to read a.csv: no such file")),
            "failed to read a.csv: no such file"
        );
    }
}
