//! One datagram. Besides that nothing panics: what was understood is understood alike when it is written again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mutirao_actors::wire::datagram::{Datagram, encode_announce, encode_discover, parse_datagram};

fuzz_target!(|bytes: &[u8]| {
    let Ok(datagram) = parse_datagram(bytes) else {
        return;
    };
    let again = match &datagram {
        Datagram::Discover(discover) => encode_discover(discover),
        Datagram::Announce(announce) => encode_announce(announce),
    };
    assert_eq!(parse_datagram(&again), Ok(datagram));
});
