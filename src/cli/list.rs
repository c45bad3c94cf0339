//! `mutirao list`: the tasks and groups of a master, the newest first.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::ensure;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use serde::Serialize;

use super::options::{FindOptions, NoMaster};
use super::select::{Before, Listed, ListedGroups, Only, Selection, Tasks};
use crate::control::Control;
use crate::json;

/// Most tasks that are listed at once: more is for programs, which go on with `--before`.
const LIMIT_MAX: u64 = 10_000;
/// Characters of a peer's id that are shown, which tell it from others as a rule.
const PEER_SHOWN: usize = 8;

/// List tasks and groups, the newest first; parts of groups only where something is named, or a state or a group
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Only these groups with their parts, and tasks by name, by id or by the beginning of one; `last` is what was handed in
    /// last from this folder, `1-5` parts of the group before it, and `failed` the same as --failed
    #[arg(value_name = "WHAT")]
    what: Vec<String>,
    #[command(flatten)]
    only: Only,
    /// So many tasks, and so many groups
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = RangedU64ValueParser::<u64>::new().range(1..=LIMIT_MAX))]
    limit: u64,
    /// The next page: only tasks that came before the one with this id, or groups behind the one of this name
    #[arg(long, value_name = "ID|GROUP")]
    before: Option<Before>,
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is listed; with `--json`, exactly this.
#[derive(Debug, Serialize)]
struct Listing {
    /// The one with the newest part first; none where only some tasks are wanted.
    groups: Vec<GroupReport>,
    /// Whether there may be more groups.
    more_groups: bool,
    /// `--before` of the next page of groups, if there may be one.
    next_group: Option<String>,
    /// The newest first.
    tasks: Vec<TaskReport>,
    /// `--before` of the next page of tasks, if there may be one.
    next: Option<TaskId>,
}

impl Listing {
    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.tasks.is_empty()
    }
}

/// Asks and prints.
pub async fn run(args: List) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let limit = usize::try_from(args.limit)?;
    let selection = Selection::of(args.what.clone(), args.only.clone());
    let read = selection.read(&mut control).await?;
    let before = args.before.as_ref();
    ensure!(
        read.leaves_nothing_out() || before.is_none_or(|before| before.group().is_none()),
        "--before takes the id of a task here: what is named, or stands so, is listed one by one"
    );
    if let Some(before) = before {
        before.check(&mut control).await?;
    }
    let groups = match before {
        Some(Before::Task(_)) => ListedGroups::default(),
        _ if read.leaves_nothing_out() || (read.is_named() && read.states().is_empty()) => {
            let behind = before.and_then(Before::group);
            read.wholes(&[], behind, limit, &mut control).await?
        }
        _ => ListedGroups::default(),
    };
    let listed = match before {
        Some(Before::Group(_)) => Listed::default(),
        _ => {
            let behind = before.and_then(Before::task);
            read.page(Tasks::All, behind, limit, &mut control).await?
        }
    };
    let listing = Listing {
        groups: groups.groups,
        more_groups: groups.next.is_some(),
        next_group: groups.next,
        tasks: listed.tasks,
        next: listed.next,
    };
    let mut out = io::stdout().lock();
    match args.json {
        true => json::line(&mut out, &listing)?,
        false if listing.is_empty() && before.is_some() => writeln!(out, "nothing more is there")?,
        false if listing.is_empty() && !read.leaves_nothing_out() => {
            writeln!(out, "{}", read.nothing_in_words(&[]))?;
        }
        false => write!(out, "{}", in_words(&listing))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(listing: &Listing) -> String {
    let mut text = String::new();
    if listing.is_empty() {
        return "nothing is there; hand something in with `mutirao run` or `mutirao submit`\n"
            .into();
    }
    if !listing.groups.is_empty() {
        let _ = writeln!(text, "{}", groups(&listing.groups));
    }
    if let Some(next) = &listing.next_group {
        let _ = writeln!(text, "→ more groups: the same with --before {next}");
    }
    if !listing.tasks.is_empty() {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{}", tasks(&listing.tasks));
    }
    if let Some(next) = listing.next {
        let _ = writeln!(text, "→ older ones: the same with --before {next}");
    }
    text
}

fn groups(rows: &[GroupReport]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "GROUP",
        "PARTS",
        "WAITING",
        "RUNNING",
        "DONE",
        "FAILED",
        "CANCELLED",
    ]);
    for row in rows {
        table.add_row([
            row.group.as_str(),
            &row.parts.to_string(),
            &row.waiting.to_string(),
            &row.running.to_string(),
            &row.done.to_string(),
            &row.failed.to_string(),
            &row.cancelled.to_string(),
        ]);
    }
    table.trim_fmt()
}

fn tasks(rows: &[TaskReport]) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["TASK", "STATE", "PEER", "TRIES", "ID", "WHY"]);
    for row in rows {
        let peer: String = match &row.peer {
            Some(peer) => peer.as_str().chars().take(PEER_SHOWN).collect(),
            None => String::new(),
        };
        table.add_row([
            row.task_name.stem(),
            state(row.state),
            &peer,
            &row.attempts.to_string(),
            &row.task_id.to_string(),
            row.reason.as_deref().unwrap_or_default(),
        ]);
    }
    table.trim_fmt()
}

/// A state in the words of the options.
pub fn state(state: TaskState) -> &'static str {
    match state {
        TaskState::Queued => "waiting",
        TaskState::Leased => "running",
        TaskState::Done | TaskState::Failed | TaskState::Cancelled => state.word(),
    }
}
