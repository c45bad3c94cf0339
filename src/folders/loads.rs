//! How much of what is handed out is in memory at a time, however many ask together and however slowly they read.

use std::sync::Arc;

use bytes::Bytes;
use mutirao_actors::model::Archive;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Payloads in memory at a time, in KiB: one of the longest, and with the base64 that is made of them not more than
/// what strangers may cost a master (promise R7).
const LOADED_MAX_KIB: u32 = 96 << 10;
/// A payload up to this many bytes is not counted: it is written before the next one is asked for.
pub(super) const LIGHT: u64 = 64 << 10;

/// The room for payloads.
#[derive(Debug)]
pub(super) struct Loads(Arc<Semaphore>);

/// Room for one payload; given back when its last copy is dropped.
#[derive(Debug)]
pub(super) struct Berth {
    _permit: Option<OwnedSemaphorePermit>,
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
        Self(Arc::new(Semaphore::new(LOADED_MAX_KIB as usize)))
    }
}

impl Loads {
    /// Waits, in the order of asking, until a payload of this many bytes may be loaded.
    pub fn room_for(&self, bytes: u64) -> impl Future<Output = Berth> + use<> {
        let room = Arc::clone(&self.0);
        async move {
            if bytes <= LIGHT {
                return Berth { _permit: None };
            }
            let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
            // The room is never closed, so this only waits.
            let permit = room.acquire_many_owned(kib.min(LOADED_MAX_KIB)).await;
            Berth {
                _permit: permit.ok(),
            }
        }
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
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_is_too_much_waits_until_the_last_copy_of_something_is_dropped() {
        let loads = Loads::default();
        let most = u64::from(LOADED_MAX_KIB) * 1024;
        let berth = loads.room_for(most).now_or_never().unwrap();
        let archive = berth.hold(&Archive::new(vec![1, 2, 3]));
        let copy = archive.bytes().slice(1..);
        assert!(loads.room_for(LIGHT).now_or_never().is_some());
        drop(archive);
        assert!(loads.room_for(LIGHT + 1).now_or_never().is_none());
        drop(copy);
        assert!(loads.room_for(u64::MAX).now_or_never().is_some());
    }
}
