//! The log as it is shown: letters go by, and come out in one form.
//!
//! Rule: what can be shown at once is; only a story and a diagram are gathered first.

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::body::cut;
use super::diagram::Diagram;
use super::filter::Filter;
use super::record::{Line, Record};
use super::story::Story;
use super::text;
use super::{Lines, TraceError};
use crate::json;
use crate::message_file::Marker;

/// In which form letters are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One line of text each.
    Text,
    /// The lines as they were logged.
    Json,
    /// A sequence diagram for Mermaid.
    Mermaid,
    /// A sequence diagram in text.
    Ascii,
}

/// How letters are shown.
#[derive(Debug, Clone)]
pub struct Look {
    /// In which form.
    pub form: Form,
    /// Of the times of day.
    pub zone: TimeZone,
    /// Where lines of text are cut, in characters.
    pub width: Option<usize>,
    /// Whether letters of a story are shown as they come, for the log may never end.
    pub live: bool,
}

/// A log that is being shown.
#[derive(Debug)]
pub struct View<W: Write> {
    look: Look,
    filter: Filter,
    story: Option<Story>,
    diagram: Diagram,
    matched: u64,
    torn: u64,
    lost: u64,
    out: W,
}

impl<W: Write> View<W> {
    /// Shows what the filter accepts of the story, or of all letters.
    pub fn new(look: Look, filter: Filter, story: Option<Story>, out: W) -> Self {
        Self {
            look,
            filter,
            story,
            diagram: Diagram::default(),
            matched: 0,
            torn: 0,
            lost: 0,
            out,
        }
    }

    /// Letters shown.
    pub fn matched(&self) -> u64 {
        self.matched
    }

    /// Lines that could not be read.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// Letters that the log says are missing from it.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The story that is told, if one is.
    pub fn story(&self) -> Option<&Story> {
        self.story.as_ref()
    }

    /// Shows all there is, and goes on for as long as waiting promises more.
    ///
    /// # Errors
    ///
    /// [`TraceError`], except that nothing is missing.
    pub fn show(
        &mut self,
        source: &mut dyn Lines,
        mut wait: impl FnMut() -> bool,
    ) -> Result<(), TraceError> {
        loop {
            while let Some(line) = source.next_line()? {
                self.line(line)?;
            }
            self.out.flush()?;
            if !wait() {
                break;
            }
        }
        if let Some(rest) = source.rest() {
            self.line(rest)?;
        }
        self.finish()?;
        Ok(self.out.flush()?)
    }

    fn line(&mut self, raw: &[u8]) -> Result<(), TraceError> {
        match Line::read(raw)? {
            Line::Letter(record) => self.pass(record, raw)?,
            Line::Marker(marker) => self.marker(&marker, raw)?,
            Line::Torn => self.torn += 1,
        }
        Ok(())
    }

    fn pass(&mut self, record: Record, raw: &[u8]) -> io::Result<()> {
        let Some(mut story) = self.story.take() else {
            return self.letter_if_wanted(&record, raw, 0);
        };
        let joined = story.hear(record, raw);
        if self.look.live {
            for member in joined {
                self.letter_if_wanted(&member.record, &member.raw, member.depth)?;
            }
        }
        self.story = Some(story);
        Ok(())
    }

    fn letter_if_wanted(&mut self, record: &Record, raw: &[u8], depth: usize) -> io::Result<()> {
        if self.filter.accepts(record) {
            self.letter(record, raw, depth)?;
        }
        Ok(())
    }

    fn letter(&mut self, record: &Record, raw: &[u8], depth: usize) -> io::Result<()> {
        self.matched += 1;
        match self.look.form {
            Form::Text => self.text(&text::letter(record, depth, &self.look.zone)),
            Form::Json => self.raw(raw),
            Form::Mermaid | Form::Ascii => {
                self.diagram.letter(record, &self.look.zone);
                Ok(())
            }
        }
    }

    /// A gap or a new run is shown whatever is asked for: what is missing might have matched.
    fn marker(&mut self, marker: &Marker, raw: &[u8]) -> io::Result<()> {
        match marker {
            Marker::LinesLost { lost } => self.lost += lost,
            Marker::RunStarted { .. } => {
                self.filter.start_run();
                if let Some(story) = &mut self.story {
                    story.start_run();
                }
            }
        }
        if self.story.is_some() && !self.look.live {
            // Its letters come out when all is read; here the marker would stand before them all.
            return Ok(());
        }
        match self.look.form {
            Form::Text => self.text(&text::marker(marker)),
            Form::Json => self.raw(raw),
            Form::Mermaid | Form::Ascii => {
                self.diagram.marker(marker);
                Ok(())
            }
        }
    }

    fn raw(&mut self, line: &[u8]) -> io::Result<()> {
        let line = String::from_utf8_lossy(line);
        self.out.write_all(json::harmless(&line).as_bytes())?;
        self.out.write_all(b"\n")
    }

    fn text(&mut self, line: &str) -> io::Result<()> {
        match self.look.width {
            Some(width) => writeln!(self.out, "{}", cut(line, width)),
            None => writeln!(self.out, "{line}"),
        }
    }

    /// Shows what could only be shown when all was read.
    fn finish(&mut self) -> io::Result<()> {
        if let Some(story) = self.story.take() {
            self.finish_story(&story)?;
            self.story = Some(story);
        }
        match self.look.form {
            Form::Mermaid if self.matched > 0 => {
                self.out.write_all(self.diagram.mermaid().as_bytes())
            }
            Form::Ascii if self.matched > 0 => self.out.write_all(self.diagram.ascii().as_bytes()),
            _ => Ok(()),
        }
    }

    fn finish_story(&mut self, story: &Story) -> io::Result<()> {
        let mut filter = std::mem::take(&mut self.filter);
        if self.look.live {
            return Ok(());
        }
        let letters = match self.look.form {
            Form::Text => story.as_tree(&mut filter),
            Form::Json | Form::Mermaid | Form::Ascii => story.in_order(&mut filter),
        };
        for (depth, member) in letters {
            self.letter(&member.record, &member.raw, depth)?;
        }
        Ok(())
    }
}
