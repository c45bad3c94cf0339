//! Any events in any order: what holds whatever a master does.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Slots of the peer.
const SLOTS: usize = 3;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    Found,
    Connected,
    NotConnected,
    Closed,
    Heard(u8, Said),
    Ended(u8),
    Passed(u16),
    Seen(u8),
    Moved(u32),
}

fn any_said() -> impl Strategy<Value = Said> {
    let number = 1..6_u128;
    prop_oneof![
        2 => prop::sample::select(vec![None, Some(OURS), Some(THEIRS)]).prop_map(Said::Registered),
        1 => Just(Said::Alive),
        1 => Just(Said::Nothing),
        4 => proptest::option::of(number.clone()).prop_map(|number| task(number.map(key))),
        2 => Just(Said::Taken),
        1 => Just(Said::Left),
        1 => Just(error()),
        1 => Just(coded("too_late")),
        1 => Just(coded("damaged")),
        1 => Just(coded("not_stored")),
        1 => number.clone().prop_map(|number| Said::Cancel(key(number))),
        2 => number.prop_map(|number| Said::Follow(key(number), None, Duration::from_secs(5))),
        1 => Just(Said::Unknown("?".into())),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => Just(Event::Found),
        3 => Just(Event::Connected),
        1 => Just(Event::NotConnected),
        1 => Just(Event::Closed),
        10 => (any::<u8>(), any_said()).prop_map(|(id, said)| Event::Heard(id, said)),
        4 => any::<u8>().prop_map(Event::Ended),
        2 => any::<u8>().prop_map(Event::Seen),
        4 => (1..600_u16).prop_map(Event::Passed),
        1 => any::<u32>().prop_map(Event::Moved),
    ]
}

/// The world around the mind: what it was told to do, and whether it may be told so.
struct World {
    play: Play,
    running: Vec<RunKey>,
    /// Looks at what is printed that were ordered and have seen nothing yet.
    looks: Vec<RunKey>,
    forgotten: Vec<RunKey>,
    ran: Vec<RunKey>,
    open: bool,
    /// Whether nothing was said on the connection yet.
    fresh: bool,
    gone: bool,
}

impl World {
    fn new(fixed: bool) -> Self {
        let play = Play::of(Terms {
            slots: SLOTS as u32,
            fixed: fixed.then(|| master(&[1, 2], None)),
        });
        let mut world = Self {
            play,
            running: Vec::new(),
            looks: Vec::new(),
            forgotten: Vec::new(),
            ran: Vec::new(),
            open: false,
            fresh: false,
            gone: false,
        };
        let orders = world.play.start();
        world.check(orders);
        world
    }

    fn check(&mut self, orders: Vec<Order>) {
        for order in orders {
            assert!(!self.gone, "{order:?} after the end");
            match order {
                Order::Say(_, _, say) => {
                    assert!(self.open, "said to nobody");
                    let mind = &self.play.mind;
                    let introduces = is_register(&say);
                    let knows = mind.leaving.is_some() || mind.asks() == 0;
                    assert!(!introduces || knows, "what is on its way is not named");
                    let is_first = std::mem::take(&mut self.fresh) && mind.is_ours();
                    assert!(!is_first || introduces, "{say:?} on a new connection");
                }
                Order::Dial(_) | Order::HangUp => self.open = false,
                Order::Run(run) => {
                    assert!(!self.running.contains(&run.key), "run twice at once");
                    self.running.push(run.key);
                    self.ran.push(run.key);
                }
                Order::Look(key, _) => self.looks.push(key),
                Order::Forget(key) => self.forgotten.push(key),
                Order::Gone => self.gone = true,
                Order::Seek(_) | Order::StopSeeking | Order::Stop(_) | Order::StopAll => {}
            }
        }
        let mind = &self.play.mind;
        let outputs = mind.times_said(|say| matches!(say, Say::Output(..)));
        assert!(outputs <= 1, "{:?}", mind.in_flight);
        assert!(mind.in_flight.len() <= 40, "{:?}", mind.in_flight);
        if !mind.is_ours() && mind.registered {
            assert!(mind.in_flight.len() <= 1, "{:?}", mind.in_flight);
        }
    }

