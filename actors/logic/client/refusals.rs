//! What the peer does with a master that will not have it, or seems to have forgotten it.
//!
//! Rule: whoever answers on a new connection is told who we are before anything else.

use super::{Client, Line, Order};
use crate::model::{Dialect, Moment};

/// In which order dialects are tried with a master that was not heard announcing itself.
const DIALECTS: [Dialect; 3] = [Dialect::Flat, Dialect::Envelope, Dialect::SuperPeer];
/// The code with which a master of ours says that it will not have us.
pub(super) const REFUSED: &str = "refused";
/// Errors in a row after which the master is believed to have forgotten us.
const REBUFFS_MAX: u32 = 3;

impl Client {
    /// An error to what a peer that is known may say. In the end we introduce ourselves again; to a master of ours on a
    /// new connection, for on this one tasks may be on their way.
    pub(super) fn rebuffed(&mut self, now: Moment) -> Vec<Order> {
        self.rebuffs += 1;
        if self.rebuffs < REBUFFS_MAX {
            return Vec::new();
        }
        if self.ours.is_none() {
            self.registered = false;
            return Vec::new();
        }
        let mut orders = vec![Order::HangUp];
        orders.extend(self.closed(now));
        orders
    }

    /// Whether a master that will not have us has understood our introduction: it says so, or it had us before.
    pub(super) fn is_understood(&self, code: Option<&str>) -> bool {
        code == Some(REFUSED) || (self.registered && self.ours.is_some())
    }

    /// The master did not take our introduction: perhaps it speaks another dialect.
    pub(super) fn not_understood(&mut self, now: Moment) -> Vec<Order> {
        let announced = self.master.as_ref().and_then(|master| master.dialect);
        self.dialects_failed += 1;
        match DIALECTS.get(self.dialects_failed) {
            Some(dialect) if announced.is_none() => {
                self.dialect = *dialect;
                self.hang_up()
            }
            _ => {
                self.dialects_failed = 0;
                self.dialect = announced.unwrap_or_default();
                self.turned_away(now)
            }
        }
    }

    /// The master will not have us at this address.
    pub(super) fn turned_away(&mut self, now: Moment) -> Vec<Order> {
        let mut orders = self.hang_up();
        orders.extend(self.address_failed(now));
        orders
    }

    fn hang_up(&mut self) -> Vec<Order> {
        self.line = Line::Down;
        self.in_flight.clear();
        self.registered = false;
        vec![Order::HangUp]
    }
}
