//! Says when a reader hangs up that waits for news, so that its place is free at once.

use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{OutputsInbox, ReaderLeft, ReplyTo};
use mutirao_actors::port::Port;

/// One reader's wait for one answer.
pub struct Waiting<'a> {
    outputs: &'a Port<OutputsInbox>,
    reply: Option<ReplyTo>,
}

impl<'a> Waiting<'a> {
    /// Of somebody who will ask there.
    pub fn of(outputs: &'a Port<OutputsInbox>) -> Self {
        Self {
            outputs,
            reply: None,
        }
    }

    /// It asks.
    pub fn begin(&mut self, reply: ReplyTo) -> ReplyTo {
        self.reply = Some(reply.clone());
        reply
    }

    /// It is answered.
    pub fn end(mut self) {
        self.reply = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take() {
            self.outputs.tell(ReaderLeft { reply }, Cause::OUTSIDE);
        }
    }
}
