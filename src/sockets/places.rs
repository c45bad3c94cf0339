//! Where a master may be: every interface's broadcast address, this machine itself, and what the user names.
//!
//! Rule: interfaces come and go and names move, so all of it is read anew for each round of questions.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::join_all;
use if_addrs::IfAddr;

/// Interfaces asked on: a host of containers has a bridge for each network, and one round must stay a small burst.
const INTERFACES_MAX: usize = 64;
/// Addresses taken of one name.
const ADDRESSES_MAX: usize = 8;
/// How long a name may take to be found: a name server that is gone must not hold back the next round for long.
const LOOKUP_MAX: Duration = Duration::from_secs(2);
/// Masters on this machine, without a network: a unicast is heard by one that is bound to loopback, and a broadcast
/// by each of several.
const THIS_MACHINE: [Ipv4Addr; 2] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 255, 255, 255)];

/// Why the text names no place to ask at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not HOST or HOST:PORT, for example lab.local or 192.168.1.10:50005")]
pub struct PlaceError(String);

/// A host that the user names, with a port or with the usual ones: `HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    host: String,
    port: Option<u16>,
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError(text.into());
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let named =
            !host.is_empty() && !host.contains([':', '/']) && !host.contains(char::is_whitespace);
        if !named || port == Some(0) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.into(),
            port,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// The broadcast address of every interface, everybody's, and this machine, on each of these ports.
///
/// 255.255.255.255 alone would leave by the default route only.
pub fn broadcast_targets(ports: &[u16]) -> Vec<SocketAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::debug!("failed to list the interfaces: {error}");
        Vec::new()
    });
    let broadcast = |address| match address {
        IfAddr::V4(own) if !own.is_loopback() => own.broadcast.filter(|to| *to != own.ip),
        _ => None,
    };
    let nets = interfaces
        .into_iter()
        .filter_map(|interface| broadcast(interface.addr));
    let mut targets: Vec<_> = nets.take(INTERFACES_MAX).collect();
    targets.extend(THIS_MACHINE);
    targets.push(Ipv4Addr::BROADCAST);
    targets.sort_unstable();
    targets.dedup();
    let on_each_port = |ip| {
        ports
            .iter()
            .map(move |port| SocketAddrV4::new(ip, *port).into())
    };
    targets.into_iter().flat_map(on_each_port).collect()
}

/// Looks the user's places up, all at the same time; one that is not found now is left out, and asked for again in the
/// next round.
pub async fn named_targets(places: &[Place], ports: &[u16]) -> Vec<SocketAddr> {
    let found = join_all(places.iter().map(|place| look_up(place, ports))).await;
    found.into_iter().flatten().collect()
}

async fn look_up(place: &Place, ports: &[u16]) -> Vec<SocketAddr> {
    let lookup = tokio::net::lookup_host((place.host.as_str(), 0));
    let ips: Vec<_> = match tokio::time::timeout(LOOKUP_MAX, lookup).await {
        // The sockets of discovery speak IPv4: IPv6 has no broadcast.
        Ok(Ok(found)) => found.map(|at| at.ip()).filter(IpAddr::is_ipv4).collect(),
        Ok(Err(error)) => {
            tracing::warn!(
                host = place.host,
                "failed to look up a host of --discover: {error}"
            );
            return Vec::new();
        }
        Err(_) => {
            tracing::warn!(
                host = place.host,
                "no name server answers for a host of --discover"
            );
            return Vec::new();
        }
    };
    let ports = place.port.as_ref().map_or(ports, std::slice::from_ref);
    let on_each_port = |ip| ports.iter().map(move |port| SocketAddr::new(ip, *port));
    ips.into_iter()
        .take(ADDRESSES_MAX)
        .flat_map(on_each_port)
        .collect()
}

/// The address of this machine from which packets to `asker` leave, so at which the asker reaches it; none if no route
/// leads there. On a host of containers or with a VPN it is the bridge's or the tunnel's address for those behind it.
pub fn routes_towards(asker: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match asker {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Connecting a UDP socket sends nothing; it only asks the routing table.
    socket.connect(asker).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified()).then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_with_or_without_a_port() {
        let place = |text: &str| text.parse::<Place>().map(|place| (place.host, place.port));
        assert_eq!(place("lab"), Ok(("lab".into(), None)));
        assert_eq!(place("10.0.0.1:9999"), Ok(("10.0.0.1".into(), Some(9999))));
        for wrong in [
            "",
            ":1",
            "lab:",
            "lab:0",
            "lab:65536",
            "a b",
            "udp://lab:1",
            "::1",
        ] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_port_is_asked_everywhere_and_this_machine_too() {
        let targets = broadcast_targets(&[1, 2]);
        for target in [
            "127.0.0.1:1",
            "127.0.0.1:2",
            "255.255.255.255:1",
            "255.255.255.255:2",
        ] {
            assert!(
                targets.contains(&target.parse().unwrap()),
                "{target} not in {targets:?}"
            );
        }
        let mut once = targets.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), targets.len());
    }

    #[tokio::test]
    async fn a_named_place_has_its_own_port_or_the_usual_ones() {
        let places = ["127.0.0.1:9".parse().unwrap(), "127.0.0.2".parse().unwrap()];
        let targets = named_targets(&places, &[1, 2]).await;
        let expected = ["127.0.0.1:9", "127.0.0.2:1", "127.0.0.2:2"];
        assert_eq!(targets, expected.map(|at| at.parse().unwrap()));
    }

    #[test]
    fn who_asks_over_loopback_is_answered_with_loopback() {
        let asker = "127.0.0.1:4000".parse().unwrap();
        assert_eq!(routes_towards(asker), Some(Ipv4Addr::LOCALHOST.into()));
    }
}
