//! How much of what is handed out or read again is in memory at a time, however many ask together and however slowly
//! they read.
//!
//! Rule: tasks that are handed out and results that are read have each a room of their own, so no reader keeps a task
//! waiting; and those who read at one address leave some of the results' room to the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use mutirao_actors::model::Archive;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tasks in memory at a time, in KiB: one of the longest, and beside it room for the others.
const TASKS_MAX_KIB: u32 = 96 << 10;
/// Results in memory at a time, in KiB. With the tasks, and with what a longest one has more than it is counted for, it is
/// 176 MiB at most: less than strangers may cost a master (promise R7).
const RESULTS_MAX_KIB: u32 = 64 << 10;
/// What of it those who read at one address may have: a quarter is left to the others. A longer one counts as so much.
const OF_ONE_MAX_KIB: u32 = 48 << 10;
/// Results that those at one address may wait for: as many as ask over HTTP in all. Who hung up is counted until it is
/// their turn, so without a bound they could queue without end.
const WAITING_OF_ONE_MAX: usize = 256;
/// Results that are waited for by all.
const WAITING_MAX: usize = 1024;
/// A task up to this many bytes is not counted: it is written before the next one is asked for.
pub(super) const LIGHT: u64 = 64 << 10;

/// The rooms.
#[derive(Debug)]
pub(super) struct Loads {
    tasks: Arc<Semaphore>,
    results: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// By the address at which they are read; kept while one is waited for or held there.
    shares: HashMap<IpAddr, Weak<Share>>,
}

/// What those who read at one address have together.
#[derive(Debug)]
struct Share {
    room: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Room for one payload; given back when its last copy is dropped.
#[derive(Debug, Default)]
pub(super) struct Berth {
    _room: Option<OwnedSemaphorePermit>,
    _of_share: Option<OwnedSemaphorePermit>,
    _share: Option<Arc<Share>>,
}

/// Bytes that hold their room.
struct Held {
    bytes: Bytes,
    _berth: Berth,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Loads {
    fn default() -> Self {
        Self {
            tasks: Arc::new(Semaphore::new(TASKS_MAX_KIB as usize)),
            results: Arc::new(Semaphore::new(RESULTS_MAX_KIB as usize)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            shares: HashMap::new(),
        }
    }
}

impl Default for Share {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(OF_ONE_MAX_KIB as usize)),
            waiting: Arc::new(Semaphore::new(WAITING_OF_ONE_MAX)),
        }
    }
}

/// What a payload of so many bytes takes of a room that has so much for one.
fn cost_of(bytes: u64, most: u32) -> u32 {
    let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
    kib.min(most)
}

impl Loads {
    /// Waits, in the order of asking, until a task of this many bytes may be loaded.
    pub fn room_for_task(&self, bytes: u64) -> impl Future<Output = Berth> + use<> {
        let room = Arc::clone(&self.tasks);
        async move {
            if bytes <= LIGHT {
                return Berth::default();
            }
            // The room is never closed, so this only waits.
            let permit = room.acquire_many_owned(cost_of(bytes, TASKS_MAX_KIB)).await;
            Berth {
                _room: permit.ok(),
                ..Berth::default()
            }
        }
    }

    /// Waits, in the order of asking, until a result of this many bytes may be loaded for somebody at this address; none
    /// if too many wait.
    pub fn room_for_result(
        &mut self,
        bytes: u64,
        reader: IpAddr,
    ) -> Option<impl Future<Output = Berth> + use<>> {
        let room = Arc::clone(&self.results);
        let of_all = Arc::clone(&self.waiting).try_acquire_owned().ok()?;
        let share = self.share_of(reader);
        let of_one = Arc::clone(&share.waiting).try_acquire_owned().ok()?;
        let cost = cost_of(bytes, OF_ONE_MAX_KIB);
        Some(async move {
            // First the share: what waits there is in nobody else's way. Neither is ever closed, so this only waits.
            let of_share = Arc::clone(&share.room).acquire_many_owned(cost).await.ok();
            let room = room.acquire_many_owned(cost).await.ok();
            drop((of_all, of_one));
            Berth {
                _room: room,
                _of_share: of_share,
                _share: Some(share),
            }
        })
    }

    fn share_of(&mut self, reader: IpAddr) -> Arc<Share> {
        let reader = reader.to_canonical();
        if let Some(share) = self.shares.get(&reader).and_then(Weak::upgrade) {
            return share;
        }
        self.shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share::default());
        self.shares.insert(reader, Arc::downgrade(&share));
        share
    }
}

impl Berth {
    /// The same archive, which holds the room as long as anybody holds its bytes.
    pub fn hold(self, archive: &Archive) -> Archive {
        let held = Held {
            bytes: archive.bytes().clone(),
            _berth: self,
        };
        archive.held_by(Bytes::from_owner(held))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures_util::FutureExt as _;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    /// Room that is there at once for a result.
    fn at_once(loads: &mut Loads, bytes: u64, reader: IpAddr) -> Option<Berth> {
        loads.room_for_result(bytes, reader).unwrap().now_or_never()
    }

    #[test]
    fn what_is_too_much_waits_until_the_last_copy_of_something_is_dropped() {
        let loads = Loads::default();
        let most = u64::from(TASKS_MAX_KIB) * 1024;
        let berth = loads.room_for_task(most).now_or_never().unwrap();
        let archive = berth.hold(&Archive::new(vec![1, 2, 3]));
        let copy = archive.bytes().slice(1..);
        assert!(loads.room_for_task(LIGHT).now_or_never().is_some());
        drop(archive);
        assert!(loads.room_for_task(LIGHT + 1).now_or_never().is_none());
        drop(copy);
        assert!(loads.room_for_task(u64::MAX).now_or_never().is_some());
    }

    #[test]
    fn readers_who_hold_all_of_their_room_keep_no_task_waiting_and_tasks_no_reader() {
        let mut loads = Loads::default();
        let first = at_once(&mut loads, u64::MAX, address(1)).unwrap();
        let rest = at_once(&mut loads, 16 * MIB, address(2)).unwrap();
        assert!(at_once(&mut loads, 1, address(3)).is_none());
        let task = loads.room_for_task(u64::MAX).now_or_never();
        assert!(task.is_some());
        drop((first, rest));
        assert!(at_once(&mut loads, u64::MAX, address(3)).is_some());
    }

    #[test]
    fn those_at_one_address_leave_room_to_the_others_and_do_not_stand_before_them() {
        let mut loads = Loads::default();
        let held = at_once(&mut loads, 40 * MIB, address(1)).unwrap();
        let mut next = Box::pin(loads.room_for_result(9 * MIB, address(1)).unwrap());
        assert!((&mut next).now_or_never().is_none());
        assert!(at_once(&mut loads, 24 * MIB, address(2)).is_some());
        drop(held);
        assert!(next.now_or_never().is_some());
    }

    #[test]
    fn those_at_one_address_wait_for_so_many_and_are_forgotten_with_the_last() {
        let mut loads = Loads::default();
        let held = at_once(&mut loads, u64::MAX, address(1)).unwrap();
        let mut wait = |_| loads.room_for_result(1, address(1)).unwrap();
        let waiting: Vec<_> = (0..WAITING_OF_ONE_MAX).map(&mut wait).collect();
        assert!(loads.room_for_result(1, address(1)).is_none());
        assert!(loads.room_for_result(1, address(2)).is_some());
        drop((held, waiting));
        assert!(at_once(&mut loads, u64::MAX, address(1)).is_some());
        assert!(at_once(&mut loads, u64::MAX, address(3)).is_some());
        assert_eq!(loads.shares.len(), 1);
    }
}
