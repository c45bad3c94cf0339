//! Takes the answers of other actors to what HTTP requests ask.
//!
//! Role: an actor with one inbox for all requests; each waits for the letter with its number.
//!
//! Hears: what a session hears. Tells nobody anything.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use mutirao_actors::logic::outputs::News;
use mutirao_actors::message_log::{Cause, MessageLog, Name};
use mutirao_actors::messages::{
    AttemptCancelled, FollowOutput, GatheredDescribed, GatheredFound, GroupDescribed, GroupOpened,
    GroupsListed, HangUp, NothingWaits, OutputTold, PayloadLoaded, PeerDescribed, PeerDrained,
    PeerReported, PeerWelcomed, PeersListed, PredecessorUnknown, QueueDescribed, ReplyTo,
    RequestRefused, ResultAnswered, SessionInbox, TaskAccepted, TaskDescribed, TaskOffered,
    TasksListed, TasksSwept,
};
use mutirao_actors::model::{Archive, RequestId, TaskId, TaskName};
use mutirao_actors::port::{Hears, Letter, Port};
use mutirao_actors::wire::report::{
    DrainReport, GroupReport, PeerRow, QueueReport, SweepReport, TaskReport,
};
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::problem::Problem;

/// The name of HTTP in the message log.
pub const NAME: Name = Name::one("web");
/// How long an answer may take: a large task is looked over and written before it is accepted.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What was answered.
#[derive(Debug)]
pub enum Answer {
    /// It cannot be done.
    Refused(String),
    /// How the queue stands.
    Queue(QueueReport),
    /// How a task stands, if it is known.
    Task(Option<TaskReport>),
    /// How tasks stand.
    Tasks(Vec<TaskReport>),
    /// Who is here.
    Peers(Vec<PeerRow>),
    /// Whether a peer is given anything.
    Drained(DrainReport),
    /// A task was taken in.
    Accepted(TaskId, TaskName),
    /// How groups stand.
    Groups(Vec<GroupReport>),
    /// How a group stands, if it is known.
    Group(Option<GroupReport>),
    /// A group has this name and a folder.
    Opened(String),
    /// What was asked for, and its name.
    Payload(String, Archive),
    /// Where a file of what a group made lies, if it has one.
    Found(Option<PathBuf>),
    /// What a task has printed since.
    Output(News),
    /// How far a change of many tasks has come.
    Swept(SweepReport),
}

/// Who waits for which answer; there are no more than connections.
type Waiting = Rc<RefCell<HashMap<RequestId, oneshot::Sender<Answer>>>>;

/// Asks other actors.
pub struct Answers {
    waiting: Waiting,
    last: Cell<u64>,
    inbox: Port<SessionInbox>,
}

/// The actor behind the inbox.
struct Inbox(Waiting);

/// Forgets whoever stopped waiting.
struct Wait<'a>(&'a Waiting, RequestId);

impl Answers {
    /// Starts the inbox.
    pub fn start(log: MessageLog) -> Self {
        let waiting = Waiting::default();
        let inbox = Inbox(Rc::clone(&waiting)).start();
        Self {
            waiting,
            last: Cell::new(0),
            inbox: Port::new(log, NAME, NAME, SessionInbox::of(&inbox)),
        }
    }

    /// Asks this actor, and waits for its answer.
    ///
    /// # Errors
    /// What was refused, or that no answer came in time.
    pub async fn ask<I, M>(
        &self,
        whom: &Port<I>,
        letter: impl FnOnce(ReplyTo) -> M,
    ) -> Result<Answer, Problem>
    where
        I: Hears<M>,
        M: Serialize + Send + 'static,
    {
        self.last.set(self.last.get() + 1);
        let request = RequestId(self.last.get());
        let (tell, told) = oneshot::channel();
        self.waiting.borrow_mut().insert(request, tell);
        let _wait = Wait(&self.waiting, request);
        let session = self.inbox.clone();
        whom.tell(letter(ReplyTo { session, request }), Cause::OUTSIDE);
        match timeout(ANSWER_MAX, told).await {
            Ok(Ok(Answer::Refused(why))) => Err(Problem::refused(why)),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Problem::silent(ANSWER_MAX)),
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().remove(&self.1);
    }
}

impl Actor for Inbox {
    type Context = Context<Self>;
}

impl Inbox {
    fn answer(&self, request: RequestId, answer: Answer) {
        if let Some(tell) = self.0.borrow_mut().remove(&request) {
            // Whoever stopped waiting meanwhile wants to know nothing.
            let _ = tell.send(answer);
        }
    }
}

/// An answer for each letter that carries one.
macro_rules! answers {
    ($($letter:ident($message:ident) => $answer:expr,)+) => {
        $(impl Handler<Letter<$letter>> for Inbox {
            type Result = ();

            fn handle(&mut self, letter: Letter<$letter>, _: &mut Context<Self>) {
                let ($message, _) = letter.open();
                self.answer($message.request, $answer);
            }
        })+
    };
}

answers! {
    RequestRefused(refused) => Answer::Refused(refused.why),
    QueueDescribed(described) => Answer::Queue(described.queue),
    TaskDescribed(described) => Answer::Task(described.report),
    TasksListed(listed) => Answer::Tasks(listed.tasks),
    PeerDrained(drained) => Answer::Drained(drained.report),
    PeersListed(listed) => Answer::Peers(listed.peers),
    TaskAccepted(accepted) => Answer::Accepted(accepted.task, accepted.name),
    PredecessorUnknown(unknown) => Answer::Refused(format!("no task {} is known to wait for", unknown.after)),
    GroupsListed(listed) => Answer::Groups(listed.groups),
    GroupDescribed(described) => Answer::Group(described.report),
    GroupOpened(opened) => Answer::Opened(opened.group),
    GatheredFound(found) => Answer::Found(found.path),
    OutputTold(told) => Answer::Output(told.news),
    PayloadLoaded(loaded) => Answer::Payload(loaded.name, loaded.archive),
    TasksSwept(swept) => Answer::Swept(swept.report),
}

/// What is told to peers alone, or to the command line.
macro_rules! of_peers {
    ($($letter:ident),+ $(,)?) => {
        $(impl Handler<Letter<$letter>> for Inbox {
            type Result = ();

            fn handle(&mut self, _: Letter<$letter>, _: &mut Context<Self>) {}
        })+
    };
}

of_peers! {
    PeerWelcomed, TaskOffered, NothingWaits, ResultAnswered, AttemptCancelled, HangUp, PeerDescribed, PeerReported,
    GatheredDescribed, FollowOutput,
}
