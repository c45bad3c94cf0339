//! Whole clusters in one thread: the production actors on a simulated network, disk and clock, and every fault that a
//! seed draws. The same seed gives the same run, to the last letter.

pub mod addresses;
pub mod checker;
pub mod disk;
pub mod hosts;
pub mod life;
pub mod net;
pub mod scale;
pub mod store;
pub mod storm;
pub mod tally;
pub mod tap;
pub mod transcript;
pub mod work;
pub mod world;
