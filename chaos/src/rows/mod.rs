//! The rows of the table "Faults and targets" of `docs/reliability.md` that need real processes: one file a row.

#[cfg(target_arch = "x86_64")]
mod disk_errors;
#[cfg(target_arch = "x86_64")]
mod disk_outage;
mod full_disk;
mod hostile;
mod kill_master;
mod kill_peer;
#[cfg(target_arch = "x86_64")]
mod kill_points;
mod large_csv;
mod master_away;
mod partitions;
mod poison;
mod power_cut;
mod restart;
mod sick_peers;
#[cfg(target_arch = "x86_64")]
mod slow_disk;
mod soak;
mod stop_cont;
mod store_damage;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::need::Need;
use crate::scope::{Scope, Verdict};

/// One kind of fault.
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// What it does and when it has held.
    pub about: &'static str,
    /// What it needs besides a cage and Python.
    pub needs: &'static [Need],
    /// Does it.
    pub run: fn(&Scope) -> anyhow::Result<Verdict>,
}

/// Every row.
const ROWS: &[Row] = &[
    kill_master::ROW,
    // Following system calls is written for this processor only.
    #[cfg(target_arch = "x86_64")]
    kill_points::ROW,
    #[cfg(target_arch = "x86_64")]
    disk_errors::ROW,
    #[cfg(target_arch = "x86_64")]
    disk_outage::ROW,
    #[cfg(target_arch = "x86_64")]
    slow_disk::ROW,
    power_cut::ROW,
    full_disk::ROW,
    kill_peer::ROW,
    large_csv::ROW,
    stop_cont::ROW,
    partitions::ROW,
    store_damage::ROW,
    poison::ROW,
    sick_peers::ROW,
    hostile::ROW,
    master_away::ROW,
    restart::ROW,
    soak::ROW,
];

/// The rows of these names; all when there are none.
pub fn named(names: &[String]) -> anyhow::Result<Vec<&'static Row>> {
    if names.is_empty() {
        return Ok(ROWS.iter().collect());
    }
    let find = |name: &String| {
        let row = ROWS.iter().find(|row| row.name == name);
        row.with_context(|| format!("there is no row {name}: `cargo xtask chaos --list`"))
    };
    names.iter().map(find).collect()
}

/// Prints them.
pub fn list() -> ExitCode {
    for row in ROWS {
        println!("{:<12} {}", row.name, row.about);
    }
    ExitCode::SUCCESS
}
