//! The actors of mutirao, their minds and the wire they speak.
pub mod model;
pub mod runner;
pub mod wire;
