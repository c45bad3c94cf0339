//! Everything that was said and done in a run, line by line.

use std::sync::{Arc, Mutex, PoisonError};

/// The lines, if somebody wants them.
#[derive(Debug, Clone, Default)]
pub struct Transcript(Option<Arc<Mutex<Vec<String>>>>);

impl Transcript {
    /// One that keeps every line.
    pub fn kept() -> Self {
        Self(Some(Arc::default()))
    }

    /// Writes a line down.
    pub fn say(&self, who: &str, line: &str) {
        if let Some(lines) = &self.0 {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(format!("{who} {line}"));
        }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        let lines = self
            .0
            .as_ref()
            .map(|lines| lines.lock().unwrap_or_else(PoisonError::into_inner).clone());
        lines.unwrap_or_default()
    }
}
