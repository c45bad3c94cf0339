//! What a starting peer finds where its last life was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mutirao_actors::logic::client::Kept;
use tokio::task::spawn_blocking;

use super::seat::Seat;
use super::spool::Spool;
use super::{Config, PeerError};
use crate::disk::Volume;
use crate::runner::Notes;

/// What a peer finds of its last life.
pub(super) struct Settled {
    pub seat: Seat,
    pub spool: Arc<Spool>,
    pub kept: Vec<Kept>,
    pub notes: Notes,
}

/// Takes a seat and reads what lies there, which may take a while.
pub(super) async fn settle(config: &Config, volume: Arc<Volume>) -> Result<Settled, PeerError> {
    let (root, spool) = (config.root.clone(), config.spool.clone());
    let settled = spawn_blocking(move || sit_down(volume, &root, spool)).await;
    let found = settled.unwrap_or_else(|error| {
        Err(PeerError::Folder {
            folder: config.root.clone(),
            error: error.into(),
        })
    })?;
    let waiting = found.kept.len();
    if waiting > 0 {
        let results = if waiting == 1 { "result" } else { "results" };
        tracing::info!("{waiting} {results} of an earlier life will be handed in");
    }
    Ok(found)
}

fn sit_down(
    volume: Arc<Volume>,
    root: &Path,
    spool: Option<PathBuf>,
) -> Result<Settled, PeerError> {
    let seat = Seat::take(&volume, root)?;
    let (spool, runs) = (spool.unwrap_or_else(|| seat.spool()), seat.runs());
    let (spool, kept) = Spool::open(volume, spool)?;
    let notes = Notes::open(runs.clone()).map_err(|error| PeerError::Folder {
        folder: runs,
        error,
    })?;
    Ok(Settled {
        seat,
        spool: Arc::new(spool),
        kept,
        notes,
    })
}
