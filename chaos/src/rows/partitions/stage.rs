//! What a scenario plays on: a LAN with a master and its peers, each on a host of its own.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use mutirao_rig::dice::Dice;

use crate::client::status;
use crate::lan::{Fault, Host, Lan, Tally};
use crate::peer::Peer;
use crate::scope::Scope;
use crate::trial::Trial;

/// Peers, of two slots each.
pub const PEERS: u8 = 3;
/// How long they may take to find their master, and each something to do.
const BEGIN_WITHIN: Duration = Duration::from_secs(60);

/// The stage.
pub struct Stage {
    /// What they are all plugged into.
    pub lan: Lan,
    /// The master's host.
    pub master: Host,
    /// The hosts of the peers, in their order.
    pub hosts: Vec<Host>,
    /// The master and its tasks.
    pub trial: Trial,
    /// The peers.
    pub peers: Vec<Peer>,
    /// Chance of the scenario.
    pub dice: Dice,
}

impl Stage {
    /// One where all are there and have nothing to do yet.
    ///
    /// # Errors
    /// They do not come together.
    pub fn new(scope: &Scope, name: &str, lane: u16) -> anyhow::Result<Self> {
        let dice = scope.dice().fork(name);
        // The row's own network is number 0.
        let number = u8::try_from(lane + 1)?;
        let (lan, hosts) = Lan::new(number, 1 + PEERS, dice.fork("switch"))?;
        let (master, hosts) = hosts.split_first().context("a LAN of nobody")?;
        let mut trial = Trial::at(master.place.clone(), scope, name, 0)?;
        trial.master.serve()?;
        let start = |(number, host): (usize, &Host)| {
            let name = format!("peer-{number}");
            trial.peer_at(host.place.clone(), &name, &["--slots", "2"])
        };
        let peers = hosts
            .iter()
            .enumerate()
            .map(start)
            .collect::<Result<_, _>>()?;
        let stage = Self {
            lan,
            master: master.clone(),
            hosts: hosts.to_vec(),
            trial,
            peers,
            dice,
        };
        let is_whole = || stage.is_whole();
        ensure!(clock::until(BEGIN_WITHIN, is_whole), "not all peers joined");
        Ok(stage)
    }

    /// Whether the master says that all peers are there.
    pub fn is_whole(&self) -> bool {
        self.present() == Some(PEERS.into())
    }

    /// Whether the master says that some peer is not there.
    pub fn is_short(&self) -> bool {
        self.present().is_some_and(|peers| peers < PEERS.into())
    }

    fn present(&self) -> Option<u64> {
        status(self.trial.master.address()).ok()?["peers"].as_u64()
    }

    /// Waits until every peer has something to do.
    ///
    /// # Errors
    /// Some have not, for long.
    pub fn until_at_work(&self) -> anyhow::Result<()> {
        let all = || self.peers.iter().all(Peer::is_at_work);
        ensure!(clock::until(BEGIN_WITHIN, all), "not all peers got tasks");
        Ok(())
    }

    /// The number of some peer.
    pub fn any_peer(&mut self) -> usize {
        self.dice.index(self.hosts.len())
    }

    /// The host of some peer.
    pub fn any_host(&mut self) -> anyhow::Result<Host> {
        let number = self.any_peer();
        self.hosts
            .get(number)
            .cloned()
            .context("there is no such peer")
    }

    /// Lets this be wrong for so many milliseconds: what it did.
    pub fn suffer(&mut self, fault: Fault, millis: Range<u64>) -> Tally {
        self.lan.strike(fault);
        clock::pause(self.dice.millis(millis));
        self.lan.heal()
    }
}
