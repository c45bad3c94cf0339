//! Looks through SQLite's log, which is a header and frames: a page each, chained by checksums.
//!
//! Rule: SQLite reads a log up to the first frame that is not whole, and says nothing of those behind it. A crash leaves
//! such frames of the last commit only, which nobody was told of: parts of them, or zeros. Where a later commit follows,
//! or the log's index knows of more, confirmed commits are lost; where lies what no crash leaves, they may be.
//!
//! The format is <https://www.sqlite.org/walformat.html>.

use std::io::{self, ErrorKind, Read};

use super::index::Index;
use super::sums::{Order, STORED, Sum};

/// Bytes of the log's header.
const HEADER: usize = 32;
/// Bytes of a frame before its page.
const FRAME: usize = 24;
/// Bytes of a page, where the log's header does not tell: SQLite's default, with which all of our databases are made.
const PAGE: usize = 4096;
/// What a log begins with, but for its last bit: that says in which order of bytes sums are made.
const MAGIC: u32 = 0x377f_0682;
/// The version of logs and of their indexes, as SQLite writes them since 3.7.0.
pub(super) const VERSION: u32 = 3_007_000;
/// Frames of zeros that one commit may have left without a sign of itself, where none before it was larger: more than
/// the records of a busy second take.
const BLANK_MAX: u64 = 16;
/// Rounds through the file of which frames may be left in it: each begins with a salt that is one higher.
const ROUNDS_MAX: u32 = 1 << 16;

/// What a log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// All that is in use belongs to whole commits.
    Whole,
    /// Behind the last commit lie so many bytes of one that nobody was told of.
    Torn(u64),
    /// Commits that were confirmed are lost.
    Lost {
        /// Where in the file the first thing lies that is not whole.
        at: u64,
        /// How many at least; 0 if nobody can tell whether there were any.
        commits: u64,
    },
}

/// Looks through a log, of which the index may be lost.
///
/// # Errors
/// When it cannot be read.
pub fn look(log: &mut impl Read, index: Option<Index>) -> io::Result<Found> {
    let mut bytes = [0; HEADER];
    let read = fill(log, &mut bytes)?;
    if read < HEADER {
        let at = read as u64;
        return Ok(match at {
            at if index.is_some_and(|index| index.frames > index.moved) => {
                Found::Lost { at, commits: 1 }
            }
            0 => Found::Whole,
            cut => Found::Torn(cut),
        });
    }
    let header = Header::read(&bytes);
    let mut walk = Walk::behind(header);
    let mut frame = vec![0; FRAME + header.page];
    loop {
        let read = fill(log, &mut frame)?;
        match frame.get(..read) {
            Some(whole) if read == frame.len() => walk.step(whole),
            Some(cut) => {
                walk.end(cut);
                return Ok(walk.found(index));
            }
            None => return Ok(walk.found(index)),
        }
    }
}

/// Reads as much as there is, up to all of the buffer.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The header of a log.
#[derive(Debug, Clone, Copy)]
struct Header {
    is_whole: bool,
    order: Order,
    page: usize,
    salt: [u8; 8],
    sum: Sum,
}

impl Header {
    fn read(bytes: &[u8; HEADER]) -> Self {
        let (fields, sum) = bytes.split_at(HEADER - 8);
        let number = |at: usize| STORED.number(fields.get(at..at + 4).unwrap_or_default());
        let (magic, page) = (number(0), number(8) as usize);
        let order = Order(magic & 1 == 1);
        let sum = STORED.read(sum);
        let is_whole = magic & !1 == MAGIC
            && number(4) == VERSION
            && page.is_power_of_two()
            && (512..=65_536).contains(&page)
            && order.sum(Sum::default(), fields) == sum;
        let salt = fields.get(16..).and_then(|salt| salt.try_into().ok());
        Self {
            is_whole,
            order: if is_whole {
                order
            } else {
                Order(cfg!(target_endian = "big"))
            },
            page: if is_whole { page } else { PAGE },
            salt: salt.unwrap_or_default(),
            sum,
        }
    }
}

