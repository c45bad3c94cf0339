//! Watches for silence.
//!
//! Rule: silence is news only, the registry decides what it means; whoever is told as silent is not watched
//! any more until the registry passes its next word on.
//! Hears every word and every departure from the registry. Tells the registry who fell silent.

use actix::{Actor, AsyncContext as _, Context, Handler};

use crate::clock::Clock;
use crate::logic::silence::{SWEEP_EVERY, Silence, Silent};
use crate::message_log::{Cause, Name};
use crate::messages::{ForgetPeer, PeerFellSilent, PeerHeard, RegistryInbox};
use crate::port::{Letter, Port};

/// The heartbeat watch's name in the message log.
pub const NAME: Name = Name::one("heartbeat");

/// The desk of the heartbeat watch.
#[derive(Debug)]
pub struct Heartbeat {
    silence: Silence,
    clock: Clock,
    registry: Port<RegistryInbox>,
}

impl Heartbeat {
    /// A watch over nobody yet.
    pub fn new(clock: Clock, registry: &Port<RegistryInbox>) -> Self {
        Self {
            silence: Silence::default(),
            clock,
            registry: registry.used_by(NAME),
        }
    }

    fn sweep(&mut self) {
        for silent in self.silence.sweep(self.clock.now()) {
            let Silent {
                endpoint,
                silent_for,
            } = silent;
            let fell = PeerFellSilent {
                endpoint,
                silent_for,
            };
            self.registry.tell(fell, Cause::OUTSIDE);
        }
    }
}

impl Actor for Heartbeat {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(SWEEP_EVERY, |desk, _| desk.sweep());
    }
}

impl Handler<Letter<PeerHeard>> for Heartbeat {
    type Result = ();

    fn handle(&mut self, letter: Letter<PeerHeard>, _: &mut Context<Self>) {
        let (PeerHeard { endpoint, beat }, _) = letter.open();
        self.silence.heard(&endpoint, beat, self.clock.now());
        // A flooded mailbox keeps timers from running: the words themselves move time on too.
        self.sweep();
    }
}

impl Handler<Letter<ForgetPeer>> for Heartbeat {
    type Result = ();

    fn handle(&mut self, letter: Letter<ForgetPeer>, _: &mut Context<Self>) {
        let (ForgetPeer { endpoint }, _) = letter.open();
        self.silence.forget(&endpoint);
    }
}
