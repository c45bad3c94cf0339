//! The ways in which the network breaks. Each breaks it at once, mends it before it returns, and tells what it did;
//! an error means that it did not do what it is for.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;

use super::stage::Stage;
use crate::lan::{Fault, Host, Tally};

/// How long the network is cut, in milliseconds: briefly …
const CUT: Range<u64> = 1_000..8_000;
/// … or about as long as the silence for which either side gives up the other, 15 s: it may be one of them, or both.
const LONG_CUT: Range<u64> = 12_000..20_000;
/// How long it is bad, in milliseconds.
const BAD: Range<u64> = 4_000..10_000;
/// How many segments of a hundred are answered with a reset: some results get through, and others do not.
const RESETS: Range<u64> = 3..20;
/// How many frames of a hundred are lost: at the upper end TCP all but stands still.
const LOSS: Range<u64> = 10..40;
/// How often a loose cable loses contact, how long for, and how long it keeps it, in milliseconds.
const FLAPS: Range<u64> = 5..15;
const FLAP: Range<u64> = 20..1_000;
/// How long a peer that was given up stays away, in milliseconds.
const AWAY: Range<u64> = 0..3_000;
/// When a peer that is cut off is given up at the latest, on a busy machine.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(40);

/// Breaks the network and mends it: what that did.
pub type Strike = fn(&mut Stage) -> anyhow::Result<Tally>;

/// All of them by name; what takes longest begins first.
pub const SCENARIOS: [(&str, Strike); 12] = [
    ("outlast", outlast),
    ("no-discovery", no_discovery),
    ("peer-cut", peer_cut),
    ("master-cut", master_cut),
    ("to-master", to_master),
    ("from-master", from_master),
    ("peer-cable", peer_cable),
    ("master-cable", master_cable),
    ("flapping", flapping),
    ("resets", resets),
    ("loss", loss),
    ("disorder", disorder),
];

/// A peer is cut off until it is given up, and comes back with what it did meanwhile.
fn outlast(stage: &mut Stage) -> anyhow::Result<Tally> {
    let host = stage.any_host()?;
    stage.lan.strike(Fault::Cut(host.port));
    lost_some(until_given_up(stage)?)
}

/// A peer is cut off.
fn peer_cut(stage: &mut Stage) -> anyhow::Result<Tally> {
    let host = stage.any_host()?;
    cut(stage, Fault::Cut(host.port))
}

/// The master is cut off.
fn master_cut(stage: &mut Stage) -> anyhow::Result<Tally> {
    cut(stage, Fault::Cut(stage.master.port))
}

/// Nothing reaches the master, and all hear it.
fn to_master(stage: &mut Stage) -> anyhow::Result<Tally> {
    cut(stage, Fault::Deaf(stage.master.port))
}

/// Nothing comes from the master, and it hears all.
fn from_master(stage: &mut Stage) -> anyhow::Result<Tally> {
    cut(stage, Fault::Mute(stage.master.port))
}

/// The cable of a peer is pulled and plugged back.
fn peer_cable(stage: &mut Stage) -> anyhow::Result<Tally> {
    let host = stage.any_host()?;
    let time = cut_time(stage);
    pull(stage, &host, 1, time)
}

/// The cable of the master is pulled and plugged back.
fn master_cable(stage: &mut Stage) -> anyhow::Result<Tally> {
    let host = stage.master.clone();
    let time = cut_time(stage);
    pull(stage, &host, 1, time)
}

/// Some cable has a loose contact.
fn flapping(stage: &mut Stage) -> anyhow::Result<Tally> {
    let host = match stage.dice.below(4) {
        0 => stage.master.clone(),
        _ => stage.any_host()?,
    };
    let flaps = FLAPS.start + stage.dice.below(FLAPS.end - FLAPS.start);
    pull(stage, &host, flaps, FLAP)
}

/// A peer is started anew where it reaches everything and can ask nobody where the master is: its life before is given
/// up, and it does not come.
fn no_discovery(stage: &mut Stage) -> anyhow::Result<Tally> {
    let number = stage.any_peer();
    let host = stage.hosts.get(number).context("there is no such host")?;
    stage.lan.strike(Fault::NoDatagrams(host.port));
    let peer = stage
        .peers
        .get_mut(number)
        .context("there is no such peer")?;
    peer.restart()?;
    lost_some(until_given_up(stage)?)
}

/// Connections are reset, also while they are made.
fn resets(stage: &mut Stage) -> anyhow::Result<Tally> {
    let percent = drawn(stage, RESETS);
    let tally = stage.suffer(Fault::Resets(percent), BAD);
    ensure!(tally.reset > 0, "nothing was reset");
    Ok(tally)
}

/// Frames are lost.
fn loss(stage: &mut Stage) -> anyhow::Result<Tally> {
    let percent = drawn(stage, LOSS);
    lost_some(stage.suffer(Fault::Loss(percent), BAD))
}

/// Frames come late, in another order, and twice.
fn disorder(stage: &mut Stage) -> anyhow::Result<Tally> {
    let tally = stage.suffer(Fault::Disorder, BAD);
    let all = [tally.held, tally.overtaken, tally.doubled];
    ensure!(
        all.iter().all(|count| *count > 0),
        "there was none: {tally}"
    );
    Ok(tally)
}

/// Lets the fault last until the master has given up a peer, and some time more: what it did.
fn until_given_up(stage: &mut Stage) -> anyhow::Result<Tally> {
    let is_given_up = clock::until(GIVEN_UP_WITHIN, || stage.is_short());
    clock::pause(stage.dice.millis(AWAY));
    let tally = stage.lan.heal();
    ensure!(is_given_up, "no peer was given up");
    Ok(tally)
}

fn cut_time(stage: &mut Stage) -> Range<u64> {
    if stage.dice.percent(50) {
        LONG_CUT
    } else {
        CUT
    }
}

fn cut(stage: &mut Stage, fault: Fault) -> anyhow::Result<Tally> {
    let time = cut_time(stage);
    lost_some(stage.suffer(fault, time))
}

fn lost_some(tally: Tally) -> anyhow::Result<Tally> {
    ensure!(tally.lost > 0, "nothing was lost");
    Ok(tally)
}

fn drawn(stage: &mut Stage, range: Range<u64>) -> u64 {
    range.start + stage.dice.below(range.end - range.start)
}

/// Pulls the cable so many times, for so many milliseconds each.
fn pull(stage: &mut Stage, host: &Host, times: u64, millis: Range<u64>) -> anyhow::Result<Tally> {
    let before = host.carrier_changes()?;
    for time in 0..times {
        if time > 0 {
            clock::pause(stage.dice.millis(millis.clone()));
        }
        stage.lan.pull(host)?;
        clock::pause(stage.dice.millis(millis.clone()));
        stage.lan.plug(host)?;
    }
    let changes = host.carrier_changes()? - before;
    ensure!(changes == 2 * times, "the carrier changed {changes} times");
    Ok(Tally {
        pulled: times,
        ..Tally::default()
    })
}
