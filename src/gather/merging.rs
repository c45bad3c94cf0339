//! Which of a part's files is a table, and how tables become one.
//!
//! Rule: the first part that has a table says what the table of a part is: its `output.csv` if it made one, else what it
//! printed, if every line has as many columns as the first. Later parts give the same, or nothing. The first row of a later
//! part is left out if it is that of the first one, unless there is a number in it, or no part had a row below it: then it is
//! data.

use std::io::{self, BufRead, BufReader, Read, Seek};

use super::growing::Growing;
use super::zipped::Zipped;
use crate::cut::{CutError, HEADER_MAX, Scan, Table, delimiter_in};

/// What is read at once of a line that does not end, in bytes.
const READ_MAX: u64 = 64 << 10;

/// What the table of a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Its `output.csv`.
    Made,
    /// What it printed: so many columns, separated so.
    Printed(Shape),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    delimiter: u8,
    columns: usize,
}

/// The tables so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Merging {
    source: Option<Source>,
    /// Shared by all parts, if the first row is one.
    header: Option<Vec<u8>>,
    /// Whether a part had a row below it.
    is_followed: bool,
}

impl Merging {
    /// Adds the table of a part, or says why it has none.
    pub fn add<R: Read + Seek>(
        &mut self,
        zip: &mut Zipped<R>,
        into: &mut Growing,
    ) -> io::Result<Result<(), &'static str>> {
        let is_made = zip.file("output.csv")?.is_some();
        let source = match (self.source, is_made) {
            (None | Some(Source::Made), true) => Source::Made,
            (Some(Source::Made), false) => {
                return Ok(Err("it made no output.csv, as the parts before it did"));
            }
            (first, _) => {
                let Some(shape) = shape_of(zip, first)? else {
                    return Ok(Err(
                        "it made no output.csv, and what it printed is no table",
                    ));
                };
                let printed = Source::Printed(shape);
                if first.is_some_and(|first| first != printed) {
                    return Ok(Err(
                        "what it printed has other columns than the parts before it",
                    ));
                }
                printed
            }
        };
        let table = match source {
            Source::Made => zip.file("output.csv")?,
            Source::Printed(_) => zip.file_within("stdout.txt")?,
        };
        let Some(table) = table else {
            return Ok(Err("it has no table"));
        };
        let mut table = BufReader::new(table);
        let first_row = first_row(&mut table)?;
        let is_first = self.source.is_none();
        if is_first {
            self.header = Some(first_row.clone()).filter(|row| is_header(row));
            self.source = Some(source);
        }
        let header = self.header.as_deref();
        if header.is_some_and(|header| is_same(header, &first_row)) {
            self.is_followed |= !table.fill_buf()?.is_empty();
            if !is_first && self.is_followed {
                into.append_lines(table)?;
                return Ok(Ok(()));
            }
        }
        into.append_lines(first_row.chain(table))?;
        Ok(Ok(()))
    }
}

/// The columns of what a part printed, if that is a table.
fn shape_of<R: Read + Seek>(
    zip: &mut Zipped<R>,
    first: Option<Source>,
) -> io::Result<Option<Shape>> {
    let Some(printed) = zip.file_within("stdout.txt")? else {
        return Ok(None);
    };
    let mut printed = BufReader::new(printed);
    let mut scan = Scan::new(b',');
    let (mut delimiter, mut is_mid_row) = (b',', false);
    let mut columns = None;
    let mut chunk = Vec::new();
    for number in 0_u64.. {
        chunk.clear();
        if printed
            .by_ref()
            .take(READ_MAX)
            .read_until(b'\n', &mut chunk)?
            == 0
        {
            break;
        }
        if number == 0 {
            delimiter = match first {
                Some(Source::Printed(shape)) => shape.delimiter,
                _ => delimiter_in(&chunk, false).unwrap_or(b','),
            };
            scan.separate_by(delimiter);
        }
        let ended = scan.read(&chunk);
        is_mid_row = ended.is_none();
        if ended.is_some_and(|own| *columns.get_or_insert(own) != own) {
            return Ok(None);
        }
    }
    if is_mid_row {
        let Some(own) = scan.finish() else {
            return Ok(None);
        };
        if *columns.get_or_insert(own) != own {
            return Ok(None);
        }
    }
    Ok(columns.map(|columns| Shape { delimiter, columns }))
}

/// Reads the first row, or the beginning of one that is too long to be a header.
fn first_row(table: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut row = Vec::new();
    let mut scan = Scan::new(b',');
    loop {
        let before = row.len();
        let read = table.by_ref().take(READ_MAX).read_until(b'\n', &mut row)?;
        let line = row.get(before..).unwrap_or_default();
        if let (0, Some(delimiter)) = (before, delimiter_in(line, false)) {
            scan.separate_by(delimiter);
        }
        if read == 0 || scan.read(line).is_some() || row.len() > HEADER_MAX {
            return Ok(row);
        }
    }
}

/// Whether a first row names columns: there is text in it, and no number.
fn is_header(row: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(row) else {
        return false;
    };
    // `nan` and `inf` are numbers too, but may name a column.
    let is_number = |field: &str| {
        let field = field.trim_matches(['"', ' ', '\r', '\n']);
        field.contains(|c: char| c.is_ascii_digit()) && field.parse::<f64>().is_ok()
    };
    row.len() <= HEADER_MAX
        && !text.trim().is_empty()
        && !text.split([',', ';', '\t', '|']).any(is_number)
}

/// Whether two rows differ in their line ends alone.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.trim_ascii_end() == other.trim_ascii_end()
}

/// The rows of parts that were not done, to be handed in again.
#[derive(Debug, Clone, Default)]
pub(super) struct Resubmission {
    header: Option<Vec<u8>>,
}

impl Resubmission {
    /// Adds the rows of a task that was cut from a table. Parts that differ in their parameters have all the same rows,
    /// and those of another table cannot lie below one header: they add nothing.
    pub fn add<R: Read + Seek>(
        &mut self,
        zip: &mut Zipped<R>,
        into: &mut Growing,
    ) -> io::Result<()> {
        if zip.file_within("params.json")?.is_some() {
            return Ok(());
        }
        let Some(input) = zip.file_within("input.csv")? else {
            return Ok(());
        };
        let table = match Table::open(BufReader::new(input)) {
            Ok(table) => table,
            Err(CutError::Read(error)) => return Err(error),
            Err(_) => return Ok(()),
        };
        match &self.header {
            None => {
                into.append(table.header())?;
                self.header = Some(table.header().to_vec());
            }
            Some(header) if header == table.header() => {}
            Some(_) => return Ok(()),
        }
        into.append_lines(table.into_rows())
    }
}
