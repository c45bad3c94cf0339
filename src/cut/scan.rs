//! Where the rows and fields of a CSV end, for bytes that come bit by bit.
//!
//! Rule: it reads as Python's `csv` does. A quote opens a field only as its first byte; inside, two quotes are one and line
//! ends are text. A row ends with a line feed.

/// Between which columns may be separated, the usual one first.
const DELIMITERS: [u8; 4] = *b",;\t|";
/// What editors on Windows put before the text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where a reader stands between two bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// Before the first byte of a field.
    #[default]
    Begin,
    /// In a field without quotes, or behind the quotes of one.
    Plain,
    /// Inside quotes.
    Quoted,
    /// Behind a quote that ends them, or is the first of two.
    Quote,
}

/// A reader of rows, which keeps none of them.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    delimiter: u8,
    at: At,
    columns: usize,
}

impl Scan {
    /// At the beginning of a row.
    pub fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            at: At::Begin,
            columns: 1,
        }
    }

    /// From now on columns are separated by this.
    pub fn separate_by(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    /// Reads on: at most one line, or a bit of one. The number of its columns when a row ends with it.
    pub fn read(&mut self, line: &[u8]) -> Option<usize> {
        for &byte in line {
            self.at = match (self.at, byte) {
                (At::Begin, b'"') => At::Quoted,
                (At::Quoted, b'"') => At::Quote,
                (At::Quoted, _) | (At::Quote, b'"') => At::Quoted,
                (_, b'\n') => return Some(self.end()),
                (_, byte) if byte == self.delimiter => {
                    self.columns += 1;
                    At::Begin
                }
                _ => At::Plain,
            };
        }
        None
    }

    /// Nothing follows: the number of columns of the row that was being read, or none where a quote was not closed.
    pub fn finish(&mut self) -> Option<usize> {
        (!self.is_quoted()).then(|| self.end())
    }

    /// Whether what comes next is inside quotes.
    pub fn is_quoted(&self) -> bool {
        self.at == At::Quoted
    }

    fn end(&mut self) -> usize {
        self.at = At::Begin;
        std::mem::replace(&mut self.columns, 1)
    }
}

/// What separates the columns in this line, which may begin inside quotes: what is there most often outside of them; none
/// if nothing is.
pub(crate) fn delimiter_in(line: &[u8], mut is_quoted: bool) -> Option<u8> {
    let mut counts = [0_usize; DELIMITERS.len()];
    for byte in line {
        is_quoted ^= *byte == b'"';
        let found = DELIMITERS.iter().position(|delimiter| delimiter == byte);
        if let (Some(count), false) = (found.and_then(|at| counts.get_mut(at)), is_quoted) {
            *count += 1;
        }
    }
    let most = counts.into_iter().max().filter(|most| *most > 0)?;
    let first = counts.into_iter().position(|count| count == most)?;
    DELIMITERS.get(first).copied()
}

/// Without a byte order mark.
pub(super) fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(delimiter: u8, text: &str) -> Vec<Option<usize>> {
        let mut scan = Scan::new(delimiter);
        let lines = text.as_bytes().split_inclusive(|byte| *byte == b'\n');
        let mut ends: Vec<_> = lines.map(|line| scan.read(line)).collect();
        if !text.ends_with('\n') {
            ends.pop();
            ends.push(scan.finish());
        }
        ends
    }

    #[test]
    fn a_row_ends_with_a_line_that_ends_outside_of_quotes() {
        assert_eq!(columns(b',', "a,b\n1,2\n"), [Some(2), Some(2)]);
        assert_eq!(columns(b',', "\"a\nb\",c\r\n"), [None, Some(2)]);
        assert_eq!(columns(b',', "\"a\"\"\n\"\"b\",c"), [None, Some(2)]);
        assert_eq!(columns(b',', "a\"b\n5\" pipe,3\n"), [Some(1), Some(2)]);
        assert_eq!(columns(b',', "\"a\"b\"\n"), [Some(1)]);
        assert_eq!(columns(b';', "a,b;\"c\n\"\n"), [None, Some(2)]);
        assert_eq!(columns(b',', "a,\"b\nc"), [None, None]);
    }

    #[test]
    fn the_delimiter_is_what_is_there_most_often_outside_of_quotes() {
        let cases = [
            ("a,b\n", Some(b',')),
            ("a;b\n", Some(b';')),
            ("a\tb\n", Some(b'\t')),
            ("a|b|\"c,d,e\"\n", Some(b'|')),
            ("alone\n", None),
        ];
        for (line, delimiter) in cases {
            assert_eq!(delimiter_in(line.as_bytes(), false), delimiter, "{line}");
        }
        assert_eq!(delimiter_in(b",,\";x", true), Some(b';'));
    }
}
