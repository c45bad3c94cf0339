//! One work cut into parts: a table by its rows, files one by one, and every combination of parameters.
//!
//! Rule: bytes are never touched. The rows of the parts, one after the other, are the rows of the table byte for byte, and
//! every part begins with the table's header. No more than one part is in memory.

mod glob;
mod params;
mod plan;
mod scan;
mod table;

pub use glob::{GlobError, each};
pub use params::{Param, ParamError, Setting, check_braces, filled, setting, settings_count};
pub use plan::{Cut, Sizes};
pub(crate) use scan::{Scan, delimiter_in};
pub use table::{CutError, HEADER_MAX, PART_BYTES_MAX, Rows, Table, Total};

/// Most parts that one work is cut into: as many tasks as a master is made for.
pub const PARTS_MAX: u32 = 1_000_000;
