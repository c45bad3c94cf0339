//! The words between the mind and its desk: what to do, what to say, what was heard.

use std::net::SocketAddr;
use std::time::Duration;

use uuid::Uuid;

use crate::model::{Archive, Attempt, Both, Dialect, Outcome, Piece, TaskId, TaskName};

/// One try of one task, as the master names it or as we do for one that does not.
pub type RunKey = (TaskId, Attempt);

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Look for a master; these addresses just failed.
    Seek(Vec<SocketAddr>),
    /// A master has taken us.
    StopSeeking,
    /// Open a connection; whatever was open is closed.
    Dial(SocketAddr),
    /// Close the connection.
    HangUp,
    /// Say this, in this dialect; the number comes back with the answer where the master knows how.
    Say(u64, Dialect, Say),
    /// Run this.
    Run(Assignment),
    /// Kill this run.
    Stop(RunKey),
    /// The result was taken, or nobody wants it.
    Forget(RunKey),
    /// Look what this run has printed; from there on, or a little before its end.
    Look(RunKey, Option<Both<u64>>),
    /// Kill everything that runs.
    StopAll,
    /// All is handed in and said: the peer may end.
    Gone,
}

/// What a peer says to its master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// Who we are, and which tries we hold.
    Register(Vec<RunKey>),
    /// That we live.
    Heartbeat,
    /// That we want a task.
    Ask(Want),
    /// What a run left.
    HandIn(Box<HandIn>),
    /// What a run has printed.
    Output(RunKey, Piece),
    /// Goodbye.
    Leave,
}

/// What a task is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// For a slot that is free. A master of ours may let the request wait this long; without it the answer comes at once.
    Slot(Option<Duration>),
    /// To be held until a slot is free, if the master has one to spare.
    Spare,
}

/// A result on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandIn {
    /// Of which try.
    pub key: RunKey,
    /// The name under which the task was handed out, echoed.
    pub name: String,
    /// How the run ended.
    pub outcome: Outcome,
    /// The result ZIP.
    pub result: Archive,
}

/// A result that an earlier life of this peer did not get rid of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it hands in.
    pub hand_in: HandIn,
    /// Whether the key is the master's own; else it is ours, and means nothing to any master.
    pub named: bool,
    /// The master whose key it is; none if that is not known any more, or the key is ours.
    pub master_id: Option<Uuid>,
}

/// A task as the master hands it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Which try.
    pub key: RunKey,
    /// Its name as sent, to be echoed.
    pub sent_name: String,
    /// The same, fit for a folder.
    pub name: TaskName,
    /// Whether the key is the master's own.
    pub named: bool,
    /// The master whose key it is; none if the key is ours.
    pub master_id: Option<Uuid>,
    /// The ZIP.
    pub archive: Archive,
    /// Killed after this long.
    pub time_limit: Option<Duration>,
    /// Whether only the two texts are wanted back.
    pub plain_result: bool,
}

/// What a master answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// We are registered; a master of ours says which one it is.
    Registered(Option<Ours>),
    /// It heard the heartbeat.
    Alive,
    /// There is nothing to do now.
    Nothing,
    /// A task: with the try's key from a master of ours.
    Task {
        /// Which try, if the master says.
        key: Option<RunKey>,
        /// Its name as sent.
        name: String,
        /// The ZIP.
        archive: Archive,
        /// Killed after this long.
        time_limit: Option<Duration>,
    },
    /// The result was taken.
    Taken,
    /// It heard the goodbye.
    Left,
    /// It will not: for readers, and in a word for machines from a master of ours.
    Error(String, Option<String>),
    /// Pushed by a master of ours: this try is no longer wanted.
    Cancel(RunKey),
    /// Pushed likewise: what this try prints is to be told for a while; from there on, or from a little before its end.
    Follow(RunKey, Option<Both<u64>>, Duration),
    /// Something else.
    Unknown(String),
}

/// What a master of ours says of itself when it takes us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours {
    /// Which one it is, in every life and at every address.
    pub master_id: Uuid,
    /// How often it wants a heartbeat.
    pub heartbeat: Duration,
    /// Whether it can tell if there are tasks to spare.
    pub has_spares: bool,
}

/// A master to work for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Master {
    /// For people.
    pub name: String,
    /// Where to try, in this order.
    pub addresses: Vec<SocketAddr>,
    /// Its dialect if it is known from its announcement.
    pub dialect: Option<Dialect>,
}

/// What the peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Tasks at a time with a master of ours.
    pub slots: u32,
    /// The master that was named by the user: then no other is looked for.
    pub fixed: Option<Master>,
}
