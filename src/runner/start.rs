//! How scripts come to an interpreter.

use clap::ValueEnum;

/// Whether an interpreter is started for each script, or one that is resident is forked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Start {
    /// One is started for each script
    Cold,
    /// Each is forked from a resident one, waiting for it if need be
    Warm,
    /// As `warm`, but nothing waits: a script whose resident interpreter is not ready is started cold
    #[default]
    Auto,
}
