//! Walks the way from this machine to a master, step by step, and says at which step it ends.
//!
//! Rule: what was seen is a plain value, and what that means is decided from it alone, so that each trouble can be tried
//! without having it. A step that needs one before it is left out when that failed.

mod machine;
mod network;
pub mod probe;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use machine::{clock, disk, python};
pub use network::{Heard, Looked, answer, broadcasts, http, interfaces, tcp};

/// The steps, in the order in which they are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// Whether this machine has a network at all, and which of its networks lead astray.
    Interfaces,
    /// Whether questions leave it.
    BroadcastOut,
    /// Whether a master's answer comes in.
    AnswerIn,
    /// Whether the master takes connections.
    Tcp,
    /// Whether it answers, and is well.
    Http,
    /// Whether both have the same time.
    Clock,
    /// Whether scripts can be run here.
    Python,
    /// Whether there is room for what they make.
    Disk,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Went {
    /// As it should.
    Well,
    /// It works, and may not always.
    Doubtful,
    /// The way ends here.
    Failed,
    /// It was not gone.
    LeftOut,
}

/// A step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub step: Name,
    /// How it went.
    pub went: Went,
    /// What was seen, in words for a reader.
    pub said: String,
    /// What helps: commands, rules and flags.
    pub helps: Vec<String>,
}

impl Step {
    fn new(step: Name, went: Went, said: impl Into<String>, helps: Vec<String>) -> Self {
        Self {
            step,
            went,
            said: said.into(),
            helps,
        }
    }

    fn well(step: Name, said: impl Into<String>) -> Self {
        Self::new(step, Went::Well, said, Vec::new())
    }

    /// It needs something that is not there.
    pub fn left_out(step: Name, why: impl Into<String>) -> Self {
        Self::new(step, Went::LeftOut, why, Vec::new())
    }
}

impl Name {
    /// As readers see it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Interfaces => "interfaces",
            Self::BroadcastOut => "broadcast out",
            Self::AnswerIn => "answer in",
            Self::Tcp => "tcp",
            Self::Http => "http",
            Self::Clock => "clock",
            Self::Python => "python",
            Self::Disk => "disk",
        }
    }
}
