//! Memory for long messages, shared by all connections of one door.
//!
//! Rule: what is read beyond [`FREE`] bytes is paid for before it is read, and given back when the message is
//! answered. Who finds the room full waits for it, or for the one seat that is set aside for a message of any
//! length, so that somebody always goes on, however little the others send. Long messages have the seat alone, and
//! give back what they have paid: one connection never has all there is.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::wire::scanner::PAYLOAD_MAX;

/// What each connection may keep unpaid: any message without a payload, and 50 MB for all connections together.
pub(super) const FREE: usize = 4 << 10;
/// Paid bytes at a time, beside the one seat: as base64 and taken apart these and the longest message make
/// 200 MB, which with the unpaid bytes is what strangers may make us use (promise R7).
const PAID_MAX: usize = 24 << 20;
/// So many connections at least share what is paid for.
const SHARES_MIN: usize = 4;
/// What is paid for at once; a finer unit would not change who fits.
const UNIT: usize = 1 << 10;

/// The room; clones are the same one.
#[derive(Debug, Clone)]
pub struct Room {
    paid: Arc<Semaphore>,
    seat: Arc<Semaphore>,
    /// Units that one message may pay for.
    share: usize,
}

/// What one message has taken of it.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    paid: Option<OwnedSemaphorePermit>,
    seat: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// An empty one, for connections that anybody may open.
    pub fn new() -> Self {
        Self::of(PAID_MAX, SHARES_MIN)
    }

    /// One in which a message of any length finds room at once: for the one connection that we opened ourselves.
    pub fn of_one() -> Self {
        Self::of(2 * PAYLOAD_MAX, 1)
    }

    fn of(bytes: usize, shares: usize) -> Self {
        let units = bytes / UNIT;
        Self {
            paid: Arc::new(Semaphore::new(units)),
            seat: Arc::new(Semaphore::new(1)),
            share: units / shares,
        }
    }

    /// Pays for this many bytes in all, or for any number when the seat is given.
    pub(super) async fn pay(&self, ticket: &mut Ticket, bytes: usize) {
        let units = bytes.saturating_sub(FREE).div_ceil(UNIT);
        let held = ticket
            .paid
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        if ticket.has_seat() || units <= held {
            return;
        }
        let missing = u32::try_from(units - held).unwrap_or(u32::MAX);
        let is_short = units <= self.share;
        // Whichever comes first: who waits for the seat takes room that others have left. Nobody closes either queue.
        tokio::select! {
            biased;
            more = Arc::clone(&self.paid).acquire_many_owned(missing), if is_short => match (&mut ticket.paid, more.ok()) {
                (Some(paid), Some(more)) => paid.merge(more),
                (paid, more) => *paid = paid.take().or(more),
            },
            seat = Arc::clone(&self.seat).acquire_owned() => {
                ticket.seat = seat.ok();
                ticket.paid = None;
            }
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

impl Ticket {
    /// Whether it may be of any length.
    pub(super) fn has_seat(&self) -> bool {
        self.seat.is_some()
    }

    /// Splits off what this many bytes cost that come after the message.
    pub(super) fn split(&mut self, bytes: usize) -> Self {
        let units = bytes.saturating_sub(FREE).div_ceil(UNIT);
        Self {
            paid: self.paid.as_mut().and_then(|paid| {
                let units = units.min(paid.num_permits());
                paid.split(units)
            }),
            seat: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn who_waits_for_the_seat_takes_room_that_is_left() {
        let room = Room::of(4 * UNIT, 1);
        let mut tickets = [(); 3].map(|()| Ticket::default());
        let [paid, seated, waiting] = &mut tickets;
        room.pay(paid, FREE + 4 * UNIT).now_or_never().unwrap();
        room.pay(seated, FREE + UNIT).now_or_never().unwrap();
        assert!(!paid.has_seat() && seated.has_seat());
        let mut pay = Box::pin(room.pay(waiting, FREE + UNIT));
        assert!(pay.as_mut().now_or_never().is_none());
        *paid = Ticket::default();
        assert!(
            pay.as_mut().now_or_never().is_some(),
            "the seat is still taken"
        );
        drop(pay);
        assert!(!waiting.has_seat());
    }

    #[test]
    fn one_long_message_leaves_room_for_others_before_and_after_it_has_the_seat() {
        let room = Room::of(8 * UNIT, 4);
        let mut long = Ticket::default();
        room.pay(&mut long, FREE + 2 * UNIT).now_or_never().unwrap();
        assert!(!long.has_seat());
        room.pay(&mut long, FREE + 3 * UNIT).now_or_never().unwrap();
        assert!(long.has_seat());
        let mut others = [(); 4].map(|()| Ticket::default());
        for other in &mut others {
            room.pay(other, FREE + 2 * UNIT).now_or_never().unwrap();
            assert!(!other.has_seat());
        }
    }
}
