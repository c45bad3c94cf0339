//! A LAN of Linux network namespaces: a switch, and hosts with an address and a cable each.
//!
//! Everything happens in namespaces of our own; the machine's network is not touched.

use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::unistd::{Pid, Uid};

use super::namespace::{Namespace, ip};

/// Gives the program the host's name, in a UTS namespace of its own, and becomes the program.
const ENTER: &str = r#"echo "$0" > /proc/sys/kernel/hostname && exec "$@""#;
/// Subnets before they are used again; LANs never meet, only a host on two needs them to differ.
const SUBNETS: u8 = 250;

static LAN_COUNT: AtomicU8 = AtomicU8::new(0);

/// One segment: a switch, and the subnet `10.77.N.0/24` that is on it.
pub struct Lan {
    switch: Namespace,
    subnet: u8,
    sockets: AtomicU8,
}

/// One machine: its own network, name, hosts file and folder, gone with all its processes when dropped.
pub struct Host {
    name: String,
    namespace: Namespace,
    cables: Vec<Cable>,
    folder: PathBuf,
}

struct Cable {
    switch: String,
    socket: String,
    address: Ipv4Addr,
}

impl Lan {
    /// A LAN without hosts; panics where [`Lan::available`] says no.
    pub fn new() -> Self {
        let switch = Namespace::new("switch");
        switch.ip(&["link", "add", "br0", "type", "bridge"]);
        switch.ip(&["link", "set", "br0", "up"]);
        Self {
            switch,
            subnet: LAN_COUNT.fetch_add(1, Ordering::Relaxed) % SUBNETS,
            sockets: AtomicU8::new(0),
        }
    }

    /// A LAN, or none on a machine that cannot have one: then a line says what was left out and why.
    /// With `MUTIRAO_REQUIRE_ALL=1` nothing may be left out, and the test fails.
    pub fn or_leave_out() -> Option<Self> {
        match Self::available() {
            Ok(()) => Some(Self::new()),
            Err(why) if std::env::var_os("MUTIRAO_REQUIRE_ALL").is_some_and(|v| v == "1") => {
                panic!("no LAN can be made here, and MUTIRAO_REQUIRE_ALL=1: {why}")
            }
            Err(why) => {
                eprintln!("left out: {why}");
                None
            }
        }
    }

    /// Whether this machine can have such LANs and run the speakers; else what is missing.
    pub fn available() -> Result<(), String> {
        if !Uid::effective().is_root() {
            return Err("a LAN of network namespaces needs root; run the tests as root".into());
        }
        for (program, version, package) in [
            ("ip", "-V", "iproute2"),
            ("unshare", "-V", "util-linux"),
            ("python3", "-V", "python3"),
        ] {
            let found = Command::new(program).arg(version).output();
            found.map_err(|e| format!("cannot run {program} ({e}); install {package}"))?;
        }
        let probe = Namespace::unused("probe");
        ip(&["netns", "add", &probe.name])
            .and_then(|_| ip(&["-n", &probe.name, "link", "add", "br0", "type", "bridge"]))
            .and_then(|_| {
                let pair = ["link", "add", "v0", "type", "veth", "peer", "name", "v1"];
                ip(&[&["-n", &probe.name], &pair[..]].concat())
            })
            .map(|_| ())
            .map_err(|why| format!("namespaces, bridges and veth pairs are needed: {why}"))
    }

    /// A new host, plugged in; its name resolves to its address.
    pub fn host(&self, name: &str) -> Host {
        let namespace = Namespace::new(name);
        namespace.ip(&["link", "set", "lo", "up"]);
        let mut host = Host {
            name: name.into(),
            folder: namespace.folder(),
            namespace,
            cables: Vec::new(),
        };
        fs::create_dir(&host.folder).unwrap();
        self.connect(&mut host);
        host.resolve_own_name_to(host.address());
        host
    }

    /// Gives the host one more interface, on this LAN. Its default route stays with the first one.
    pub fn connect(&self, host: &mut Host) {
        let number = self.sockets.fetch_add(1, Ordering::Relaxed) + 1;
        let interface = format!("eth{}", host.cables.len());
        let cable = Cable {
            switch: self.switch.name.clone(),
            socket: format!("port{number}"),
            address: Ipv4Addr::new(10, 77, self.subnet, number),
        };
        let pair = ["link", "add", &cable.socket, "type", "veth"];
        let far_end = ["peer", "name", &interface, "netns", &host.namespace.name];
        self.switch.ip(&[&pair[..], &far_end].concat());
        self.switch
            .ip(&["link", "set", &cable.socket, "master", "br0", "up"]);
        let address = format!("{}/24", cable.address);
        let broadcast = self.broadcast().to_string();
        let to_interface = ["broadcast", &broadcast, "dev", &interface];
        let namespace = &host.namespace;
        namespace.ip(&[&["address", "add", &address], &to_interface[..]].concat());
        namespace.ip(&["link", "set", &interface, "up"]);
        if host.cables.is_empty() {
            namespace.ip(&["route", "add", "default", "dev", &interface]);
        }
        host.cables.push(cable);
    }

    /// The broadcast address of this LAN.
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.subnet, 255)
    }
}

impl Host {
    /// Its address on the LAN that it was made on.
    pub fn address(&self) -> Ipv4Addr {
        self.cables[0].address
    }

    /// Its address on the LAN that it was connected to last.
    pub fn last_address(&self) -> Ipv4Addr {
        self.cables.last().unwrap().address
    }

    /// Where its programs start; removed with the host.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What its hosts file says of its own name; many installers write `127.0.1.1`.
    pub fn resolve_own_name_to(&self, address: Ipv4Addr) {
        let overlay = self.namespace.overlay();
        let lines = format!("127.0.0.1 localhost\n{address} {}\n", self.name);
        fs::create_dir_all(&overlay).unwrap();
        fs::write(overlay.join("hosts"), lines).unwrap();
    }

    /// A command that runs on this host, in its folder. The child is the program itself, so signals reach it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace.name])
            .args(["unshare", "--uts", "--", "sh", "-c", ENTER, &self.name])
            .arg(program)
            .current_dir(self.folder());
        command
    }

    /// Pulls all its cables: the far ends lose the carrier, its addresses and routes stay, as with a real cable.
    pub fn unplug(&self) {
        self.set_cables("down");
    }

    /// Puts all its cables back.
    pub fn plug(&self) {
        self.set_cables("up");
    }

    fn set_cables(&self, state: &str) {
        for Cable { switch, socket, .. } in &self.cables {
            ip(&["-n", switch, "link", "set", socket, state]).unwrap();
        }
    }

    /// What runs on it, a line `<pid> <command>` each: empty on a host whose programs left no stray process.
    pub fn processes(&self) -> Vec<String> {
        let describe = |pid: Pid| {
            let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid} {}", words.replace('\0', " "))
        };
        self.namespace.pids().into_iter().map(describe).collect()
    }

    /// How many processes on it run scripts. They are told by their folder: one that was forked shows the command of
    /// the interpreter that it was forked from.
    pub fn scripts(&self) -> usize {
        let is_script = |pid: &Pid| {
            let folder = fs::read_link(format!("/proc/{pid}/cwd"));
            folder.is_ok_and(|folder| folder.ends_with("task"))
        };
        self.namespace
            .pids()
            .iter()
            .filter(|pid| is_script(pid))
            .count()
    }
}
