//! Packs, in which small tasks and results lie until they are put in their places: caught by a kill, and damaged.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use mutirao_rig::dice::Dice;
use serde_json::Value;

use crate::archives::sha256;
use crate::background::Background;
use crate::client::Client;
use crate::damage::damage;
use crate::tasks::Tasks;
use crate::trial::Trial;
use crate::worker::Worker;

use super::{PATIENCE, RESULT, Spoiled};

/// Where they lie, below the master's folder.
const PAYLOADS: &str = ".mutirao/payloads";
/// Where damaged ones are set aside.
const DAMAGED: &str = ".mutirao/damaged";
/// Who hands in tasks at a time, and who runs them: what comes while others are written goes into one file.
const CROWD: usize = 6;
/// How often a master is killed while a pack is there, until one is left: some are gone before the signal comes.
const KILLS_MAX: usize = 50;
/// Between two looks for one: less than a result waits in its pack for others.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// A ZIP in a pack.
struct Packed {
    sha256: String,
    line: Range<u64>,
    bytes: Range<u64>,
}

/// Kills the master while a pack lies there. Those who run the tasks go on looking for it, for it believes them when it is
/// back.
pub fn leave(trial: &mut Trial) -> anyhow::Result<Vec<Worker>> {
    let start = |_| Worker::start(&trial.tasks, RESULT);
    let workers = (0..CROWD).map(start).collect();
    let folder = trial.master.folder.clone();
    for _ in 0..KILLS_MAX {
        trial.master.serve()?;
        let crowd: Vec<_> = (0..CROWD).map(|_| hand_in(trial.tasks.clone())).collect();
        let end = clock::now() + PATIENCE;
        let mut seen = Vec::new();
        // One that was there before has been answered for, or soon will be.
        while !packs(&folder).iter().any(|pack| seen.contains(pack)) {
            ensure!(clock::now() < end, "no pack is written");
            seen = packs(&folder);
            clock::pause(LOOK_EVERY);
        }
        trial.master.kill();
        drop(crowd);
        if !packs(&folder).is_empty() {
            return Ok(workers);
        }
    }
    anyhow::bail!("no kill leaves a pack")
}

/// Hands in tasks, one after the other.
fn hand_in(tasks: Tasks) -> Background {
    let mut client = None;
    Background::repeat(move |_| {
        let connected = client
            .take()
            .map_or_else(|| Client::connect(tasks.address), Ok);
        let Ok(mut connected) = connected else {
            return clock::pause(LOOK_EVERY);
        };
        let key = format!("burst-{}", uuid::Uuid::new_v4().simple());
        let sent = tasks.submit(&mut connected, &key, "");
        client = sent.ok().map(|_| connected);
    })
}

fn packs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(PAYLOADS)).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    let is_pack = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("pack-")
    };
    let mut packs: Vec<_> = paths.filter(is_pack).collect();
    packs.sort();
    packs
}

/// Damages one of them; what it took is promised no more.
pub fn spoil(trial: &Trial, dice: &mut Dice) -> anyhow::Result<Spoiled> {
    let packs = packs(&trial.master.folder);
    let pack = packs
        .get(dice.index(packs.len()))
        .context("there is no pack")?;
    let (index, packed) = read(&fs::read(pack)?)?;
    let damage = damage(pack, dice)?;
    let is_hit =
        |range: &Range<u64>| range.start < damage.bytes.end && damage.bytes.start < range.end;
    // Whoever finds a ZIP needs one of the two lines that tell of it.
    let is_lost = |zip: &&Packed| is_hit(&zip.bytes) || (is_hit(&index) && is_hit(&zip.line));
    let lost: BTreeSet<_> = packed
        .iter()
        .filter(is_lost)
        .map(|zip| zip.sha256.clone())
        .collect();
    let (hit, all) = (lost.len(), packed.len());
    Ok(Spoiled {
        words: format!("{}, {hit} of {all} ZIPs hit", damage.words),
        owed: unpromise(&trial.tasks, &lost)?,
    })
}

/// The first line, and what it lists.
fn read(bytes: &[u8]) -> anyhow::Result<(Range<u64>, Vec<Packed>)> {
    let line_end = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n');
        end.map(|end| from + end + 1)
            .context("a line without an end")
    };
    let end = line_end(0)?;
    let listed: Vec<Value> = serde_json::from_slice(bytes.get(..end).unwrap_or_default())?;
    let (mut at, mut packed) = (end, Vec::new());
    for entry in listed {
        let begin = line_end(at)?;
        let size = entry["size"].as_u64().context("an entry without a size")?;
        let line = u64::try_from(at)?..u64::try_from(begin)?;
        at = begin + usize::try_from(size)?;
        packed.push(Packed {
            sha256: entry["sha256"]
                .as_str()
                .context("an entry without a digest")?
                .to_owned(),
            bytes: line.end..u64::try_from(at)?,
            line,
        });
    }
    ensure!(at == bytes.len(), "a pack of another form");
    Ok((0..u64::try_from(end)?, packed))
}

/// A task whose ZIP is among these may be gone, if that is told; how many there are. One whose result is among them is to
/// be done again, with another result.
fn unpromise(tasks: &Tasks, lost: &BTreeSet<String>) -> anyhow::Result<u64> {
    let mut owed = 0;
    let accepted: Vec<_> = tasks.history().accepted.iter().cloned().collect();
    for key in accepted {
        let zip = sha256(&tasks.make(&key, "")?);
        let mut history = tasks.history();
        if let Some(acked) = history.acked.get_mut(&key) {
            acked.retain(|digest| !lost.contains(digest));
        }
        if lost.contains(&zip) {
            history.accepted.remove(&key);
            history.unsure.insert(key);
            owed += 1;
        }
    }
    Ok(owed)
}

/// Whether the damaged pack was kept.
pub fn is_kept(trial: &Trial) -> bool {
    let kept = fs::read_dir(trial.master.folder.join(DAMAGED));
    kept.is_ok_and(|mut kept| kept.next().is_some())
}
