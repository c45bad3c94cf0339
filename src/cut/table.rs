//! A table that is read part by part.

use std::io::{self, BufRead, Read as _};

use super::scan::{Scan, delimiter_in, unmarked};

/// Longest part, with its header, in bytes: it is held in memory until it is packed, and below this no ZIP is taken for a
/// bomb, however well it shrinks.
pub const PART_BYTES_MAX: usize = 128 << 20;
/// Longest header, in bytes: it goes into every part.
pub const HEADER_MAX: usize = 1 << 20;
/// What is read at once of a line that does not end, in bytes.
const READ_MAX: u64 = 64 << 10;

/// Why a table cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// There is nothing in it.
    #[error("it is empty: there is nothing to cut")]
    Empty,
    /// There are no rows.
    #[error("it holds a header and no rows: there is nothing to cut")]
    NoRows,
    /// It is in another encoding.
    #[error(
        "its text is no UTF-8, but UTF-16: save it as \"CSV UTF-8\", or convert it with \
         `iconv -f UTF-16 -t UTF-8 OLD.csv > NEW.csv`"
    )]
    Utf16,
    /// It is one line.
    #[error(
        "its lines end with a carriage return alone, as on old Macs: convert them with \
         `tr '\\r' '\\n' < OLD.csv > NEW.csv`"
    )]
    OldMac,
    /// The header does not end.
    #[error(
        "its header is longer than {} KiB: is there a quote in it that never closes?",
        HEADER_MAX >> 10
    )]
    LongHeader,
    /// A quote does not end in the header.
    #[error("a quote that opens in its header never closes")]
    UnclosedHeader,
    /// A quote does not end.
    #[error("a quote that opens in row {row} (line {line}) never closes")]
    Unclosed {
        /// Which row, from 1, the header not counted.
        row: u64,
        /// In which line of the file that row begins, from 1.
        line: u64,
    },
    /// A part would not fit.
    #[error(
        "the part that begins with row {row} is longer than {} MiB: cut it into fewer rows each",
        PART_BYTES_MAX >> 20
    )]
    LongPart {
        /// Its first row, from 1.
        row: u64,
    },
    /// There would be too many parts.
    #[error("that makes {0} parts; there may be {max}: cut it into more rows each", max = super::PARTS_MAX)]
    ManyParts(u64),
}

/// Some rows of a table, as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The first of them, from 1, the header not counted.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The header and the rows.
    pub bytes: Vec<u8>,
}

/// How much there is in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Rows besides the header.
    pub rows: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// A table, its header read.
#[derive(Debug)]
pub struct Table<R> {
    input: R,
    scan: Scan,
    header: Vec<u8>,
    /// Read, and of the next part.
    ahead: Vec<u8>,
    is_mid_row: bool,
    is_mid_line: bool,
    rows: u64,
    /// Lines that were begun, with those of the header.
    lines: u64,
    /// In which the row began that is being read.
    row_line: u64,
    part_max: usize,
}

