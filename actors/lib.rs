//! The actors of mutirao, their minds and the wire they speak.
pub mod clock;
pub mod connection;
pub mod discovery;
pub mod executor;
pub mod logic;
pub mod master_session;
pub mod message_log;
pub mod messages;
pub mod model;
pub mod peer_session;
pub mod port;
pub mod runner;
pub mod scheduler;
pub mod schedulers;
pub mod wire;
