//! JSON as it is printed, for a program or for somebody who looks at it in a terminal.
//!
//! Rule: values are as they are. A character that would command a terminal or turn its reader round, which a script or
//! a stranger may have put into them, is written as an escape: every reader of JSON takes that for the same.

use std::borrow::Cow;
use std::io::{self, Write};

use mutirao_actors::model::commands_a_reader;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Compact, and harmless to a terminal.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write(writer, fragment)
    }

    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write(writer, fragment)
    }
}

/// One value on a line of its own. It is written while it is made: what a task printed may be some MiB.
///
/// # Errors
/// When nobody reads it.
pub fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Harmless);
    // As an error of `io` it is still seen when nobody reads what we print.
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// The same JSON, harmless.
pub fn harmless(json: &str) -> Cow<'_, str> {
    if !json.contains(is_escaped) {
        return json.into();
    }
    let mut harmless = String::with_capacity(json.len());
    for char in json.chars() {
        match is_escaped(char) {
            true => harmless.push_str(&escaped(char)),
            false => harmless.push(char),
        }
    }
    harmless.into()
}

/// Whether it stands as an escape in JSON. Those below a blank do so in texts anyway, and between them they are white space.
fn is_escaped(char: char) -> bool {
    char >= ' ' && commands_a_reader(char)
}

fn escaped(char: char) -> String {
    let mut units = [0; 2];
    let units = char.encode_utf16(&mut units).iter();
    units.map(|unit| format!("\\u{unit:04x}")).collect()
}

fn write<W: ?Sized + Write>(out: &mut W, json: &str) -> io::Result<()> {
    out.write_all(harmless(json).as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    /// What ends a word in a terminal, erases, turns the direction of writing and ends a line.
    const COMMANDS: &str = "\u{1b}[2J\u{7f}\u{9b}2J\u{202e}\u{2028}\u{61c}";

    fn written(value: &impl Serialize) -> String {
        let mut out = Vec::new();
        line(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_in_it_commands_a_terminal_and_it_says_the_same() {
        let value =
            json!({ format!("a{COMMANDS}"): [format!("größer {COMMANDS} \"\\\n𝄞"), 7, null] });
        let text = written(&value);
        assert_eq!(text.matches(commands_a_reader).collect::<Vec<_>>(), ["\n"]);
        assert!(text.contains("größer \\u001b[2J\\u007f\\u009b2J\\u202e\\u2028\\u061c "));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn json_that_is_handed_on_as_it_came_is_harmless_too() {
        let came = "{ \"a\":\t\"\u{9b}\u{202e}\\u001b\" }";
        let raw: Box<RawValue> = serde_json::from_str(came).unwrap();
        let expected = "{ \"a\":\t\"\\u009b\\u202e\\u001b\" }";
        assert_eq!(written(&raw), format!("{expected}\n"));
        assert_eq!(harmless(came), expected);
        assert!(matches!(harmless(expected), Cow::Borrowed(_)));
    }
}
