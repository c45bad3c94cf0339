//! Request + submit cycles a second with small ZIPs: over lasting connections as ours keep them, and with a connection for
//! each message as most other groups' peers do it.

use super::sides::{Plan, measure};
use crate::figure::{Figure, Target, Unit};
use crate::load::worked::{Kind, Load};
use crate::serve::Lane;
use crate::stage::Stage;

/// Peers at a time.
const PEERS: usize = 64;
/// Bytes of a task's and of a result's ZIP.
const BYTES: usize = 1000;

/// Peers of ours, a lasting connection each.
pub fn lasting(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let sides = measure(stage, plan(stage, Kind::Lasting(Lane::Json), 60_000))?;
    let mut figures = vec![
        sides.over_log().target(Target::AtLeast(0.5)),
        sides.over_bare().target(Target::AtLeast(0.25)),
    ];
    figures.extend(sides.rates(Some(Target::AtMost(50.0))));
    figures.push(Figure::new(
        "tasks accepted",
        Unit::PerSecond,
        sides.accepted,
    ));
    Ok(figures)
}

/// Peers of other groups, a connection for each message.
pub fn oneshot(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    // The ports of sixteen addresses last for 450,000 connections a minute: all rounds together need fewer.
    let sides = measure(stage, plan(stage, Kind::OneShot, 15_000))?;
    let mut figures = vec![
        sides.over_bare().target(Target::AtLeast(0.8)),
        sides.over_log(),
    ];
    figures.extend(sides.rates(None));
    Ok(figures)
}

fn plan(stage: &Stage, kind: Kind, baseline_cycles: usize) -> Plan {
    let load = Load {
        kind,
        peers: PEERS,
        cycles: stage.pick(3_000, 10_000, 30_000),
        result: BYTES,
    };
    Plan {
        load,
        baseline_cycles,
        task: BYTES,
    }
}
