//! A master: the production actors on the simulated network and disk.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mutirao::disk::Volume;
use mutirao::ground::{Ground, Ids};
use mutirao::master::{self, Config, Footing, Memory};
use mutirao::web::Changes;
use mutirao_actors::logic::dispatch::Rules;
use mutirao_actors::schedulers::Entry;

use super::{DISCOVERY_PORT, PORT, Seat, SlowHands};
use crate::disk::SimDisk;
use crate::net::SimNet;
use crate::store::{Amnesia, SimStore, Witness};
use crate::tally::{Met, Tally};

/// The time limit of every task: what a lease lasts beyond it is production's.
pub const TIME_LIMIT: Duration = Duration::from_secs(20);

/// What a master's machine is.
#[derive(Debug, Clone)]
pub struct MasterHost {
    /// Its seat.
    pub seat: Seat,
    /// Which of the addresses this is.
    pub number: usize,
    /// The address that has the master now; the others rest.
    pub active: Arc<AtomicUsize>,
    /// Lives of the master begun, on either address: the ids of two are never the same.
    pub lives: Arc<AtomicU64>,
    /// The disk, which moves with the master.
    pub disk: SimDisk,
    /// Who sees every commit.
    pub witness: Witness,
    /// What the store forgets.
    pub amnesia: Amnesia,
    /// Who decides the order.
    pub scheduler: &'static Entry,
    /// Whether a task that has its result takes no other.
    pub is_fenced: bool,
    /// Datagrams of a hundred that are lost.
    pub loss: Arc<AtomicU64>,
    /// The longest that work on the disk takes.
    pub slowest: Duration,
    /// Where what it meets is counted.
    pub tally: Tally,
}

impl MasterHost {
    /// Serves until the host is crashed.
    pub async fn serve(self) -> turmoil::Result {
        if self.active.load(Ordering::Relaxed) != self.number {
            return Ok(());
        }
        let begun = self.seat.begin();
        let life = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        self.disk.revive();
        let volume = Arc::new(Volume::new(Arc::new(self.disk.clone())));
        let opened = SimStore::open(
            Arc::clone(&volume),
            begun.clock.clone(),
            self.witness.clone(),
            begun.life.clone(),
            self.amnesia,
        );
        let (store, recalled) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.give_up(&error.to_string()).await,
        };
        for lost in &recalled.damage {
            self.seat
                .transcript
                .say(self.seat.name, &format!("the store is damaged: {lost}"));
        }
        if recalled
            .tasks
            .iter()
            .any(|task| !task.course.fate.is_terminal())
        {
            self.tally.count(Met::OpenTaskRecalled);
        }
        let hands = SlowHands::new(begun.dice.fork("hands"), self.slowest);
        let ground = Ground {
            volume,
            hands: Arc::new(hands),
            // The ids of a later life compare greater, as those of a clock would.
            ids: Ids::Seeded {
                seed: 1,
                given: Arc::new(AtomicU64::new(life << 32)),
            },
            is_watched: false,
        };
        let net = SimNet {
            ip: turmoil::lookup(self.seat.name),
            loss: Arc::clone(&self.loss),
            dice: Arc::new(Mutex::new(begun.dice.fork("net"))),
            tally: self.tally.clone(),
            tap: None,
        };
        let memory = Memory {
            store: Box::new(store),
            recalled,
        };
        let footing = Footing {
            ground,
            net: Arc::new(net),
            memory,
            claim: None,
        };
        let config = Config {
            name: "lab".into(),
            root: PathBuf::new(),
            port: PORT,
            discovery_ports: vec![DISCOVERY_PORT],
            scheduler: self.scheduler,
            rules: Rules {
                time_limit: Some(TIME_LIMIT),
                is_fenced: self.is_fenced,
                ..Rules::default()
            },
            changes: Changes::default(),
        };
        match master::act(config, footing, begun.clock, begun.log).await {
            Ok(_master) => std::future::pending().await,
            Err(error) => self.give_up(&error.to_string()).await,
        }
    }

    /// The program has ended with an error: somebody starts it again.
    async fn give_up(&self, why: &str) -> turmoil::Result {
        self.seat
            .transcript
            .say(self.seat.name, &format!("did not start: {why}"));
        self.seat.life().wish_to_die();
        std::future::pending().await
    }
}
