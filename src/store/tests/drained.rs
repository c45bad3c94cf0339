//! Which peers are drained outlives the process.

use super::*;

#[test]
fn drained_peers_are_known_after_a_restart_and_undone_ones_are_not() {
    let mut bench = Bench::new();
    let drained = |peer: &str, is_drained| Record::Drained {
        peer: peer.parse().unwrap(),
        is_drained,
    };
    bench.commit(&[drained("a", true), drained("b", true), drained("a", false)]);
    let known = |recalled: Recalled| {
        let known = recalled.drained.into_iter();
        known.map(|peer| peer.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(known(bench.reopen()), ["b"]);
    bench.commit(&[drained("b", false)]);
    assert!(known(bench.reopen()).is_empty());
}
