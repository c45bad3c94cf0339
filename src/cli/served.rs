//! Which master serves this folder now, for commands that are started beside it.
//!
//! Rule: the note may be old, for a master that is killed takes nothing back, and the port may be another's by now. So it
//! counts only if the master of that id answers there.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use uuid::Uuid;

use super::master::{own_address, report};
use super::options::{LogOptions, root};
use crate::control::{Control, ControlError};
use crate::master::Master;

/// How long it may take to answer: it is on this machine, or it is not the one.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A master that serves this folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Where it is reached from this machine.
    pub address: SocketAddr,
    /// Which one it is.
    master_id: Uuid,
    /// Whether it writes every letter to the log in this folder.
    pub message_log: bool,
}

/// Notes that this master serves this folder. A folder that takes nothing is no reason to fail: the note only spares words.
pub fn note(master: &Master, log: &LogOptions) {
    let served = Served {
        address: own_address(master),
        master_id: master.identity.id,
        message_log: log.message_log,
    };
    let file = file();
    let written = serde_json::to_vec(&served)
        .map_err(std::io::Error::from)
        .and_then(|text| fs::write(&file, text));
    if let Err(error) = written {
        tracing::debug!("failed to write {}: {error}", file.display());
    }
}

/// The master that serves this folder, if one answers.
pub async fn here() -> Option<Served> {
    let noted: Served = serde_json::from_slice(&fs::read(file()).ok()?).ok()?;
    let asked = async {
        let mut control = Control::connect(noted.address).await?;
        Ok::<_, ControlError>(report(&mut control).await?.master_id)
    };
    let answered = timeout(ANSWER_WITHIN, asked).await.ok()?.ok()?;
    (answered == noted.master_id).then_some(noted)
}

fn file() -> PathBuf {
    root().join(".mutirao/master.json")
}
