//! Turns at what takes a core while it lasts, however many ask for it.
//!
//! Rule: one at a time, and whoever comes from one address waits for a single turn: however many connections a machine
//! has, each other one is served in between.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who takes turns.
pub struct Turns {
    one: Arc<Semaphore>,
    /// Those who wait, or have their turn, by where they come from: no more than there are connections.
    rows: RefCell<HashMap<IpAddr, Weak<Semaphore>>>,
}

/// One turn; the next begins when it is dropped.
pub struct Turn {
    _one: OwnedSemaphorePermit,
    _of_address: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            one: Arc::new(Semaphore::new(1)),
            rows: RefCell::default(),
        }
    }
}

impl Turns {
    /// Waits for a turn of somebody at this address; none comes when all is over.
    pub async fn next(&self, address: IpAddr) -> Option<Turn> {
        let of_address = self.row(address).acquire_owned().await.ok()?;
        let one = Arc::clone(&self.one).acquire_owned().await.ok()?;
        Some(Turn {
            _one: one,
            _of_address: of_address,
        })
    }

    fn row(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut rows = self.rows.borrow_mut();
        rows.retain(|_, row| row.strong_count() > 0);
        let known = rows.get(&address).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let row = Arc::new(Semaphore::new(1));
            rows.insert(address, Arc::downgrade(&row));
            row
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn each_address_has_a_turn_before_one_has_its_second() {
        let (turns, order) = (Turns::default(), RefCell::new(Vec::new()));
        let take = async |number: u8| {
            let turn = turns.next(IpAddr::from([10, 0, 0, number])).await;
            yield_now().await;
            order.borrow_mut().push(number);
            drop(turn);
        };
        join_all([take(1), take(1), take(1), take(2), take(1), take(3)]).await;
        assert_eq!(order.take(), [1, 2, 3, 1, 1, 1]);
        drop(turns.next(IpAddr::from([10, 0, 0, 4])).await);
        assert_eq!(turns.rows.borrow().len(), 1, "who is gone is forgotten");
    }
}
