//! The switch of a LAN: a thread that carries every frame from port to port, as the weather has it.
//!
//! The kernel could carry them, and drop some; it cannot hold them back here, and does not tell what it did to which.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mutirao_rig::clock;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};

use super::Port;
use super::frame::Frame;
use super::weather::{Fate, Weather};
use crate::background::Background;

/// Longest frame that is read. Hosts are told to send none longer than Ethernet has.
const FRAME_MAX: usize = 2048;
/// Frames of one port that are read before it is the next one's turn.
const BURST_MAX: usize = 64;
/// Frames that are held back at a time; beyond that they are lost, as in any switch.
const HELD_MAX: usize = 10_000;
/// How soon it is seen that the switch is to end.
const REST: Duration = Duration::from_millis(50);

/// One socket of the switch, for a cable.
#[derive(Debug)]
pub struct Socket {
    port: Port,
    wire: File,
    /// The number of the latest frame that went out here.
    latest: u64,
}

/// A switch that works until it is dropped.
pub struct Switch {
    weather: Arc<Mutex<Weather>>,
    _thread: Background,
}

struct Carrier {
    sockets: Vec<Socket>,
    /// What the row itself is plugged into: what it says or hears is not counted.
    desk: Port,
    weather: Arc<Mutex<Weather>>,
    /// Frames by the time at which they go on.
    held: BTreeMap<(Instant, u64), Passing>,
    arrived: u64,
}

/// A frame on its way to one port.
struct Passing {
    to: Port,
    frame: Frame,
    /// How many had come before it.
    number: u64,
    counts: bool,
}

impl Socket {
    /// For the interface of this name, in the network of this thread.
    ///
    /// # Errors
    /// It is not there, or may not be read.
    pub fn open(port: Port, interface: &str) -> anyhow::Result<Self> {
        let wire = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )?;
        let mut interfaces = getifaddrs()?.filter(|found| found.interface_name == interface);
        let address = interfaces.find_map(|found| found.address?.as_link_addr().copied());
        let address = address.with_context(|| format!("there is no interface {interface}"))?;
        bind(wire.as_raw_fd(), &address)?;
        Ok(Self {
            port,
            wire: wire.into(),
            latest: 0,
        })
    }

    /// The next frame that comes from here; none when there is none now, also because the cable is out.
    fn read(&mut self) -> Option<(Port, Frame)> {
        let mut bytes = [0; FRAME_MAX];
        let length = self.wire.read(&mut bytes).ok()?;
        Some((self.port, Frame::new(bytes.get(..length)?)))
    }
}

impl Switch {
    /// Begins to carry.
    pub fn start(sockets: Vec<Socket>, desk: Port, weather: Weather) -> Self {
        let weather = Arc::new(Mutex::new(weather));
        let mut carrier = Carrier {
            sockets,
            desk,
            weather: Arc::clone(&weather),
            held: BTreeMap::new(),
            arrived: 0,
        };
        Self {
            weather,
            _thread: Background::repeat(move |_| carrier.step()),
        }
    }

    /// What is done to frames, for as long as it takes to look or to change it.
    pub fn weather(&self) -> MutexGuard<'_, Weather> {
        hold(&self.weather)
    }
}

impl Carrier {
    fn step(&mut self) {
        let next = self.held.keys().next().map(|(due, _)| *due);
        let rest = next.map_or(REST, |due| due.saturating_duration_since(clock::now()));
        // Rounded up: it would spin through the last millisecond.
        let rest = u16::try_from(rest.min(REST).as_millis() + 1).unwrap_or(u16::MAX);
        let sockets = self.sockets.iter();
        let mut waits: Vec<_> = sockets
            .map(|socket| PollFd::new(socket.wire.as_fd(), PollFlags::POLLIN))
            .collect();
        // Whatever it says, all are looked at.
        let _ = poll(&mut waits, rest);
        for number in 0..self.sockets.len() {
            for _ in 0..BURST_MAX {
                let socket = self.sockets.get_mut(number);
                let Some((from, frame)) = socket.and_then(Socket::read) else {
                    break;
                };
                self.take(from, frame);
            }
        }
        self.release();
    }

    fn take(&mut self, from: Port, mut frame: Frame) {
        frame.seal();
        self.arrived += 1;
        let to = frame.goes_to();
        let ports: Vec<_> = self.sockets.iter().map(|socket| socket.port).collect();
        let receives = |port: &Port| *port != from && to.is_none_or(|to| to == *port);
        for to in ports.into_iter().filter(receives) {
            let passing = Passing {
                to,
                frame: frame.clone(),
                number: self.arrived,
                counts: from != self.desk && to != self.desk,
            };
            self.pass(from, passing);
        }
    }

    fn pass(&mut self, from: Port, passing: Passing) {
        let fate = hold(&self.weather).fate(&passing.frame, from, passing.to, passing.counts);
        match fate {
            Fate::Lost => {}
            Fate::Resets { back, on } => {
                let on = on.map(|frame| (passing.to, frame));
                for (to, frame) in on.into_iter().chain([(from, back)]) {
                    self.send(&Passing {
                        to,
                        frame,
                        ..passing
                    });
                }
            }
            Fate::Arrives { after, again } => {
                if let Some(after) = again {
                    let twin = Passing {
                        frame: passing.frame.clone(),
                        ..passing
                    };
                    self.carry(after, twin);
                }
                self.carry(after, passing);
            }
        }
    }

    fn carry(&mut self, after: Duration, passing: Passing) {
        if after.is_zero() {
            self.send(&passing);
        } else if self.held.len() < HELD_MAX {
            let due = clock::now() + after;
            self.held.insert((due, passing.number), passing);
        }
    }

    /// Sends on what was held back for long enough.
    fn release(&mut self) {
        let now = clock::now();
        while let Some(held) = self.held.first_entry().filter(|held| held.key().0 <= now) {
            let passing = held.remove();
            self.send(&passing);
        }
    }

    fn send(&mut self, passing: &Passing) {
        let mut sockets = self.sockets.iter_mut();
        let Some(socket) = sockets.find(|socket| socket.port == passing.to) else {
            return;
        };
        if passing.counts && passing.number < socket.latest {
            hold(&self.weather).tally.overtaken += 1;
        }
        socket.latest = socket.latest.max(passing.number);
        // A cable that is out carries nothing.
        let _ = socket.wire.write(passing.frame.bytes());
    }
}

fn hold(weather: &Mutex<Weather>) -> MutexGuard<'_, Weather> {
    weather.lock().unwrap_or_else(PoisonError::into_inner)
}
