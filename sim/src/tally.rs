//! How often a fault struck, and how often the actors had to go an interesting way: who meets nothing proves nothing.
//!
//! Rule: a fault counts where it takes effect, not where it is drawn; a way counts where it is seen from outside.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mutirao_actors::logic::fault::Fault;
use mutirao_actors::logic::record::Record;

/// Something that can be met in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// A master's process was killed.
    MasterKilled,
    /// A master's machine lost its power.
    MasterPowerCut,
    /// A master started on its other address.
    MasterMoved,
    /// A peer died, with its process or its machine.
    PeerDied,
    /// A disk died in the middle of something.
    FuseBlown,
    /// A disk refused to take something for lack of space.
    NoSpace,
    /// A flush failed.
    FlushFailed,
    /// An operation failed once.
    OneError,
    /// A change of names was lost with the power.
    NameLost,
    /// A file lost its bytes with the power.
    BytesLost,
    /// A file was torn.
    BytesTorn,
    /// A file's bytes became zeros.
    BytesZeroed,
    /// Two hosts were cut off from one another.
    Cut,
    /// One host was not heard by another, which it heard.
    CutOneWay,
    /// Everything between two hosts waited.
    Hold,
    /// Messages became slow.
    Slow,
    /// A datagram was lost.
    DatagramLost,
    /// A connection of a peer could not be opened.
    DialFailed,
    /// A connection of a peer broke.
    ConnectionBroke,
    /// A lease ended without a word (`Fault::Late`).
    LeaseLapsed,
    /// A peer was given up with its tries.
    PeerLost,
    /// A task never reached its peer.
    NotDelivered,
    /// A try was handed back.
    HandedBack,
    /// A run failed.
    RunFailed,
    /// A result was no good.
    BadResult,
    /// A result was not stored and its try was ended for that.
    TryNotStored,
    /// A try was taken up by another life of its peer, or by a peer that had been given up.
    TakenUp,
    /// A result that is not the one that was taken.
    Conflict,
    /// A result was answered with OK more than once.
    AckedAgain,
    /// A result was turned away because the disk did not take it.
    ToldNotStored,
    /// A result was refused for another reason.
    ToldNo,
    /// A peer began a life with results that an earlier one had kept.
    SpoolFound,
    /// A task was handed in more than once, for the answer was lost.
    SubmittedAgain,
    /// A master began a life with tasks that were open.
    OpenTaskRecalled,
    /// A commit was there although the disk had said that it failed.
    CommitAfterAll,
}

impl Met {
    /// Everything, in the order in which it is told.
    pub const ALL: [Self; 35] = [
        Self::MasterKilled,
        Self::MasterPowerCut,
        Self::MasterMoved,
        Self::PeerDied,
        Self::FuseBlown,
        Self::NoSpace,
        Self::FlushFailed,
        Self::OneError,
        Self::NameLost,
        Self::BytesLost,
        Self::BytesTorn,
        Self::BytesZeroed,
        Self::Cut,
        Self::CutOneWay,
        Self::Hold,
        Self::Slow,
        Self::DatagramLost,
        Self::DialFailed,
        Self::ConnectionBroke,
        Self::LeaseLapsed,
        Self::PeerLost,
        Self::NotDelivered,
        Self::HandedBack,
        Self::RunFailed,
        Self::BadResult,
        Self::TryNotStored,
        Self::TakenUp,
        Self::Conflict,
        Self::AckedAgain,
        Self::ToldNotStored,
        Self::ToldNo,
        Self::SpoolFound,
        Self::SubmittedAgain,
        Self::OpenTaskRecalled,
        Self::CommitAfterAll,
    ];

    /// What a record tells of, if it is of interest.
    pub fn of(record: &Record) -> Option<Self> {
        match record {
            Record::TakenUp { .. } => Some(Self::TakenUp),
            Record::Conflict { .. } => Some(Self::Conflict),
            Record::TryEnded { fault, .. } => Self::of_fault(fault),
            _ => None,
        }
    }

    fn of_fault(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::Run(_) | Fault::GivenUp => Some(Self::RunFailed),
            Fault::BadResult(_) => Some(Self::BadResult),
            Fault::PeerLost(_) => Some(Self::PeerLost),
            Fault::Late => Some(Self::LeaseLapsed),
            Fault::HandedBack(_) => Some(Self::HandedBack),
            Fault::NotDelivered(_) => Some(Self::NotDelivered),
            Fault::NotStored(_) => Some(Self::TryNotStored),
            // It was met when it happened.
            Fault::Forgiven(_) => None,
        }
    }
}

/// What was met how often, counted by everybody in a run.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Counts>>);

/// How often each was met.
pub type Counts = BTreeMap<Met, u64>;

impl Tally {
    /// It was met once more.
    pub fn count(&self, met: Met) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(met).or_default() += 1;
    }

    /// So far.
    pub fn counts(&self) -> Counts {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
