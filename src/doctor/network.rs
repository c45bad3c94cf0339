//! The steps over the network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use mutirao_actors::model::in_one_line;

use super::{Name, Step, Went};
use crate::sockets::SocketError;

/// Characters that are shown of what a stranger answered: some lines of a terminal.
const SAID_MAX: usize = 300;

/// How the names of interfaces begin that lead into a VPN.
const TUNNELS: [&str; 8] = [
    "tun",
    "tap",
    "wg",
    "utun",
    "ppp",
    "tailscale",
    "zt",
    "nordlynx",
];
/// How the names of interfaces begin that lead to containers and virtual machines of this one.
const BRIDGES: [&str; 7] = ["docker", "br-", "virbr", "podman", "cni", "lxc", "veth"];
/// Interfaces that are named.
const NAMED_MAX: usize = 8;

/// An interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Where broadcasts of it go, if it has such.
    pub broadcast: Option<Ipv4Addr>,
}

/// How masters were looked for.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// The UDP ports that were asked.
    pub ports: Vec<u16>,
    /// For how many seconds.
    pub for_s: f32,
}

/// The master that answered.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its name.
    pub name: String,
    /// Where it says that it is.
    pub addresses: Vec<SocketAddr>,
    /// Whether it is one of ours.
    pub is_ours: bool,
}

/// Which networks this machine is on.
pub fn interfaces(all: &[Interface]) -> Step {
    let step = Name::Interfaces;
    let begins = |name: &str, with: &[&str]| with.iter().any(|with| name.starts_with(with));
    let is_tunnel = |one: &&Interface| begins(&one.name, &TUNNELS);
    let is_bridge = |one: &&Interface| begins(&one.name, &BRIDGES);
    let tunnels: Vec<_> = all.iter().filter(is_tunnel).collect();
    let bridges = all.iter().filter(is_bridge).count();
    let nets: Vec<_> = all
        .iter()
        .filter(|one| !is_tunnel(one) && !is_bridge(one))
        .filter(|one| !one.address.is_loopback())
        .collect();
    let mut said: Vec<_> = nets.iter().take(NAMED_MAX).map(|one| shown(one)).collect();
    if nets.len() > NAMED_MAX {
        said.push(format!("{} more", nets.len() - NAMED_MAX));
    }
    said.extend(
        tunnels
            .iter()
            .take(NAMED_MAX)
            .map(|one| format!("{} is a VPN", shown(one))),
    );
    if bridges > 0 {
        said.push(format!("{bridges} for containers"));
    }
    let said = said.join(", ");
    if nets.iter().any(|one| one.broadcast.is_some()) {
        if tunnels.is_empty() {
            return Step::well(step, said);
        }
        let helps =
            vec!["a master behind the VPN hears no broadcast: mutirao peer --discover HOST".into()];
        return Step::new(step, Went::Doubtful, said, helps);
    }
    let (said, help) = match (said.is_empty(), tunnels.is_empty()) {
        (true, _) => (
            "no network: there is no interface but loopback".to_owned(),
            "plug the cable in or join the Wi-Fi; `ip address` shows when there is an address",
        ),
        (false, false) => (
            said,
            "no broadcast leaves through a VPN alone: mutirao peer --discover HOST asks by name",
        ),
        (false, true) => (
            format!("{said}; none has a broadcast address"),
            "mutirao peer --discover HOST asks by name",
        ),
    };
    Step::new(step, Went::Failed, said, vec![help.into()])
}

fn shown(one: &Interface) -> String {
    format!("{} {}", one.name, one.address)
}

/// Whether questions leave this machine, by what became of each.
pub fn broadcasts(sent: &[(SocketAddr, io::Result<()>)]) -> Step {
    let step = Name::BroadcastOut;
    let is_near = |to: &SocketAddr| to.ip().is_loopback();
    let failed = |kind| {
        let mut failed = sent
            .iter()
            .filter_map(|(to, sent)| Some((to, sent.as_ref().err()?)));
        failed.find(|(_, error)| kind == error.kind())
    };
    let mut left = sent
        .iter()
        .filter(|(to, sent)| sent.is_ok() && !is_near(to))
        .map(|(to, _)| to);
    if let Some((to, error)) = failed(io::ErrorKind::PermissionDenied) {
        let port = to.port();
        let said = format!("a firewall of this machine lets none out to {to}: {error}");
        let helps = vec![
            format!("sudo ufw allow out {port}/udp"),
            format!("sudo iptables -I OUTPUT -p udp --dport {port} -j ACCEPT"),
        ];
        return Step::new(step, Went::Failed, said, helps);
    }
    if let Some(first) = left.next() {
        let more = left.count();
        let said = match more {
            0 => format!("to {first}"),
            _ => format!("to {first} and {more} more"),
        };
        return Step::well(step, said);
    }
    let said = match sent
        .iter()
        .find_map(|(to, sent)| Some((to, sent.as_ref().err()?)))
    {
        Some((to, error)) => format!("none left: {to}: {error}"),
        None => "there is nowhere to send one".to_owned(),
    };
    let helps = vec!["mutirao peer --discover HOST asks by name".into()];
    Step::new(step, Went::Failed, said, helps)
}

