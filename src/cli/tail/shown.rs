//! How far the output of one task is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mutirao_actors::model::{Both, Stream};
use serde_json::Value;

use super::printer::last_lines;

/// What is held back of each stream, in bytes, until it is known which lines are the last.
const HELD_MAX: usize = 1 << 20;

/// Some of what was printed.
#[derive(Debug)]
pub struct Printed {
    /// On which stream.
    pub stream: Stream,
    offset: u64,
    bytes: Vec<u8>,
}

impl Printed {
    /// What an event tells; none if it is not understood.
    pub fn of(data: &Value) -> Option<Self> {
        Some(Self {
            stream: data["stream"].as_str()?.parse().ok()?,
            offset: data["offset"].as_u64()?,
            bytes: STANDARD.decode(data["data"].as_str()?).ok()?,
        })
    }
}

/// A task.
#[derive(Debug)]
pub struct Shown {
    lines: usize,
    attempt: Option<u64>,
    /// What had been printed before we came, until all of it is there.
    held: Option<Both<Vec<u8>>>,
    /// Up to where the try is read.
    read: Both<Option<u64>>,
}

impl Shown {
    /// One that begins with so many of its last lines, or from its beginning if we were here before it.
    pub fn new(lines: usize, begins_late: bool) -> Self {
        Self {
            lines,
            attempt: None,
            held: (!begins_late).then(Both::default),
            read: Both::default(),
        }
    }

    /// The task waits; whether it was tried before. What comes next we see from its beginning.
    pub fn waits(&self) -> bool {
        self.attempt.is_some()
    }

    /// Whether another try has begun before this one.
    pub fn has_begun_before(&self, attempt: u64) -> bool {
        self.attempt.is_some_and(|begun| begun != attempt)
    }

    /// A try begins; whether it is not the first that is shown.
    pub fn begins(&mut self, attempt: u64) -> bool {
        let is_next = self.has_begun_before(attempt);
        if self.attempt.replace(attempt) != Some(attempt) {
            self.read = Both::default();
        }
        is_next
    }

    /// It has printed something: how many bytes before it were passed over, and what is to be shown now.
    pub fn take(&mut self, printed: Printed) -> (u64, Vec<u8>) {
        let Printed {
            stream,
            offset,
            mut bytes,
        } = printed;
        let read = self.read[stream].unwrap_or(offset);
        // What was shown already is not shown again.
        let again = usize::try_from(read.saturating_sub(offset)).unwrap_or(usize::MAX);
        bytes.drain(..again.min(bytes.len()));
        let begins = offset.max(read);
        self.read[stream] = Some(begins.saturating_add(bytes.len() as u64));
        match &mut self.held {
            None => (begins - read, bytes),
            Some(held) => {
                held[stream].append(&mut bytes);
                let excess = held[stream].len().saturating_sub(HELD_MAX);
                held[stream].drain(..excess);
                (0, Vec::new())
            }
        }
    }

    /// What of that which is held is to be shown; from here on nothing is.
    pub fn release(&mut self) -> Both<Vec<u8>> {
        let held = self.held.take().unwrap_or_default();
        let last = |stream| last_lines(&held[stream], self.lines).to_vec();
        Both {
            stdout: last(Stream::Stdout),
            stderr: last(Stream::Stderr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(offset: u64, text: &str) -> Printed {
        Printed {
            stream: Stream::Stdout,
            offset,
            bytes: text.into(),
        }
    }

    fn taken(shown: &mut Shown, offset: u64, text: &str) -> (u64, String) {
        let (passed_over, bytes) = shown.take(printed(offset, text));
        (passed_over, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_was_there_before_is_held_until_it_is_known_which_lines_are_the_last() {
        let mut shown = Shown::new(2, false);
        assert!(!shown.begins(1));
        assert_eq!(taken(&mut shown, 70, "a\nb\n"), (0, String::new()));
        assert_eq!(taken(&mut shown, 74, "c\n"), (0, String::new()));
        assert_eq!(shown.release().stdout, b"b\nc\n");
        assert_eq!(taken(&mut shown, 76, "d\n"), (0, "d\n".into()));
        assert!(shown.release().stdout.is_empty());
    }

    #[test]
    fn a_gap_is_told_and_nothing_is_shown_twice() {
        let mut shown = Shown::new(10, true);
        shown.begins(1);
        assert_eq!(taken(&mut shown, 5, "abc"), (0, "abc".into()), "no gap");
        assert_eq!(taken(&mut shown, 6, "bcd"), (0, "d".into()));
        assert_eq!(taken(&mut shown, 12, "x"), (3, "x".into()));
        assert!(shown.begins(2), "another try has offsets of its own");
        assert_eq!(taken(&mut shown, 0, "new"), (0, "new".into()));
    }

    #[test]
    fn what_is_no_output_is_none() {
        let event = serde_json::json!({ "stream": "stdout", "offset": 3, "data": "aGk=" });
        assert_eq!(Printed::of(&event).unwrap().bytes, b"hi");
        for (key, value) in [("stream", "stdin"), ("offset", "x"), ("data", "?")] {
            let mut event = event.clone();
            event[key] = value.into();
            assert!(Printed::of(&event).is_none(), "{key}");
        }
    }
}
