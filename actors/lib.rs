//! The actors of mutirao, their minds and the wire they speak.
pub mod clock;
pub mod message_log;
pub mod model;
pub mod port;
pub mod runner;
pub mod wire;
