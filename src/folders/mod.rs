//! Folders.
pub mod disk;
pub mod intake;
pub mod publish;
pub mod stay;
pub mod watch;
