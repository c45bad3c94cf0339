//! How a command tells: what came of it on standard output, for a reader or as one JSON object a line; and beside that, on
//! standard error, how it goes.
//!
//! Rule: `-q` leaves out how it goes, and neither what came of it nor what is wrong.

use std::fmt;
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use serde::Serialize;

use super::FAILED;
use crate::json;

/// What came of a command, or of one of the things that it was asked for; with `--json`, exactly this is printed.
pub trait Outcome: Serialize {
    /// Tells it to a reader.
    ///
    /// # Errors
    /// When nobody reads what we print.
    fn in_words(&self, telling: Telling) -> io::Result<()>;

    /// Whether it is what was asked for.
    fn is_well(&self) -> bool {
        true
    }
}

/// Tells of one thing after the other: as JSON a line each, else with an empty line between.
#[derive(Debug)]
pub struct Teller {
    is_json: bool,
    is_first: bool,
}

impl Teller {
    /// One that has told of nothing yet.
    pub fn new(is_json: bool) -> Self {
        Self {
            is_json,
            is_first: true,
        }
    }

    /// Tells of one more.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn tell(&mut self, report: &impl Serialize, in_words: &str) -> io::Result<()> {
        match self.is_json {
            true => line(report)?,
            false if self.is_first => write!(io::stdout(), "{in_words}")?,
            false => write!(io::stdout(), "\n{in_words}")?,
        }
        self.is_first = false;
        Ok(())
    }

    /// Whether it tells a program, and no words.
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether it has told of anything.
    pub fn has_told(&self) -> bool {
        !self.is_first
    }
}

/// To whom is told, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    is_quiet: bool,
    is_json: bool,
}

impl Telling {
    /// To a reader, and nothing of how it goes if it is to be quiet.
    pub fn in_words(is_quiet: bool) -> Self {
        Self {
            is_quiet,
            is_json: false,
        }
    }

    /// The same to a program, if that is wanted.
    pub fn json(self, is_json: bool) -> Self {
        Self { is_json, ..self }
    }

    /// Whether a program reads it.
    pub fn is_json(self) -> bool {
        self.is_json
    }

    /// Whether nothing is told of how it goes.
    pub fn is_quiet(self) -> bool {
        self.is_quiet
    }

    /// Prints what came of something; whether that is what was asked for.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn print(self, outcome: &impl Outcome) -> io::Result<bool> {
        match self.is_json {
            true => line(outcome)?,
            false => outcome.in_words(self)?,
        }
        Ok(outcome.is_well())
    }

    /// Tells beside it how it goes.
    pub fn aside(self, words: impl fmt::Display) {
        if !self.is_quiet {
            eprintln!("{words}");
        }
    }
}

/// How the program ends when all went so.
pub fn code(is_well: bool) -> ExitCode {
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    }
}

/// One JSON object on a line of its own.
fn line(object: &impl Serialize) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    json::line(&mut out, object)?;
    out.flush()
}
