//! The minds of the actors: plain values that are told what happened and when, and answer with what to do.
//!
//! Rule: nothing here knows actix, tokio, a socket, a file or a clock of its own.

pub mod answering;
pub mod attribution;
pub mod client;
pub mod diagnosis;
pub mod dispatch;
pub mod effect;
pub mod ended;
pub mod fault;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod following;
pub mod groups;
pub mod health;
pub mod leaders;
pub mod ledger;
pub mod line;
pub mod masters;
pub mod members;
pub mod outputs;
pub mod policy;
pub mod queue;
pub mod rare;
pub mod record;
pub mod rooms;
pub mod seats;
pub mod seeking;
pub mod silence;
pub mod spans;
pub mod standing;
pub mod tallies;
pub mod traceback;
pub mod when;
pub mod withheld;
