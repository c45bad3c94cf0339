//! How long a task takes from its arrival at the master to the first line of its script at a peer that is idle, beside the
//! bare start of the same script. The script's first line opens a pipe, which its reader sees at once.

use std::fs::{self, File};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mutirao_rig::clock;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::archives::pack;
use crate::bare::Script;
use crate::figure::{Figure, Target, Unit, median, percentile};
use crate::load;
use crate::load::fill::fill;
use crate::server::{Server, folder};
use crate::stage::Stage;
use crate::status;
use crate::worker::{self, Start};

/// How long a task may take.
const WITHIN: Duration = Duration::from_secs(30);
/// How long everything is at rest before the next task.
const REST: Duration = Duration::from_millis(50);

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let samples = stage.pick(10, 40, 100);
    let pipe = Pipe::make(&stage.folder.join("pipe"))?;
    let main = format!("open({:?}, \"w\").close()\n", pipe.path);
    let task = pack(&[("main.py", main.as_bytes()), ("input.csv", b"")])?;
    let script = Script {
        python: worker::python()?,
        files: vec![
            ("main.py".into(), main.into_bytes()),
            ("input.csv".into(), Vec::new()),
        ],
    };
    let master = Server::ours(stage, &folder(stage, "master")?, &[])?;
    let mut done = 0;
    let mut bare = Vec::new();
    let starts = Start::known(stage)?;
    let mut ours = vec![Vec::new(); starts.len()];
    for round in 0..stage.rounds {
        bare.push(pipe.bare(&script, &folder(stage, "bare")?, samples)?);
        for (start, rounds) in starts.iter().zip(&mut ours) {
            let name = format!("peer-{}-{round}", start.word());
            let mut peer = worker::start(stage, &name, &master, &script.python, (1, *start))?;
            rounds.push(pipe.through(&master, &task, &mut done, samples)?);
            peer.leave()?;
        }
    }
    let mut figures = Vec::new();
    for (start, rounds) in starts.iter().zip(&ours) {
        figures.extend(figures_of(*start, rounds, &bare));
    }
    let bare = bare.iter().map(|samples| median(samples)).collect();
    figures.push(Figure::new("bare start, median", Unit::Millis, bare));
    Ok(figures)
}

fn figures_of(start: Start, rounds: &[Vec<f64>], bare: &[Vec<f64>]) -> [Figure; 3] {
    let word = start.word();
    let part = |part| -> Vec<f64> {
        let rounds = rounds.iter();
        rounds.map(|samples| percentile(samples, part)).collect()
    };
    let medians = part(0.5);
    let bare: Vec<_> = bare.iter().map(|samples| median(samples)).collect();
    // Less is better of both, so that the ratio is the other way round.
    let ratio = Figure::ratio(format!("bare start / {word}"), &bare, &medians);
    let mut middle = Figure::new(format!("{word}, median"), Unit::Millis, medians);
    if start == Start::Warm {
        middle = middle.target(Target::AtMost(10.0));
    }
    let worst = Figure::new(format!("{word}, 95th of 100"), Unit::Millis, part(0.95));
    [ratio, middle, worst]
}

/// A pipe that scripts open, and when they did.
struct Pipe {
    path: String,
    opened: Receiver<Instant>,
}

impl Pipe {
    fn make(path: &Path) -> anyhow::Result<Self> {
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let text = path.to_str().context("the folder's name is no text")?;
        let (sender, opened) = channel();
        let own = path.to_owned();
        thread::spawn(move || {
            // Opening waits for a writer; reading then waits for its end, so that one is not seen twice.
            while let Ok(file) = File::open(&own) {
                let is_heard = sender.send(clock::now()).is_ok();
                let read = std::io::copy(&mut &file, &mut std::io::sink());
                if !is_heard || read.is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            path: text.into(),
            opened,
        })
    }

    /// Milliseconds from the start of the bare script to its first line.
    fn bare(&self, script: &Script, folder: &Path, samples: usize) -> anyhow::Result<Vec<f64>> {
        let one = |_| {
            clock::pause(REST);
            let began = clock::now();
            let mut child = script.spawn(folder)?;
            let took = self.since(began)?;
            child.wait()?;
            Ok(took)
        };
        (0..samples).map(one).collect()
    }

    /// Milliseconds from handing a task in to the first line of its script.
    fn through(
        &self,
        master: &Server,
        task: &[u8],
        done: &mut u64,
        samples: usize,
    ) -> anyhow::Result<Vec<f64>> {
        let mut one = |_| {
            clock::pause(REST);
            let began = clock::now();
            load::run(fill(master.address, task, 1))?;
            let took = self.since(began)?;
            *done += 1;
            load::run(status::until(master.address, WITHIN, |queue| {
                queue.tasks.done >= *done
            }))?;
            Ok(took)
        };
        // The first task of a peer finds nothing prepared.
        one(0)?;
        (0..samples).map(one).collect()
    }

    fn since(&self, began: Instant) -> anyhow::Result<f64> {
        let opened = self.opened.recv_timeout(WITHIN);
        let opened = opened.context("the script did not run")?;
        Ok(opened.duration_since(began).as_secs_f64() * 1e3)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // The thread that waits for a writer ends with the program.
        let _ = fs::remove_file(&self.path);
    }
}
