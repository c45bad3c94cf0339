//! Why a try ended without a result that counts, and what follows from it.
//!
//! Rule (promise R5): what the run itself did counts against the task; the loss of a peer counts apart, for it may
//! be the task that kills peers; what was planned, or was our own doing, counts against nobody. What follows from
//! each cause stands in one table: [`Fault::sequel`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Ending, PeerId};

/// The longest rest of a task: a machine that was mended need not wait long for it.
const REST_MAX: Duration = Duration::from_secs(60);

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
    /// Whatever it was, the task was to be tried again since.
    Forgiven(Box<Self>),
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

/// What follows from a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequel {
    /// Against whom it counts.
    pub blame: Blame,
    /// How long the task rests after its first failure; doubled with each further one, up to [`REST_MAX`].
    rest: Duration,
    /// How long the peer does not get the task again while others are here that could run it.
    pub avoided: Duration,
    /// How often a task that wishes nothing else may end in this way; none: as often as in any.
    pub at_most: Option<u32>,
}

impl Sequel {
    /// What a run did by itself. Long avoided: the others are to show whether the task or the peer is to blame, else
    /// a sick peer would fail a whole queue by itself.
    const FAILED: Self = Self {
        blame: Blame::Run,
        rest: Duration::from_secs(1),
        avoided: Duration::from_secs(600),
        at_most: None,
    };
    /// Memory is short for some seconds while others use it too.
    const OUT_OF_MEMORY: Self = Self {
        rest: Duration::from_secs(10),
        ..Self::FAILED
    };
    /// It took all the time that it may, and costs as much each time: another peer may be faster, a third is not.
    const TIME_LIMIT: Self = Self {
        at_most: Some(2),
        ..Self::FAILED
    };
    /// Likelier an accident of the peer than the task's doing.
    const LOST: Self = Self {
        blame: Blame::Peer,
        rest: Duration::ZERO,
        avoided: Duration::from_secs(120),
        at_most: None,
    };
    /// The peer could not or would not run it; elsewhere it may go at once.
    const UNABLE: Self = Self {
        blame: Blame::None,
        rest: Duration::from_secs(1),
        avoided: Duration::from_secs(120),
        at_most: None,
    };
    /// Planned, or our own trouble, which may last a moment.
    const NOBODYS: Self = Self {
        avoided: Duration::ZERO,
        ..Self::UNABLE
    };

    /// How long the task rests after this, its n-th failure (from 1).
    pub fn rest(&self, failures: u32) -> Duration {
        match self.blame {
            Blame::Run => {
                let doubled = 1 << failures.saturating_sub(1).min(16);
                self.rest.saturating_mul(doubled).min(REST_MAX)
            }
            Blame::Peer | Blame::None => self.rest,
        }
    }
}

impl Fault {
    /// The same, as it is remembered once the task is to be tried again.
    pub fn forgiven(self) -> Self {
        match self {
            Self::Forgiven(_) => self,
            _ => Self::Forgiven(Box::new(self)),
        }
    }

    /// Whether the lease ended without a word of the result.
    pub fn is_late(&self) -> bool {
        match self {
            Self::Forgiven(fault) => fault.is_late(),
            fault => *fault == Self::Late,
        }
    }

    /// What follows from it.
    pub fn sequel(&self) -> Sequel {
        match self {
            Self::Run(Ending::Cancelled | Ending::PeerTrouble(_)) => Sequel::UNABLE,
            Self::Run(Ending::OutOfMemory) => Sequel::OUT_OF_MEMORY,
            Self::Run(Ending::TimeLimit) => Sequel::TIME_LIMIT,
            Self::Run(
                Ending::Exit(_)
                | Ending::Raised { .. }
                | Ending::Signal(_)
                | Ending::NotStarted(_)
                | Ending::Unsaid,
            )
            | Self::BadResult(_)
            | Self::GivenUp => Sequel::FAILED,
            Self::PeerLost(_) | Self::Late => Sequel::LOST,
            Self::HandedBack(_)
            | Self::NotDelivered(_)
            | Self::NotStored(_)
            | Self::Forgiven(_) => Sequel::NOBODYS,
        }
    }

    /// Against whom it counts.
    pub fn blame(&self) -> Blame {
        self.sequel().blame
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
            Self::Forgiven(fault) => write!(f, "{fault} (forgiven)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_counts_against_whom_it_can_be_blamed_on() {
        let why = String::new;
        let blames = [
            (Fault::Run(Ending::Exit(1)), Blame::Run),
            (Fault::Run(Ending::Signal(11)), Blame::Run),
            (Fault::Run(Ending::OutOfMemory), Blame::Run),
            (Fault::Run(Ending::TimeLimit), Blame::Run),
            (Fault::Run(Ending::NotStarted(why())), Blame::Run),
            (Fault::BadResult(why()), Blame::Run),
            (Fault::GivenUp, Blame::Run),
            (Fault::PeerLost(why()), Blame::Peer),
            (Fault::Late, Blame::Peer),
            (Fault::Run(Ending::Cancelled), Blame::None),
            (Fault::Run(Ending::PeerTrouble(why())), Blame::None),
            (Fault::HandedBack(why()), Blame::None),
            (Fault::NotDelivered(why()), Blame::None),
            (Fault::NotStored(why()), Blame::None),
            (Fault::GivenUp.forgiven().forgiven(), Blame::None),
        ];
        for (fault, blame) in blames {
            assert_eq!(fault.blame(), blame, "{fault:?}");
        }
    }

    #[test]
    fn only_failures_rest_longer_each_time() {
        let rests = |fault: Fault| [1, 2, 3, 99].map(|nth| fault.sequel().rest(nth).as_secs());
        assert_eq!(rests(Fault::GivenUp), [1, 2, 4, 60]);
        assert_eq!(rests(Fault::Run(Ending::OutOfMemory)), [10, 20, 40, 60]);
        assert_eq!(rests(Fault::Late), [0; 4]);
        assert_eq!(rests(Fault::HandedBack(String::new())), [1; 4]);
    }
}
