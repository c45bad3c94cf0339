//! The program as a library, for embedding.

pub mod sockets;
