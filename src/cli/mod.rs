//! What may be typed: one file a subcommand.

pub mod masters;
pub mod trace;
