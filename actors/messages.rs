//! Everything one actor may say to another: one page for each that hears, all read as `messages::Name`.
//!
//! Rule: facts are in the past tense, orders imperative; no answer is awaited, it is another letter.
//! None of these is a wire message: the sessions translate. What several hear stands on one page only.

use serde::{Serialize, Serializer};

use crate::model::RequestId;
use crate::port::Port;

/// Makes the inbox of an actor: the compiler says what whoever stands behind it must hear. It knows the actor once,
/// however much that hears, for each connection has one.
macro_rules! inbox {
    ($(#[$doc:meta])* $inbox:ident with $ears:ident hears { $($message:ident,)+ }) => {
        trait $ears: $(crate::port::Ear<$message> +)+ {}

        impl<A> $ears for A where A: $(crate::port::Ear<$message> +)+ {}

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

        $(impl crate::port::Hears<$message> for $inbox {
            fn ear(&self) -> &dyn crate::port::Ear<$message> {
                &*self.0
            }
        })+
    };
}

// The master's.
mod folders;
mod heartbeat;
mod outputs;
mod registry;
mod scheduler;
mod store;
// Of both.
mod session;
// The peer's.
mod discovery;
mod executor;
mod master_session;

pub use discovery::*;
pub use executor::*;
pub use folders::*;
pub use heartbeat::*;
pub use master_session::*;
pub use outputs::*;
pub use registry::*;
pub use scheduler::*;
pub use session::*;
pub use store::*;

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

/// Logs how many there are of what may be as many as there are tasks; other letters speak of each.
fn counted<'t, T, S>(all: &'t T, serializer: S) -> Result<S::Ok, S::Error>
where
    &'t T: IntoIterator,
    S: Serializer,
{
    serializer.serialize_u64(all.into_iter().count() as u64)
}
