//! The real master and the two baselines under the same load, in turns.

use std::path::Path;
use std::time::Duration;

use mutirao_rig::clock;

use crate::archives;
use crate::figure::{Figure, Target, Unit};
use crate::load;
use crate::load::fill::fill;
use crate::load::worked::{Kind, Load, work};
use crate::serve::{Lane, Mode};
use crate::server::{Server, folder};
use crate::stage::Stage;

/// What all three sides are to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The load of the real master.
    pub load: Load,
    /// Cycles of a baseline's round: it is so much quicker that a clock needs more to measure.
    pub baseline_cycles: usize,
    /// Bytes of a task's ZIP.
    pub task: usize,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Sides {
    /// The real master.
    pub ours: Rounds,
    /// A master that stores nothing.
    pub bare: Rounds,
    /// A master that appends each result to one log with group commit.
    pub log: Rounds,
    /// Tasks a second that the real master accepted before the clock started.
    pub accepted: Vec<f64>,
}

/// One side's rounds.
#[derive(Debug, Default)]
pub struct Rounds {
    /// Cycles a second.
    pub rate: Vec<f64>,
    /// Cycles a second when what is done behind them is waited for too.
    pub sustained: Vec<f64>,
    /// Processor time a cycle in microseconds, with whatever is done behind.
    pub cpu: Vec<f64>,
}

/// Measures all three, round by round.
pub fn measure(stage: &Stage, plan: Plan) -> anyhow::Result<Sides> {
    let task = archives::task(plan.task, 0)?;
    let mut sides = Sides::default();
    let master = Server::ours(stage, &folder(stage, "master")?, &[])?;
    for round in 0..stage.rounds {
        let rate = accept(&master, &task, plan.load.cycles)?;
        sides.accepted.push(rate);
        sides.ours.add(&master, plan.load)?;
        let folder = folder(stage, &format!("baseline-{round}"))?;
        sides.bare.beside(&folder, Mode::Bare, &task, plan)?;
        sides.log.beside(&folder, Mode::Log, &task, plan)?;
    }
    Ok(sides)
}

/// Has a master accept so many tasks, and waits for what it does behind: tasks a second.
pub fn accept(master: &Server, task: &[u8], count: usize) -> anyhow::Result<f64> {
    let began = clock::now();
    load::run(fill(master.address, task, count))?;
    let rate = per_second(count, began.elapsed());
    master.process.quiet()?;
    Ok(rate)
}

impl Rounds {
    /// One round; the processor time of what goes on behind it is counted too.
    pub fn add(&mut self, server: &Server, load: Load) -> anyhow::Result<()> {
        let before = server.process.cpu()?;
        let took = load::run(work(server.address, load))?;
        let answered = clock::now();
        let behind = server.process.quiet()?.saturating_duration_since(answered);
        let cpu = server.process.cpu()?.saturating_sub(before);
        self.rate.push(per_second(load.cycles, took));
        self.sustained.push(per_second(load.cycles, took + behind));
        self.cpu.push(cpu.as_secs_f64() * 1e6 / load.cycles as f64);
        Ok(())
    }

    /// A fresh baseline's round.
    fn beside(&mut self, folder: &Path, mode: Mode, task: &[u8], plan: Plan) -> anyhow::Result<()> {
        let cycles = plan.baseline_cycles;
        let load = Load {
            cycles,
            ..plan.load
        };
        let lane = match load.kind {
            Kind::Lasting(lane) => lane,
            Kind::OneShot => Lane::Json,
        };
        self.add(&Server::baseline(folder, mode, lane, task)?, load)
    }

    fn figures(&self, side: &str) -> [Figure; 2] {
        [
            Figure::new(side, Unit::PerSecond, self.rate.clone()),
            Figure::new(format!("{side} CPU a task"), Unit::Micros, self.cpu.clone()),
        ]
    }
}

impl Sides {
    /// Our rate over that of the log.
    pub fn over_log(&self) -> Figure {
        Figure::ratio("ours / log", &self.ours.rate, &self.log.rate)
    }

    /// Our rate over that of the master that stores nothing.
    pub fn over_bare(&self) -> Figure {
        Figure::ratio("ours / bare", &self.ours.rate, &self.bare.rate)
    }

    /// The rates and processor times themselves, ours with this target for its processor time.
    pub fn rates(&self, cpu: Option<Target>) -> Vec<Figure> {
        let [rate, mut ours_cpu] = self.ours.figures("ours");
        ours_cpu.target = cpu;
        let sustained = Figure::new(
            "ours, all put away",
            Unit::PerSecond,
            self.ours.sustained.clone(),
        );
        let mut figures = vec![rate, sustained, ours_cpu];
        figures.extend(self.log.figures("log"));
        figures.extend(self.bare.figures("bare"));
        figures
    }
}

/// So many in this time.
pub fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
