//! The one line of what a script printed as errors that says what went wrong: `ValueError: no number: 'x' (main.py:7)`.
//!
//! Rule: it is read out of the end of the text, whatever stands there; it is short, and has no line ends or control
//! characters.

/// Characters of what is said: with its place it is below what may be told of a run.
const WORDS_CHARS_MAX: usize = 200;
/// Bytes at the end of the text that are looked at: a traceback of a hundred frames.
pub const LAST_WORDS_MAX: usize = 16 << 10;

/// Characters of a file's name in it.
const FILE_CHARS_MAX: usize = 60;

/// How a traceback begins.
const TRACEBACK: &str = "Traceback (most recent call last)";
/// Lines of a traceback that are shown: a screen.
const SHOWN_MAX: usize = 30;
/// Lines that are shown where there is none.
const UNTRACED_MAX: usize = 5;

/// Parts of paths of which what runs there is not the task's own.
const LIBRARIES: [&str; 4] = ["/site-packages/", "/dist-packages/", "/lib/python", "<"];

/// What went wrong, and where in the task's own code, by the end of what was printed as errors; none if nothing was.
///
/// That is the exception of the last traceback, else the last line: what `sys.exit("…")` or `argparse` say.
pub fn last_words(stderr: &[u8]) -> Option<String> {
    let from = stderr.len().saturating_sub(LAST_WORDS_MAX);
    let text = String::from_utf8_lossy(stderr.get(from..).unwrap_or_default());
    let lines: Vec<&str> = text.lines().map(bare).collect();
    let said = |line: &&str| !line.trim().is_empty();
    let Some(frame) = lines.iter().rposition(|line| frame(line).is_some()) else {
        return tamed(lines.iter().rfind(|line| said(line))?);
    };
    let after = lines.get(frame + 1..).unwrap_or_default();
    let raised = after.iter().find(|line| said(line) && !is_source(line));
    let raised = tamed(raised.or_else(|| after.iter().rfind(|line| said(line)))?)?;
    Some(match place(lines.get(..=frame).unwrap_or_default()) {
        Some((file, line)) => format!("{raised} ({file}:{line})"),
        None => raised,
    })
}

/// The last traceback in what was printed as errors, or its last lines where there is none; at most `SHOWN_MAX` lines,
/// of a longer one the last.
pub fn last_lines(stderr: &[u8]) -> Vec<String> {
    let from = stderr.len().saturating_sub(LAST_WORDS_MAX);
    let text = String::from_utf8_lossy(stderr.get(from..).unwrap_or_default());
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &&str| line.contains(TRACEBACK);
    let from = lines.iter().rposition(begins);
    let from = from.unwrap_or(lines.len().saturating_sub(UNTRACED_MAX));
    let from = from.max(lines.len().saturating_sub(SHOWN_MAX));
    let shown = lines.get(from..).unwrap_or_default().iter();
    shown.map(|line| printable(line, LAST_WORDS_MAX)).collect()
}

/// The place that a line of [`last_words`] ends with, and what stands before it.
pub fn apart(error: &str) -> (&str, Option<&str>) {
    let place = error.strip_suffix(')').and_then(|error| {
        let (words, place) = error.rsplit_once(" (")?;
        let (_, line) = place.rsplit_once(':')?;
        line.parse::<u32>().ok().map(|_| (words, Some(place)))
    });
    place.unwrap_or((error, None))
}

/// As it may be shown and stored: on one line, and not too long.
fn tamed(line: &str) -> Option<String> {
    let line = printable(line.trim(), WORDS_CHARS_MAX);
    (!line.is_empty()).then_some(line)
}

fn printable(line: &str, most: usize) -> String {
    let printable = line
        .chars()
        .filter(|char| !crate::model::commands_a_reader(*char));
    printable.take(most).collect()
}

/// A line without the frame that Python draws around the members of an exception group.
fn bare(line: &str) -> &str {
    line.trim_start()
        .strip_prefix("| ")
        .map_or(line, |inside| bare(inside))
}

/// Whether a line is shown below that of a frame: the source, marks below it, a count of repetitions.
fn is_source(line: &str) -> bool {
    line.starts_with("    ") || line.starts_with("  [")
}

/// The file and the number in the line of a frame.
fn frame(line: &str) -> Option<(&str, u32)> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once('"')?;
    let number = rest.strip_prefix(", line ")?;
    let number = number.split(',').next()?.trim();
    Some((file, number.parse().ok()?))
}

