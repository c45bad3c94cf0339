//! A peer on a clock that the test turns, and a master that says what the test wants.

mod any_order;
mod finding;
mod following;
mod foreign;
mod keeping;
mod leaving;
mod ours;
mod spares;

use std::net::SocketAddr;

use super::*;
use crate::model::{Attempt, Ending, Stream, TaskId};

/// How often the desk asks the mind what is due.
const TICK: Duration = Duration::from_millis(100);
/// The heartbeat that our master asks for.
const BEAT: Duration = Duration::from_secs(3);

/// A master of ours.
const OURS: Ours = Ours {
    master_id: Uuid::from_u128(0xa),
    heartbeat: BEAT,
    has_spares: true,
};

/// Another one.
const THEIRS: Ours = Ours {
    master_id: Uuid::from_u128(0xb),
    heartbeat: BEAT,
    has_spares: true,
};

/// A mind, the time, and what was said on the connection and not answered yet.
struct Play {
    mind: Client,
    now: Moment,
    open: Vec<(u64, Say)>,
}

impl Play {
    fn of(terms: Terms) -> Self {
        Self {
            mind: Client::new(terms),
            now: Moment(1_000_000),
            open: Vec::new(),
        }
    }

    /// A peer whose user named the master.
    fn fixed(dialect: Option<Dialect>) -> (Self, Vec<Order>) {
        let mut play = Self::of(Terms {
            slots: 2,
            fixed: Some(master(&[1], dialect)),
        });
        let orders = play.mind.start(play.now);
        (play, orders)
    }

    /// A peer that is registered with a master of ours, and asks.
    fn with_ours() -> Self {
        let (mut play, _) = Self::fixed(None);
        play.connected();
        play.answer(Said::Registered(Some(OURS)));
        play
    }

    /// A peer that is registered with a master of another group, which has heard its first heartbeat; it asks.
    fn with_foreign() -> Self {
        let (mut play, _) = Self::fixed(None);
        play.connected();
        play.answer(Said::Registered(None));
        play.answer(Said::Alive);
        play
    }

    fn did(&mut self, orders: Vec<Order>) -> Vec<Order> {
        for order in &orders {
            match order {
                Order::Dial(_) | Order::HangUp => self.open.clear(),
                Order::Say(id, _, say) => self.open.push((*id, say.clone())),
                _ => {}
            }
        }
        orders
    }

    fn start(&mut self) -> Vec<Order> {
        let orders = self.mind.start(self.now);
        self.did(orders)
    }

    fn found(&mut self, hosts: &[u8], dialect: Option<Dialect>) -> Vec<Order> {
        let orders = self.mind.found(master(hosts, dialect), self.now);
        self.did(orders)
    }

    fn connected(&mut self) -> Vec<Order> {
        let orders = self.mind.connected(self.now);
        self.did(orders)
    }

    fn not_connected(&mut self) -> Vec<Order> {
        let orders = self.mind.not_connected(self.now);
        self.did(orders)
    }

    fn closed(&mut self) -> Vec<Order> {
        self.open.clear();
        let orders = self.mind.closed(self.now);
        self.did(orders)
    }

    fn heard(&mut self, id: Option<u64>, said: Said) -> Vec<Order> {
        let orders = self.mind.heard(id, said, self.now);
        self.did(orders)
    }

    /// The master answers the oldest message.
    fn answer(&mut self, said: Said) -> Vec<Order> {
        self.answer_to(|_| true, said)
    }

    /// The master answers the oldest message of this kind; one of ours by its number.
    fn answer_to(&mut self, is: impl Fn(&Say) -> bool, said: Said) -> Vec<Order> {
        let nth = self.open.iter().position(|(_, say)| is(say));
        let (id, _) = self.open.remove(nth.expect("nothing of this kind is open"));
        let id = self.mind.is_ours().then_some(id);
        self.heard(id, said)
    }

    fn ended(&mut self, key: RunKey) -> Vec<Order> {
        let (outcome, result) = (outcome(), Archive::new("result"));
        let orders = self.mind.run_ended(key, outcome, result, self.now);
        self.did(orders)
    }

    /// A look has seen that the run printed this on both streams.
    fn seen(&mut self, key: RunKey, text: &'static [u8]) -> Vec<Order> {
        let piece = |stream| Piece {
            stream,
            offset: 0,
            bytes: text.into(),
        };
        let seen = Both {
            stdout: piece(Stream::Stdout),
            stderr: piece(Stream::Stderr),
        };
        let orders = self.mind.output_seen(key, Some(seen), self.now);
        self.did(orders)
    }

    /// A run for which the peer's own disk had no room.
    fn had_no_room(&mut self, key: RunKey) -> Vec<Order> {
        let outcome = Outcome {
            ending: Ending::PeerTrouble("no space left".into()),
            ..outcome()
        };
        let result = Archive::new("result");
        let orders = self.mind.run_ended(key, outcome, result, self.now);
        self.did(orders)
    }

