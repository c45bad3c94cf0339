//! The benches, one file each: what is measured, beside which baseline, and what is to be reached.

mod cycles;

use crate::figure::Figure;
use crate::stage::Stage;

/// Something that can be measured.
pub struct Bench {
    /// What it is called.
    pub name: &'static str,
    /// What it measures, in a line.
    pub about: &'static str,
    /// Measures it.
    pub run: fn(&Stage) -> anyhow::Result<Vec<Figure>>,
}

/// Every bench, in the order in which they run.
pub const BENCHES: [Bench; 1] = [Bench {
    name: "cycles",
    about: "request + submit cycles, 1 KB ZIPs, 64 persistent connections",
    run: cycles::run,
}];
