//! ZIPs, safe by construction: what comes from outside is vetted whole before a byte of it is used.
//!
//! Rule: headers are claims. Names are checked before they become paths, sizes are counted while inflating, and what
//! does not hold is refused with a sentence that its author can act on. Everything here blocks: callers put it off the
//! arbiter.

mod inspect;
mod limits;
mod names;
mod pack;
mod packer;
mod refusal;
#[cfg(test)]
mod samples;
mod task_toml;
mod unpack;
mod vetted;

pub use inspect::{ResultContents, TaskContents, inspect_result, inspect_task, result_text};
pub use limits::{ENTRIES_MAX, RATIO_FLOOR, RATIO_MAX, UNPACKED_BYTES_MAX};
pub use names::{NAME_MAX, NameFault, PART_MAX, tidy};
pub use pack::{pack, pack_files, pack_folder, pack_script, task_files};
pub use packer::{Compression, PackError, Packer};
pub use refusal::Refusal;
pub use unpack::{UnpackError, unpack, unpack_task};
