//! Lets connections in, as many as there are seats, and gives each to whom it wants to speak.
//!
//! Rule: the first bytes tell what is spoken: a method of HTTP, or else JSON.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mutirao_actors::clock::Clock;
use mutirao_actors::connection::Room;
use mutirao_actors::master_session::Duplex;
use mutirao_actors::message_log::MessageLog;
use mutirao_actors::model::SessionId;
use mutirao_actors::peer_session::{Connection, Desk, PeerSession};
use tokio::time::timeout;

use crate::sockets::begun::Begun;
use crate::sockets::net::{Door, Listen};
use crate::web::Web;

/// Connections from one address at a time: a machine with many peers behind one address, but not one that takes all seats.
const CONNECTIONS_OF_ONE_MAX: usize = 4_096;
/// The pause after a failed accept: out of file descriptors, the next one would fail at once.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may say nothing at all.
const FIRST_WORD_MAX: Duration = Duration::from_secs(30);

/// The door of one listener.
pub struct Doorway {
    listener: Box<dyn Listen>,
    desk: Desk,
    clock: Clock,
    log: MessageLog,
    room: Room,
    seats: Arc<Mutex<Seats>>,
    last: SessionId,
    web: Option<Rc<Web>>,
}

/// What it takes to serve a connection.
struct Reception {
    desk: Desk,
    clock: Clock,
    log: MessageLog,
    room: Room,
    web: Option<Rc<Web>>,
}

/// Whoever opened a connection.
struct Guest {
    remote: SocketAddr,
    id: SessionId,
    seat: Seat,
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
    /// Whoever comes in by the door is served by this desk.
    pub fn new(door: Door, desk: Desk, clock: Clock, log: MessageLog) -> Self {
        Self {
            listener: door.listener,
            desk,
            clock,
            log,
            room: Room::new(),
            seats: Arc::new(Mutex::new(Seats::of(door.seats))),
            last: SessionId(0),
            web: None,
        }
    }

    /// Whoever speaks HTTP is served so; otherwise it is answered like any other nonsense.
    #[must_use]
    pub fn with_web(mut self, web: Web) -> Self {
        self.web = Some(Rc::new(web));
        self
    }

    /// Lets connections in until the program ends.
    pub async fn let_in(mut self) {
        loop {
            match self.listener.accept().await {
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
        let guest = Guest {
            remote,
            id: self.last,
            seat,
        };
        let reception = Reception {
            desk: self.desk.clone(),
            clock: self.clock.clone(),
            log: self.log.clone(),
            room: self.room.clone(),
            web: self.web.clone(),
        };
        actix_rt::spawn(reception.receive(stream, guest));
    }
}

impl Reception {
    /// Hears what a connection speaks, and gives it to whom it wants.
    async fn receive(self, stream: Box<dyn Duplex>, guest: Guest) {
        let Guest { remote, id, seat } = guest;
        // Who says nothing, or hangs up without a word, is nobody.
        let Ok(Ok(stream)) = timeout(FIRST_WORD_MAX, Begun::read(stream)).await else {
            return;
        };
        match self.web {
            _ if stream.is_over() => {}
            Some(web) if stream.speaks_http() => {
                web.serve(stream, remote).await;
                drop(seat);
            }
            _ => {
                let (room, seat) = (self.room, Box::new(seat));
                let connection = Connection {
                    stream,
                    remote,
                    id,
                    room,
                    seat,
                };
                PeerSession::start(connection, self.desk, self.clock, self.log);
            }
        }
    }
}

impl Seats {
    fn of(most: usize) -> Self {
        Self {
            most,
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
        let seats = Arc::new(Mutex::new(Seats::of(2 * CONNECTIONS_OF_ONE_MAX)));
        let address = |last| IpAddr::from([10, 0, 0, last]);
        let mut taken: Vec<_> = std::iter::from_fn(|| take_seat(&seats, address(1))).collect();
        assert_eq!(taken.len(), CONNECTIONS_OF_ONE_MAX);
        assert!(take_seat(&seats, address(2)).is_some());
        taken.pop();
        assert!(take_seat(&seats, address(1)).is_some());
        drop(taken);
        assert!(seats.lock().unwrap().by_address.is_empty());
    }
}
