//! Troubles that nobody needs to have to see what is said of them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::network::Interface;
use super::*;
use crate::sockets::SocketError;

fn interface(name: &str, last: u8, broadcasts: bool) -> Interface {
    Interface {
        name: name.into(),
        address: Ipv4Addr::new(10, 0, 0, last),
        broadcast: broadcasts.then_some(Ipv4Addr::new(10, 0, 0, 255)),
    }
}

fn loopback() -> Interface {
    Interface {
        name: "lo".into(),
        address: Ipv4Addr::LOCALHOST,
        broadcast: None,
    }
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_machine_without_a_network_is_told_so_and_containers_are_no_network() {
    let bridge = interface("docker0", 1, true);
    let alone = interfaces(&[loopback()]);
    assert_eq!(alone.went, Went::Failed);
    assert!(
        alone.said.contains("no interface but loopback"),
        "{alone:?}"
    );
    assert_eq!(interfaces(&[loopback(), bridge.clone()]).went, Went::Failed);
    let well = interfaces(&[loopback(), bridge, interface("eth0", 2, true)]);
    assert_eq!(
        (well.went, &*well.said),
        (Went::Well, "eth0 10.0.0.2, 1 for containers")
    );
}

#[test]
fn a_vpn_is_pointed_out_with_the_flag_that_asks_through_it() {
    let vpn = interface("wg0", 9, false);
    let beside = interfaces(&[interface("eth0", 2, true), vpn.clone()]);
    assert_eq!(beside.went, Went::Doubtful);
    assert!(beside.helps[0].contains("--discover HOST"), "{beside:?}");
    let alone = interfaces(&[loopback(), vpn]);
    assert_eq!(alone.went, Went::Failed);
    assert!(alone.said.contains("wg0 10.0.0.9 is a VPN"), "{alone:?}");
    assert!(alone.helps[0].contains("--discover HOST"), "{alone:?}");
}

#[test]
fn a_firewall_that_lets_no_question_out_is_told_with_its_rule() {
    let to = at("10.0.0.255:50005");
    let denied = broadcasts(&[
        (at("127.0.0.1:50005"), Ok(())),
        (to, Err(io::ErrorKind::PermissionDenied.into())),
    ]);
    assert_eq!(denied.went, Went::Failed);
    assert_eq!(denied.helps[0], "sudo ufw allow out 50005/udp");
    let lost = broadcasts(&[
        (at("127.0.0.1:50005"), Ok(())),
        (to, Err(io::ErrorKind::NetworkUnreachable.into())),
    ]);
    assert_eq!(lost.went, Went::Failed, "what stays here has not left");
    let well = broadcasts(&[(to, Ok(())), (at("255.255.255.255:50005"), Ok(()))]);
    assert_eq!(
        (well.went, &*well.said),
        (Went::Well, "to 10.0.0.255:50005 and 1 more")
    );
}

#[test]
fn where_no_master_answers_the_rules_of_both_firewalls_are_told() {
    let looked = Looked {
        ports: vec![50005],
        for_s: 2.0,
    };
    let nobody = answer(&[], &looked);
    assert_eq!(nobody.went, Went::Failed);
    let helps = nobody.helps.join("\n");
    for rule in [
        "sudo ufw allow 50005/udp",
        "from any port 50005",
        "mutirao master",
        "--discover HOST",
    ] {
        assert!(helps.contains(rule), "{rule} in {helps}");
    }
    let lab = Heard {
        name: "lab".into(),
        addresses: vec![at("10.0.0.1:50020")],
        is_ours: true,
    };
    let well = answer(&[lab.clone(), lab], &looked);
    assert_eq!(well.went, Went::Well);
    assert!(
        well.said.starts_with("\"lab\" at 10.0.0.1:50020; 1 more"),
        "{well:?}"
    );
}

#[test]
fn a_port_that_is_dropped_and_one_that_is_closed_are_told_apart() {
    let to = at("10.0.0.1:50020");
    let dropped = SocketError::Silent {
        to,
        within: Duration::from_secs(3),
    };
    let dropped = tcp(to, Err(&dropped));
    assert_eq!(dropped.went, Went::Failed);
    assert_eq!(
        dropped.helps[0],
        "on the master's machine: sudo ufw allow 50020/tcp"
    );
    let closed = SocketError::Dial {
        to,
        error: io::ErrorKind::ConnectionRefused.into(),
    };
    let closed = tcp(to, Err(&closed));
    assert!(
        closed.helps[0].contains("nothing listens on TCP port 50020"),
        "{closed:?}"
    );
}

#[test]
fn a_master_that_is_not_well_says_why() {
    let to = at("10.0.0.1:50020");
    let full = http(to, Ok((503, "the disk is full\n")));
    assert_eq!(
        (full.went, &*full.said),
        (Went::Failed, "the master is not well: the disk is full")
    );
    assert_eq!(full.helps, ["mutirao status --master 10.0.0.1:50020"]);
    assert_eq!(http(to, Ok((404, ""))).went, Went::Failed);
    let silent = io::Error::other("nothing came");
    assert!(
        http(to, Err(&silent))
            .said
            .ends_with("does not answer: nothing came")
    );
}

#[test]
fn a_clock_is_well_doubtful_or_wrong_by_how_far_it_is_off() {
    for (ahead, went) in [
        (0, Went::Well),
        (-5, Went::Well),
        (6, Went::Doubtful),
        (-59, Went::Doubtful),
        (60, Went::Failed),
        (-86_400, Went::Failed),
        (i64::MIN, Went::Failed),
    ] {
        assert_eq!(clock(ahead).went, went, "{ahead}");
    }
    assert_eq!(clock(90).said, "this machine is 90 s behind the master");
    assert_eq!(clock(-90).said, "this machine is 90 s ahead of the master");
}

#[test]
fn a_disk_is_full_before_its_last_byte() {
    let seen = |free| disk(Path::new("/work"), &Ok(free));
    assert_eq!(seen(5 << 20).went, Went::Failed);
    assert_eq!(seen(5 << 20).said, "5 MiB free in /work");
    assert!(seen(0).helps[0].starts_with("df -h /work"));
    assert_eq!(seen(500 << 20).went, Went::Doubtful);
    let roomy = seen(3 << 30);
    assert_eq!(
        (roomy.went, &*roomy.said),
        (Went::Well, "3.0 GiB free in /work")
    );
    assert_eq!(
        disk(Path::new("/work"), &Err(io::ErrorKind::NotFound.into())).went,
        Went::Doubtful
    );
}
