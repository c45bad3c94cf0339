//! The program as a library, for embedding.

pub mod archive;
pub mod cli;
pub mod folders;
pub mod message_file;
pub mod runner;
pub mod sockets;
pub mod trace;