/// The innermost place in the task's own code, by the frames of the last traceback in these lines.
fn place(lines: &[&str]) -> Option<(String, u32)> {
    let begins = |line: &&str| line.contains(TRACEBACK);
    let from = lines.iter().rposition(begins).unwrap_or_default();
    let frames = lines.get(from..).unwrap_or_default().iter().rev();
    let mut frames = frames.filter_map(|line| frame(line));
    let (file, number) = frames.find(|(file, _)| is_own(file))?;
    let name = file.rsplit(['/', '\\']).next()?;
    Some((name.chars().take(FILE_CHARS_MAX).collect(), number))
}

fn is_own(file: &str) -> bool {
    !LIBRARIES.iter().any(|part| file.contains(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ERROR_CHARS_MAX;

    fn words(text: &str) -> Option<String> {
        last_words(text.as_bytes())
    }

    #[test]
    fn a_traceback_is_told_by_its_exception_and_the_innermost_place_in_the_tasks_own_code() {
        let text = "starting\nTraceback (most recent call last):\n  File \"/work/a/main.py\", line 9, in <module>\n    \
                    main()\n    ~~~~^^\n  File \"/work/a/lib/rows.py\", line 7, in main\n    read(row)\n  \
                    File \"/usr/lib/python3.12/json/decoder.py\", line 355, in decode\n    raise ValueError(a)\n\
                    ValueError: no number: 'x'\n";
        assert_eq!(
            words(text).unwrap(),
            "ValueError: no number: 'x' (rows.py:7)"
        );
    }

    #[test]
    fn of_chained_tracebacks_the_last_one_tells() {
        let text = "Traceback (most recent call last):\n  File \"main.py\", line 2, in <module>\n    {}['a']\n\
                    KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n\
                    Traceback (most recent call last):\n  File \"/usr/lib/python3/x.py\", line 4, in <module>\n\
                    OSError: [Errno 2] gone\nnoted\n";
        assert_eq!(words(text).unwrap(), "OSError: [Errno 2] gone");
    }

    #[test]
    fn an_error_of_the_syntax_and_one_of_a_group_are_told() {
        let syntax =
            "  File \"/w/main.py\", line 3\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n";
        assert_eq!(
            words(syntax).unwrap(),
            "SyntaxError: invalid syntax (main.py:3)"
        );
        let group = "  + Exception Group Traceback (most recent call last):\n  |   File \"/w/main.py\", line 5, in <module>\n  \
                     |     raise error\n  | ExceptionGroup: two (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    \
                     | ValueError: 1\n    +------------------------------------\n";
        let told = "ExceptionGroup: two (2 sub-exceptions) (main.py:5)";
        assert_eq!(words(group).unwrap(), told);
        assert_eq!(
            apart(told),
            ("ExceptionGroup: two (2 sub-exceptions)", Some("main.py:5"))
        );
    }

    const _: () = assert!(WORDS_CHARS_MAX + FILE_CHARS_MAX + 20 < ERROR_CHARS_MAX);

    #[test]
    fn without_a_traceback_the_last_line_tells() {
        let usage = "usage: main.py [-h] x\nmain.py: error: too few\u{7} arguments\n\n";
        assert_eq!(words(usage).unwrap(), "main.py: error: too few arguments");
        assert_eq!(words(" \n\n"), None);
        assert_eq!(words(&"x".repeat(99_999)).unwrap().len(), WORDS_CHARS_MAX);
        assert_eq!(apart("main.py: error (7)"), ("main.py: error (7)", None));
    }

    #[test]
    fn the_last_traceback_is_shown_and_of_a_long_one_its_end() {
        let one =
            "noise\nTraceback (most recent call last):\n  File \"a\", line 1\nKeyError: 'a'\n";
        assert_eq!(
            last_lines([one, one].concat().as_bytes()),
            one.lines().skip(1).collect::<Vec<_>>()
        );
        let long = format!("{one}{}", "more\n".repeat(99));
        assert_eq!(last_lines(long.as_bytes()), vec!["more"; SHOWN_MAX]);
        assert_eq!(last_lines(b"a\nb\x1b[0m\n"), ["a", "b[0m"]);
        assert!(last_lines(b"").is_empty());
    }

    proptest! {
        #[test]
        fn whatever_was_printed_the_line_is_short_and_one(text in "(Traceback|  File \"[a-z/]{0,9}\", line [0-9]{0,12}|[ |+\\-]{0,6}|\\PC{0,9}|\n|\r){0,60}") {
            if let Some(line) = words(&text) {
                prop_assert!(!line.contains('\n') && !line.trim().is_empty(), "{line:?}");
                prop_assert!(line.chars().count() < WORDS_CHARS_MAX + FILE_CHARS_MAX + 20, "{line:?}");
            }
        }
    }
}