/// How far a look has come.
#[derive(Debug)]
struct Walk {
    order: Order,
    /// That of all frames in use; the others are left of an earlier round through the file.
    salt: Option<[u8; 8]>,
    /// The sum that the last frame says it has.
    sum: Sum,
    at: u64,
    /// How many frames were looked at.
    frames: u64,
    /// How many of them SQLite takes, and where those end.
    taken: (u64, u64),
    /// Where the first one lies that is not whole.
    broken: Option<u64>,
    /// Where those in use end.
    used: u64,
    /// Ends of commits that are not taken: they were confirmed if anything was written after them.
    open: u64,
    lost: u64,
    /// Frames of the largest commit that is taken.
    largest: u64,
    /// Frames without a sign of any commit.
    blank: u64,
    /// Whether anything lies there that no crash leaves.
    is_alien: bool,
}

/// Whose a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Of this round through the file.
    Own,
    /// Left of an earlier one.
    Earlier,
    /// Made room for and never written.
    Blank,
    Alien,
}

impl Walk {
    fn behind(header: Header) -> Self {
        let at = HEADER as u64;
        Self {
            order: header.order,
            salt: header.is_whole.then_some(header.salt),
            sum: header.sum,
            at,
            frames: 0,
            taken: (0, at),
            broken: (!header.is_whole).then_some(0),
            used: at,
            open: 0,
            lost: 0,
            largest: 0,
            blank: 0,
            is_alien: false,
        }
    }

    fn step(&mut self, frame: &[u8]) {
        let (head, page) = frame.split_at(FRAME);
        let (fields, rest) = head.split_at(8);
        let (salt, sum) = rest.split_at(8);
        let (page_number, size) = fields.split_at(4);
        let begun = self.at;
        self.at += frame.len() as u64;
        self.frames += 1;
        let before = std::mem::replace(&mut self.sum, STORED.read(sum));
        let sum = self.order.sum(self.order.sum(before, fields), page);
        let is_whole = sum == self.sum && STORED.number(page_number) > 0;
        if is_whole && self.salt.is_none() {
            // The header does not tell.
            self.salt = salt.try_into().ok();
        }
        match self.origin(salt) {
            Origin::Own => {}
            other => {
                self.broken.get_or_insert(begun);
                self.blank += u64::from(other == Origin::Blank);
                self.is_alien |= other == Origin::Alien;
                return;
            }
        }
        let ends_commit = STORED.number(size) > 0;
        self.used = self.at;
        if is_whole && self.broken.is_none() {
            if ends_commit {
                self.largest = self.largest.max(self.frames - self.taken.0);
                self.taken = (self.frames, self.at);
            }
            return;
        }
        self.broken.get_or_insert(begun);
        if is_whole {
            self.lost += std::mem::take(&mut self.open);
        }
        self.open += u64::from(ends_commit);
    }

    fn origin(&self, salt: &[u8]) -> Origin {
        let (round, _) = salt.split_at(4);
        match self.salt {
            Some(own) if own == salt => Origin::Own,
            _ if salt == [0; 8] => Origin::Blank,
            Some([a, b, c, d, ..])
                if STORED
                    .number(&[a, b, c, d])
                    .wrapping_sub(STORED.number(round))
                    .wrapping_sub(1)
                    < ROUNDS_MAX =>
            {
                Origin::Earlier
            }
            _ => Origin::Alien,
        }
    }

    /// What is left is less than a frame.
    fn end(&mut self, cut: &[u8]) {
        let origin = cut.get(8..16).map(|salt| self.origin(salt));
        self.is_alien |= origin == Some(Origin::Alien);
        if !cut.is_empty() && origin.is_none_or(|origin| origin == Origin::Own) {
            self.used = self.at + cut.len() as u64;
        }
    }

    fn found(&self, index: Option<Index>) -> Found {
        let (frames, end) = self.taken;
        let known = index.filter(|index| self.salt.is_none_or(|salt| salt == index.salt));
        // A commit that a crash cut is the last one, so of several all but one were confirmed.
        let lost = self.lost.max(self.open.saturating_sub(1));
        let lost = match known {
            Some(index) if index.frames > frames => lost.max(1),
            _ => lost,
        };
        let is_all = known.is_some_and(|index| index.frames == frames);
        // SQLite flushes the header before it writes a frame.
        let is_headless = self.broken == Some(0) && self.at > HEADER as u64;
        let is_large = self.blank > self.largest.max(BLANK_MAX);
        let is_doubtful = !is_all && (self.is_alien || is_headless || is_large);
        match self.used.saturating_sub(end) {
            _ if lost > 0 || is_doubtful => Found::Lost {
                at: self.broken.unwrap_or(end),
                commits: lost,
            },
            0 => Found::Whole,
            torn => Found::Torn(torn),
        }
    }
}
