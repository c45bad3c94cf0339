//! A LAN of the row's own: hosts with a network, an address and a cable each, the row itself plugged in beside them, and
//! a switch that breaks what it carries.
//!
//! All of it lies in the row's cage, and goes with it.

mod frame;
mod switch;
mod weather;

use std::net::Ipv4Addr;

use anyhow::Context as _;
use mutirao_rig::dice::Dice;
use serde_json::Value;

use crate::ip::ip;
use crate::place::Place;
use frame::address_of;
use switch::{Socket, Switch};
use weather::Weather;
pub use weather::{Fault, Tally};

/// What the interface of a host is called.
const INTERFACE: &str = "eth0";

/// Where a cable is plugged into the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u8);

/// A machine on the LAN.
#[derive(Debug, Clone)]
pub struct Host {
    /// Where its cable is plugged in.
    pub port: Port,
    /// Its network.
    pub place: Place,
}

/// A LAN, which ends when dropped; its hosts stay for whatever runs on them.
pub struct Lan {
    /// The network of the ends of cables that are in the switch.
    closet: Place,
    /// The row's own interface.
    desk: String,
    switch: Switch,
}

impl Lan {
    /// A LAN and so many hosts on it. LANs that exist at the same time have different numbers, and so other addresses:
    /// `10.77.number.1` is the first host's, and the row's own follows the last one's.
    ///
    /// # Errors
    /// The kernel or `ip` refuses a part of it.
    pub fn new(number: u8, hosts: u8, dice: Dice) -> anyhow::Result<(Self, Vec<Host>)> {
        let address = |port: Port| Ipv4Addr::new(10, 77, number, port.0);
        let (closet, desk) = (Place::apart(Ipv4Addr::UNSPECIFIED)?, Port(hosts + 1));
        let (mut machines, mut sockets) = (Vec::new(), Vec::new());
        for port in (1..=hosts).map(Port) {
            let place = Place::apart(address(port))?;
            sockets.push(plug_in(&closet, port, &place, INTERFACE, address(port))?);
            place.on(|| {
                ip(&["link", "set", "lo", "up"])?;
                ip(&["route", "add", "default", "dev", INTERFACE])
            })?;
            machines.push(Host { port, place });
        }
        let own = format!("desk{number}");
        sockets.push(plug_in(&closet, desk, &Place::here(), &own, address(desk))?);
        let lan = Self {
            closet,
            desk: own,
            switch: Switch::start(sockets, desk, Weather::fair(dice)),
        };
        Ok((lan, machines))
    }

    /// From now on this is wrong with it, and nothing was done by that yet.
    pub fn strike(&self, fault: Fault) {
        let mut weather = self.switch.weather();
        weather.tally = Tally::default();
        weather.fault = Some(fault);
    }

    /// Nothing is wrong any more: what was done.
    pub fn heal(&self) -> Tally {
        let mut weather = self.switch.weather();
        weather.fault = None;
        weather.tally
    }

    /// Pulls the host's cable out of the switch: its interface loses the carrier, its address and routes stay.
    ///
    /// # Errors
    /// `ip` refuses.
    pub fn pull(&self, host: &Host) -> anyhow::Result<()> {
        self.set_cable(host, "down")
    }

    /// Plugs it back.
    ///
    /// # Errors
    /// `ip` refuses.
    pub fn plug(&self, host: &Host) -> anyhow::Result<()> {
        self.set_cable(host, "up")
    }

    fn set_cable(&self, host: &Host, state: &str) -> anyhow::Result<()> {
        let socket = socket_of(host.port);
        self.closet
            .on(|| ip(&["link", "set", &socket, state]).map(drop))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // The kernel removes it with the hosts, but later: the next LAN of this number may not have it beside its own.
        if let Err(error) = ip(&["link", "delete", &self.desk]) {
            eprintln!("{error:#}");
        }
    }
}

impl Host {
    /// How often its interface has lost its carrier or got it.
    ///
    /// # Errors
    /// `ip` does not tell.
    pub fn carrier_changes(&self) -> anyhow::Result<u64> {
        let words = [
            "-statistics",
            "-statistics",
            "-json",
            "link",
            "show",
            INTERFACE,
        ];
        let told: Value = serde_json::from_str(&self.place.on(|| ip(&words))?)?;
        let changes = told[0]["stats64"]["tx"]["carrier_changes"].as_u64();
        changes.context("ip does not tell how often the carrier changed")
    }
}

fn socket_of(port: Port) -> String {
    format!("port{}", port.0)
}

/// Lays a cable from the switch to an interface of this name and address.
fn plug_in(
    closet: &Place,
    port: Port,
    place: &Place,
    interface: &str,
    address: Ipv4Addr,
) -> anyhow::Result<Socket> {
    let (socket, network, hardware) = (socket_of(port), place.network(), address_of(port));
    // A frame for each packet, as on a real cable: the switch carries frames.
    let far_end = ["gso_max_segs", "1", "address", &hardware, "netns", &network];
    let end = [
        "link", "add", &socket, "type", "veth", "peer", "name", interface,
    ];
    let (address, socket) = (format!("{address}/24"), &socket);
    let opened = closet.on(|| {
        ip(&[&end[..], &far_end].concat())?;
        let opened = Socket::open(port, socket)?;
        ip(&["link", "set", socket, "up"])?;
        Ok(opened)
    })?;
    place.on(|| {
        ip(&[
            "address",
            "add",
            &address,
            "broadcast",
            "+",
            "dev",
            interface,
        ])?;
        ip(&["link", "set", interface, "up"])
    })?;
    Ok(opened)
}
