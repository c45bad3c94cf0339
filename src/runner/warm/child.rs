//! A script that a template has forked.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::sync::oneshot;

use super::template::Desk;
use crate::runner::procfs;

/// Between two looks at a script whose template is gone: it happens when a script kills its parent.
const ADOPTED_LOOK: Duration = Duration::from_millis(10);

/// So many looks at a dead script, the first some hundredths of a second apart, its template may keep silent.
const SEEN_DEAD_MAX: u32 = 4;

/// A running script; its process id stays taken until this is dropped.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    ended: oneshot::Receiver<ExitStatus>,
    status: Option<ExitStatus>,
    /// How often it was seen dead without a word of its template.
    seen_dead: u32,
    desk: Arc<Desk>,
}

impl Child {
    pub(super) fn new(pid: i32, ended: oneshot::Receiver<ExitStatus>, desk: Arc<Desk>) -> Self {
        Self {
            pid,
            ended,
            status: None,
            seen_dead: 0,
            desk,
        }
    }

    /// Its process id, which is that of its group, too.
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// Looks whether it has ended and its template keeps silent, as one that a script has stopped: then that ends, too.
    pub fn look(&mut self) {
        if self.status.is_none() && procfs::is_dead(self.pid) {
            self.seen_dead += 1;
            if self.seen_dead == SEEN_DEAD_MAX {
                self.desk.end();
            }
        }
    }

    /// Comes back when it has ended, as often as it is asked.
    ///
    /// # Errors
    /// When its end was not seen.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let status = (&mut self.ended).await;
        let status = status.map_err(|_| io::Error::other("it was lost with its template"))?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.ended.close();
        if self.status.is_some() || self.ended.try_recv().is_ok() {
            self.desk.reap(self.pid);
        }
    }
}

/// Waits for a script whose template is gone, which made it our own child.
pub(super) async fn adopt(pid: i32, tell: oneshot::Sender<ExitStatus>) {
    loop {
        let raw = match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => (code & 0xff) << 8,
            Ok(WaitStatus::Signaled(_, signal, _)) => signal as i32,
            Ok(_) => {
                tokio::time::sleep(ADOPTED_LOOK).await;
                continue;
            }
            Err(_) => return,
        };
        let _ = tell.send(ExitStatus::from_raw(raw));
        return;
    }
}
