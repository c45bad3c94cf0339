use proptest::prelude::*;

use super::*;

#[test]
fn a_datagram_longer_than_any_of_ours_is_not_looked_at() {
    let long = vec![b' '; DATAGRAM_MAX + 1];
    assert_eq!(
        parse_datagram(&long),
        Err(WireError::LongDatagram(DATAGRAM_MAX + 1))
    );
}

#[test]
fn a_message_of_tcp_is_no_discovery() {
    let refused = parse_datagram(br#"{"action":"HEARTBEAT","peer_id":"a"}"#);
    assert_eq!(refused, Err(WireError::NotDiscovery("HEARTBEAT".into())));
}

#[test]
fn who_asks_wrongly_is_answered_still() {
    let asked = parse_datagram(br#"{"action":"DISCOVER_MASTER","peer_id":7,"port_tcp":-1}"#);
    let discover = Discover {
        dialect: Dialect::Flat,
        peer_id: None,
        port: None,
    };
    assert_eq!(asked, Ok(Datagram::Discover(discover)));
}

#[test]
fn an_announcement_without_a_port_is_refused() {
    let refused = parse_datagram(br#"{"action":"MASTER_ANNOUNCE","master_ip":"10.0.0.1"}"#);
    assert_eq!(refused, Err(WireError::Missing("master_port")));
}

fn dialect() -> impl Strategy<Value = Dialect> {
    prop::sample::select(vec![Dialect::Flat, Dialect::Envelope, Dialect::SuperPeer])
}

fn offer() -> impl Strategy<Value = MasterOffer<'static>> {
    let capabilities = prop::collection::vec(".{0,9}".prop_map(Cow::Owned), 0..4);
    let numbers = (any::<u32>(), any::<u64>(), any::<u128>());
    (numbers, ".{0,20}", capabilities).prop_map(|(numbers, name, capabilities)| MasterOffer {
        protocol: numbers.0,
        master_id: Uuid::from_u128(numbers.2),
        name: name.into(),
        epoch: numbers.1,
        capabilities,
    })
}

proptest! {
    #[test]
    fn an_announcement_reads_back(
        dialect in dialect(),
        ip in ".{0,20}",
        port: u16,
        ours in proptest::option::of(offer()),
    ) {
        let announce = Announce { dialect, ip: ip.into(), port, ours };
        let datagram = encode_announce(&announce);
        prop_assert_eq!(parse_datagram(&datagram), Ok(Datagram::Announce(announce)));
    }

    #[test]
    fn a_question_reads_back(enveloped: bool, id in "[a-z]{1,9}", port: Option<u16>) {
        let discover = Discover {
            dialect: if enveloped { Dialect::Envelope } else { Dialect::Flat },
            peer_id: Some(id.parse().unwrap()),
            port,
        };
        let datagram = encode_discover(&discover);
        prop_assert_eq!(parse_datagram(&datagram), Ok(Datagram::Discover(discover)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = parse_datagram(&bytes);
    }
}
