//! The loads: peers that run nothing, so cheap that the side under measurement is the bottleneck.

pub mod crowd;
pub mod fill;
pub mod link;
pub mod peer;
pub mod stranger;
pub mod waiting;
pub mod worked;

use std::future::Future;

use tokio::task::LocalSet;

/// Runs a load in this thread; it is to use one core at most, and leave the other to what is measured.
pub fn run<T>(load: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, load)
}
