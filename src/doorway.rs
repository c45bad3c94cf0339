//! Lets connections in, as many as there are seats, and gives each a session.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mutirao_actors::clock::Clock;
use mutirao_actors::connection::Room;
use mutirao_actors::master_session::Duplex;
use mutirao_actors::message_log::MessageLog;
use mutirao_actors::model::SessionId;
use mutirao_actors::peer_session::{Connection, Desk, PeerSession};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::sockets::net::Listen;

/// Connections at a time, however many files may be open: some thousand peers and whoever looks in; each needs a file descriptor and some 10 KB.
const CONNECTIONS_MAX: usize = 12_000;
/// Connections from one address at a time: a machine with many peers behind one address, but not one that takes all seats.
const CONNECTIONS_OF_ONE_MAX: usize = 4_096;
/// Open files that are asked of the system: enough for all seats; many systems give a thousand unasked.
const FILES_WANTED: u64 = 32_768;
/// Open files of which there is one connection at most, in tenths. A process has two doors at most, and the rest is
/// for results, scripts and whatever else must go on when strangers have taken all seats (promise R7).
const CONNECTIONS_TENTHS: u64 = 4;
/// The pause after a failed accept: out of file descriptors, the next one would fail at once.
const PAUSE: Duration = Duration::from_millis(100);

/// The door of one listener.
pub struct Doorway {
    desk: Desk,
    clock: Clock,
    log: MessageLog,
    room: Room,
    seats: Arc<Mutex<Seats>>,
    last: SessionId,
}

#[derive(Debug)]
struct Seats {
    most: usize,
    taken: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's right to be here.
struct Seat {
    seats: Arc<Mutex<Seats>>,
    address: IpAddr,
}

impl Doorway {
    /// A door behind which this desk serves.
    pub fn new(desk: Desk, clock: Clock, log: MessageLog) -> Self {
        Self {
            desk,
            clock,
            log,
            room: Room::new(),
            seats: Arc::new(Mutex::new(Seats::among(files_max()))),
            last: SessionId(0),
        }
    }

    /// Lets connections in until the program ends.
    pub async fn let_in(mut self, mut listener: Box<dyn Listen>) {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => self.seat(stream, remote),
                Err(error) => {
                    tracing::warn!("failed to accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn seat(&mut self, stream: Box<dyn Duplex>, remote: SocketAddr) {
        let Some(seat) = take_seat(&self.seats, remote.ip()) else {
            // Who is turned away sees the connection closed and comes again; a reply would need a seat.
            tracing::warn!(%remote, "turned a connection away: too many are open");
            return;
        };
        self.last.0 += 1;
        let connection = Connection {
            stream,
            remote,
            id: self.last,
            room: self.room.clone(),
            seat: Box::new(seat),
        };
        PeerSession::start(
            connection,
            self.desk.clone(),
            self.clock.clone(),
            self.log.clone(),
        );
    }
}

/// How many files this process may have open, after it has asked for as many as it wants.
fn files_max() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((FILES_WANTED, FILES_WANTED));
    let wanted = hard.min(FILES_WANTED);
    let granted = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    if granted { wanted } else { soft }
}

impl Seats {
    /// As many as fit a process that may have this many files open.
    fn among(files: u64) -> Self {
        let fit = usize::try_from(files / 10 * CONNECTIONS_TENTHS).unwrap_or(CONNECTIONS_MAX);
        Self {
            most: fit.min(CONNECTIONS_MAX),
            taken: 0,
            by_address: HashMap::new(),
        }
    }

    fn has_one_for(&self, address: IpAddr) -> bool {
        let of_one = self.by_address.get(&address).copied().unwrap_or(0);
        self.taken < self.most && of_one < CONNECTIONS_OF_ONE_MAX.min(self.most / 2)
    }
}

fn take_seat(seats: &Arc<Mutex<Seats>>, address: IpAddr) -> Option<Seat> {
    let mut taken = seats.lock().unwrap_or_else(PoisonError::into_inner);
    if !taken.has_one_for(address) {
        return None;
    }
    taken.taken += 1;
    *taken.by_address.entry(address).or_default() += 1;
    Some(Seat {
        seats: Arc::clone(seats),
        address,
    })
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        taken.taken -= 1;
        if let Some(of_one) = taken.by_address.get_mut(&self.address) {
            *of_one -= 1;
            if *of_one == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_seats_and_a_seat_that_is_left_is_free_again() {
        let seats = Arc::new(Mutex::new(Seats::among(FILES_WANTED)));
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let mut taken: Vec<_> = std::iter::from_fn(|| take_seat(&seats, address(1))).collect();
        assert_eq!(taken.len(), CONNECTIONS_OF_ONE_MAX);
        assert!(take_seat(&seats, address(2)).is_some());
        taken.pop();
        assert!(take_seat(&seats, address(1)).is_some());
        drop(taken);
        assert!(seats.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn connections_leave_files_for_everything_else_where_few_may_be_open() {
        let seats = Arc::new(Mutex::new(Seats::among(1024)));
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let taken: Vec<_> = (0..=255)
            .cycle()
            .map_while(|last| take_seat(&seats, address(last)))
            .collect();
        assert_eq!(taken.len(), 408);
        assert!(
            files_max()
                >= getrlimit(Resource::RLIMIT_NOFILE)
                    .unwrap()
                    .0
                    .min(FILES_WANTED)
        );
    }
}
