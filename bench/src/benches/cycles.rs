//! Request + submit cycles a second over persistent connections: the real master with all that makes it durable, beside
//! a bare one that stores nothing and one that appends each result to a log.

use std::path::Path;
use std::time::Duration;

use crate::archives;
use crate::clock;
use crate::figure::{Figure, Target, Unit};
use crate::load;
use crate::load::fill::fill;
use crate::load::worked::{Load, work};
use crate::serve::Mode;
use crate::server::{Server, folder};
use crate::stage::Stage;

/// Peers at a time.
const PEERS: usize = 64;
/// Bytes of a task's and of a result's ZIP.
const BYTES: usize = 1000;

/// Fewest cycles of a baseline's round: it does a hundred thousand a second, and a clock needs something to measure.
const BASELINE_MIN: usize = 60_000;

/// What one side did in one round.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Cycles a second.
    pub rate: f64,
    /// Processor time a cycle in microseconds, with whatever is done behind.
    pub cpu: f64,
}

/// One side's rounds.
#[derive(Debug, Default)]
pub struct Rounds {
    rate: Vec<f64>,
    cpu: Vec<f64>,
}

impl Rounds {
    fn push(&mut self, round: Round) {
        self.rate.push(round.rate);
        self.cpu.push(round.cpu);
    }

    fn figures(&self, side: &str) -> [Figure; 2] {
        [
            Figure::new(side, Unit::PerSecond, self.rate.clone()),
            Figure::new(format!("{side} CPU a task"), Unit::Micros, self.cpu.clone()),
        ]
    }
}

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let load = Load {
        peers: PEERS,
        cycles: stage.pick(3_000, 20_000, 30_000),
        result: BYTES,
    };
    let task = archives::task(BYTES, 0)?;
    let (mut ours, mut bare, mut log) = <(Rounds, Rounds, Rounds)>::default();
    let mut accepted = Vec::new();
    let master = Server::ours(stage, &folder(stage, "master")?, &[])?;
    for round in 0..stage.rounds {
        let began = clock::now();
        load::run(fill(master.address, &task, load.cycles))?;
        accepted.push(per_second(load.cycles, began.elapsed()));
        master.process.quiet()?;
        ours.push(measure(&master, load)?);
        let folder = folder(stage, &format!("baseline-{round}"))?;
        bare.push(beside(&folder, Mode::Bare, &task, load)?);
        log.push(beside(&folder, Mode::Log, &task, load)?);
    }
    let [rate, cpu] = ours.figures("ours");
    let mut figures = vec![
        Figure::ratio("ours / log", &ours.rate, &log.rate).target(Target::AtLeast(0.5)),
        Figure::ratio("ours / bare", &ours.rate, &bare.rate).target(Target::AtLeast(0.25)),
        rate,
        cpu.target(Target::AtMost(50.0)),
    ];
    figures.extend(log.figures("log"));
    figures.extend(bare.figures("bare"));
    figures.push(Figure::new("tasks accepted", Unit::PerSecond, accepted));
    Ok(figures)
}

/// A fresh baseline's round.
fn beside(folder: &Path, mode: Mode, task: &[u8], load: Load) -> anyhow::Result<Round> {
    let cycles = load.cycles.max(BASELINE_MIN);
    measure(
        &Server::baseline(folder, mode, task)?,
        Load { cycles, ..load },
    )
}

/// One round; the processor time of what goes on behind it is counted too.
fn measure(server: &Server, load: Load) -> anyhow::Result<Round> {
    let before = server.process.cpu()?;
    let took = load::run(work(server.address, load))?;
    server.process.quiet()?;
    let cpu = server.process.cpu()?.saturating_sub(before);
    Ok(Round {
        rate: per_second(load.cycles, took),
        cpu: cpu.as_secs_f64() * 1e6 / load.cycles as f64,
    })
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