    /// The master goes away, and whoever is there next is of ours or not.
    fn another_master(&mut self, ours: Option<Ours>) -> Vec<Order> {
        let mut orders = self.closed();
        for _ in 0..ROUNDS_MAX {
            orders.extend(self.wait_s(6));
            orders.extend(self.not_connected());
        }
        orders.extend(self.wait_s(6));
        orders.extend(self.connected());
        orders.extend(self.answer_to(is_register, Said::Registered(ours)));
        orders
    }

    fn leave(&mut self, at_once: bool) -> Vec<Order> {
        let orders = self.mind.leave(at_once, self.now);
        self.did(orders)
    }

    /// Lets this much time pass, tick by tick.
    fn wait(&mut self, time: Duration) -> Vec<Order> {
        let until = self.now.after(time);
        let mut orders = Vec::new();
        while self.now < until {
            self.now = self.now.after(TICK);
            let due = self.mind.tick(self.now);
            orders.extend(self.did(due));
        }
        orders
    }

    fn wait_s(&mut self, seconds: u64) -> Vec<Order> {
        self.wait(Duration::from_secs(seconds))
    }

    /// A master that answers everything else, by itself or not, until something of this kind is open.
    fn reach(&mut self, is: impl Fn(&Say) -> bool) -> Vec<Order> {
        let ours = self.mind.ours;
        let mut orders = Vec::new();
        for _ in 0..2_000 {
            let done = match self.open.first().map(|(_, say)| say.clone()) {
                _ if self.open.iter().any(|(_, say)| is(say)) => return orders,
                _ if self.mind.line == Line::Dialling => self.connected(),
                Some(Say::Register(_)) => self.answer(Said::Registered(ours)),
                Some(Say::Heartbeat) => self.answer(Said::Alive),
                _ if self.open.iter().any(|(_, say)| is_heartbeat(say)) => {
                    self.answer_to(is_heartbeat, Said::Alive)
                }
                _ => self.wait(TICK),
            };
            orders.extend(done);
        }
        panic!("it never says so: {:?}", self.open);
    }

    /// Takes the task that our master hands out as an answer to the ask.
    fn take(&mut self, number: u128) -> RunKey {
        let key = key(number);
        let ran = self.answer_to(is_ask, task(Some(key)));
        assert!(runs(&ran).contains(&key), "{ran:?}");
        key
    }

    /// Takes the task that another master hands out.
    fn take_unnamed(&mut self) -> RunKey {
        let ran = self.answer_to(is_ask, task(None));
        runs(&ran).pop().expect("the task was not run")
    }
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 50020))
}

fn master(hosts: &[u8], dialect: Option<Dialect>) -> Master {
    Master {
        name: "lab".into(),
        addresses: hosts.iter().map(|host| address(*host)).collect(),
        dialect,
    }
}

fn key(number: u128) -> RunKey {
    (TaskId(Uuid::from_u128(number)), Attempt(1))
}

fn task(key: Option<RunKey>) -> Said {
    Said::Task {
        key,
        name: "exemplo.zip".into(),
        archive: Archive::new("task"),
        time_limit: None,
    }
}

fn outcome() -> Outcome {
    Outcome {
        ending: Ending::Exit(0),
        took: Duration::from_secs(1),
        peak_rss: None,
    }
}

fn error() -> Said {
    Said::Error("no".into(), None)
}

fn coded(code: &str) -> Said {
    Said::Error("no".into(), Some(code.into()))
}

fn is_register(say: &Say) -> bool {
    matches!(say, Say::Register(_))
}

fn is_ask(say: &Say) -> bool {
    matches!(say, Say::Ask(_))
}

fn is_heartbeat(say: &Say) -> bool {
    *say == Say::Heartbeat
}

fn is_hand_in(say: &Say) -> bool {
    matches!(say, Say::HandIn(_))
}

fn is_leave(say: &Say) -> bool {
    *say == Say::Leave
}

/// What was said, in order.
fn says(orders: &[Order]) -> Vec<&Say> {
    let mut said = Vec::new();
    for order in orders {
        if let Order::Say(_, _, say) = order {
            said.push(say);
        }
    }
    said
}

fn says_any(orders: &[Order], is: impl Fn(&Say) -> bool) -> bool {
    says(orders).into_iter().any(is)
}

fn runs(orders: &[Order]) -> Vec<RunKey> {
    let run = |order: &Order| match order {
        Order::Run(assignment) => Some(assignment.key),
        _ => None,
    };
    orders.iter().filter_map(run).collect()
}

fn dials(orders: &[Order]) -> Vec<SocketAddr> {
    let dial = |order: &Order| match order {
        Order::Dial(address) => Some(*address),
        _ => None,
    };
    orders.iter().filter_map(dial).collect()
}

fn seeks(orders: &[Order]) -> usize {
    let seek = |order: &&Order| matches!(order, Order::Seek(_));
    orders.iter().filter(seek).count()
}
