//! Why a try ended without a result that counts, and what follows from it.
//!
//! Rule (promise R5): what the run itself did counts against the task; the loss of a peer counts apart, for it may
//! be the task that kills peers; what was planned, or was our own doing, counts against nobody.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Ending, PeerId};

/// Why a try ended without a result that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The run ended badly by itself, in one of the ways of an [`Ending`].
    Run(Ending),
    /// What was handed in is no sound result; in words for a reader.
    BadResult(String),
    /// A peer that names nothing came back without a result: its run failed, in a way that it cannot tell.
    GivenUp,
    /// The peer fell silent or started a new life; in words for a reader.
    PeerLost(String),
    /// The lease ended without a word of the result.
    Late,
    /// The peer left on purpose, or gave the try back; in words for a reader.
    HandedBack(String),
    /// The task never reached the peer; in words for a reader.
    NotDelivered(String),
    /// Our disk would not take the result; in words for a reader.
    NotStored(String),
}

/// Against whom a fault counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The task, or who ran it: counts as a failure of the task.
    Run,
    /// The peer went away: counts as a loss.
    Peer,
    /// Nobody: planned, or our own doing.
    None,
}

impl Fault {
    /// Against whom it counts.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Run(Ending::Cancelled | Ending::PeerTrouble(_)) => Blame::None,
            Self::Run(_) | Self::BadResult(_) | Self::GivenUp => Blame::Run,
            Self::PeerLost(_) | Self::Late => Blame::Peer,
            Self::HandedBack(_) | Self::NotDelivered(_) | Self::NotStored(_) => Blame::None,
        }
    }

    /// The fault of a try on this peer, in words for a reader.
    pub fn on(&self, peer: &PeerId) -> String {
        match self {
            Self::Run(ending) => format!("{ending} on {peer}"),
            Self::GivenUp => format!("{peer} came back without a result"),
            Self::Late => format!("no result from {peer} in time"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(ending) => ending.fmt(f),
            Self::GivenUp => f.write_str("came back without a result"),
            Self::Late => f.write_str("no result in time"),
            Self::BadResult(why)
            | Self::PeerLost(why)
            | Self::HandedBack(why)
            | Self::NotDelivered(why)
            | Self::NotStored(why) => f.write_str(why),
        }
    }
}
