//! What the harnesses share that run mutirao to break or to measure it: the simulation, the chaos and the bench.
//!
//! Rule: nothing here knows a harness, and nothing in the program knows this crate.

pub mod clock;
pub mod dice;
pub mod findings;
pub mod program;
