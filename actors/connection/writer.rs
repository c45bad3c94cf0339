//! The writing end of a connection: replies in the order in which they were sent, through a bounded channel.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Broken, HEAVY, IN_FLIGHT_MAX, LAP, LAP_BYTES, Turn, within};
use crate::model::Archive;

/// Replies that wait to be written: every request in flight, and an order to stop each of the 1,024 runs that
/// a peer may hold; only a reader that has stopped fills it.
pub(super) const REPLIES_MAX: usize = 1024 + 2 * IN_FLIGHT_MAX;

/// What goes out: bytes, or the making of many.
pub(super) enum Outgoing {
    Ready(Vec<u8>),
    /// With what the bytes are made of: whoever bounds how much of that is in memory counts it until it is written.
    Heavy(Box<dyn FnOnce() -> Vec<u8> + Send>, Archive),
}

/// The writing end; clones are not needed, a session has one.
#[derive(Debug)]
pub struct Writer {
    pub(super) replies: Sender<(Outgoing, Option<Turn>)>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) cut: CancellationToken,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Heavy(_, archive) => write!(f, "{archive:?}"),
        }
    }
}

impl Writer {
    /// Sends one message; when it is written the turn is given back. A reader that has stopped is cut.
    pub fn send(&self, bytes: Vec<u8>, turn: Option<Turn>) {
        self.queue(Outgoing::Ready(bytes), turn);
    }

    /// The same for a message that carries this payload; it is put together off the arbiter if that is heavy.
    pub fn send_payload(
        &self,
        payload: Archive,
        encode: impl FnOnce() -> Vec<u8> + Send + 'static,
        turn: Option<Turn>,
    ) {
        let outgoing = if payload.bytes().len() > HEAVY {
            Outgoing::Heavy(Box::new(encode), payload)
        } else {
            Outgoing::Ready(encode())
        };
        self.queue(outgoing, turn);
    }

    fn queue(&self, outgoing: Outgoing, turn: Option<Turn>) {
        if self.replies.try_send((outgoing, turn)).is_err() {
            self.cut.cancel();
        }
    }

    /// Both sides match replies by `id`: several requests may be unanswered from here on.
    pub fn allow_many(&self) {
        self.turns.add_permits(IN_FLIGHT_MAX - 1);
    }

    /// Ends the connection; what is queued may still be written.
    pub fn close(&self) {
        self.cut.cancel();
    }
}

/// Writes replies in the order in which they were sent, until the session drops its end or the connection is cut.
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    mut write: W,
    mut queued: Receiver<(Outgoing, Option<Turn>)>,
    cut: CancellationToken,
) {
    let writing = async {
        while let Some((outgoing, turn)) = queued.recv().await {
            write_one(&mut write, outgoing).await?;
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

async fn write_one<W: AsyncWrite + Unpin>(write: &mut W, outgoing: Outgoing) -> Result<(), Broken> {
    let (bytes, _payload) = match outgoing {
        Outgoing::Ready(bytes) => (bytes, None),
        Outgoing::Heavy(encode, payload) => {
            let bytes = spawn_blocking(encode).await.map_err(io::Error::other)?;
            (bytes, Some(payload))
        }
    };
    for part in bytes.chunks(LAP_BYTES) {
        within(LAP, async { Ok(write.write_all(part).await?) }).await?;
    }
    Ok(())
}
