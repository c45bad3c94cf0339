//! What tasks print, put on the screen or into a pipe.
//!
//! Rule: in a pipe the bytes are as they were printed, and with several tasks their lines. On a terminal nothing that a script
//! prints commands it, and a line that comes again and again is shown once, with how often it came.

use std::collections::BTreeMap;
use std::io::{self, Write};

use mutirao_actors::model::{Both, Stream, commands_a_reader};
use serde_json::{Value, json};

use crate::json;

/// Longest line that is waited for, in bytes: a longer one is shown in parts.
const LINE_MAX: usize = 64 << 10;
/// Longest name before a line, in characters; of a longer one the end is shown, where the parts of a group differ.
const NAME_MAX: usize = 24;
/// Colours of the names, none of them one that means something.
const COLOURS: [u8; 5] = [36, 35, 34, 33, 32];

/// How it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether each line stands behind the name of its task.
    pub is_prefixed: bool,
    /// Whether the streams go to a terminal.
    pub is_terminal: Both<bool>,
    /// Whether names are coloured there.
    pub has_colours: bool,
    /// Whether each line is a JSON object.
    pub is_json: bool,
}

/// A task, as it is shown.
#[derive(Debug, Clone)]
struct Shown {
    id: String,
    name: String,
}

/// A stream of a task, and what of it is not shown yet.
#[derive(Debug, Default)]
struct Line {
    begun: Vec<u8>,
    last: Option<Vec<u8>>,
    again: u64,
}

/// Prints.
pub struct Printer<O, E> {
    look: Look,
    out: O,
    err: E,
    tasks: Vec<Shown>,
    width: usize,
    lines: BTreeMap<(usize, Stream), Line>,
}

impl<O: Write, E: Write> Printer<O, E> {
    /// One that has printed nothing yet.
    pub fn new(look: Look, out: O, err: E) -> Self {
        Self {
            look,
            out,
            err,
            tasks: Vec::new(),
            width: 0,
            lines: BTreeMap::new(),
        }
    }

    /// One more task; with its number it is spoken of.
    pub fn add(&mut self, id: String, name: &str) -> usize {
        let name = name.strip_suffix(".zip").unwrap_or(name);
        let excess = name.chars().count().saturating_sub(NAME_MAX);
        let name: String = name.chars().skip(excess).collect();
        self.width = self.width.max(name.chars().count());
        self.tasks.push(Shown { id, name });
        self.tasks.len() - 1
    }

