//! `large-csv`: a table is cut and run by three peers, of which one is killed; what comes out is what one run gives.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use mutirao_rig::clock;
use mutirao_rig::program::program;
use nix::sys::statvfs::statvfs;

use crate::client::status;
use crate::peer::Peer;
use crate::process::Process;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::trial::Trial;

/// The table in the run of a commit …
const PER_COMMIT: [Size; 1] = [Size::of(3_000, 100)];
/// … and in a long one: many parts, and a gigabyte.
const LONG: [Size; 2] = [Size::of(100_000, 1_000), Size::of(12_500_000, 50_000)];
/// Parts of a table whose number of rows was asked for.
const PARTS: u64 = 50;
/// Peers, and how many tasks each runs at a time.
const PEERS: usize = 3;
const SLOTS: &str = "2";
/// Most memory that the master may ever have had, and the command that hands the parts in, in KiB.
const MEMORY: u64 = 150 << 10;
/// Copies of the table that lie on the disk in the worst moment: itself, the work of one run, what is put together, and the
/// parts with their results, which the packing makes smaller.
const COPIES: u64 = 6;
/// Bytes of a row, at most.
const ROW_BYTES: u64 = 105;
/// How long a run may take: a gigabyte on a slow machine.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Bytes that are compared at a time.
const PIECE: u64 = 1 << 20;
/// Between two looks at a run.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Adds a column.
const SCRIPT: &str = "\
import csv, sys
with open(sys.argv[1], newline='') as given, open('output.csv', 'w', newline='') as made:
    rows, table = csv.reader(given), csv.writer(made, lineterminator='\\n')
    table.writerow(next(rows) + ['length'])
    table.writerows(row + [len(row[1])] for row in rows)
";

/// The row.
pub const ROW: Row = Row {
    name: "large-csv",
    about: "a table cut over 3 peers, 1 killed midway: what one run gives, byte for byte, and the master below 150 MB",
    needs: &[],
    run,
};

/// How large a table is, and its parts.
#[derive(Debug, Clone, Copy)]
struct Size {
    rows: u64,
    cut: u64,
}

impl Size {
    const fn of(rows: u64, cut: u64) -> Self {
        Self { rows, cut }
    }

    fn parts(self) -> u64 {
        self.rows.div_ceil(self.cut)
    }
}

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let asked = scope
        .n
        .map(|rows| [Size::of(rows, rows.div_ceil(PARTS).max(1))]);
    let usual = if scope.long { &LONG[..] } else { &PER_COMMIT };
    let mut verdict = Verdict::default();
    for (lane, size) in (0..).zip(asked.as_ref().map_or(usual, |asked| &asked[..])) {
        let name = format!("{} rows", size.rows);
        let outcome = table(scope, lane, *size, &mut verdict);
        verdict.take(&name, outcome);
    }
    Ok(verdict)
}

fn table(scope: &Scope, lane: u16, size: Size, verdict: &mut Verdict) -> anyhow::Result<()> {
    let mut trial = Trial::new(scope, &format!("trial-{}", size.rows), lane)?;
    let alone = trial.folder.join("alone");
    fs::create_dir(&alone)?;
    ensure_room(&alone, size)?;
    write_table(&alone.join("rows.csv"), size.rows)?;
    fs::write(alone.join("main.py"), SCRIPT)?;
    trial.master.serve()?;
    let mut peers: Vec<Peer> = (0..PEERS)
        .map(|number| trial.peer(&format!("peer-{number}"), &["--slots", SLOTS]))
        .collect::<Result<_, _>>()?;
    let began = clock::now();
    let (is_well, own) = run_cut(&trial, &alone, size, &mut peers)?;
    let took = began.elapsed().as_secs();
    verdict.require(is_well, format_args!("{} rows: the run failed", size.rows));
    let master = trial.master.process()?.memory("VmHWM")?;
    for (who, peak) in [("the master", master), ("the command", own)] {
        verdict.require(peak < MEMORY, format_args!("{who} took {peak} KiB"));
    }
    let mut python = program(Path::new("python3"), &alone);
    let sequential = python.args(["main.py", "rows.csv"]).status()?;
    ensure!(sequential.success(), "the script fails by itself");
    let merged = trial.master.folder.join("results/main-1/merged.csv");
    verdict.require(
        is_same(&alone.join("output.csv"), &merged)?,
        format_args!("{} is not what one run gives", merged.display()),
    );
    verdict.figure(format_args!(
        "{} rows in {} parts: {took} s, the master took {} MB and the command {} MB",
        size.rows,
        size.parts(),
        master >> 10,
        own >> 10,
    ));
    Ok(())
}

/// Runs it, and kills a peer at its work when a third is done: whether all is well, and what the command took of memory in KiB.
fn run_cut(
    trial: &Trial,
    given: &Path,
    size: Size,
    peers: &mut [Peer],
) -> anyhow::Result<(bool, u64)> {
    let address = trial.master.address();
    let mut command = program(&trial.master.binary, &trial.master.folder);
    command
        .arg("run")
        .args([given.join("main.py"), given.join("rows.csv")])
        .args(["--rows", &size.cut.to_string()])
        .args(["--master", &address.to_string()]);
    let mut run = Process::start(&mut command, &trial.folder.join("run.log"))?;
    let (mut own, mut killed) = (0, false);
    let end = clock::now() + PATIENCE;
    while run.is_running() {
        ensure!(clock::now() < end, "it did not end within {PATIENCE:?}");
        own = run.memory("VmHWM").unwrap_or(own);
        if !killed {
            let done = status(address)?["tasks"]["done"].as_u64();
            let is_midway = done.is_some_and(|done| 3 * done > size.parts());
            let at_work = peers.iter_mut().find(|peer| peer.is_at_work());
            if let Some(peer) = at_work.filter(|_| is_midway) {
                peer.kill();
                killed = true;
            }
        }
        clock::pause(LOOK_EVERY);
    }
    ensure!(killed, "it ended before a peer could be killed");
    Ok((run.ended_well(), own))
}

fn ensure_room(folder: &Path, size: Size) -> anyhow::Result<()> {
    let wanted = size.rows * ROW_BYTES * COPIES;
    let disk = statvfs(folder)?;
    let free = disk.blocks_available() * disk.fragment_size();
    ensure!(
        free > wanted,
        "it needs {} MB of disk, and {} MB are free: --folder names another place",
        wanted >> 20,
        free >> 20
    );
    Ok(())
}

/// Rows with quotes, commas and line ends in them.
fn write_table(path: &Path, rows: u64) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("failed to make {}", path.display()))?;
    let mut table = BufWriter::new(file);
    writeln!(table, "number,text,rest")?;
    for number in 0..rows {
        let rest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(
            table,
            "{number},\"say \"\"{number}\"\",\nand more of it\",{rest:016x}{rest:016x}{rest:016x}"
        )?;
    }
    Ok(table.flush()?)
}

/// Whether two files hold the same, whatever their size.
fn is_same(one: &Path, other: &Path) -> anyhow::Result<bool> {
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| format!("there is no {}", path.display()))?;
        anyhow::Ok(BufReader::new(file))
    };
    let (mut files, mut pieces) = ([open(one)?, open(other)?], [Vec::new(), Vec::new()]);
    loop {
        for (file, piece) in files.iter_mut().zip(&mut pieces) {
            piece.clear();
            file.by_ref().take(PIECE).read_to_end(piece)?;
        }
        match &pieces {
            [one, other] if one != other => return Ok(false),
            [one, _] if one.is_empty() => return Ok(true),
            _ => {}
        }
    }
}
