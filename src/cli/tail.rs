//! `mutirao tail`: what tasks print, while they print it.
//!
//! Rule: each task is read over a connection of its own, and nothing is read faster than it is shown: whoever cannot follow is
//! told what was passed over. Of a group those parts are shown that run, and with `-f` those that begin later.

mod events;
mod printer;
mod shown;

use std::collections::{HashSet, VecDeque};
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mutirao_actors::model::{Both, Stream, TaskId};
use mutirao_actors::wire::report::{LIST_ROWS_MAX, Sought, TaskReport, TaskState};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use super::FAILED;
use super::ask::group_status;
use super::group::is_well;
use super::house::Signals;
use super::options::{FindOptions, NoMaster};
use super::peer::INTERRUPTED;
use super::select::{self, Meant, Only, Selection};
use crate::control::{Control, ControlError};
use events::{Event, Events};
use printer::{Look, Printer};
use shown::Shown;

/// Tasks that have something to follow.
const RUNS: [TaskState; 1] = [TaskState::Leased];
/// Tasks that are read at a time: a master serves 64 connections of one machine, and others want some.
const STREAMS_MAX: usize = 48;
/// Events that wait to be shown: one of each task.
const EVENTS_MAX: usize = STREAMS_MAX;
/// How often it is looked which parts of a group run.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a master that is gone is waited for: it may be started anew, and goes on where we are.
const AWAY_MAX: Duration = Duration::from_secs(30);
/// The pause before it is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// After so many looks it is shown how often a line came that comes again and again.
const FOLD_LOOKS: u32 = 10;

/// Print what tasks have printed last, and with -f what they print until they end
#[derive(Debug, Clone, Args)]
pub struct Tail {
    /// Groups, and tasks by name, by id or by the beginning of one; `last`, or no word at all, is what was handed in
    /// last from this folder, `1-5` parts of the group before it, `failed` the same as --failed, and `all` what runs
    #[arg(value_name = "WHAT")]
    what: Vec<String>,
    #[command(flatten)]
    only: Only,
    /// Go on until all of it has ended; of a group with the parts that begin later
    #[arg(short, long)]
    follow: bool,
    /// Begin with so many of the last lines of each stream
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 10)]
    lines: usize,
    /// Only what they print, without their errors
    #[arg(long, conflicts_with = "stderr")]
    stdout: bool,
    /// Only what they print as errors
    #[arg(long)]
    stderr: bool,
    #[command(flatten)]
    find: FindOptions,
    /// Print each line and what happens as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// What comes of reading a task.
enum Told {
    Event(Event),
    Over(Result<(), ControlError>),
}

/// A group that is followed.
struct Group {
    name: String,
    /// Whether its parts have not been looked at yet: what had ended before is not shown.
    is_new: bool,
}

/// A task that is to be read.
struct Waiting {
    task: TaskReport,
    /// Whether it began after we came: then all of it is shown.
    is_new: bool,
}

/// All that is read.
struct Reading<'a> {
    args: &'a Tail,
    master: SocketAddr,
    printer: Printer<io::Stdout, io::Stderr>,
    groups: Vec<Group>,
    known: HashSet<TaskId>,
    /// Those that are read when others have ended.
    waiting: VecDeque<Waiting>,
    shown: Vec<Shown>,
    open: usize,
    tell: mpsc::Sender<(usize, Told)>,
    told: mpsc::Receiver<(usize, Told)>,
    is_well: bool,
}

/// Reads and prints.
pub async fn run(args: Tail) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let reading = async {
        let mut control = Control::connect(address).await?;
        let what = match args.what.is_empty() && args.only.leaves_nothing_out() {
            true => vec!["last".to_owned()],
            false => args.what.clone(),
        };
        let selection = Selection::of(what, args.only.clone());
        let meant = selection.find(&RUNS, &mut control).await?;
        Reading::of(&args, address, meant).show(&mut control).await
    };
    let done = tokio::select! {
        done = reading => done,
        _ = signals.next() => {
            eprintln!("interrupted; what is followed goes on");
            return Ok(ExitCode::from(INTERRUPTED));
        }
    };
    match done {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::from(FAILED)),
        // Whoever reads our output has seen enough: `mutirao tail | head`.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

impl<'a> Reading<'a> {
    fn of(args: &'a Tail, master: SocketAddr, meant: Vec<Meant>) -> Self {
        let (mut groups, mut waiting) = (Vec::new(), VecDeque::new());
        for meant in meant {
            match meant {
                Meant::Task(task) => waiting.push_back(Waiting {
                    task: *task,
                    is_new: false,
                }),
                Meant::Group(group) => groups.push(Group {
                    name: group.group,
                    is_new: true,
                }),
            }
        }
        let look = Look {
            is_prefixed: waiting.len() > 1 || !groups.is_empty(),
            is_terminal: Both {
                stdout: io::stdout().is_terminal(),
                stderr: io::stderr().is_terminal(),
            },
            has_colours: std::env::var_os("NO_COLOR").is_none(),
            is_json: args.json,
        };
        let (tell, told) = mpsc::channel(EVENTS_MAX);
        Self {
            args,
            master,
            printer: Printer::new(look, io::stdout(), io::stderr()),
            groups,
            known: waiting.iter().map(|one| one.task.task_id).collect(),
            waiting,
            shown: Vec::new(),
            open: 0,
            tell,
            told,
            is_well: true,
        }
    }

