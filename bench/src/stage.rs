//! What every bench is given: the program, a folder, and how much to do.

use std::path::PathBuf;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Seconds a bench: whether it works, and a first look.
    Quick,
    /// A minute or so a bench: what is recorded.
    Usual,
    /// As much as the targets name.
    Long,
}

impl Size {
    /// What a bench of this size is recorded under, behind its name: ratios of different sizes differ.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Quick => " --quick",
            Self::Usual => "",
            Self::Long => " --long",
        }
    }
}

/// The surroundings of a bench.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The program under measurement, built for release.
    pub binary: PathBuf,
    /// Where the bench may work; removed afterwards.
    pub folder: PathBuf,
    /// How much is done.
    pub size: Size,
    /// How often each figure is measured.
    pub rounds: usize,
}

impl Stage {
    /// The one of the three that fits.
    pub fn pick<T>(&self, quick: T, usual: T, long: T) -> T {
        match self.size {
            Size::Quick => quick,
            Size::Usual => usual,
            Size::Long => long,
        }
    }
}
