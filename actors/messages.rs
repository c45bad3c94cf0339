//! Everything one actor may say to another, on one page, grouped by who hears it.
//!
//! Rule: facts are in the past tense, orders imperative; no answer is awaited, it is another letter.
//! None of these is a wire message: the sessions translate.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::logic::attribution::Claim;
use crate::logic::effect::{End, Offer, Verdict};
use crate::logic::ledger::Meant;
use crate::logic::outputs::{News, Place, Standing};
use crate::logic::record::Record;
use crate::model::{
    Archive, Attempt, Both, Dialect, Digest, Endpoint, Outcome, Part, PeerId, Piece, RequestId,
    SessionId, Task, TaskChoice, TaskId, TaskName, Wishes,
};
use crate::port::{Ear, Hears, Port};
use crate::runner::Job;
use crate::wire::report::{
    DrainReport, GatheredReport, GroupReport, PeerReport, PeerRow, QueueReport, Sought,
    SweepReport, TaskReport, TaskState,
};

/// Logs how many there are of what may be as many as there are tasks; other letters speak of each.
fn counted<'t, T, S>(all: &'t T, serializer: S) -> Result<S::Ok, S::Error>
where
    &'t T: IntoIterator,
    S: Serializer,
{
    serializer.serialize_u64(all.into_iter().count() as u64)
}

