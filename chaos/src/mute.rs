//! A peer of another program that takes whatever it is given and never hands anything in.

use std::time::Duration;

use mutirao_rig::clock;
use serde_json::json;

use crate::background::Background;
use crate::client::Client;
use crate::tasks::Tasks;

/// How it is called.
pub const NAME: &str = "mute";
/// Between two requests.
const AGAIN: Duration = Duration::from_millis(100);

/// The peer, until it is dropped.
pub struct Mute {
    _thread: Background,
}

impl Mute {
    /// Starts it.
    pub fn start(tasks: &Tasks) -> Self {
        let address = tasks.address;
        let thread = Background::repeat(move |_| {
            // One that does not register anew could still mean to hand in what it has, and gets nothing else.
            let register = json!({"action": "REGISTER", "peer_id": NAME, "addr": ["127.0.0.1", 9]});
            let request = json!({"action": "REQUEST_TASK", "peer_id": NAME});
            for words in [register, request] {
                // What it is told is nothing to it.
                let _ = Client::connect(address).and_then(|mut client| client.ask(&words));
            }
            clock::pause(AGAIN);
        });
        Self { _thread: thread }
    }
}
