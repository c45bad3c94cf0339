//! Megabytes a second handed out and in, with ZIPs of a megabyte: in the JSON lane, in which they travel as base64, and
//! in the raw one, in which they follow their messages.

use super::sides::{Plan, measure};
use crate::figure::{Figure, Target, Unit};
use crate::load::worked::{Kind, Load};
use crate::serve::Lane;
use crate::stage::Stage;

/// Bytes of a task's and of a result's ZIP.
const BYTES: usize = 1_000_000;
/// What a cycle moves: the task out and the result in.
const MEGABYTES_A_CYCLE: f64 = 2.0;
/// Peers at a time: enough to keep both sides busy, and few enough that their messages stay in the processor's cache.
const PEERS: usize = 16;

/// As base64.
pub fn json(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    run(stage, Lane::Json, 0.7)
}

/// As they are.
pub fn raw(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    run(stage, Lane::Raw, 0.9)
}

fn run(stage: &Stage, lane: Lane, target: f64) -> anyhow::Result<Vec<Figure>> {
    let load = Load {
        kind: Kind::Lasting(lane),
        peers: PEERS,
        cycles: stage.pick(100, 300, 1000),
        result: BYTES,
    };
    let plan = Plan {
        load,
        baseline_cycles: load.cycles,
        task: BYTES,
    };
    let sides = measure(stage, plan)?;
    let megabytes = |name: &str, rates: &[f64]| {
        let moved = rates.iter().map(|rate| rate * MEGABYTES_A_CYCLE).collect();
        Figure::new(name, Unit::MegabytesPerSecond, moved)
    };
    Ok(vec![
        sides.over_log().target(Target::AtLeast(target)),
        sides.over_bare(),
        megabytes("ours", &sides.ours.rate),
        Figure::new("ours CPU a task", Unit::Micros, sides.ours.cpu.clone()),
        megabytes("log", &sides.log.rate),
        Figure::new("log CPU a task", Unit::Micros, sides.log.cpu.clone()),
        megabytes("bare", &sides.bare.rate),
        Figure::new("bare CPU a task", Unit::Micros, sides.bare.cpu.clone()),
    ])
}
