//! The program as a library, for embedding.

pub mod cli;
pub mod sockets;
