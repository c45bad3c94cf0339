//! A resident interpreter, as the peer sees it: it is asked to fork, and tells what becomes of its children.
//!
//! Rule: a script that was asked for either began, and then its process is known, or it never will. So nothing is taken
//! for granted before the last packet is heard: a template that does not answer is killed first.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::{Child as Process, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Recipe;
pub use super::child::Child;
use super::child::adopt;
use super::packet::{self, Order, Said};
use super::socket::Socket;
use crate::runner::family::MARKER;
use crate::runner::procfs;

/// How long an interpreter may take to start and to import what its group imports: the largest libraries, from a cold
/// disk on a busy machine.
const READY_WAIT: Duration = Duration::from_secs(60);
/// How long a fork may take. Milliseconds are usual; the rest is for a machine that swaps.
const BEGIN_WAIT: Duration = Duration::from_secs(20);
/// How long a killed template may take to end, as with a script.
const KILL_WAIT: Duration = Duration::from_secs(10);
/// A template that was not needed for this long ends: a new one costs one start.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// A template that is ready; it ends when this is dropped, or when nobody needs it for a while.
#[derive(Debug)]
pub struct Template {
    desk: Arc<Desk>,
}

/// How a request ended.
#[derive(Debug)]
pub enum Start {
    /// The script runs.
    Began(Child),
    /// It never began.
    Cold(String),
}

/// The process of a script that began and what will tell of its end, or why it did not begin.
type Answer = Result<(i32, oneshot::Receiver<ExitStatus>), String>;

/// What the template and those who use it share.
#[derive(Debug)]
pub(super) struct Desk {
    pub socket: Socket,
    book: Mutex<Book>,
    /// Kills the template.
    kill: CancellationToken,
}

#[derive(Debug, Default)]
struct Book {
    /// Nothing more may be asked.
    is_closed: bool,
    last_id: u64,
    /// By request; as many as there are slots.
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    /// By process.
    running: HashMap<i32, oneshot::Sender<ExitStatus>>,
}

impl Template {
    /// Starts an interpreter and waits until it is ready.
    ///
    /// # Errors
    /// Why it can be no template, in words.
    pub async fn start(recipe: Recipe<'_>) -> Result<Self, String> {
        let failed =
            |error: io::Error| format!("failed to start {}: {error}", recipe.program.display());
        let (desk, process, id) = launch(recipe).await.map_err(failed)?;
        let first = async {
            desk.socket
                .send(&packet::preload(recipe.modules), &[])
                .await?;
            desk.socket.receive().await
        };
        let said = match timeout(READY_WAIT, first).await {
            Ok(Ok(packet)) => Said::parse(&packet),
            Ok(Err(_)) => None,
            Err(_) => Some(Said::Unfit("it is not ready in time".into())),
        };
        match said {
            Some(Said::Ready) => {
                tokio::spawn(listen(desk.clone(), process, id));
                Ok(Self { desk })
            }
            said => {
                // What it is still importing must not go on.
                finish(process, id).await;
                Err(match said {
                    Some(Said::Unfit(why)) => why,
                    _ => "it ended before it was ready".into(),
                })
            }
        }
    }

    /// Whether it can be asked no more.
    pub fn is_over(&self) -> bool {
        self.desk.book().is_closed
    }

    /// Forks it for a script, which gets these two files as its standard output and error.
    ///
    /// # Errors
    /// When it is not known whether the script began: it must not be started again.
    pub async fn begin(&self, order: Order<'_>, files: &[OwnedFd; 2]) -> io::Result<Start> {
        let Some((id, answer)) = self.desk.open_request() else {
            return Ok(Start::Cold("the template has ended".into()));
        };
        let packet = order.packet(id);
        let sent = timeout(BEGIN_WAIT, self.desk.socket.send(&packet, files)).await;
        if let Err(error) = sent.unwrap_or_else(|late| Err(late.into())) {
            self.desk.book().asked.remove(&id);
            return Ok(Start::Cold(error.to_string()));
        }
        let mut answer = std::pin::pin!(answer);
        let answered = match timeout(BEGIN_WAIT, &mut answer).await {
            Ok(answered) => answered,
            Err(_) => {
                self.desk.end();
                let late = timeout(BEGIN_WAIT, answer).await;
                late.map_err(|_| io::Error::other("a template can be neither asked nor killed"))?
            }
        };
        Ok(match answered {
            Ok(Ok((pid, ended))) => Start::Began(Child::new(pid, ended, self.desk.clone())),
            Ok(Err(why)) => Start::Cold(why),
            Err(_) => Start::Cold("the template ended".into()),
        })
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        self.desk.socket.close();
    }
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_request(&self) -> Option<(u64, oneshot::Receiver<Answer>)> {
        let mut book = self.book();
        if book.is_closed {
            return None;
        }
        book.last_id += 1;
        let (id, (answer, answered)) = (book.last_id, oneshot::channel());
        book.asked.insert(id, answer);
        Some((id, answered))
    }

