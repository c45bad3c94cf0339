//! Tasks that leave a mark each time they are begun, and the two doors by which they come in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mutirao_rig::clock;

use crate::archives::{pack, put};
use crate::checker::{History, Promise};
use crate::client::Client;

/// Makes tasks, hands them in and notes what was promised about them.
#[derive(Debug, Clone)]
pub struct Tasks {
    /// The file with a line for each time that a task was begun.
    pub marks: PathBuf,
    /// The master's `tasks/`.
    pub folder: PathBuf,
    /// Where the master serves.
    pub address: SocketAddr,
    history: Arc<Mutex<History>>,
}

impl Tasks {
    /// None yet.
    pub fn new(marks: PathBuf, folder: PathBuf, address: SocketAddr) -> Self {
        Self {
            marks,
            folder,
            address,
            history: Arc::default(),
        }
    }

    /// What was promised so far, for as long as it takes to write a line.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task that leaves its mark, does this, and prints its key.
    pub fn make(&self, key: &str, deed: &str) -> anyhow::Result<Vec<u8>> {
        self.make_wishing(key, deed, "")
    }

    /// The same with this `task.toml`.
    fn make_wishing(&self, key: &str, deed: &str, wishes: &str) -> anyhow::Result<Vec<u8>> {
        let marks = &self.marks;
        let script = format!(
            "with open({marks:?}, 'a') as marks:\n    marks.write('{key}\\n')\n{deed}\nprint('{key}')\n"
        );
        let files = [
            ("main.py", script.as_bytes()),
            ("task.toml", wishes.as_bytes()),
        ];
        pack(if wishes.is_empty() {
            &files[..1]
        } else {
            &files
        })
    }

    /// Puts such a task into `tasks/`.
    pub fn put(&self, key: &str, deed: &str) -> anyhow::Result<()> {
        self.put_wishing(key, deed, "")
    }

    /// The same with this `task.toml`.
    pub fn put_wishing(&self, key: &str, deed: &str, wishes: &str) -> anyhow::Result<()> {
        let task = self.make_wishing(key, deed, wishes)?;
        put(&self.folder, &format!("{key}.zip"), &task)?;
        self.history().accepted.insert(key.into());
        Ok(())
    }

    /// Hands such a task in over TCP: whether it was accepted. Without a reply that is not known, and the key must
    /// not be used again.
    pub fn submit(&self, client: &mut Client, key: &str, deed: &str) -> anyhow::Result<bool> {
        let task = self.make(key, deed)?;
        self.history().unsure.insert(key.into());
        let asked = clock::now();
        let reply = client.submit(&format!("{key}.zip"), &task)?;
        let is_accepted = reply["status"] == "ACCEPTED";
        let mut history = self.history();
        history.unsure.remove(key);
        if is_accepted {
            history.accepted.insert(key.into());
            history.promises.push(Promise::heard(key, asked));
        }
        Ok(is_accepted)
    }
}