    /// A task has printed this.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn print(&mut self, task: usize, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        if !self.is_by_line(stream) {
            return self.write(stream, bytes);
        }
        let mut line = self.lines.remove(&(task, stream)).unwrap_or_default();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.begun.extend_from_slice(piece);
            let is_whole = line.begun.pop_if(|byte| *byte == b'\n').is_some();
            if is_whole || line.begun.len() >= LINE_MAX {
                let text = std::mem::take(&mut line.begun);
                self.line(task, stream, &mut line, text)?;
            }
        }
        self.lines.insert((task, stream), line);
        self.flush(stream)
    }

    /// Something happened to a task; told on standard error, or as an object.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn tell(&mut self, task: usize, words: &str, event: &str, more: Value) -> io::Result<()> {
        self.finish(task)?;
        if self.look.is_json {
            let object = self.object(task, event, more);
            return json::line(&mut self.out, &object);
        }
        if words.is_empty() {
            return Ok(());
        }
        let name = self.tasks.get(task).map_or("", |shown| &shown.name);
        writeln!(self.err, "── {name}: {words}")
    }

    /// What of a task is not shown yet is, for more may not come soon.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn finish(&mut self, task: usize) -> io::Result<()> {
        for stream in Stream::ALL {
            if let Some(mut line) = self.lines.remove(&(task, stream)) {
                if !line.begun.is_empty() {
                    let text = std::mem::take(&mut line.begun);
                    self.line(task, stream, &mut line, text)?;
                }
                self.again(task, stream, &mut line)?;
                self.flush(stream)?;
            }
        }
        Ok(())
    }

    /// Shows how often the last lines have come again so far.
    ///
    /// # Errors
    /// When nobody reads what we print.
    pub fn tick(&mut self) -> io::Result<()> {
        let repeated = self.lines.iter().filter(|(_, line)| line.again > 0);
        let repeated: Vec<_> = repeated.map(|(key, _)| *key).collect();
        for (task, stream) in repeated {
            if let Some(mut line) = self.lines.remove(&(task, stream)) {
                self.again(task, stream, &mut line)?;
                self.lines.insert((task, stream), line);
                self.flush(stream)?;
            }
        }
        Ok(())
    }

    /// Whether what is printed is cut into lines.
    fn is_by_line(&self, stream: Stream) -> bool {
        self.look.is_prefixed || self.look.is_json || self.look.is_terminal[stream]
    }

    /// Whether a reader looks at it, and not a program.
    fn is_seen(&self, stream: Stream) -> bool {
        self.look.is_terminal[stream] && !self.look.is_json
    }

    fn line(
        &mut self,
        task: usize,
        stream: Stream,
        line: &mut Line,
        text: Vec<u8>,
    ) -> io::Result<()> {
        if !self.is_seen(stream) {
            return self.show(task, stream, &text);
        }
        let text = cleaned(&text).into_bytes();
        if line.last.as_ref() == Some(&text) {
            line.again += 1;
            return Ok(());
        }
        self.again(task, stream, line)?;
        self.show(task, stream, &text)?;
        line.last = Some(text);
        Ok(())
    }

    fn again(&mut self, task: usize, stream: Stream, line: &mut Line) -> io::Result<()> {
        let again = std::mem::take(&mut line.again);
        let times = if again == 1 { "time" } else { "times" };
        match again {
            0 => Ok(()),
            _ => self.show(task, stream, format!("(… {again} {times} more)").as_bytes()),
        }
    }

    fn show(&mut self, task: usize, stream: Stream, text: &[u8]) -> io::Result<()> {
        if self.look.is_json {
            let text = String::from_utf8_lossy(text);
            let more = json!({ "stream": stream, "text": text });
            let object = self.object(task, "line", more);
            return json::line(&mut self.out, &object);
        }
        let mut line = self.prefix(task, stream).into_bytes();
        line.extend_from_slice(text);
        line.push(b'\n');
        self.write(stream, &line)
    }

    fn prefix(&self, task: usize, stream: Stream) -> String {
        let Some(shown) = self.tasks.get(task).filter(|_| self.look.is_prefixed) else {
            return String::new();
        };
        let (name, width) = (&shown.name, self.width);
        match self.look.has_colours && self.look.is_terminal[stream] {
            true => {
                let colour = COLOURS[task % COLOURS.len()];
                format!("\x1b[{colour}m{name:<width$} |\x1b[0m ")
            }
            false => format!("{name:<width$} | "),
        }
    }

    fn object(&self, task: usize, event: &str, more: Value) -> Value {
        let shown = self.tasks.get(task);
        let mut object = json!({
            "task_id": shown.map(|shown| &shown.id),
            "task_name": shown.map(|shown| &shown.name),
            "event": event,
        });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        object
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        match stream {
            Stream::Stdout => self.out.write_all(bytes)?,
            Stream::Stderr => self.err.write_all(bytes)?,
        }
        self.flush(stream)
    }

    fn flush(&mut self, stream: Stream) -> io::Result<()> {
        match stream {
            Stream::Stdout => self.out.flush(),
            Stream::Stderr => self.err.flush(),
        }
    }
}

/// A line without what would command a terminal. Of one that was written over again and again, as a progress bar, the last
/// state is left.
fn cleaned(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let last = text.rsplit('\r').next().unwrap_or_default();
    let plain = anstream::adapter::strip_str(last).to_string();
    let is_shown = |char: &char| *char == '\t' || !commands_a_reader(*char);
    plain.chars().filter(is_shown).collect()
}