impl<R: BufRead> Table<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it cannot be read, is not there, or does not end.
    pub fn open(input: R) -> Result<Self, CutError> {
        let mut table = Self {
            input,
            scan: Scan::new(b','),
            header: Vec::new(),
            ahead: Vec::new(),
            is_mid_row: false,
            is_mid_line: false,
            rows: 0,
            lines: 0,
            row_line: 0,
            part_max: PART_BYTES_MAX,
        };
        table.read_header()?;
        Ok(table)
    }

    /// The header, with its line end.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// What follows the header, if nothing was read yet.
    pub fn into_rows(self) -> R {
        self.input
    }

    /// Reads the next rows, so many or what is left; none at the end. Empty lines belong to the row before them.
    ///
    /// # Errors
    /// When they cannot be read, do not fit a part, or a quote does not end.
    pub fn next_rows(&mut self, rows: u64) -> Result<Option<Rows>, CutError> {
        let first = self.rows + 1;
        let mut bytes = self.header.clone();
        let room = self.part_max.saturating_sub(bytes.len());
        self.pass(rows, |chunk, so_far| {
            if so_far > room as u64 {
                return Err(CutError::LongPart { row: first });
            }
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        let count = self.rows + 1 - first;
        Ok((count > 0).then_some(Rows {
            first,
            count,
            bytes,
        }))
    }

    /// Counts what is left; keeps none of it.
    ///
    /// # Errors
    /// When it cannot be read, there are no rows, or a quote does not end.
    pub fn count(mut self) -> Result<Total, CutError> {
        let bytes = self.pass(u64::MAX, |_, _| Ok(()))?;
        match self.rows {
            0 => Err(CutError::NoRows),
            rows => Ok(Total { rows, bytes }),
        }
    }

    /// Reads so many rows, gives each bit of them with the sum of bytes up to it, and says how many bytes they were.
    fn pass(
        &mut self,
        rows: u64,
        mut take: impl FnMut(&[u8], u64) -> Result<(), CutError>,
    ) -> Result<u64, CutError> {
        let (mut bytes, mut left) = (0, rows);
        loop {
            let mut chunk = std::mem::take(&mut self.ahead);
            if chunk.is_empty() && !self.read(&mut chunk)? {
                self.finish()?;
                return Ok(bytes);
            }
            if !self.is_mid_row && !is_blank(&chunk) {
                if left == 0 {
                    self.ahead = chunk;
                    return Ok(bytes);
                }
                self.is_mid_row = true;
                self.row_line = self.lines;
            }
            bytes += chunk.len() as u64;
            take(&chunk, bytes)?;
            if self.is_mid_row && self.scan.read(&chunk).is_some() {
                self.is_mid_row = false;
                self.rows += 1;
                left -= 1;
            }
        }
    }

    /// The end of the table, which may be that of a row without a line end.
    fn finish(&mut self) -> Result<(), CutError> {
        if !self.is_mid_row {
            return Ok(());
        }
        let (row, line) = (self.rows + 1, self.row_line);
        self.scan.finish().ok_or(CutError::Unclosed { row, line })?;
        self.is_mid_row = false;
        self.rows += 1;
        Ok(())
    }

    fn read_header(&mut self) -> Result<(), CutError> {
        let (mut begun, mut separated) = (false, false);
        loop {
            let mut chunk = Vec::new();
            if !self.read(&mut chunk)? {
                return Err(match (begun, self.scan.is_quoted()) {
                    _ if is_old_mac(&self.header) => CutError::OldMac,
                    (false, _) => CutError::Empty,
                    (_, true) => CutError::UnclosedHeader,
                    _ => CutError::NoRows,
                });
            }
            let is_first = self.header.is_empty();
            if is_utf16(&chunk) {
                return Err(CutError::Utf16);
            }
            self.header.extend_from_slice(&chunk);
            if self.header.len() > HEADER_MAX {
                return Err(match is_old_mac(&self.header) {
                    true => CutError::OldMac,
                    false => CutError::LongHeader,
                });
            }
            let line = if is_first { unmarked(&chunk) } else { &chunk };
            if !begun && (line.is_empty() || is_blank(line)) {
                continue;
            }
            begun = true;
            // Until one is seen it makes no difference which it is.
            if let (false, Some(delimiter)) = (separated, delimiter_in(line, self.scan.is_quoted()))
            {
                self.scan.separate_by(delimiter);
                separated = true;
            }
            if self.scan.read(line).is_some() {
                return Ok(());
            }
        }
    }

    /// One line, or a bit of a long one; false at the end.
    fn read(&mut self, chunk: &mut Vec<u8>) -> io::Result<bool> {
        if !self.is_mid_line {
            self.lines += 1;
        }
        let mut line = self.input.by_ref().take(READ_MAX);
        let length = line.read_until(b'\n', chunk)?;
        self.is_mid_line = chunk.last().is_some_and(|byte| *byte != b'\n');
        Ok(length > 0)
    }
}

/// Whether it is a line with nothing in it.
fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n" | b"\r")
}

/// Whether every other byte of some text is likely zero: what stands in a header is mostly of the Latin alphabet.
fn is_utf16(chunk: &[u8]) -> bool {
    chunk.starts_with(b"\xff\xfe") || chunk.starts_with(b"\xfe\xff") || chunk.contains(&0)
}

