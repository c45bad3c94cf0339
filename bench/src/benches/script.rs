//! The example script from end to end, two at a time: master and peer as they are, beside a loop that only starts it and
//! one that only forks it. Also what a peer itself costs a task.

use std::io::{Cursor, Read as _};
use std::path::Path;
use std::time::Duration;

use mutirao_rig::clock;
use zip::ZipArchive;

use super::sides::per_second;
use crate::bare::Script;
use crate::figure::{Figure, Target, Unit};
use crate::load;
use crate::load::fill::fill;
use crate::server::{Server, folder};
use crate::stage::Stage;
use crate::status;
use crate::worker::{self, Start};

/// The task that is shipped.
const EXAMPLE: &[u8] = include_bytes!("../../../tasks/example.zip");
/// Scripts at a time.
const SLOTS: usize = 2;
/// How long all of a round's tasks may take.
const DONE_WITHIN: Duration = Duration::from_secs(600);

/// The rounds of one way of starting.
struct Ours {
    start: Start,
    rate: Vec<f64>,
    cpu: Vec<f64>,
}

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let count = stage.pick(60, 300, 1000);
    let script = Script {
        python: worker::python()?,
        files: unpacked(EXAMPLE)?,
    };
    let (mut spawn, mut fork) = (Vec::new(), Vec::new());
    let mut ours: Vec<_> = Start::known(stage)?.into_iter().map(Ours::new).collect();
    let master = Server::ours(stage, &folder(stage, "master")?, &[])?;
    let mut done = 0;
    for round in 0..stage.rounds {
        let took = script.spawn_loop(&folder(stage, "spawn")?, SLOTS, count)?;
        spawn.push(per_second(count, took));
        let took = script.fork_loop(&folder(stage, "fork")?, SLOTS, count)?;
        fork.push(per_second(count, took));
        for ours in &mut ours {
            let name = format!("peer-{}-{round}", ours.start.word());
            ours.round(stage, &name, &master, &script.python, (done, count))?;
            done += count;
        }
    }
    let mut figures = Vec::new();
    for ours in &ours {
        figures.extend(ours.figures(&spawn, &fork));
    }
    figures.push(Figure::new("spawn loop", Unit::PerSecond, spawn));
    figures.push(Figure::new("fork loop", Unit::PerSecond, fork));
    Ok(figures)
}

impl Ours {
    fn new(start: Start) -> Self {
        Self {
            start,
            rate: Vec::new(),
            cpu: Vec::new(),
        }
    }

    /// A fresh peer does so many tasks of a master that has done others before: from the first that is handed in as a
    /// task to the last that is done.
    fn round(
        &mut self,
        stage: &Stage,
        name: &str,
        master: &Server,
        python: &Path,
        (before, count): (usize, usize),
    ) -> anyhow::Result<()> {
        let mut peer = worker::start(stage, name, master, python, (SLOTS, self.start))?;
        let cpu = peer.cpu()?;
        let began = clock::now();
        load::run(async {
            fill(master.address, EXAMPLE, count).await?;
            let all = (before + count) as u64;
            status::until(master.address, DONE_WITHIN, |queue| queue.tasks.done >= all).await
        })?;
        self.rate.push(per_second(count, began.elapsed()));
        peer.quiet()?;
        let cpu = peer.cpu()?.saturating_sub(cpu);
        self.cpu.push(cpu.as_secs_f64() * 1e6 / count as f64);
        peer.leave()?;
        master.process.quiet()?;
        Ok(())
    }

    fn figures(&self, spawn: &[f64], fork: &[f64]) -> Vec<Figure> {
        let word = self.start.word();
        let least = match self.start {
            Start::Cold => 0.95,
            Start::Warm => 5.0,
        };
        let over_spawn = Figure::ratio(format!("{word} / spawn loop"), &self.rate, spawn);
        let mut figures = vec![over_spawn.target(Target::AtLeast(least))];
        if self.start == Start::Warm {
            figures.push(Figure::ratio("warm / fork loop", &self.rate, fork));
        }
        figures.push(Figure::new(word, Unit::PerSecond, self.rate.clone()));
        let cpu = Figure::new(
            format!("{word}: the peer's own CPU a task"),
            Unit::Micros,
            self.cpu.clone(),
        );
        figures.push(cpu.target(Target::AtMost(1000.0)));
        figures
    }
}

/// The files of a ZIP, by the last parts of their names.
fn unpacked(zip: &[u8]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut archive = ZipArchive::new(Cursor::new(zip))?;
    let mut files = Vec::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at)?;
        let path = entry.name()?.into_owned();
        let name = path.rsplit('/').next().unwrap_or_default();
        if !name.is_empty() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.push((name.to_owned(), bytes));
        }
    }
    Ok(files)
}
