//! Turns at what takes a core while it lasts, however many ask for it.
//!
//! Rule: one at a time, and whoever comes from one address waits for a single turn: however many connections a machine
//! has, each other one is served in between. A turn ends with its work, and not when whoever wanted it hangs up: else many
//! who ask and hang up would have as many cores.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};

/// Who takes turns.
pub struct Turns {
    one: Arc<Semaphore>,
    /// Those who wait, or have their turn, by where they come from: no more than there are connections.
    rows: RefCell<HashMap<IpAddr, Weak<Semaphore>>>,
}

/// One turn; the next begins when it is dropped.
struct Turn {
    _one: OwnedSemaphorePermit,
    _of_address: OwnedSemaphorePermit,
}

/// Tells whoever works in a turn whether somebody waits for it still.
pub struct Waited(Weak<()>);

impl Waited {
    /// Whether it is not in vain.
    pub fn is_so(&self) -> bool {
        self.0.strong_count() > 0
    }
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
    /// Has something done off the arbiter in a turn of somebody at this address; none comes when all is over.
    pub async fn work<T: Send + 'static>(
        &self,
        address: IpAddr,
        work: impl FnOnce(&Waited) -> T + Send + 'static,
    ) -> Option<Result<T, JoinError>> {
        let turn = self.next(address).await?;
        let waits = Arc::new(());
        let waited = Waited(Arc::downgrade(&waits));
        let done = spawn_blocking(move || {
            let _turn = turn;
            work(&waited)
        });
        let done = done.await;
        drop(waits);
        Some(done)
    }

    /// Waits for a turn of somebody at this address.
    async fn next(&self, address: IpAddr) -> Option<Turn> {
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
    use std::sync::mpsc;

    use futures_util::future::join_all;
    use tokio::sync::oneshot;
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

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_its_work_which_knows_when_it_is_in_vain() {
        let turns = Turns::default();
        let [one, other] = [1, 2].map(|number| IpAddr::from([10, 0, 0, number]));
        let (begin, begun) = oneshot::channel();
        let (end, ends) = mpsc::channel::<()>();
        let (tell, told) = oneshot::channel();
        let work = turns.work(one, move |waited| {
            let was_waited_for = waited.is_so();
            begin.send(()).unwrap();
            // It ends also with a test that fails before.
            let _ = ends.recv();
            let _ = tell.send((was_waited_for, waited.is_so()));
        });
        tokio::select! {
            _ = work => panic!("it has not ended"),
            begun = begun => begun.unwrap(),
        }
        // Whoever wanted it has hung up.
        assert_eq!(turns.one.available_permits(), 0);
        let next = turns.work(other, |_| "next");
        end.send(()).unwrap();
        assert_eq!(told.await, Ok((true, false)));
        assert_eq!(next.await.unwrap().unwrap(), "next");
    }
}
