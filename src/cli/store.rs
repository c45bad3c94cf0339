//! `mutirao store`: what a master wrote down.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mutirao_actors::clock::Clock;
use serde::Serialize;

use super::options::root;
use super::telling::{Outcome, Telling, code};
use crate::folders::claim::Claim;
use crate::json;
use crate::store::check::{Checked, check, find, repair};
use crate::store::export::export;

/// Check or print what the master of this folder wrote down
#[derive(Debug, Clone, Args)]
pub struct Store {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    Check(Check),
    Export(Export),
}

/// Look at every record, and at every file of which one tells; the master must not run
#[derive(Debug, Clone, Args)]
struct Check {
    /// Make a sound database of a damaged one, as a master does at its start; the damaged one is kept
    #[arg(long)]
    repair: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Print all tasks with their tries, results and conflicts, one JSON object a line; the master may run
#[derive(Debug, Clone, Args)]
struct Export {}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    sound: bool,
    #[serde(flatten)]
    found: &'a Checked,
    repaired: &'a [String],
}

impl Outcome for Answer<'_> {
    fn in_words(&self, _: Telling) -> io::Result<()> {
        let text = in_words(self.found, self.repaired);
        io::stdout().write_all(text.as_bytes())
    }

    fn is_well(&self) -> bool {
        self.sound
    }
}

/// Does what was asked; 0 if all is sound, 1 if something is damaged.
pub fn run(args: Store, telling: Telling) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Check(args) => run_check(&args, telling),
        What::Export(Export {}) => run_export(),
    }
}

fn run_check(args: &Check, telling: Telling) -> anyhow::Result<ExitCode> {
    find(root())?;
    let _claim = Claim::of(root())?;
    let mut found = check(root())?;
    let mut repaired = Vec::new();
    if args.repair && !found.database.is_empty() {
        repaired = repair(root(), &Clock::start())?;
        found = check(root())?;
    }
    let answer = Answer {
        sound: found.is_sound(),
        found: &found,
        repaired: &repaired,
    };
    Ok(code(telling.json(args.json).print(&answer)?))
}

fn in_words(found: &Checked, repaired: &[String]) -> String {
    let mut text = String::new();
    for (kind, lines) in [
        ("repaired", repaired),
        ("damaged", &found.database),
        ("file", &found.files),
    ] {
        text.extend(lines.iter().map(|line| format!("{kind:<9} {line}\n")));
    }
    let (tasks, results) = (found.tasks, found.results);
    text.push_str(&format!("tasks: {tasks} · results: {results} · "));
    text.push_str(match (found.database.is_empty(), found.files.is_empty()) {
        (true, true) => "all is sound\n",
        (true, false) => "the records are sound, files are not as they were written\n",
        (false, _) => {
            "the database is damaged; `mutirao store check --repair`, or the next master, makes a sound one of it\n"
        }
    });
    text
}

fn run_export() -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut broken = None;
    let mut print = |task| json::line(&mut out, &task);
    let unread = export(root(), |task| match print(task) {
        Ok(()) => true,
        Err(error) => {
            broken = Some(error);
            false
        }
    })?;
    match broken.map_or_else(|| out.flush(), Err) {
        // Whoever reads our output has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        printed => printed?,
    }
    if unread > 0 {
        anstream::eprintln!(
            "{unread} tasks are damaged and were left out: `mutirao store check` tells more"
        );
    }
    Ok(code(unread == 0))
}