/// So many of the last lines.
pub fn last_lines(bytes: &[u8], lines: usize) -> &[u8] {
    let ended = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut ends = memchr::memrchr_iter(b'\n', ended);
    match lines.checked_sub(1) {
        None => &[],
        Some(before) => ends.nth(before).map_or(bytes, |end| &bytes[end + 1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look {
        is_prefixed: false,
        is_terminal: Both {
            stdout: false,
            stderr: false,
        },
        has_colours: false,
        is_json: false,
    };
    const TERMINAL: Look = Look {
        is_terminal: Both {
            stdout: true,
            stderr: true,
        },
        ..PLAIN
    };

    /// What two tasks print in turn, on standard output and on standard error.
    fn printed(look: Look, texts: &[(usize, Stream, &str)]) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printer = Printer::new(look, &mut out, &mut err);
        printer.add("1".into(), "sim.zip");
        printer.add("2".into(), "main-7.12.zip");
        for (task, stream, text) in texts {
            printer.print(*task, *stream, text.as_bytes()).unwrap();
        }
        (0..2).for_each(|task| printer.finish(task).unwrap());
        drop(printer);
        [out, err]
            .map(|text| String::from_utf8(text).unwrap())
            .into()
    }

    #[test]
    fn in_a_pipe_one_task_is_there_byte_for_byte_and_each_stream_where_it_was() {
        let texts = [
            (0, Stream::Stdout, "a\x1b[1mb\r"),
            (0, Stream::Stderr, "e"),
            (0, Stream::Stdout, "\nc"),
        ];
        let expected = ("a\x1b[1mb\r\nc".to_owned(), "e".to_owned());
        assert_eq!(printed(PLAIN, &texts), expected);
    }

    #[test]
    fn several_tasks_share_no_line_and_their_names_are_aligned() {
        let look = Look {
            is_prefixed: true,
            ..PLAIN
        };
        let texts = [
            (0, Stream::Stdout, "one "),
            (1, Stream::Stdout, "other\nand"),
            (0, Stream::Stdout, "line\n"),
        ];
        let expected = "main-7.12 | other\nsim       | one line\nmain-7.12 | and\n";
        assert_eq!(printed(look, &texts).0, expected);
    }

    #[test]
    fn on_a_terminal_repeated_lines_are_folded_for_each_task() {
        let texts = [
            (0, Stream::Stdout, "x\nx\nx\n"),
            (1, Stream::Stdout, "x\n"),
            (0, Stream::Stdout, "x\ny\ny\n"),
        ];
        let expected = "x\nx\n(… 3 times more)\ny\n(… 1 time more)\n";
        assert_eq!(printed(TERMINAL, &texts).0, expected);
        assert_eq!(printed(PLAIN, &texts).0, "x\nx\nx\nx\nx\ny\ny\n");
    }

    #[test]
    fn nothing_that_is_printed_commands_a_terminal() {
        let texts = [(
            0,
            Stream::Stderr,
            "10%\r90%\r\n\x1b]0;title\x07\x1b[31mred\x1b[0m\t\u{9b}2J \u{202e}cba\u{2028}\n",
        )];
        assert_eq!(printed(TERMINAL, &texts).1, "90%\nred\t2J cba\n");
    }

    #[test]
    fn a_line_without_an_end_is_shown_in_parts() {
        let look = Look {
            is_prefixed: true,
            ..PLAIN
        };
        let long = "x".repeat(3 * LINE_MAX);
        let shown = printed(look, &[(0, Stream::Stdout, &long)]).0;
        assert_eq!(shown.matches('x').count(), 3 * LINE_MAX);
    }

    #[test]
    fn as_json_each_line_is_an_object() {
        let look = Look {
            is_json: true,
            ..TERMINAL
        };
        let texts = [(1, Stream::Stderr, "a\na\n\u{9b}2J\u{202e}\n")];
        let (out, err) = printed(look, &texts);
        assert!(err.is_empty());
        let commands = out.matches(|char| char != '\n' && commands_a_reader(char));
        assert_eq!(commands.count(), 0, "{out:?}");
        let objects = out.lines().map(serde_json::from_str::<Value>);
        let objects: Vec<_> = objects.map(Result::unwrap).collect();
        assert_eq!(objects.len(), 3, "nothing is folded");
        assert_eq!(objects[0]["text"], "a");
        assert_eq!(objects[2]["text"], "\u{9b}2J\u{202e}");
        assert_eq!(objects[0]["task_name"], "main-7.12");
        assert_eq!(objects[0]["stream"], "stderr");
    }

    #[test]
    fn the_last_lines_are_as_many_as_are_asked_for() {
        for (lines, expected) in [(0, ""), (1, "c\n"), (2, "b\nc\n"), (9, "a\nb\nc\n")] {
            assert_eq!(last_lines(b"a\nb\nc\n", lines), expected.as_bytes());
        }
        assert_eq!(last_lines(b"a\nb", 1), b"b");
        assert_eq!(last_lines(b"", 3), b"");
    }
}
