//! The program as a library, for embedding.

pub mod archive;
pub mod cli;
pub mod config;
pub mod control;
pub mod cut;
pub mod disk;
pub mod doctor;
mod doorway;
pub mod folders;
pub mod gather;
pub mod ground;
mod http;
mod json;
pub mod logging;
pub mod master;
pub mod message_file;
pub mod past;
pub mod peer;
pub mod runner;
mod said;
pub mod search;
pub mod sockets;
pub mod store;
pub mod trace;
pub mod web;

/// Version and commit, as `--version` prints them.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("MUTIRAO_COMMIT"), ")");
