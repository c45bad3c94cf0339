use proptest::prelude::*;

use super::*;
use crate::wire::datagram::MasterOffer;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn stranger(announced: &str) -> Announce<'_> {
    Announce {
        dialect: Dialect::Flat,
        ip: announced.into(),
        port: 50020,
        ours: None,
    }
}

fn ours(id: u128, epoch: u64, announced: &str) -> Announce<'_> {
    Announce {
        ours: Some(MasterOffer {
            protocol: 2,
            master_id: Uuid::from_u128(id),
            name: "lab".into(),
            epoch,
            capabilities: Vec::new(),
        }),
        ..stranger(announced)
    }
}

fn ranked(heard: &[(Announce<'_>, &str)]) -> Vec<Master> {
    let mut masters = Masters::default();
    for (announce, source) in heard {
        masters.hear(announce, ip(source));
    }
    masters.ranked(&[])
}

/// The addresses to try, by their IP.
fn tried(announced: &str, source: &str) -> Vec<String> {
    let master = ranked(&[(stranger(announced), source)]).remove(0);
    let ips = master.addresses.iter().map(|at| at.ip().to_string());
    ips.collect()
}

#[test]
fn the_announced_address_is_tried_before_the_source() {
    assert_eq!(tried("10.0.0.5", "10.0.0.6"), ["10.0.0.5", "10.0.0.6"]);
    assert_eq!(tried("10.0.0.5", "10.0.0.5"), ["10.0.0.5"]);
}

#[test]
fn an_announced_loopback_address_is_tried_last_unless_the_master_is_here() {
    assert_eq!(tried("127.0.1.1", "10.0.0.6"), ["10.0.0.6", "127.0.1.1"]);
    assert_eq!(tried("127.0.1.1", "127.0.0.1"), ["127.0.1.1", "127.0.0.1"]);
}

#[test]
fn what_is_no_address_of_one_machine_leaves_the_source() {
    for announced in [
        "hostname",
        "",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "10.0.0.256",
    ] {
        assert_eq!(tried(announced, "10.0.0.6"), ["10.0.0.6"], "{announced}");
    }
}

#[test]
fn port_0_is_nobody() {
    let nobody = Announce {
        port: 0,
        ..stranger("10.0.0.1")
    };
    assert!(ranked(&[(nobody, "10.0.0.1")]).is_empty());
}

#[test]
fn a_stranger_heard_over_two_interfaces_is_one() {
    let heard = [
        (stranger("10.0.0.5"), "10.0.0.5"),
        (stranger("10.0.0.5"), "172.17.0.1"),
    ];
    assert_eq!(ranked(&heard).len(), 1);
}

#[test]
fn two_strangers_that_both_announce_loopback_are_two() {
    let heard = [
        (stranger("127.0.1.1"), "10.0.0.5"),
        (stranger("127.0.1.1"), "10.0.0.6"),
    ];
    assert_eq!(ranked(&heard).len(), 2);
}

#[test]
fn one_of_ours_is_one_on_all_interfaces_and_in_all_dialects() {
    let enveloped = Announce {
        dialect: Dialect::Envelope,
        ..ours(1, 0, "10.0.0.5")
    };
    let heard = [
        (enveloped, "10.0.0.5"),
        (ours(1, 0, "192.168.0.5"), "192.168.0.5"),
    ];
    let [master] = ranked(&heard).try_into().unwrap();
    assert_eq!(master.dialect, Dialect::Flat);
    assert_eq!(master.addresses.len(), 2);
    assert_eq!(master.name, "lab");
}

#[test]
fn an_older_reign_of_a_master_is_forgotten() {
    let heard = [
        (ours(1, 5, "10.0.0.5"), "10.0.0.5"),
        (ours(1, 4, "10.0.0.4"), "10.0.0.4"),
    ];
    let [master] = ranked(&heard).try_into().unwrap();
    assert_eq!(master.addresses, ["10.0.0.5:50020".parse().unwrap()]);
}

#[test]
fn ours_come_before_others_and_those_that_failed_come_last() {
    let mut masters = Masters::default();
    masters.hear(&stranger("10.0.0.1"), ip("10.0.0.1"));
    masters.hear(&ours(7, 0, "10.0.0.9"), ip("10.0.0.9"));
    let first = |failed: &[SocketAddr]| masters.ranked(failed).remove(0).addresses[0].to_string();
    assert_eq!(first(&[]), "10.0.0.9:50020");
    assert_eq!(
        first(&["10.0.0.9:50020".parse().unwrap()]),
        "10.0.0.1:50020"
    );
}

#[test]
fn an_address_that_failed_is_the_last_of_its_master() {
    let mut masters = Masters::default();
    masters.hear(&stranger("10.0.0.1"), ip("10.0.0.2"));
    let [master] = masters
        .ranked(&["10.0.0.1:50020".parse().unwrap()])
        .try_into()
        .unwrap();
    assert_eq!(master.addresses[0].to_string(), "10.0.0.2:50020");
}

#[test]
fn a_name_cannot_speak_to_the_terminal() {
    let mut announce = ours(1, 0, "10.0.0.5");
    if let Some(ours) = &mut announce.ours {
        ours.name = "lab\u{1b}[2J\n".into();
    }
    assert_eq!(ranked(&[(announce, "10.0.0.5")])[0].name, "lab[2J");
}

/// What may be heard: few enough values that the same master comes again.
fn any_announce() -> impl Strategy<Value = (Announce<'static>, IpAddr)> {
    let announced =
        prop::sample::select(vec!["10.0.0.1", "10.0.0.2", "127.0.1.1", "0.0.0.0", "box"]);
    let offer = prop::option::of((
        0..3_u128,
        0..2_u64,
        prop::sample::select(vec!["", "a", "b"]),
    ));
    let source = (1..4_u8).prop_map(|last| IpAddr::from([10, 0, 0, last]));
    let dialect = prop::sample::select(DIALECTS.to_vec());
    (announced, offer, source, dialect).prop_map(|(announced, offer, source, dialect)| {
        let ours = offer.map(|(id, epoch, name)| MasterOffer {
            protocol: 2,
            master_id: Uuid::from_u128(id),
            name: name.into(),
            epoch,
            capabilities: Vec::new(),
        });
        let announce = Announce {
            dialect,
            ours,
            ..stranger(announced)
        };
        (announce, source)
    })
}

proptest! {
    #[test]
    fn the_order_of_arrival_changes_nothing(
        (first, second) in prop::collection::vec(any_announce(), 0..40)
            .prop_flat_map(|heard| (Just(heard.clone()), Just(heard).prop_shuffle())),
        failed in prop::collection::vec(1..4_u8, 0..3),
    ) {
        let failed: Vec<_> = failed.iter().map(|last| SocketAddr::from(([10, 0, 0, *last], 50020))).collect();
        let ranked = |heard: &[(Announce<'_>, IpAddr)]| {
            let mut masters = Masters::default();
            for (announce, source) in heard {
                masters.hear(announce, *source);
            }
            masters.ranked(&failed)
        };
        prop_assert_eq!(ranked(&first), ranked(&second));
    }

    #[test]
    fn made_up_masters_are_bounded_and_the_same_ones_stay(
        ids in Just((0..MASTERS_MAX as u128 + 50).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut masters = Masters::default();
        for id in ids {
            masters.hear(&ours(id, 0, "10.0.0.1"), ip("10.0.0.1"));
        }
        let ranked = masters.ranked(&[]);
        prop_assert_eq!(ranked.len(), MASTERS_MAX);
        prop_assert_eq!(ranked.first().and_then(|master| master.ours).map(|ours| ours.master_id), Some(Uuid::nil()));
    }

    #[test]
    fn made_up_addresses_are_bounded(lasts in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut masters = Masters::default();
        for last in lasts {
            masters.hear(&ours(1, 0, "10.0.0.1"), IpAddr::from([10, 0, 1, last]));
        }
        prop_assert!(masters.ranked(&[]).iter().all(|master| master.addresses.len() <= ADDRESSES_MAX));
    }
}