    /// Closes the book if nobody waits for anything.
    fn close_if_idle(&self) -> bool {
        let mut book = self.book();
        book.is_closed |= book.asked.is_empty() && book.running.is_empty();
        book.is_closed
    }

    fn hear(&self, said: Said) {
        match said {
            Said::Began { id, pid } => {
                let (tell, ended) = oneshot::channel();
                let asked = {
                    let mut book = self.book();
                    book.running.insert(pid, tell);
                    book.asked.remove(&id)
                };
                if asked.is_none_or(|asked| asked.send(Ok((pid, ended))).is_err()) {
                    // Whoever asked is gone, and so is all that would watch it.
                    procfs::kill_group(pid);
                }
            }
            Said::Cold { id, why } => {
                if let Some(asked) = self.book().asked.remove(&id) {
                    let _ = asked.send(Err(why));
                }
            }
            Said::Ended { pid, status } => {
                let waiting = self.book().running.remove(&pid);
                if waiting.is_none_or(|waiting| waiting.send(status).is_err()) {
                    self.reap(pid);
                }
            }
            Said::Ready | Said::Unfit(_) => {}
        }
    }

    /// Ends the template at once; scripts that have begun go on.
    pub(super) fn end(&self) {
        self.kill.cancel();
    }

    /// Frees the number of a process that has ended. Without room for the packet it stays taken as long as the template lives.
    pub(super) fn reap(&self, pid: i32) {
        let _ = self.socket.try_send(&packet::reap(pid), &[]);
    }
}

async fn launch(recipe: Recipe<'_>) -> io::Result<(Arc<Desk>, Process, i32)> {
    let (socket, theirs) = Socket::pair()?;
    let mut command = Command::new(recipe.program);
    command
        .arg(recipe.script)
        .current_dir("/")
        .env_clear()
        .envs(recipe.env.iter().map(|(name, value)| (name, value)))
        // Each child writes its own over it, which is as long.
        .env(MARKER, Uuid::nil().to_string())
        .stdin(Stdio::from(theirs))
        // What it would print is nobody's; a script must find pipes, as it always does.
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let (process, id) = procfs::start_template(command).await?;
    let desk = Desk {
        socket,
        book: Mutex::default(),
        kill: CancellationToken::new(),
    };
    Ok((Arc::new(desk), process, id))
}

/// Ends a template with what it has forked and not let go, which is in its group still.
async fn finish(mut process: Process, id: i32) {
    procfs::kill_group(id);
    if timeout(KILL_WAIT, process.kill()).await.is_err() {
        tracing::warn!(pid = id, "a killed interpreter hangs inside the kernel");
    }
    procfs::dismiss(id).await;
}

/// Hears a template until its end.
async fn listen(desk: Arc<Desk>, process: Process, id: i32) {
    let mut is_killed = false;
    loop {
        let heard = tokio::select! {
            biased;
            heard = timeout(IDLE_MAX, desk.socket.receive()) => heard,
            () = desk.kill.cancelled(), if !is_killed => {
                is_killed = true;
                desk.book().is_closed = true;
                procfs::kill_group(id);
                continue;
            }
        };
        match heard {
            Ok(Ok(packet)) if !packet.is_empty() => match Said::parse(&packet) {
                Some(said) => desk.hear(said),
                None => desk.end(),
            },
            Ok(_) => break,
            Err(_) if desk.close_if_idle() => desk.socket.close(),
            Err(_) => {}
        }
    }
    finish(process, id).await;
    let orphans = {
        let mut book = desk.book();
        book.is_closed = true;
        book.asked.clear();
        std::mem::take(&mut book.running)
    };
    // Its children are ours now.
    for (pid, tell) in orphans {
        tokio::spawn(adopt(pid, tell));
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
