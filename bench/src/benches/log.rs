//! What the message log costs: cycles a second with its file beside those with its ring in memory alone.

use super::sides::{Rounds, accept};
use crate::archives;
use crate::figure::{Figure, Target, Unit};
use crate::load::worked::{Kind, Load};
use crate::serve::Lane;
use crate::server::{Server, folder};
use crate::stage::Stage;

/// Peers at a time.
const PEERS: usize = 64;
/// Bytes of a task's and of a result's ZIP.
const BYTES: usize = 1000;

/// Runs it.
pub fn run(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let load = Load {
        kind: Kind::Lasting(Lane::Json),
        peers: PEERS,
        cycles: stage.pick(3_000, 10_000, 30_000),
        result: BYTES,
    };
    let task = archives::task(BYTES, 0)?;
    let (mut ring, mut file) = <(Rounds, Rounds)>::default();
    let with_ring = Server::ours(stage, &folder(stage, "ring")?, &[])?;
    let with_file = Server::ours(stage, &folder(stage, "file")?, &["--message-log"])?;
    for _ in 0..stage.rounds {
        for (master, rounds) in [(&with_ring, &mut ring), (&with_file, &mut file)] {
            accept(master, &task, load.cycles)?;
            rounds.add(master, load)?;
        }
    }
    Ok(vec![
        Figure::ratio("file / ring", &file.rate, &ring.rate).target(Target::AtLeast(0.9)),
        Figure::new("ring", Unit::PerSecond, ring.rate),
        Figure::new("file", Unit::PerSecond, file.rate),
        Figure::new("ring CPU a task", Unit::Micros, ring.cpu),
        Figure::new("file CPU a task", Unit::Micros, file.cpu),
    ])
}
