//! What a group of tasks made, put together in one folder: `merged.csv`, `stdout.txt`, `stderr.txt`, `failed.csv` and
//! `manifest.json`.
//!
//! Rule: parts go in in their order, each once, to the end of hidden files that grow; what is seen is a copy of these, which is
//! made when they have grown by half and when all is done. So the work is in proportion to what there is, and each file that is
//! seen is whole. Nothing of it is the only place of anything: after a restart all is made again from the parts.
//! Everything here blocks.

mod growing;
mod merging;
mod part;
mod zipped;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use mutirao_actors::wire::report::TaskState;

use self::growing::Growing;
use self::merging::{Merging, Resubmission};
pub use self::part::{Part, Whole};
use self::part::{Row, Times};
use self::zipped::Zipped;

/// The name of the list of all parts.
pub const MANIFEST: &str = "manifest.json";
/// The names of all that is put together; of a group whose parts made no table, or all of whose parts were done, some are not there.
pub const FILES: [&str; 5] = [
    "merged.csv",
    "stdout.txt",
    "stderr.txt",
    "failed.csv",
    MANIFEST,
];

/// A group that is being put together.
#[derive(Debug)]
pub struct Gather {
    folder: PathBuf,
    whole: Whole,
    stdout: Growing,
    stderr: Growing,
    merged: Growing,
    failed: Growing,
    manifest: Growing,
    merging: Merging,
    resubmission: Resubmission,
    /// Whether the files may hold something of a part that could not be put in.
    is_torn: bool,
    /// Parts that are in and were done.
    done: u32,
    /// Parts that are in and failed, and that were cancelled.
    lost: [u32; 2],
}

impl Gather {
    /// Begins anew, in a folder that is made when missing. What an earlier life left there is seen until there is more.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn begin(folder: &Path, whole: Whole) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let grow = |name| Growing::begin(folder, name);
        let mut gather = Self {
            stdout: grow("stdout.txt")?,
            stderr: grow("stderr.txt")?,
            merged: grow("merged.csv")?,
            failed: grow("failed.csv")?,
            manifest: grow(MANIFEST)?,
            folder: folder.to_owned(),
            whole,
            merging: Merging::default(),
            resubmission: Resubmission::default(),
            is_torn: false,
            done: 0,
            lost: [0; 2],
        };
        let head = gather.whole.head()?;
        gather.manifest.append(head.as_bytes())?;
        gather.keep();
        Ok(gather)
    }

    /// The same where all was put together, and parts of that are open again: nobody is to take it for complete.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn begin_anew(folder: &Path, whole: Whole) -> io::Result<Self> {
        match fs::remove_file(folder.join(MANIFEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        File::open(folder)?.sync_all()?;
        Self::begin(folder, whole)
    }

    /// The part that goes in next, from 0.
    pub fn next(&self) -> u32 {
        self.done + self.lost.iter().sum::<u32>()
    }

    /// Whether all parts are in.
    pub fn is_complete(&self) -> bool {
        self.next() == self.whole.parts
    }

    /// Puts the [next](Self::next) part in: `result` is its result's ZIP, or the last output of one that failed; `task` is the
    /// task's ZIP, which is needed of one that was not done.
    ///
    /// # Errors
    /// Whatever the disk refuses; then nothing of the part is in, and it can be tried again.
    pub fn add<R: Read + Seek>(
        &mut self,
        part: &Part,
        result: Option<R>,
        task: Option<R>,
    ) -> io::Result<()> {
        self.take_back()?;
        let before = (self.merging.clone(), self.resubmission.clone());
        self.is_torn = true;
        if let Err(error) = self.try_add(part, result, task) {
            (self.merging, self.resubmission) = before;
            // If that fails too it is done before the next part.
            let _ = self.take_back();
            return Err(error);
        }
        self.keep();
        match part.state {
            TaskState::Cancelled => self.lost[1] += 1,
            TaskState::Failed => self.lost[0] += 1,
            _ => self.done += 1,
        }
        Ok(())
    }

    /// Shows what has grown by half, or everything when all parts are in; holds no file open until the next part.
    ///
    /// # Errors
    /// Whatever the disk refuses; what was shown before is still there.
    pub fn show(&mut self) -> io::Result<()> {
        let shown = self.try_show();
        self.files().into_iter().for_each(Growing::rest);
        shown
    }

    fn try_show(&mut self) -> io::Result<()> {
        self.take_back()?;
        let is_last = self.is_complete();
        let mut tail = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            tail,
            "\n],\"done\":{},\"failed\":{},\"cancelled\":{},\"complete\":{is_last}}}\n",
            self.done, self.lost[0], self.lost[1]
        );
        let mut is_new = false;
        for file in [
            &mut self.stdout,
            &mut self.stderr,
            &mut self.merged,
            &mut self.failed,
        ] {
            is_new |= file.show(b"", is_last)?;
        }
        // The last, for it says of the others that they are complete.
        is_new |= self.manifest.show(tail.as_bytes(), is_last)?;
        match is_new {
            true => File::open(&self.folder)?.sync_all(),
            false => Ok(()),
        }
    }

    fn try_add<R: Read + Seek>(
        &mut self,
        part: &Part,
        result: Option<R>,
        task: Option<R>,
    ) -> io::Result<()> {
        let mut result = result.map(Zipped::open).transpose()?.flatten();
        let mut times = Times::default();
        let mut unmerged = None;
        if let Some(zip) = &mut result {
            self.stdout.append_entry(zip, "stdout.txt")?;
            self.stderr.append_entry(zip, "stderr.txt")?;
            times = Times::of(zip)?;
        }
        if part.state == TaskState::Done {
            unmerged = match &mut result {
                Some(zip) => self.merging.add(zip, &mut self.merged)?.err(),
                None => Some("its result is not there any more"),
            };
        } else if let Some(mut zip) = task.map(Zipped::open).transpose()?.flatten() {
            self.resubmission.add(&mut zip, &mut self.failed)?;
        }
        let comma = if self.next() == 0 { "" } else { ",\n" };
        let row = serde_json::to_string(&Row {
            part,
            times,
            unmerged,
        })?;
        self.manifest.append(comma.as_bytes())?;
        self.manifest.append(row.as_bytes())
    }

    fn files(&mut self) -> [&mut Growing; 5] {
        [
            &mut self.stdout,
            &mut self.stderr,
            &mut self.merged,
            &mut self.failed,
            &mut self.manifest,
        ]
    }

    fn keep(&mut self) {
        self.files().into_iter().for_each(Growing::keep);
        self.is_torn = false;
    }

    /// Nothing is left of a part that could not be put in.
    fn take_back(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.files().into_iter().try_for_each(Growing::take_back)?;
            self.is_torn = false;
        }
        Ok(())
    }
}

/// Whether a group was put together whole in this folder.
pub fn is_complete_in(folder: &Path) -> bool {
    // The end of the list says it; it may be long.
    let Ok(mut file) = File::open(folder.join(MANIFEST)) else {
        return false;
    };
    let mut end = String::new();
    let from = io::SeekFrom::End(-(part::COMPLETE.len() as i64));
    file.seek(from)
        .and_then(|_| file.read_to_string(&mut end))
        .is_ok_and(|_| end == part::COMPLETE)
}

#[cfg(test)]
mod tests;
