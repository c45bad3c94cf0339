//! `mutirao trace`: what the actors said to each other.
//!
//! Rule: the master that serves this folder is asked, unless it writes all it says to the log that lies here, which goes back
//! further. Else a log that lies here is read, or a master is asked for its own, and that one too whose name was typed. A master
//! that a setting names is not asked where a log lies: it is that of another folder, and a hint says how to name it.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::park_timeout;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Zoned;
use jiff::tz::TimeZone;
use mutirao_actors::clock::Clock;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::options::FindOptions;
use super::select::{NoNames, Then, remembered, then};
use super::served;
use crate::trace::filter::{Filter, Wanted, When};
use crate::trace::remote::Remote;
use crate::trace::source::Source;
use crate::trace::story::Story;
use crate::trace::view::{Form, Look, View};
use crate::trace::{Lines, TraceError};

/// The log that is read when none is named.
const HERE: &str = ".mutirao/messages.jsonl";
/// How long to wait before looking anyway: some network file systems do not tell of changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a master is asked for more: letters that it has forgotten meanwhile are missing.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Show what the actors of a master or a peer said to each other
#[derive(Debug, Clone, Args)]
pub struct Trace {
    /// The same as --task: a task by its name, the beginning or end of its id, `last`, or a group and the number of a part
    #[arg(value_name = "TASK", num_args = 1..=2, conflicts_with = "task")]
    what: Vec<String>,
    /// The message log [default: what the running master of this folder remembers, else .mutirao/messages.jsonl]
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Only letters from or to this actor: peer_session#3, or peer_session for all of them
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only letters about this peer, or on its connections: the beginning of its id
    #[arg(long, value_name = "ID")]
    pub peer: Option<String>,
    /// The whole way of one task, with what caused each step: its name, the beginning or end of its id, or `last` for what
    /// was handed in last from here
    #[arg(long, value_name = "ID|NAME")]
    pub task: Option<String>,
    /// Only letters of this kind: TaskOffered
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Only letters since then: 14:05, 2026-11-22 14:05, or 10m for ten minutes ago
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,
    /// Only letters before then
    #[arg(long, value_name = "WHEN")]
    pub until: Option<When>,
    /// Wait for more
    #[arg(long, short, conflicts_with_all = ["mermaid", "ascii"])]
    pub follow: bool,
    /// Draw a sequence diagram for Mermaid
    #[arg(long, conflicts_with_all = ["ascii", "json"])]
    pub mermaid: bool,
    /// Draw a sequence diagram in text
    #[arg(long, conflicts_with = "json")]
    pub ascii: bool,
    /// Print the lines as they were logged
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    find: FindOptions,
    /// Whether a master was named where the rest was typed.
    #[arg(skip)]
    pub asks_a_master: bool,
}

/// Whose log is read.
#[derive(Debug)]
enum Place {
    /// One on the disk, and whether it is the one that is written by the master of this folder, or was named.
    File { file: PathBuf, is_meant: bool },
    /// That of a running master.
    Master(SocketAddr),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, .. } => file.display().fmt(f),
            Self::Master(address) => write!(f, "the log of the master at {address}"),
        }
    }
}

