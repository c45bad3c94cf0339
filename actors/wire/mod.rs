//! Bytes to values and back: what stands on the wire, in every dialect that its speakers use.
//!
//! Role: [`scanner`] finds where a [`message`] ends, [`request`] and [`reply`] say what it means, [`datagram`] does both for
//! UDP, and [`report`] holds what the control actions print.
//!
//! Rule: pure. Nothing here opens a socket, reads a clock or keeps a connection, and no bytes can make it panic. What it
//! writes toward a speaker without extensions is, byte for byte, what the fixed part of the protocol says.

mod base64;
pub mod datagram;
pub mod dialect;
mod error;
mod extension;
mod fields;
mod json;
pub mod message;
mod parcel;
pub mod payload;
pub mod reply;
pub mod report;
pub mod request;
pub mod scanner;
mod writer;

pub use dialect::Dialect;
pub use error::WireError;
pub use extension::{CAPABILITIES, Extension, Extensions, capabilities_of_peers};
pub use message::Message;
pub use parcel::Parcel;
pub use payload::Payload;
pub use reply::{Heard, Reply, encode_reply, pack_reply, parse_reply};
pub use request::{Request, Spoken, encode_request, pack_request, parse_request};
pub use scanner::{ScanError, Scanner};

/// The protocol version that our extensions make; named by both sides, and the lower one counts.
pub const PROTOCOL: u32 = 2;
