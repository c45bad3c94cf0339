//! The actors of mutirao, their minds and the wire they speak.
pub mod clock;
pub mod logic;
pub mod message_log;
pub mod messages;
pub mod model;
pub mod port;
pub mod runner;
pub mod wire;

/// Ways to order the queue; users add theirs here.
pub mod schedulers {
    pub mod fair;
    pub mod fifo;
    pub mod priority;
    pub mod shortest;
}