/// Makes the inbox of an actor: the compiler says what whoever stands behind it must hear. It knows the actor once,
/// however much that hears, for each connection has one.
macro_rules! inbox {
    ($(#[$doc:meta])* $inbox:ident with $ears:ident hears { $($message:ident,)+ }) => {
        trait $ears: $(Ear<$message> +)+ {}

        impl<A> $ears for A where A: $(Ear<$message> +)+ {}

        $(#[$doc])*
        pub struct $inbox(Box<dyn $ears>);

        impl $inbox {
            /// The inbox of an actor that hears all of it.
            pub fn of<A>(actor: &actix::Addr<A>) -> Self
            where
                A: actix::Actor<Context = actix::Context<A>>
                    $(+ actix::Handler<crate::port::Letter<$message>>)+
            {
                Self(Box::new(actor.clone()))
            }
        }

        $(impl Hears<$message> for $inbox {
            fn ear(&self) -> &dyn Ear<$message> {
                &*self.0
            }
        })+
    };
}

/// Where the answer to a request of a session goes.
#[derive(Debug, Clone, Serialize)]
pub struct ReplyTo {
    /// The session that asked.
    pub session: Port<SessionInbox>,
    /// Which of its requests this is.
    pub request: RequestId,
}

impl ReplyTo {
    /// Whether both are of one request.
    pub fn is(&self, other: &Self) -> bool {
        self.request == other.request && self.session.is_to(&other.session)
    }
}

// ---- the master's Registry: who is in the cluster ------------------------------------------

inbox! {
    /// What the registry hears.
    RegistryInbox with RegistryEars hears {
        PeerRegistered,
        PeerHeard,
        PeerSaidGoodbye,
        PeerFellSilent,
        ListPeers,
        DescribePeer,
    }
}

/// A peer introduced itself.
#[derive(Debug, Serialize)]
pub struct PeerRegistered {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// The connection on which it did.
    pub session: SessionId,
    /// The address from which it did.
    pub from: IpAddr,
    /// Where it says that it listens.
    pub listens: Option<SocketAddr>,
    /// What it says it is: program and version.
    pub agent: Option<String>,
    /// How many tasks it runs at a time; none: it is about to leave.
    pub slots: u32,
    /// The tries that a peer of ours holds; none from others, who do not say.
    pub holds: Option<Vec<(TaskId, Attempt)>>,
    /// Where the welcome goes.
    pub reply: ReplyTo,
}

/// Any other word of a peer: it lives. Told at most once a second for each session.
#[derive(Debug, Clone, Serialize)]
pub struct PeerHeard {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// Whether it was a HEARTBEAT: only these show the interval that the peer keeps.
    pub beat: bool,
}

/// A peer of ours leaves on purpose.
#[derive(Debug, Serialize)]
pub struct PeerSaidGoodbye {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// On which connection.
    pub session: SessionId,
}

/// Nothing came from a peer for its whole liveness window.
#[derive(Debug, Serialize)]
pub struct PeerFellSilent {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// How long nothing had come.
    pub silent_for: Duration,
}

/// Somebody wants to know who is here.
#[derive(Debug, Serialize)]
pub struct ListPeers {
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know about one peer.
#[derive(Debug, Serialize)]
pub struct DescribePeer {
    /// About whom.
    pub peer: PeerId,
    /// Who asks.
    pub reply: ReplyTo,
}

// ---- the master's Heartbeat: watches for silence -------------------------------------------

inbox! {
    /// What the heartbeat watch hears.
    HeartbeatInbox with HeartbeatEars hears {
        PeerHeard,
        ForgetPeer,
    }
}

/// The peer has left: its silence means nothing any more.
#[derive(Debug, Serialize)]
pub struct ForgetPeer {
    /// Who and which life.
    pub endpoint: Endpoint,
}

// ---- the master's Scheduler: who runs what --------------------------------------------------

inbox! {
    /// What any scheduler hears.
    SchedulerInbox with SchedulerEars hears {
        AdoptAfter,
        TaskArrived,
        TaskWithdrawn,
        IntakeCounted,
        TaskRequested,
        OfferFailed,
        ResultSubmitted,
        ResultKept,
        ResultRefused,
        PeerJoined,
        PeerLeft,
        SessionClosed,
        DescribeQueue,
        DescribeTask,
        CancelTask,
        ListTasks,
        ListGroups,
        DescribeGroup,
        CancelGroup,
        CancelSome,
        RetryTask,
        RetryGroup,
        RetrySome,
        TasksRetried,
        DrainPeer,
        FollowTask,
        TallyPeers,
        CloseQueue,
        WrittenDown,
        StoreChanged,
        FoldersChanged,
    }
}

/// A task came over the wire that is to wait for another: the folders are to adopt it, if that one is known.
#[derive(Debug, Serialize)]
pub struct AdoptAfter {
    /// For which one.
    pub after: TaskId,
    /// What the folders are told.
    pub adopt: AdoptTask,
}

/// A task was adopted and is to be run.
#[derive(Debug, Clone, Serialize)]
pub struct TaskArrived {
    /// The task.
    pub task: Arc<Task>,
}

/// Whoever put the task in took it back.
#[derive(Debug, Serialize)]
pub struct TaskWithdrawn {
    /// Which.
    pub task: TaskId,
    /// In words for a reader.
    pub why: String,
}

/// How many files in `tasks/` are still being written or looked at.
#[derive(Debug, Serialize)]
pub struct IntakeCounted {
    /// Files that may become tasks.
    pub arriving: u32,
}

/// The disk under the folders refuses something, or nothing any more; it is tried again and again.
#[derive(Debug, Clone, Serialize)]
pub struct FoldersChanged {
    /// In words for a reader; none: it is well.
    pub trouble: Option<String>,
}

/// A peer asks for a task.
#[derive(Debug, Serialize)]
pub struct TaskRequested {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// On which connection.
    pub session: SessionId,
    /// How long the answer may wait for a task; zero for peers of section 1.
    pub wait: Duration,
    /// Whether the task is to be held until a slot is free, so that it is given only while there is enough for all.
    pub is_spare: bool,
    /// How many tasks it takes at once; at least 1.
    pub count: u32,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// An offered task could not be delivered: its file is gone or has changed.
#[derive(Debug, Serialize)]
pub struct OfferFailed {
    /// Which.
    pub task: TaskId,
    /// The try that never was.
    pub attempt: Attempt,
    /// In words for a reader.
    pub why: String,
}

/// A peer hands a result in.
#[derive(Debug, Serialize)]
pub struct ResultSubmitted {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// On which connection.
    pub session: SessionId,
    /// What it says the result is of.
    pub claim: Claim,
    /// The result ZIP.
    pub archive: Archive,
    /// How the run ended, as far as the peer says.
    pub outcome: Outcome,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// The result is in its place on disk.
#[derive(Debug, Serialize)]
pub struct ResultKept {
    /// Of which task.
    pub task: TaskId,
    /// Of which try.
    pub attempt: Attempt,
    /// Its file, below `results/`.
    pub file: String,
}

/// The result is no sound ZIP, or the disk would not take it.
#[derive(Debug, Serialize)]
pub struct ResultRefused {
    /// Of which task.
    pub task: TaskId,
    /// Of which try.
    pub attempt: Attempt,
    /// Whether our disk is to blame, and not the ZIP.
    pub by_disk: bool,
    /// In words for a reader.
    pub why: String,
}

/// A peer is here, or is here again; told once for each life, and again when it registers anew.
#[derive(Debug, Clone, Serialize)]
pub struct PeerJoined {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// The tries that a peer of ours holds; none from others, who do not say.
    pub holds: Option<Vec<(TaskId, Attempt)>>,
    /// Tasks that it runs at a time; none: it is about to leave.
    pub slots: u32,
    /// Its newest connection.
    pub session: SessionId,
    /// Orders to it go there.
    pub orders: Port<SessionInbox>,
}

/// A peer is gone: said goodbye, fell silent, or started a new life.
#[derive(Debug, Clone, Serialize)]
pub struct PeerLeft {
    /// Who and which life.
    pub endpoint: Endpoint,
    /// Whether it went on purpose: then its unfinished tries do not count against their tasks.
    pub planned: bool,
    /// In words for a reader.
    pub why: String,
}

/// A connection ended; what it waits for need not be answered.
#[derive(Debug, Serialize)]
pub struct SessionClosed {
    /// Which.
    pub session: SessionId,
}

/// Somebody wants to know how the queue stands.
#[derive(Debug, Serialize)]
pub struct DescribeQueue {
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know about one task.
#[derive(Debug, Serialize)]
pub struct DescribeTask {
    /// Which.
    pub task: TaskChoice,
    /// Whether it is to be told in full: its tries, its conflicts, and why it waits, runs or failed.
    pub why: bool,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants a task stopped for good.
#[derive(Debug, Serialize)]
pub struct CancelTask {
    /// Which.
    pub task: TaskId,
    /// In words for a reader.
    pub why: String,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know how many tasks stand, the newest first.
#[derive(Debug, Serialize)]
pub struct ListTasks {
    /// Which.
    pub sought: Sought,
    /// Those that came before this one, if it is said: the last of the page before.
    pub before: Option<TaskId>,
    /// So many; never more than [`LIST_ROWS_MAX`](crate::wire::report::LIST_ROWS_MAX).
    pub limit: usize,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know how the groups stand, the one with the newest part first.
#[derive(Debug, Serialize)]
pub struct ListGroups {
    /// Those behind this one, if it is said: the last of the page before.
    pub before: Option<String>,
    /// So many; never more than [`LIST_ROWS_MAX`](crate::wire::report::LIST_ROWS_MAX).
    pub limit: usize,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants to know how the parts of a group stand.
#[derive(Debug, Serialize)]
pub struct DescribeGroup {
    /// Its name, or `last`.
    pub group: String,
    /// Whether it is to be told in full: why its parts wait, run or failed.
    pub why: bool,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Cancel all of a group that is open.
#[derive(Debug, Serialize)]
pub struct CancelGroup {
    /// Its name, or `last`.
    pub group: String,
    /// In words for a reader.
    pub why: String,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants many tasks cancelled: those that are sought and open, some at a time.
#[derive(Debug, Serialize)]
pub struct CancelSome {
    /// Which.
    pub sought: Sought,
    /// Of which.
    pub meant: Meant,
    /// In words for a reader.
    pub why: String,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants a task tried again that failed or was cancelled, and what was cancelled with it.
#[derive(Debug, Serialize)]
pub struct RetryTask {
    /// Which.
    pub task: TaskId,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants all of a group tried again that failed or was cancelled.
#[derive(Debug, Serialize)]
pub struct RetryGroup {
    /// Its name, or `last`.
    pub group: String,
    /// Only what stands so, if something is said.
    pub states: Vec<TaskState>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody wants many tasks tried again: those that are sought and failed or were cancelled, some at a time.
#[derive(Debug, Serialize)]
pub struct RetrySome {
    /// Which.
    pub sought: Sought,
    /// Of which.
    pub meant: Meant,
    /// Who asks.
    pub reply: ReplyTo,
}

/// What was asked for is written down, and can be handed out.
#[derive(Debug, Serialize)]
pub struct TasksRetried {
    /// What was asked for.
    pub retry: Retry,
    /// These are open again.
    pub open: Vec<TaskId>,
    /// These stay as they are.
    pub left: Vec<TaskId>,
    /// Why, in words for a reader, if some do.
    pub why: Option<String>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// What somebody wants tried again.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// This task.
    Task(TaskId),
    /// This group.
    Group(Arc<str>),
    /// Some of many.
    Some {
        /// How many of those that were named it is not.
        left: u64,
        /// The seat at which the look at the others goes on.
        next: Option<u32>,
    },
}

/// Somebody wants a peer to be given nothing more, or wants that no longer.
#[derive(Debug, Serialize)]
pub struct DrainPeer {
    /// Which, in any life of it.
    pub peer: PeerId,
    /// Whether it is to be given nothing.
    pub is_drained: bool,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Somebody reads what a task prints: tell how it stands whenever that changes, and have its peer tell what it prints. For
/// a short while, unless it is said again.
#[derive(Debug, Serialize)]
pub struct FollowTask {
    /// Which.
    pub task: TaskId,
    /// The try that is known, and how much of it; nothing: how the task stands is to be told in any case.
    pub known: Option<(Attempt, Option<Both<u64>>)>,
    /// Who is told.
    pub listener: Port<OutputsInbox>,
}

/// The registry was asked who is here: add what they have done, and answer.
#[derive(Debug, Serialize)]
pub struct TallyPeers {
    /// Everybody, as far as the registry knows.
    pub peers: Vec<(Endpoint, PeerRow)>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// The program is to end: hand nothing out any more, and let what runs come in.
#[derive(Debug, Serialize)]
pub struct CloseQueue {}

// ---- the master's Folders: what lies on disk ------------------------------------------------

inbox! {
    /// What the folders hear.
    FoldersInbox with FoldersEars hears {
        AdoptTask,
        OpenGroup,
        DescribeGathered,
        FindGathered,
        LoadTask,
        LoadResult,
        KeepResult,
        SetAside,
        TaskEnded,
        RetryTasks,
        GroupReopened,
        WrittenDown,
        StoreChanged,
    }
}

/// A task came over the wire: put it into `tasks/` like any other.
#[derive(Debug, Serialize)]
pub struct AdoptTask {
    /// The name that the submitter gave it.
    pub name: TaskName,
    /// Its ZIP, not yet looked at.
    pub archive: Archive,
    /// The group that it belongs to; none: the submitter's address.
    pub group: Arc<str>,
    /// What the submitter asks for beyond `task.toml`.
    pub wishes: Wishes,
    /// Which part of its group it is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Somebody wants to know how far what a group made is put together.
#[derive(Debug, Serialize)]
pub struct DescribeGathered {
    /// Its name.
    pub group: String,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Somebody wants to read a file of what a group made.
#[derive(Debug, Serialize)]
pub struct FindGathered {
    /// The group's name.
    pub group: String,
    /// Which file: `merged.csv` and its like.
    pub file: String,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// Make the folder of a new group of tasks, under a name that no other has.
#[derive(Debug, Serialize)]
pub struct OpenGroup {
    /// What its name is to begin with.
    pub name: TaskName,
    /// Where the answer goes.
    pub reply: ReplyTo,
}

/// A session needs a task's ZIP.
#[derive(Debug, Serialize)]
pub struct LoadTask {
    /// Which.
    pub task: TaskId,
    /// Where it goes.
    pub reply: ReplyTo,
}

/// A session needs a result's ZIP.
#[derive(Debug, Serialize)]
pub struct LoadResult {
    /// Of which task.
    pub task: TaskId,
    /// At which address it is read: those at one share what may be in memory for them.
    pub reader: IpAddr,
    /// Where it goes.
    pub reply: ReplyTo,
}

/// Look the result over and put it into `results/`, or into `results/failed/`.
#[derive(Debug, Serialize)]
pub struct KeepResult {
    /// Of which task.
    pub task: TaskId,
    /// The task's own name: the file is named after it.
    pub name: TaskName,
    /// Of which try.
    pub attempt: Attempt,
    /// Whether it is the task's success or the last output of its failure.
    pub success: bool,
    /// The result ZIP as it was sent.
    pub archive: Archive,
}

/// A result that nobody will use: put it where a person may look at it.
#[derive(Debug, Serialize)]
pub struct SetAside {
    /// From whom.
    pub peer: PeerId,
    /// Why nobody will, in words for a reader.
    pub why: String,
    /// The result ZIP as it was sent.
    pub archive: Archive,
}

/// A task is terminal: its ZIP leaves `tasks/`.
#[derive(Debug, Clone, Serialize)]
pub struct TaskEnded {
    /// Which.
    pub task: TaskId,
    /// Its own name.
    pub name: TaskName,
    /// How.
    pub end: End,
    /// More, if it is a part of its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Box<EndedPart>>,
}

/// A part of a group has ended: what is needed to put the group together.
#[derive(Debug, Clone, Serialize)]
pub struct EndedPart {
    /// The group.
    pub group: Arc<str>,
    /// Which part of it.
    pub part: Part,
    /// SHA-256 of its ZIP.
    pub sha256: Digest,
    /// Length of its ZIP in bytes.
    pub size: u32,
    /// Who ran it last, if anybody did.
    pub peer: Option<PeerId>,
    /// How often it was tried.
    pub attempts: u32,
}

/// Bring the ZIPs of terminal tasks back, and have it written down that these are to be tried again.
#[derive(Debug, Serialize)]
pub struct RetryTasks {
    /// What was asked for.
    pub retry: Retry,
    /// Those that it comes to.
    #[serde(serialize_with = "counted")]
    pub tasks: Vec<Arc<Task>>,
    /// Who asks.
    pub reply: ReplyTo,
}

/// Parts of a group that had ended are open again: what was put together is to be made anew.
#[derive(Debug, Serialize)]
pub struct GroupReopened {
    /// The group.
    pub group: Arc<str>,
    /// How many parts it has.
    pub parts: u32,
    /// The numbers of those that are open.
    #[serde(serialize_with = "counted")]
    pub open: BTreeSet<u32>,
    /// Those that have ended, as far as they are remembered.
    #[serde(serialize_with = "counted")]
    pub ended: Vec<TaskEnded>,
}

// ---- the master's Outputs: what tasks print while they run --------------------------------------

inbox! {
    /// What hears what tasks print.
    OutputsInbox with OutputsEars hears {
        ReadOutput,
        ReaderLeft,
        TaskStands,
        OutputCame,
        OutputWithheld,
    }
}

/// Somebody reads what a task prints.
#[derive(Debug, Serialize)]
pub struct ReadOutput {
    /// Which.
    pub task: TaskId,
    /// How far they have read.
    pub place: Place,
    /// How long the answer may wait for news.
    pub wait: Duration,
    /// Who reads.
    pub reply: ReplyTo,
}

/// A reader hung up before it was answered.
#[derive(Debug, Serialize)]
pub struct ReaderLeft {
    /// Where the answer would have gone.
    pub reply: ReplyTo,
}

/// How a task stands that somebody reads.
#[derive(Debug, Serialize)]
pub struct TaskStands {
    /// Which.
    pub task: TaskId,
    /// How.
    pub standing: Standing,
}

/// A try that is followed has printed something.
#[derive(Debug, Serialize)]
pub struct OutputCame {
    /// Of which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// What.
    pub piece: Piece,
}

/// The peer that runs this try says what it prints only with its result.
#[derive(Debug, Serialize)]
pub struct OutputWithheld {
    /// Of which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}

// ---- the master's Store: what must survive ---------------------------------------------------

inbox! {
    /// What the store hears.
    StoreInbox with StoreEars hears {
        WriteDown,
    }
}

/// Who has something written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scribe {
    /// The scheduler.
    Scheduler,
    /// The folders.
    Folders,
}

/// Write this down, and say when it is safe; in the order in which it is told, all or nothing of each.
#[derive(Debug, Serialize)]
pub struct WriteDown {
    /// Who waits for it.
    pub scribe: Scribe,
    /// Counted from 1 by whoever waits.
    pub ticket: u64,
    /// What happened.
    pub records: Vec<Record>,
}

/// All up to this ticket is safe, whatever happens to the machine.
#[derive(Debug, Serialize)]
pub struct WrittenDown {
    /// The scribe's own.
    pub ticket: u64,
}

/// The disk does not take what is to be written down, or takes it again; what waits is tried again and again.
#[derive(Debug, Clone, Serialize)]
pub struct StoreChanged {
    /// In words for a reader; none: it is well.
    pub trouble: Option<String>,
}

// ---- PeerSession: one connection, on the master or on a peer's own port ----------------------

inbox! {
    /// What a session hears.
    SessionInbox with SessionEars hears {
        PeerWelcomed,
        RequestRefused,
        PredecessorUnknown,
        TaskOffered,
        NothingWaits,
        PayloadLoaded,
        ResultAnswered,
        AttemptCancelled,
        FollowOutput,
        OutputTold,
        HangUp,
        PeersListed,
        PeerDescribed,
        PeerDrained,
        QueueDescribed,
        TaskDescribed,
        TasksListed,
        TasksSwept,
        GroupsListed,
        GroupDescribed,
        TaskAccepted,
        GroupOpened,
        GatheredDescribed,
        GatheredFound,
        PeerReported,
    }
}

/// The registry has the peer.
#[derive(Debug, Serialize)]
pub struct PeerWelcomed {
    /// Answers this.
    pub request: RequestId,
}

/// The request cannot be done; nothing has changed.
#[derive(Debug, Serialize)]
pub struct RequestRefused {
    /// Answers this.
    pub request: RequestId,
    /// In words for a reader.
    pub why: String,
}

/// A task that is to be submitted cannot wait for this one, for nobody knows it; nothing has changed.
#[derive(Debug, Serialize)]
pub struct PredecessorUnknown {
    /// Answers this.
    pub request: RequestId,
    /// For which one.
    pub after: TaskId,
}

/// The peer gets this task; as many letters for the same request follow as the offer says.
#[derive(Debug, Serialize)]
pub struct TaskOffered {
    /// Answers this.
    pub request: RequestId,
    /// Which task, which try, under which name.
    pub offer: Offer,
}

/// There is no task for this peer now.
#[derive(Debug, Serialize)]
pub struct NothingWaits {
    /// Answers this.
    pub request: RequestId,
}

/// The ZIP that was asked for.
#[derive(Debug, Serialize)]
pub struct PayloadLoaded {
    /// Answers this.
    pub request: RequestId,
    /// The file's name: of a result, where it lies below `results/`.
    pub name: String,
    /// The ZIP.
    pub archive: Archive,
}

/// What became of a result that was handed in.
#[derive(Debug, Serialize)]
pub struct ResultAnswered {
    /// Answers this.
    pub request: RequestId,
    /// What became of it.
    pub verdict: Verdict,
}

/// A try that this peer runs is no longer wanted.
#[derive(Debug, Serialize)]
pub struct AttemptCancelled {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}

/// What a try prints that this peer runs is to be told, for a while.
#[derive(Debug, Serialize)]
pub struct FollowOutput {
    /// Of which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// From there on; nothing: from a little before the end of what is there.
    pub from: Option<Both<u64>>,
    /// For how long.
    pub lasting: Duration,
    /// Who is told.
    pub listener: Port<OutputsInbox>,
}

/// What a task has printed since.
#[derive(Debug, Serialize)]
pub struct OutputTold {
    /// Answers this.
    pub request: RequestId,
    /// What, and how it stands.
    pub news: News,
}

/// The peer of ours on this connection was given up; if it lives, it is to introduce itself anew.
#[derive(Debug, Serialize)]
pub struct HangUp {}

/// Who is here.
#[derive(Debug, Serialize)]
pub struct PeersListed {
    /// Answers this.
    pub request: RequestId,
    /// Everybody, by `peer_id`.
    pub peers: Vec<PeerRow>,
}

/// What is known of one peer.
#[derive(Debug, Serialize)]
pub struct PeerDescribed {
    /// Answers this.
    pub request: RequestId,
    /// None if it is not here.
    pub peer: Option<PeerRow>,
}

/// It is written down whether a peer is given anything.
#[derive(Debug, Serialize)]
pub struct PeerDrained {
    /// Answers this.
    pub request: RequestId,
    /// How it stands.
    pub report: DrainReport,
}

/// How the queue stands.
#[derive(Debug, Serialize)]
pub struct QueueDescribed {
    /// Answers this.
    pub request: RequestId,
    /// The counts and what runs; the session adds who we are.
    pub queue: QueueReport,
}

/// How one task stands.
#[derive(Debug, Serialize)]
pub struct TaskDescribed {
    /// Answers this.
    pub request: RequestId,
    /// None if the task is not known.
    pub report: Option<TaskReport>,
}

/// Some of many tasks are cancelled, or open again, and that is written down.
#[derive(Debug, Serialize)]
pub struct TasksSwept {
    /// Answers this.
    pub request: RequestId,
    /// How many, and where it goes on.
    pub report: SweepReport,
}

/// How many tasks stand.
#[derive(Debug, Serialize)]
pub struct TasksListed {
    /// Answers this.
    pub request: RequestId,
    /// The newest first.
    pub tasks: Vec<TaskReport>,
}

/// How groups stand.
#[derive(Debug, Serialize)]
pub struct GroupsListed {
    /// Answers this.
    pub request: RequestId,
    /// The one with the newest part first.
    pub groups: Vec<GroupReport>,
}

/// How the parts of a group stand.
#[derive(Debug, Serialize)]
pub struct GroupDescribed {
    /// Answers this.
    pub request: RequestId,
    /// None if the group is not known.
    pub report: Option<GroupReport>,
}

/// The task lies in `tasks/` and is queued.
#[derive(Debug, Serialize)]
pub struct TaskAccepted {
    /// Answers this.
    pub request: RequestId,
    /// Its id.
    pub task: TaskId,
    /// Its name in `tasks/`.
    pub name: TaskName,
}

/// How far what a group made is put together.
#[derive(Debug, Serialize)]
pub struct GatheredDescribed {
    /// Answers this.
    pub request: RequestId,
    /// How far.
    pub report: GatheredReport,
}

/// Where a file of what a group made lies.
#[derive(Debug, Serialize)]
pub struct GatheredFound {
    /// Answers this.
    pub request: RequestId,
    /// The file; none when the group has none of this name.
    pub path: Option<PathBuf>,
}

/// The group has its name and its folder.
#[derive(Debug, Serialize)]
pub struct GroupOpened {
    /// Answers this.
    pub request: RequestId,
    /// Its name.
    pub group: String,
}

/// What this peer is doing.
#[derive(Debug, Serialize)]
pub struct PeerReported {
    /// Answers this.
    pub request: RequestId,
    /// The report.
    pub report: PeerReport,
}

// ---- the peer's Discovery: finds a master ----------------------------------------------------

inbox! {
    /// What discovery hears on a peer.
    DiscoveryInbox with DiscoveryEars hears {
        SeekMaster,
        StopSeeking,
    }
}

/// The peer has no master: look for one until told to stop.
#[derive(Debug, Serialize)]
pub struct SeekMaster {
    /// Addresses that just failed: taken again only if there is no other.
    pub failed: Vec<SocketAddr>,
}

/// The peer has a master.
#[derive(Debug, Serialize)]
pub struct StopSeeking {}

// ---- the peer's MasterSession: the peer's end of the wire -------------------------------------

inbox! {
    /// What the peer's end of the wire hears.
    MasterSessionInbox with MasterSessionEars hears {
        MasterFound,
        RunEnded,
        PrintedSeen,
        DescribePeerSelf,
        LeaveMaster,
    }
}

/// A master answered; addresses in the order in which to try them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MasterFound {
    /// How it calls itself, or its address.
    pub name: String,
    /// The announced address and the datagram's source, the likelier one first.
    pub addresses: Vec<SocketAddr>,
    /// The words in which it spoke.
    pub dialect: Dialect,
}

/// A run ended; its result is to be handed in.
#[derive(Debug, Serialize)]
pub struct RunEnded {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// How.
    pub outcome: Outcome,
    /// The result ZIP.
    pub result: Archive,
}

/// What was seen of what a run has printed.
#[derive(Debug, Serialize)]
pub struct PrintedSeen {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// What; nothing of a run that has not begun, or is not known any more.
    pub seen: Option<Both<Piece>>,
}

/// Somebody asks on this peer's own port what it is doing.
#[derive(Debug, Serialize)]
pub struct DescribePeerSelf {
    /// Who asks.
    pub reply: ReplyTo,
}

/// The program stops: take no more tasks, hand in what runs, say goodbye.
#[derive(Debug, Serialize)]
pub struct LeaveMaster {
    /// Stop what runs instead of waiting for it.
    pub now: bool,
}

// ---- the peer's Executor: runs tasks ----------------------------------------------------------

inbox! {
    /// What the executor hears.
    ExecutorInbox with ExecutorEars hears {
        RunTask,
        StopRun,
        SeePrinted,
        ForgetRun,
        StopAll,
    }
}

/// Run this.
#[derive(Debug, Serialize)]
pub struct RunTask {
    /// What, how long at most, and for whom.
    pub job: Job,
}

/// The run is no longer wanted: kill it.
#[derive(Debug, Serialize)]
pub struct StopRun {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}

/// Look what a run has printed.
#[derive(Debug, Serialize)]
pub struct SeePrinted {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
    /// From there on; nothing: from a little before the end of what is there.
    pub from: Option<Both<u64>>,
}

/// The master has the result, or does not want it: what the run left on disk may go.
#[derive(Debug, Serialize)]
pub struct ForgetRun {
    /// Which task.
    pub task: TaskId,
    /// Which try.
    pub attempt: Attempt,
}

/// The program stops now: kill everything.
#[derive(Debug, Serialize)]
pub struct StopAll {}