    fn happen(&mut self, event: Event) {
        let dialling = self.play.mind.line == Line::Dialling;
        let orders = match event {
            Event::Found => self.play.found(&[3, 4], Some(Dialect::Flat)),
            Event::Connected if dialling => {
                (self.open, self.fresh) = (true, true);
                self.play.connected()
            }
            Event::NotConnected if dialling => self.play.not_connected(),
            Event::Closed if self.open => {
                self.open = false;
                self.play.closed()
            }
            Event::Heard(id, said) if self.open => {
                let id = match id % 4 {
                    0 => None,
                    1 => Some(u64::from(id)),
                    _ => self.play.mind.in_flight.keys().next().copied(),
                };
                self.play.heard(id, said)
            }
            Event::Ended(nth) if !self.running.is_empty() => {
                let nth = usize::from(nth) % self.running.len();
                let key = self.running.swap_remove(nth);
                self.play.ended(key)
            }
            Event::Seen(nth) if !self.looks.is_empty() => {
                let nth = usize::from(nth) % self.looks.len();
                let key = self.looks.swap_remove(nth);
                self.play.seen(key, b"printed")
            }
            Event::Passed(tenths) => {
                for _ in 0..tenths {
                    let orders = self.play.wait(TICK);
                    self.check(orders);
                }
                Vec::new()
            }
            Event::Moved(bytes) if self.open => {
                let bytes = self.play.mind.moved + u64::from(bytes >> 12);
                self.play.mind.moved(bytes);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.check(orders);
    }

    /// The master goes away for some time.
    fn lose_master(&mut self) {
        self.happen(Event::Closed);
        for _ in 0..2 * ROUNDS_MAX {
            self.happen(Event::Passed(100));
            self.happen(Event::NotConnected);
        }
    }

    /// A master that does what it should, until nothing is left to say but heartbeats.
    fn cooperate(&mut self, ours: Option<Ours>) {
        while let Some(key) = self.running.pop() {
            let orders = self.play.ended(key);
            self.check(orders);
        }
        for _ in 0..3_000 {
            if self.play.mind.line == Line::Dialling {
                self.happen(Event::Connected);
            }
            let first = self
                .play
                .mind
                .in_flight
                .iter()
                .find(|(_, open)| !is_ask(&open.say));
            let first = first.or_else(|| self.play.mind.in_flight.first_key_value());
            let Some((id, say)) = first.map(|(id, open)| (*id, open.say.clone())) else {
                self.happen(Event::Passed(1));
                continue;
            };
            let said = match say {
                Say::Register(_) => Said::Registered(ours),
                Say::Heartbeat => Said::Alive,
                Say::Ask(_) => Said::Nothing,
                Say::HandIn(_) | Say::Output(..) => Said::Taken,
                Say::Leave => Said::Left,
            };
            let id = self.play.mind.is_ours().then_some(id);
            let orders = self.play.heard(id, said);
            self.check(orders);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_run_is_forgotten_once_when_a_master_does_what_it_should(
        fixed: bool,
        masters in Just(vec![None, Some(OURS), Some(THEIRS)]).prop_shuffle(),
        events in vec(any_event(), 0..120),
    ) {
        let mut world = World::new(fixed);
        for event in events {
            world.happen(event);
        }
        // What was run for one master waits for it. Each introduces itself: who is at the other end now may be another.
        for master in masters {
            world.lose_master();
            world.happen(Event::Found);
            world.cooperate(master);
        }
        world.ran.sort_unstable();
        world.forgotten.sort_unstable();
        prop_assert_eq!(&world.ran, &world.forgotten);
    }

    #[test]
    fn who_is_told_to_leave_goes_whatever_the_master_does(
        fixed: bool,
        at_once: bool,
        before in vec(any_event(), 0..80),
        after in vec(any_event(), 0..40),
    ) {
        let mut world = World::new(fixed);
        for event in before {
            world.happen(event);
        }
        let orders = world.play.leave(at_once);
        world.check(orders);
        for event in after {
            world.happen(event);
        }
        for nth in 0..=SLOTS * 9 {
            world.happen(Event::Ended(nth as u8));
        }
        world.happen(Event::Passed(20_000));
        prop_assert!(world.gone);
    }
}
