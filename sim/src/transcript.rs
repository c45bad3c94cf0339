//! Everything that was said and done in a run, line by line.

use std::sync::{Arc, Mutex, PoisonError};

use mutirao_rig::dice::fnv;

/// The lines, if somebody wants them, and what tells them from those of another run.
#[derive(Debug, Clone, Default)]
pub struct Transcript(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    fingerprint: u64,
    lines: Option<Vec<String>>,
}

impl Transcript {
    /// One that keeps every line.
    pub fn kept() -> Self {
        Self(Arc::new(Mutex::new(Said {
            fingerprint: 0,
            lines: Some(Vec::new()),
        })))
    }

    /// Writes a line down.
    pub fn say(&self, who: &str, line: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.fingerprint = fnv(fnv(said.fingerprint, who), line);
        if let Some(lines) = &mut said.lines {
            lines.push(format!("{who} {line}"));
        }
    }

    /// All lines so far, if they are kept, and their fingerprint in any case.
    pub fn read(&self) -> (Vec<String>, u64) {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (said.lines.clone().unwrap_or_default(), said.fingerprint)
    }
}