    /// Shows all of it; whether it is all well.
    async fn show(mut self, control: &mut Control) -> anyhow::Result<bool> {
        self.look_at_groups(control).await?;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut looked, mut away) = (0_u32, Duration::ZERO);
        loop {
            self.open_more();
            if self.open == 0 && self.groups.is_empty() {
                return Ok(self.is_well);
            }
            // Neither goes first: where there is always something to show, it is still folded, and new parts still begin.
            tokio::select! {
                Some((number, told)) = self.told.recv() => self.hear(number, told)?,
                _ = looks.tick() => {
                    looked = looked.wrapping_add(1);
                    if looked.is_multiple_of(FOLD_LOOKS) {
                        self.printer.tick()?;
                    }
                    if !self.groups.is_empty() {
                        self.look_again(control, &mut away).await?;
                    }
                }
            }
        }
    }

    /// Looks at the groups again, over a new connection if the master was away.
    async fn look_again(
        &mut self,
        control: &mut Control,
        away: &mut Duration,
    ) -> anyhow::Result<()> {
        let names = self.groups.iter().map(|group| group.name.clone());
        let names: Vec<String> = names.collect();
        let Err(error) = self.look_at_groups(control).await else {
            *away = Duration::ZERO;
            return Ok(());
        };
        let is_away = error.downcast_ref().is_some_and(ControlError::is_away);
        if !is_away || *away >= AWAY_MAX {
            return Err(error);
        }
        *away += LOOK_EVERY;
        let is_new = false;
        self.groups = names
            .into_iter()
            .map(|name| Group { name, is_new })
            .collect();
        if let Ok(again) = Control::connect(self.master).await {
            *control = again;
        }
        Ok(())
    }

    /// Looks which parts have begun; groups of which nothing more comes are left.
    async fn look_at_groups(&mut self, control: &mut Control) -> anyhow::Result<()> {
        for mut group in std::mem::take(&mut self.groups) {
            // Looked at before its parts: what has begun by then is among them.
            let report = group_status(&group.name, control).await?;
            let is_short = report.parts as usize <= LIST_ROWS_MAX;
            let sought = Sought {
                // Of a long group only what runs now: what has begun and ended in between is in its results.
                states: if is_short { Vec::new() } else { RUNS.to_vec() },
                group: Some(group.name.clone()),
                single: false,
            };
            let listed = select::tasks(&sought, None, LIST_ROWS_MAX, control).await?;
            let mut running = 0;
            for part in listed.tasks.into_iter().rev() {
                let has_begun = part.part.is_some() && part.state != TaskState::Queued;
                if !has_begun || !self.known.insert(part.task_id) {
                    continue;
                }
                if part.state == TaskState::Leased || !group.is_new {
                    running += 1;
                    self.waiting.push_back(Waiting {
                        task: part,
                        is_new: !group.is_new,
                    });
                }
            }
            if report.complete || !self.args.follow {
                self.is_well &= match self.args.follow {
                    true => is_well(&report),
                    false => running > 0,
                };
                if running == 0 && group.is_new {
                    let name = &group.name;
                    eprintln!("no part of {name} runs: mutirao cat {name} prints what has ended");
                }
            } else {
                group.is_new = false;
                self.groups.push(group);
            }
        }
        Ok(())
    }

    /// Begins to read as many as may be read at a time.
    fn open_more(&mut self) {
        while self.open < STREAMS_MAX
            && let Some(Waiting { task, is_new }) = self.waiting.pop_front()
        {
            let id = task.task_id.to_string();
            let number = self.printer.add(id, task.task_name.as_str());
            self.shown.push(Shown::new(self.args.lines, is_new));
            self.open += 1;
            let follow = self.args.follow;
            let source = Source {
                master: self.master,
                path: format!("/api/v1/tasks/{}/output?follow={follow}", task.task_id),
                seen: None,
            };
            tokio::spawn(read(source, number, self.tell.clone()));
        }
    }

    fn hear(&mut self, number: usize, told: Told) -> anyhow::Result<()> {
        match told {
            Told::Event(event) => self.event(number, &event)?,
            Told::Over(ended) => {
                self.open -= 1;
                self.release(number)?;
                self.printer.finish(number)?;
                match ended {
                    Ok(()) => {}
                    Err(ControlError::Refused(why)) => self.problem(number, &why)?,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, number: usize, event: &Event) -> anyhow::Result<()> {
        let data = &event.data;
        let word = |key: &str| data[key].as_str().unwrap_or_default();
        match event.name.as_str() {
            "waits" => {
                let Some(shown) = self.shown.get_mut(number) else {
                    return Ok(());
                };
                let is_again = shown.waits();
                let words = match (is_again, self.args.follow) {
                    (true, _) => "waits to be tried again",
                    (false, true) => "waits for a peer",
                    (false, false) => "has not begun: it waits for a peer",
                };
                self.is_well &= self.args.follow;
                self.release(number)?;
                self.printer.tell(number, words, "waits", json!({}))?;
            }
            "try" => {
                let attempt = data["attempt"].as_u64().unwrap_or_default();
                self.release_before(number, attempt)?;
                let Some(shown) = self.shown.get_mut(number) else {
                    return Ok(());
                };
                let peer = data["peer_id"].as_str();
                let is_next = shown.begins(attempt);
                let on = peer.map_or_else(String::new, |peer| format!(" on {}", short(peer)));
                let words = match is_next {
                    true => format!("try {attempt}{on}"),
                    false => String::new(),
                };
                let more = json!({ "attempt": attempt, "peer_id": peer });
                self.printer.tell(number, &words, "try", more)?;
            }
            "output" => self.output(number, event)?,
            "now" => self.release(number)?,
            "withheld" => {
                self.release(number)?;
                let words = "its peer sends what it prints only at the end";
                self.printer.tell(number, words, "withheld", json!({}))?;
            }
            "problem" => {
                let why = word("detail").to_owned();
                self.release(number)?;
                self.problem(number, &why)?;
            }
            "end" => {
                self.release(number)?;
                let (state, reason) = (word("state"), word("reason"));
                let words = match state {
                    "done" => String::new(),
                    _ => format!("{state}: {reason}"),
                };
                self.is_well &= state == "done" || !self.args.follow;
                let more = json!({ "state": state, "reason": data["reason"] });
                self.printer.tell(number, &words, "end", more)?;
            }
            // A later master may tell more.
            _ => {}
        }
        Ok(())
    }

    fn output(&mut self, number: usize, event: &Event) -> anyhow::Result<()> {
        let (Some(shown), Some(printed)) =
            (self.shown.get_mut(number), shown::Printed::of(&event.data))
        else {
            return Ok(());
        };
        let is_wanted = match printed.stream {
            Stream::Stdout => !self.args.stderr,
            Stream::Stderr => !self.args.stdout,
        };
        if !is_wanted {
            return Ok(());
        }
        let stream = printed.stream;
        let (passed_over, now) = shown.take(printed);
        if passed_over > 0 {
            let words = format!("{passed_over} bytes of its {stream} are passed over here");
            let more = json!({ "stream": stream, "bytes": passed_over });
            self.printer.tell(number, &words, "gap", more)?;
        }
        Ok(self.printer.print(number, stream, &now)?)
    }

    fn problem(&mut self, number: usize, why: &str) -> anyhow::Result<()> {
        self.is_well = false;
        let more = json!({ "reason": why });
        Ok(self.printer.tell(number, why, "problem", more)?)
    }

    /// Shows the last lines of what had been printed when it was first looked at, and from here on all.
    fn release(&mut self, number: usize) -> io::Result<()> {
        let Some(shown) = self.shown.get_mut(number) else {
            return Ok(());
        };
        let held = shown.release();
        for stream in Stream::ALL {
            self.printer.print(number, stream, &held[stream])?;
        }
        Ok(())
    }

    /// The same, if this is another try than the one that is shown.
    fn release_before(&mut self, number: usize, attempt: u64) -> io::Result<()> {
        match self
            .shown
            .get(number)
            .is_some_and(|shown| shown.has_begun_before(attempt))
        {
            true => self.release(number),
            false => Ok(()),
        }
    }
}

/// A peer as it is called among people: of an id that was drawn the beginning, by which every command knows it.
fn short(peer: &str) -> &str {
    match Uuid::parse_str(peer) {
        Ok(_) => peer.get(..8).unwrap_or(peer),
        Err(_) => peer,
    }
}

/// Where a task is read.
struct Source {
    master: SocketAddr,
    path: String,
    /// How far it is read.
    seen: Option<String>,
}

/// Reads one task to its end, and goes on where it was when the master was away for a while.
async fn read(mut source: Source, number: usize, tell: mpsc::Sender<(usize, Told)>) {
    let mut away = Duration::ZERO;
    let ended = loop {
        let before = source.seen.clone();
        let ended = source.read(number, &tell).await;
        if source.seen != before {
            away = Duration::ZERO;
        }
        let is_away = matches!(&ended, Err(error) if error.is_away()) && source.seen.is_some();
        if !is_away || away >= AWAY_MAX {
            break ended;
        }
        away += AGAIN_AFTER;
        sleep(AGAIN_AFTER).await;
    };
    // Nobody is left to be told when the program ends.
    let _ = tell.send((number, Told::Over(ended))).await;
}

impl Source {
    async fn read(
        &mut self,
        number: usize,
        tell: &mpsc::Sender<(usize, Told)>,
    ) -> Result<(), ControlError> {
        let mut events = Events::open(self.master, &self.path, self.seen.as_deref()).await?;
        while let Some(event) = events.next().await? {
            if event.id.is_some() {
                self.seen.clone_from(&event.id);
            }
            if tell.send((number, Told::Event(event))).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}
