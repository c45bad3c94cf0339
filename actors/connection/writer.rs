//! The writing end of a connection: replies in the order in which they were sent, through a bounded channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Buf as _;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Broken, IN_FLIGHT_MAX, LAP, LAP_BYTES, Turn, within};
use crate::wire::Parcel;

/// Replies that wait to be written: every request in flight, and for each of the 1,024 tasks that a peer may hold its
/// package, when it asked for several at once, and an order to stop it; only a reader that has stopped fills it.
pub(super) const REPLIES_MAX: usize = 2 * 1024 + 2 * IN_FLIGHT_MAX;

/// A message that waits to be written, and the turn that is given back when it is. Boxed, for a channel keeps room for
/// 32 at any time, at each of thousands of connections that are quiet.
pub(super) type Queued = Box<(Parcel, Option<Turn>)>;

/// The writing end; clones are not needed, a session has one.
#[derive(Debug)]
pub struct Writer {
    pub(super) replies: Sender<Queued>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) takes_raw: Arc<AtomicBool>,
    pub(super) waits: Arc<AtomicBool>,
    pub(super) cut: CancellationToken,
}

impl Writer {
    /// Sends one message; when it is written the turn is given back. A reader that has stopped is cut.
    ///
    /// Whoever bounds how much payload is in memory has it counted until then: the parcel holds it.
    pub fn send(&self, message: impl Into<Parcel>, turn: Option<Turn>) {
        let queued = Box::new((message.into(), turn));
        if self.replies.try_send(queued).is_err() {
            self.cut.cancel();
        }
    }

    /// Both sides match replies by `id`: several requests may be unanswered from here on.
    pub fn allow_many(&self) {
        self.turns.add_permits(IN_FLIGHT_MAX - 1);
    }

    /// Both sides named it: payloads that the other side sends may follow their messages from here on.
    pub fn take_raw(&self) {
        self.takes_raw.store(true, Ordering::Relaxed);
    }

    /// Whether the other side sends a long message, and is kept waiting until there is room for more of it. It gets room in its
    /// turn, and then has to move.
    pub fn is_kept_waiting(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// Ends the connection; what is queued may still be written.
    pub fn close(&self) {
        self.cut.cancel();
    }
}

/// Writes replies in the order in which they were sent, until the session drops its end or the connection is cut.
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    mut write: W,
    mut queued: Receiver<Queued>,
    cut: CancellationToken,
) {
    let writing = async {
        while let Some(reply) = queued.recv().await {
            let (parcel, turn) = *reply;
            write_one(&mut write, parcel).await?;
            drop(turn);
        }
        Ok::<_, Broken>(())
    };
    tokio::select! {
        // Chance has no say here, so that a simulation can be played again; what can be written at once is.
        biased;
        written = writing => if written.is_err() { cut.cancel() },
        () = cut.cancelled() => {}
    }
    // The other side may be gone already; there is nobody to tell.
    let _ = timeout(LAP, write.shutdown()).await;
}

/// Writes one message. Its payload is put into words here and now: handing that over to another thread would take longer.
async fn write_one<W: AsyncWrite + Unpin>(write: &mut W, mut parcel: Parcel) -> Result<(), Broken> {
    while parcel.has_remaining() {
        let mut lap = (&mut parcel).take(LAP_BYTES);
        within(LAP, async { Ok(write.write_all_buf(&mut lap).await?) }).await?;
    }
    Ok(())
}
