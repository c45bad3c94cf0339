//! A cluster in one thread over pipes, on paused time: the production actors on both sides, with folders that
//! keep everything in memory and a runner that only lets time pass.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what is not there fails its test"
)]

mod attackers;
mod folders;
mod groups;
mod outputs;
mod own_port;
mod peers;
mod raw;
mod runner;
mod several;
mod speakers;
mod world;