/// Whether a master answers.
pub fn answer(heard: &[Heard], looked: &Looked) -> Step {
    let step = Name::AnswerIn;
    if let Some(best) = heard.first() {
        let what = if best.is_ours {
            ""
        } else {
            ", of another program"
        };
        let at: Vec<_> = best.addresses.iter().map(SocketAddr::to_string).collect();
        let more = match heard.len() - 1 {
            0 => String::new(),
            more => format!("; {more} more answer, `mutirao masters` lists them"),
        };
        let said = format!("{:?} at {}{what}{more}", best.name, at.join(", "));
        return Step::well(step, said);
    }
    let ports: Vec<_> = looked.ports.iter().map(u16::to_string).collect();
    let ports = ports.join(", ");
    let said = format!(
        "no master answers on UDP port {ports} within {} s",
        looked.for_s
    );
    let mut helps = vec!["none running yet? start one: mutirao master".to_owned()];
    for port in &looked.ports {
        helps.push(format!(
            "on the master's machine, let questions in: sudo ufw allow {port}/udp (or: sudo firewall-cmd --add-port={port}/udp)"
        ));
        helps.push(format!(
            "on this machine, let answers in: sudo ufw allow proto udp from any port {port} \
             (or: sudo iptables -I INPUT -p udp --sport {port} -j ACCEPT)"
        ));
    }
    helps.push("behind a router, a VPN or a Wi-Fi that keeps its guests apart? mutirao doctor --discover HOST".into());
    helps.push(
        "a master of another program, on another port? mutirao doctor --discovery-port PORT".into(),
    );
    Step::new(step, Went::Failed, said, helps)
}

/// Whether the master takes a connection, by what became of the last try.
pub fn tcp(to: SocketAddr, dialled: Result<(), &SocketError>) -> Step {
    let step = Name::Tcp;
    let port = to.port();
    let Err(error) = dialled else {
        return Step::well(step, format!("{to} takes connections"));
    };
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let helps = match error {
        SocketError::Dial { error, .. } if refused(error) => vec![
            format!(
                "nothing listens on TCP port {port} there: start the master, or name another with --master HOST:PORT"
            ),
            format!(
                "a firewall that rejects looks the same: sudo ufw allow {port}/tcp on the master's machine"
            ),
        ],
        _ => vec![
            format!("on the master's machine: sudo ufw allow {port}/tcp"),
            format!("or: sudo firewall-cmd --add-port={port}/tcp"),
            format!("or: sudo iptables -I INPUT -p tcp --dport {port} -j ACCEPT"),
        ],
    };
    Step::new(step, Went::Failed, error.to_string(), helps)
}

/// Whether the master answers over the connection: the status and the body of `GET /readyz`.
pub fn http(to: SocketAddr, answered: Result<(u16, &str), &io::Error>) -> Step {
    let step = Name::Http;
    match answered {
        Ok((200, _)) => Step::well(step, format!("{to} is ready")),
        Ok((503, why)) => {
            let said = format!(
                "the master is not well: {}",
                in_one_line(first_line(why), SAID_MAX)
            );
            let helps = vec![format!("mutirao status --master {to}")];
            Step::new(step, Went::Failed, said, helps)
        }
        Ok((status, _)) => {
            let said = format!(
                "{to} answers with status {status}, so it is no master of ours, or one of another version"
            );
            let helps = vec![
                format!(
                    "ss -lntp 'sport = :{}' on that machine tells which program it is",
                    to.port()
                ),
                "mutirao masters lists the masters here".into(),
            ];
            Step::new(step, Went::Failed, said, helps)
        }
        Err(error) => {
            let said = format!("{to} takes connections and does not answer: {error}");
            let helps = vec![
                format!(
                    "ss -lntp 'sport = :{}' on that machine tells which program it is",
                    to.port()
                ),
                "a master that hangs is started again: mutirao master".into(),
            ];
            Step::new(step, Went::Failed, said, helps)
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("it does not say why")
}
