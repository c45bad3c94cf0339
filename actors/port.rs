//! A port is an actor's voice towards one other actor: log, then deliver.
//!
//! Rule: nothing else in the house sends to an actor, so the message log is complete.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};
use serde::{Serialize, Serializer};

use crate::message_log::{Cause, MessageLog, Name, Written};

/// What an actor receives: the message, and its number in the log.
#[derive(Debug)]
pub struct Letter<M> {
    seq: u64,
    message: M,
}

impl<M> Letter<M> {
    /// Takes the letter apart; what is sent in answer names the cause.
    pub fn open(self) -> (M, Cause) {
        (self.message, Cause::from(self.seq))
    }
}

impl<M> Message for Letter<M> {
    type Result = ();
}

/// Whoever takes letters of this type, from any thread. Only a port has letters.
pub trait Ear<M>: Send + Sync {
    /// Whether it has not stopped.
    fn is_there(&self) -> bool;
    /// Takes a letter; one that has stopped loses it.
    fn hear(&self, letter: Letter<M>);
}

impl<A, M> Ear<M> for Addr<A>
where
    A: Actor<Context = Context<A>> + Handler<Letter<M>>,
    M: Send + 'static,
{
    fn is_there(&self) -> bool {
        self.connected()
    }

    #[expect(clippy::disallowed_methods, reason = "the one voice")]
    fn hear(&self, letter: Letter<M>) {
        self.do_send(letter);
    }
}

/// An inbox that takes messages of this type.
pub trait Hears<M> {
    /// Who takes them.
    fn ear(&self) -> &dyn Ear<M>;
}

/// The voice of one actor towards the inbox `I` of another; clones are cheap.
pub struct Port<I> {
    log: MessageLog,
    from: Name,
    to: Name,
    inbox: Arc<I>,
}

impl<I> Port<I> {
    /// A port from one actor to another.
    pub fn new(log: MessageLog, from: Name, to: Name, inbox: I) -> Self {
        Self {
            log,
            from,
            to,
            inbox: Arc::new(inbox),
        }
    }

    /// The same addressee, spoken to by another actor.
    #[must_use]
    pub fn used_by(&self, from: Name) -> Self {
        Self {
            from,
            ..self.clone()
        }
    }

    /// Whether both are to the same addressee, and come from the same port.
    pub fn is_to(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inbox, &other.inbox)
    }

    /// Whether the addressee has not stopped yet; one that is there may still stop before it listens.
    pub fn is_there<M>(&self) -> bool
    where
        I: Hears<M>,
    {
        self.inbox.ear().is_there()
    }

    /// Logs the message and delivers it; an addressee that has stopped is logged as dead, not an error.
    pub fn tell<M>(&self, message: M, cause: Cause)
    where
        M: Serialize + Send + 'static,
        I: Hears<M>,
    {
        let ear = self.inbox.ear();
        let seq = self.log.next_seq();
        let written = Written {
            kind: kind::<M>(),
            body: &message,
            dead: !ear.is_there(),
        };
        self.log.write(seq, (self.from, self.to), cause, written);
        ear.hear(Letter { seq, message });
    }
}

/// The last part of a type's path: `PeerJoined`.
fn kind<M>() -> &'static str {
    let path = type_name::<M>();
    path.rsplit("::").next().unwrap_or(path)
}

impl<I> Clone for Port<I> {
    fn clone(&self) -> Self {
        Self {
            log: self.log.clone(),
            from: self.from,
            to: self.to,
            inbox: Arc::clone(&self.inbox),
        }
    }
}

impl<I> fmt::Debug for Port<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port({} -> {})", self.from, self.to)
    }
}

impl<I> Serialize for Port<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to.serialize(serializer)
    }
}
