//! A question that is put to the master again and again, and when each answer came.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mutirao_rig::clock;
use serde_json::Value;

use crate::background::Background;
use crate::client::Client;
use crate::master::Master;

/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks until it is told to end.
pub struct Asking {
    answers: Arc<Mutex<Vec<Answer>>>,
    thread: Background,
}

/// When an answer came.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// Before it was asked for.
    pub asked: Instant,
    /// When it was heard.
    pub heard: Instant,
}

impl Asking {
    /// Asks this, on a connection of its own.
    pub fn start(master: &Master, request: Value) -> Self {
        let answers = Arc::<Mutex<Vec<_>>>::default();
        let (heard, address, mut client) = (Arc::clone(&answers), master.address(), None);
        let thread = Background::repeat(move |_| {
            let connected = client.take().map_or_else(|| Client::connect(address), Ok);
            if let Ok(mut connected) = connected {
                let asked = clock::now();
                // One that is not answered leaves a gap between those that are.
                client = connected.ask(&request).ok().map(|_| {
                    let heard_now = clock::now();
                    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.push(Answer {
                        asked,
                        heard: heard_now,
                    });
                    connected
                });
            }
            clock::pause(PAUSE);
        });
        Self { answers, thread }
    }

    /// Asks no more: all answers.
    pub fn end(self) -> Vec<Answer> {
        drop(self.thread);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *answers)
    }
}
