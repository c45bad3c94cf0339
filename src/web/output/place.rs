//! Where in a result it goes on that somebody has read while it was printed.

use std::io::{Read, Seek};

use mutirao_actors::model::{PIECE_MAX, STREAM_MAX, Stream};
use serde::Deserialize;
use zip::ZipArchive;

use super::super::results::entry_of;
use crate::runner::{OUTPUT_MAX, TAIL_MAX};

/// Longest `result.json` that is read, in bytes: it names the files that are not there, and that by the hundred.
const REPORT_MAX: u64 = 1 << 20;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Behind so many bytes that were printed.
    Behind(u64),
    /// A little before the end.
    NearEnd,
}

/// What of `result.json` matters.
#[derive(Debug, Deserialize)]
struct Report {
    stdout: Printed,
    stderr: Printed,
}

#[derive(Debug, Deserialize)]
struct Printed {
    bytes: u64,
}

/// How many bytes were printed on a stream, if the result says so; a peer may say what no stream can have, and where it goes
/// on behind that nobody could name.
pub fn printed<R: Read + Seek>(zip: &mut ZipArchive<R>, stream: Stream) -> Option<u64> {
    let report = entry_of(zip, "result.json").ok()?;
    let report: Report = serde_json::from_reader(report.take(REPORT_MAX)).ok()?;
    let bytes = match stream {
        Stream::Stdout => report.stdout.bytes,
        Stream::Stderr => report.stderr.bytes,
    };
    (bytes <= STREAM_MAX).then_some(bytes)
}

/// How many bytes of the file are passed over, and how many were printed before what follows. Of a stream that was too long
/// the file lacks the middle; who says to have read more than was printed is shown the end.
pub fn position(start: Start, size: u64, printed: Option<u64>) -> (u64, u64) {
    let head = (OUTPUT_MAX - TAIL_MAX) as u64;
    let printed = printed.filter(|_| size > OUTPUT_MAX as u64).unwrap_or(size);
    let is_whole = printed <= size;
    match start {
        Start::Behind(read) if read <= printed => {
            if is_whole || read <= head {
                return (read.min(size), read);
            }
            let left = (printed - read).min(TAIL_MAX as u64);
            (size - left, printed - left)
        }
        Start::NearEnd | Start::Behind(_) => {
            let shown = size.min(PIECE_MAX as u64);
            (size - shown, printed.saturating_sub(shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const HEAD: u64 = (OUTPUT_MAX - TAIL_MAX) as u64;

    #[test]
    fn a_result_that_says_to_have_printed_what_no_stream_can_have_says_nothing() {
        let said = |bytes: u64| {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            let options = SimpleFileOptions::default();
            zip.start_file("result.json", options).unwrap();
            write!(
                zip,
                r#"{{"stdout":{{"bytes":{bytes}}},"stderr":{{"bytes":7}}}}"#
            )
            .unwrap();
            let mut zip = ZipArchive::new(zip.finish().unwrap()).unwrap();
            Stream::ALL.map(|stream| printed(&mut zip, stream))
        };
        assert_eq!(said(STREAM_MAX), [Some(STREAM_MAX), Some(7)]);
        for beyond in [STREAM_MAX + 1, u64::MAX] {
            assert_eq!(said(beyond), [None, Some(7)]);
        }
    }

    #[test]
    fn a_file_that_is_whole_goes_on_where_it_was_read() {
        assert_eq!(position(Start::Behind(3), 10, Some(10)), (3, 3));
        assert_eq!(position(Start::Behind(3), 10, None), (3, 3));
        assert_eq!(position(Start::Behind(10), 10, Some(10)), (10, 10));
        assert_eq!(position(Start::NearEnd, 10, Some(10)), (0, 0));
        let long = PIECE_MAX as u64 + 7;
        assert_eq!(position(Start::NearEnd, long, None), (7, 7));
    }

    #[test]
    fn who_says_to_have_read_more_than_was_printed_is_shown_the_end() {
        let near_end = |size, printed| position(Start::NearEnd, size, printed);
        let long = OUTPUT_MAX as u64 + 60;
        for (size, printed) in [(10, 10), (long - 60, long - 60), (long, 2 * long)] {
            for read in [printed + 1, u64::MAX] {
                let shown = position(Start::Behind(read), size, Some(printed));
                assert_eq!(shown, near_end(size, Some(printed)), "{read} of {printed}");
            }
        }
    }

    #[test]
    fn a_file_that_lacks_its_middle_goes_on_in_its_end_and_repeats_nothing() {
        // 60 bytes of mark, and twice as much printed as is kept.
        let (size, printed) = (OUTPUT_MAX as u64 + 60, 2 * OUTPUT_MAX as u64);
        let at = |read| position(Start::Behind(read), size, Some(printed));
        assert_eq!(at(5), (5, 5));
        assert_eq!(at(HEAD), (HEAD, HEAD));
        assert_eq!(at(printed - 9), (size - 9, printed - 9));
        assert_eq!(at(printed), (size, printed));
        let tail = TAIL_MAX as u64;
        assert_eq!(at(HEAD + 1), (size - tail, printed - tail));
    }
}
