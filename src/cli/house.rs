//! What every long-running command has: a clock, a message log, and ears for signals.

use std::path::Path;

use anyhow::Context as _;
use mutirao_actors::clock::Clock;
use mutirao_actors::message_log::MessageLog;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::options::LogOptions;
use crate::message_file::{self, MessageFile};

/// Where the store and the message log lie, below the root.
const HIDDEN: &str = ".mutirao";

/// A clock and a log for the life of the process.
pub struct House {
    /// The time.
    pub clock: Clock,
    /// What the actors said.
    pub log: MessageLog,
    file: Option<MessageFile>,
}

impl House {
    /// Starts the clock and the log.
    pub fn open(root: &Path, options: &LogOptions) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let hidden = root.join(HIDDEN);
        let file = options
            .message_log
            .then(|| MessageFile::start(&hidden))
            .transpose();
        let file = file
            .with_context(|| format!("failed to write the message log in {}", hidden.display()))?;
        let log = MessageLog::new(clock.clone(), file.as_ref().map(MessageFile::sink));
        Ok(Self { clock, log, file })
    }

    /// Leaves the message log for `mutirao trace`: all of it if it was asked for, else its newest part.
    pub fn close(self, root: &Path) {
        let left = match self.file {
            Some(file) => {
                file.close();
                Ok(())
            }
            None => message_file::leave(&root.join(HIDDEN), &self.log),
        };
        if let Err(error) = left {
            tracing::warn!("failed to leave the message log: {error}");
        }
    }
}

/// How the program is told to end.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// SIGTERM: finish what runs.
    Drain,
    /// Ctrl-C, or a second SIGTERM: end now.
    Stop,
}

impl Signals {
    /// Starts to listen.
    pub fn listen() -> anyhow::Result<Self> {
        let hear = |kind| signal(kind).context("failed to listen for signals");
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Drain,
        }
    }
}