/// Whether a text without a line feed has lines all the same.
fn is_old_mac(header: &[u8]) -> bool {
    let end = header.iter().position(|byte| *byte == b'\r');
    let rest = end
        .and_then(|end| header.get(end + 1..))
        .unwrap_or_default();
    !header.contains(&b'\n') && !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> Result<Table<&[u8]>, CutError> {
        Table::open(text.as_bytes())
    }

    fn parts(text: &str, rows: u64) -> Result<Vec<Rows>, CutError> {
        let mut table = table(text)?;
        let mut parts = Vec::new();
        while let Some(part) = table.next_rows(rows)? {
            parts.push(part);
        }
        Ok(parts)
    }

    fn texts(text: &str, rows: u64) -> Vec<String> {
        let parts = parts(text, rows).unwrap();
        let texts = parts.into_iter().map(|part| String::from_utf8(part.bytes));
        texts.map(Result::unwrap).collect()
    }

    fn refusal(text: &str) -> String {
        let counted = table(text).and_then(Table::count);
        counted.unwrap_err().to_string()
    }

    #[test]
    fn each_part_has_the_header_and_its_rows_as_they_were() {
        assert_eq!(
            texts("h,i\r\n1,\"a\r\nb\"\r\n2,\"say \"\"x\ny\"\"\"\n3,c", 2),
            [
                "h,i\r\n1,\"a\r\nb\"\r\n2,\"say \"\"x\ny\"\"\"\n",
                "h,i\r\n3,c"
            ]
        );
        assert_eq!(
            texts("\u{feff}\"a\nb\";c\n1;\"x\n\"\n2;3\n", 1),
            [
                "\u{feff}\"a\nb\";c\n1;\"x\n\"\n",
                "\u{feff}\"a\nb\";c\n2;3\n"
            ]
        );
    }

    #[test]
    fn empty_lines_are_no_rows_and_go_with_the_row_before_them() {
        assert_eq!(
            texts("\nh\n\n1\n\r\n\n2\n\n", 1),
            ["\nh\n\n1\n\r\n\n", "\nh\n2\n\n"]
        );
    }

    #[test]
    fn what_has_no_rows_is_refused() {
        for text in ["", "\n\n"] {
            assert!(refusal(text).contains("it is empty"), "{text:?}");
        }
        for text in ["a,b", "a,b\n", "a,b\n\n\r\n"] {
            assert!(refusal(text).contains("a header and no rows"), "{text:?}");
        }
    }

    #[test]
    fn a_table_of_another_kind_is_told_with_how_to_convert_it() {
        for text in ["\u{0}a\u{0},\u{0}b\u{0}\n", "a\u{0},\u{0}b\u{0}\n\u{0}"] {
            assert!(refusal(text).contains("iconv -f UTF-16"), "{text:?}");
        }
        let marked = Table::open(&b"\xff\xfe\xe9\x20\n\x20"[..]);
        assert!(matches!(marked, Err(CutError::Utf16)));
        let long = "1,2\r".repeat(HEADER_MAX / 2);
        for text in ["a,b\r1,2\r", "a\r\r", &long] {
            assert!(refusal(text).contains("tr '\\r' '\\n'"), "{}", text.len());
        }
        assert!(refusal("a,b\r").contains("a header and no rows"));
    }

    #[test]
    fn a_quote_that_never_closes_is_named_by_the_row_where_it_opened() {
        let said = refusal("h,i\n1,\"a\nb\"\n2,\"open\n3,c\n4,d\n");
        assert!(said.contains("row 2 (line 4)"), "{said}");
        assert!(refusal("h,\"i\n1,2\n").contains("in its header"));
        let long = format!("h,\"i\n{}", "1,2\n".repeat(HEADER_MAX / 4));
        assert!(refusal(&long).contains("longer than 1024 KiB"));
    }

    #[test]
    fn a_part_that_fits_no_task_is_refused_and_no_more_than_it_is_held() {
        let endless = b"h\n".chain(io::repeat(b'a'));
        let mut table = Table::open(io::BufReader::new(endless)).unwrap();
        table.part_max = 1 << 20;
        let error = table.next_rows(1).unwrap_err();
        assert!(matches!(error, CutError::LongPart { row: 1 }), "{error}");
    }

    fn field() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z0-9 ]{0,5}",
            "[a-z]{1,2}\"[a-z\"]{0,3}",
            "[a-z,;\r\n]{0,6}".prop_map(|text| format!("\"{text}\"")),
            "([a-z\n]|\"\"){0,6}".prop_map(|text| format!("\"{text}\"")),
        ]
    }

    fn rows() -> impl Strategy<Value = Vec<String>> {
        let row = (proptest::collection::vec(field(), 2..4), "\r?\n")
            .prop_map(|(fields, end)| fields.join(",") + &end);
        proptest::collection::vec(row, 1..40)
    }

    proptest! {
        #[test]
        fn the_rows_of_the_parts_are_the_rows_of_the_table_byte_for_byte(
            rows in rows(),
            each in 1..10_u64,
            is_ended in any::<bool>(),
        ) {
            let header = "a,\"b\nc\"\n";
            let mut body = rows.concat();
            if !is_ended {
                body.truncate(body.trim_end_matches(['\r', '\n']).len());
            }
            let text = format!("{header}{body}");
            let total = table(&text).unwrap().count().unwrap();
            prop_assert_eq!(total.bytes, body.len() as u64);
            prop_assert_eq!(total.rows, rows.len() as u64);
            let parts = parts(&text, each).unwrap();
            let mut joined = Vec::new();
            for (number, part) in (0..).zip(&parts) {
                prop_assert!(part.bytes.starts_with(header.as_bytes()));
                prop_assert_eq!(part.first, number * each + 1);
                prop_assert!(part.count == each || number + 1 == parts.len() as u64);
                joined.extend_from_slice(&part.bytes[header.len()..]);
            }
            prop_assert_eq!(joined, body.into_bytes());
        }

        #[test]
        fn whatever_the_bytes_are_the_parts_hold_all_of_them_or_it_is_an_error(
            text in "[a,\"\r\n]{0,60}",
            each in 1..4_u64,
        ) {
            let Ok(total) = table(&text).and_then(Table::count) else {
                return Ok(());
            };
            let header = table(&text).unwrap().header().to_vec();
            let parts = parts(&text, each).unwrap();
            prop_assert_eq!(parts.iter().map(|part| part.count).sum::<u64>(), total.rows);
            let rows = parts.iter().flat_map(|part| &part.bytes[header.len()..]);
            let joined: Vec<u8> = header.iter().chain(rows).copied().collect();
            prop_assert_eq!(joined, text.into_bytes());
        }
    }
}
