//! Tasks that come in by both doors, one after the other, also while the master is away.

use std::time::Duration;

use mutirao_rig::clock;

use crate::background::Background;
use crate::client::Client;
use crate::tasks::Tasks;

/// Load on a master until it is dropped.
pub struct Load {
    _by_files: Background,
    _by_tcp: Background,
}

impl Load {
    /// Starts it; a task that does this comes in by each door about this often.
    pub fn start(tasks: &Tasks, every: Duration, deed: &'static str) -> Self {
        Self {
            _by_files: by_files(tasks.clone(), every, deed),
            _by_tcp: by_tcp(tasks.clone(), every, deed),
        }
    }
}

fn by_files(tasks: Tasks, every: Duration, deed: &'static str) -> Background {
    let mut number = 0;
    Background::repeat(move |_| {
        number += 1;
        if let Err(error) = tasks.put(&format!("file-{number}"), deed) {
            eprintln!("{error:#}");
        }
        clock::pause(every);
    })
}

fn by_tcp(tasks: Tasks, every: Duration, deed: &'static str) -> Background {
    let (mut number, mut client) = (0, None);
    Background::repeat(move |_| {
        let connected = client
            .take()
            .map_or_else(|| Client::connect(tasks.address), Ok);
        if let Ok(mut connected) = connected {
            number += 1;
            // An error ends the connection: the next one may find the master back.
            let sent = tasks.submit(&mut connected, &format!("tcp-{number}"), deed);
            client = sent.ok().map(|_| connected);
        }
        clock::pause(every);
    })
}