/// Shows the log; 0 if anything was shown, 1 if nothing matched, 2 if what was asked makes no sense.
///
/// # Errors
///
/// When the log is missing, cannot be read, or is of another version, or when no master shows one.
pub fn run(mut args: Trace) -> anyhow::Result<ExitCode> {
    match one_task(&args.what) {
        Ok(Some(task)) => args.task = Some(task),
        Ok(None) => {}
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(2));
        }
    }
    let clock = Clock::start();
    let now = clock.wall(clock.now()).to_zoned(TimeZone::system());
    let wanted = match wanted(&args, &now) {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    if args.asks_a_master && args.file.is_some() {
        eprintln!(
            "--file names a log on the disk, and --master the one that shows its own: say one of them"
        );
        return Ok(ExitCode::from(2));
    }
    let (place, mut log) = open(&args)?;
    let mut more = args.follow.then(|| More::of(&place)).transpose()?;
    if let (true, Some(hint)) = (args.follow, elsewhere(&args, &place)) {
        eprintln!("following {place}; {hint}");
    }
    let mut view = View::new(
        look(&args, now.time_zone().clone()),
        Filter::new(wanted),
        task(&args).as_deref().map(Story::of),
        io::BufWriter::new(io::stdout().lock()),
    );
    match view.show(&mut *log, || more.as_mut().is_some_and(More::wait)) {
        Ok(()) => Ok(conclude(&args, &place, &view)),
        // Whoever reads our output has seen enough: `mutirao trace | head`.
        Err(TraceError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whose log it is, and the log.
fn open(args: &Trace) -> anyhow::Result<(Place, Box<dyn Lines>)> {
    let file = args.file.clone().unwrap_or_else(|| HERE.into());
    let is_silent = args.file.is_none() && !args.asks_a_master;
    let system = actix_rt::System::new();
    let served = match is_silent {
        true => system.block_on(served::here()),
        false => None,
    };
    if let Some(served) = served.filter(|served| !served.message_log) {
        return remote(served.address, args);
    }
    if !args.asks_a_master {
        match Source::open(&file) {
            Err(TraceError::Missing(_)) if is_silent => {}
            opened => {
                let is_meant = !is_silent || served.is_some();
                return Ok((Place::File { file, is_meant }, Box::new(opened?)));
            }
        }
    }
    let found = system.block_on(args.find.find())?;
    remote(found.ok_or(TraceError::Nowhere(file))?, args)
}

fn remote(address: SocketAddr, args: &Trace) -> anyhow::Result<(Place, Box<dyn Lines>)> {
    let remote = Remote::of(address)?;
    let remote = match args.follow {
        true => remote.patient(),
        false => remote,
    };
    Ok((Place::Master(address), Box::new(remote)))
}

/// Where else there may be what is looked for, and how to say so; nothing if it was said which log is meant.
fn elsewhere(args: &Trace, place: &Place) -> Option<&'static str> {
    match place {
        Place::File { is_meant, .. } => {
            (!is_meant).then_some("a master that runs is asked for its own with --master HOST:PORT")
        }
        Place::Master(_) => (!args.asks_a_master && Path::new(HERE).exists())
            .then_some("what earlier runs left here is read with --file .mutirao/messages.jsonl"),
    }
}

fn wanted(args: &Trace, now: &Zoned) -> anyhow::Result<Wanted> {
    let resolve = |name: &str, when: &Option<When>| {
        let at = when.as_ref().map(|when| when.before(now)).transpose();
        at.with_context(|| format!("--{name} is not on the calendar"))
    };
    Ok(Wanted {
        actor: args.actor.clone(),
        peer: args.peer.clone(),
        kind: args.kind.clone(),
        since: resolve("since", &args.since)?,
        until: resolve("until", &args.until)?,
    })
}

/// The one task that these words name, if any do. A log knows no states, and which tasks were parts of a group only by their names.
fn one_task(words: &[String]) -> anyhow::Result<Option<String>> {
    match then(words, 1) {
        Ok(Then { mut names, states }) if states.is_empty() => Ok(names.pop()),
        Ok(_) | Err(NoNames::Many(_)) => bail!(
            "a way is that of one task, and `{0}` may be several: name one, as in `mutirao trace main-7 3`; `mutirao list {0}` \
             shows which there are",
            words.join(" ")
        ),
        Err(error) => Err(error.into()),
    }
}

/// The task that is asked for; of `last` the id, if this folder remembers what was handed in.
fn task(args: &Trace) -> Option<String> {
    let typed = args.task.clone()?;
    let last = (typed == "last").then(remembered).flatten();
    Some(last.map_or(typed, |task| task.to_string()))
}

fn look(args: &Trace, zone: TimeZone) -> Look {
    let form = match (args.json, args.mermaid, args.ascii) {
        (true, ..) => Form::Json,
        (_, true, _) => Form::Mermaid,
        (.., true) => Form::Ascii,
        _ => Form::Text,
    };
    let size = terminal_size::terminal_size_of(io::stdout());
    Look {
        form,
        zone,
        width: size.map(|(width, _)| width.0.into()),
        live: args.follow,
    }
}

/// Says on the side what the reader should know, and tells how it went.
fn conclude<W: Write>(args: &Trace, place: &Place, view: &View<W>) -> ExitCode {
    if view.torn() > 0 {
        let torn = view.torn();
        eprintln!("{torn} unreadable lines were skipped; a crash can tear the last line of a run");
    }
    if view.lost() > 0 {
        eprintln!("{} letters are missing from the log", view.lost());
    }
    if let Some(story) = view.story() {
        let tasks: Vec<_> = story.tasks().collect();
        if tasks.len() > 1 {
            let (count, ids) = (tasks.len(), tasks.join(" "));
            eprintln!("these are {count} tasks; ask for one of them by its id: {ids}");
        }
        if story.left_out() > 0 {
            let left_out = story.left_out();
            eprintln!("{left_out} later letters found no room and were left out");
        }
    }
    if view.matched() > 0 {
        return ExitCode::SUCCESS;
    }
    match &args.task {
        Some(task) => eprintln!(
            "no letter in {place} is about a task {task}; `mutirao list` and results/ know the names"
        ),
        None => eprintln!("no letter in {place} matches"),
    }
    if let Some(hint) = elsewhere(args, place) {
        eprintln!("{hint}");
    }
    ExitCode::from(1)
}

/// Tells when to look for more.
enum More {
    /// When the log's folder changes.
    Changes(Changes),
    /// Again and again.
    Asking,
}

impl More {
    fn of(place: &Place) -> anyhow::Result<Self> {
        Ok(match place {
            Place::File { file, .. } => Self::Changes(Changes::of(file)?),
            Place::Master(_) => Self::Asking,
        })
    }

    fn wait(&mut self) -> bool {
        match self {
            Self::Changes(changes) => changes.wait(),
            Self::Asking => {
                park_timeout(ASK_EVERY);
                true
            }
        }
    }
}

/// Tells when something in the log's folder changes.
struct Changes {
    changed: Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    fn of(file: &Path) -> anyhow::Result<Self> {
        let (tell, changed) = sync_channel(1);
        // A full channel says already all that is to be said.
        let mut watcher = notify::recommended_watcher(move |_| {
            let _ = tell.try_send(());
        })?;
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new("."));
        watcher
            .watch(dir, RecursiveMode::NonRecursive)
            .with_context(|| format!("failed to watch {}", dir.display()))?;
        Ok(Self {
            changed,
            _watcher: watcher,
        })
    }

    /// Waits for a change, or long enough to look anyway.
    fn wait(&mut self) -> bool {
        // Without a watcher nothing would be told, and looking would never pause.
        self.changed.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        trace: Trace,
    }

    fn typed(words: &[&str]) -> Result<Trace, clap::Error> {
        let words = ["trace"].iter().chain(words);
        Program::try_parse_from(words).map(|program| program.trace)
    }

    #[test]
    fn nonsense_is_a_usage_error() {
        for words in [
            ["--since", "soon"],
            ["--mermaid", "--ascii"],
            ["--follow", "--ascii"],
        ] {
            assert_eq!(typed(&words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn the_exit_code_tells_whether_anything_matched() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("messages.jsonl");
        let letter = r#"{"v":1,"seq":1,"at":"2026-11-22T12:00:00Z","moment":1,"from":"a","to":"b","kind":"K","cause":null,"dead":false,"body":{}}"#;
        fs::write(&file, letter).unwrap();
        let code = |more: &[&str]| {
            let file = ["--file", file.to_str().unwrap()];
            let words: Vec<_> = file.iter().chain(more).copied().collect();
            format!("{:?}", run(typed(&words).unwrap()).unwrap())
        };
        let is = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(&["--kind", "K"]), is(0));
        assert_eq!(code(&["--kind", "L"]), is(1));
        assert_eq!(code(&["--task", "none"]), is(1));
    }

    #[test]
    fn a_change_of_the_log_ends_the_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("messages.jsonl");
        let mut changes = Changes::of(&file).unwrap();
        fs::write(&file, "a line\n").unwrap();
        assert!(
            changes
                .changed
                .recv_timeout(Duration::from_secs(60))
                .is_ok()
        );
        assert!(changes.wait());
    }
}
