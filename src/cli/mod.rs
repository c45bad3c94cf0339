//! What may be typed: one file a subcommand, and here what they share.

mod account;
mod ask;
mod cancel;
mod cat;
mod completions;
mod config;
mod doctor;
mod drain;
mod ended;
mod everything;
mod examples;
mod fetch;
mod group;
mod house;
mod info;
mod left;
mod list;
mod master;
mod missing;
mod near;
mod options;
mod pace;
mod peer;
mod peers;
mod progress;
mod retry;
mod run;
mod select;
mod served;
mod status;
mod store;
mod submit;
mod sweep;
mod tail;
mod telling;
mod top;
mod typed;
mod up;
mod wait;
mod wanted;
mod why;
mod work;

pub mod masters;
pub mod trace;

use std::env;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use self::examples::with_examples;
use self::near::nearest;
use self::telling::Telling;
use crate::config as settings;
use crate::control::ControlError;
use crate::logging::{self, LogFormat};
use crate::trace::TraceError;

/// Exit code for "the work failed" and "not found".
const FAILED: u8 = 1;
/// Exit code for usage and configuration.
const USAGE: u8 = 2;
/// Exit code for "no master reached".
const NO_MASTER: u8 = 3;

/// Run Python tasks on the machines of a local network, with nothing to configure
#[derive(Debug, Parser)]
#[command(name = "mutirao", version = crate::VERSION, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logs: Logs,
}

/// How much is told while the program runs, and how.
#[derive(Debug, Clone, Args)]
struct Logs {
    /// Tell more: -v what each actor does, -vv everything
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
    /// Tell only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How log lines look
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "MUTIRAO_LOG_FORMAT"
    )]
    log_format: LogFormat,
}

impl Logs {
    /// The level of a command that goes on, or of one that answers and ends.
    fn level(&self, goes_on: bool) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::WARN,
            (false, 0) if goes_on => LevelFilter::INFO,
            (false, 0) => LevelFilter::WARN,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        }
    }

    /// How a command tells that answers and ends.
    fn telling(&self) -> Telling {
        Telling::in_words(self.quiet)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be master and peer in one process
    Up(up::Up),
    /// Hand out the tasks in tasks/ and take the results into results/
    Master(master::Master),
    /// Find a master and run its tasks
    Peer(peer::Peer),
    /// Run a script, a folder or a task ZIP somewhere, or cut its input and run it on all peers
    Run(run::Run),
    /// Hand in what `run` runs, and do not wait for it
    Submit(submit::Submit),
    /// Wait for groups and tasks that were handed in
    Wait(wait::Wait),
    /// List tasks and groups, the newest first
    List(list::List),
    /// Tell all that is known of tasks and groups
    Info(info::Info),
    /// Print what tasks printed
    Cat(cat::Cat),
    /// Bring what groups made, and results of tasks, to this machine
    Fetch(fetch::Fetch),
    /// Print what tasks print, while they run
    Tail(tail::Tail),
    /// Take back groups and tasks
    Cancel(cancel::Cancel),
    /// Try again what failed or was cancelled, and leave what is done as it is
    Retry(retry::Retry),
    /// Show how the queue of a master stands, or what a peer does
    Status(status::Status),
    /// List the peers of a master
    Peers(peers::Peers),
    /// Give a peer nothing more; it ends what it has
    Drain(drain::Drain),
    /// Watch a master full-screen: its groups, what runs, its peers; `q` ends it
    Top(top::Top),
    /// Tell why a task waits or failed, or how a peer fares
    Why(why::Why),
    /// Find out why this machine does not work with a master, step by step
    Doctor(doctor::Doctor),
    Masters(masters::Masters),
    Trace(trace::Trace),
    Store(store::Store),
    Config(config::Config),
    Completions(completions::Completions),
    Man(completions::Man),
}

impl Cli {
    /// Reads what was typed, with the settings of the files beneath it; a usage error ends the program here.
    ///
    /// # Errors
    /// When a settings file cannot be read, or a setting is one that the option does not take.
    pub fn read() -> anyhow::Result<Self> {
        let files = settings::files();
        let command = settings::apply(grammar(), &files)?;
        let known = command.get_subcommands();
        let known: Vec<_> = known.map(|known| known.get_name().to_owned()).collect();
        let matches = match command.try_get_matches() {
            Ok(matches) => matches,
            Err(error) => {
                let typed = (grammar(), env::args_os().collect());
                match settings::refused_setting(&error, typed, &files) {
                    Some(setting) => return Err(setting.into()),
                    None => with_the_nearest(error, &known).exit(),
                }
            }
        };
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let (Command::Trace(trace), Some((_, typed))) = (&mut cli.command, matches.subcommand())
        {
            trace.asks_a_master = options::is_master_typed(typed);
        }
        Ok(cli)
    }

    /// Runs what was typed.
    ///
    /// # Errors
    /// What went wrong, in words fit for the user; [`exit_code`] says how to end.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let goes_on = matches!(
            self.command,
            Command::Up(_) | Command::Master(_) | Command::Peer(_)
        );
        logging::start(self.logs.log_format, self.logs.level(goes_on));
        let telling = self.logs.telling();
        match self.command {
            Command::Trace(args) => trace::run(args),
            Command::Store(args) => store::run(args, telling),
            Command::Config(args) => config::run(args),
            Command::Completions(args) => completions::complete(args),
            Command::Man(args) => completions::man(args),
            Command::Up(args) => in_system(up::run(args)),
            Command::Master(args) => in_system(master::run(args)),
            Command::Peer(args) => in_system(peer::run(args)),
            Command::Run(args) => {
                // Removed when the system has ended, as it is dropped.
                let mut left = None;
                in_system(run::run(args, telling, &mut left))
            }
            Command::Submit(args) => in_system(submit::run(args, telling)),
            Command::Wait(args) => in_system(wait::run(args, telling)),
            Command::List(args) => in_system(list::run(args)),
            Command::Info(args) => in_system(info::run(args)),
            Command::Cat(args) => in_system(cat::run(args, telling)),
            Command::Fetch(args) => in_system(fetch::run(args, telling)),
            Command::Tail(args) => in_system(tail::run(args)),
            Command::Cancel(args) => in_system(cancel::run(args, telling)),
            Command::Retry(args) => in_system(retry::run(args, telling)),
            Command::Status(args) => in_system(status::run(args, telling)),
            Command::Drain(args) => in_system(drain::run(args, telling)),
            Command::Peers(args) => in_system(peers::run(args, telling)),
            Command::Top(args) => in_system(top::run(args)),
            Command::Why(args) => in_system(why::run(args)),
            Command::Doctor(args) => in_system(doctor::run(args)),
            Command::Masters(args) => in_system(masters::run(args)),
        }
    }
}

/// All that may be typed, with examples.
fn grammar() -> clap::Command {
    with_examples(Cli::command())
}

/// The error for a subcommand that there is not, with the one that was likely meant: clap finds none for a slip in a short word.
fn with_the_nearest(mut error: clap::Error, known: &[String]) -> clap::Error {
    let typed = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(typed))) => typed.clone(),
        _ => return error,
    };
    let nearest = nearest(&typed, known.iter().map(String::as_str));
    if let (Some(nearest), None) = (nearest, error.get(ContextKind::SuggestedSubcommand)) {
        let meant = ContextValue::Strings(vec![nearest.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
    error
}

/// One thread with an actix system: every actor and every socket lives in it.
fn in_system(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    actix_rt::System::new().block_on(async {
        let done = work.await;
        // An actor that was made and has not started yet would start while the system is torn down, and panic.
        tokio::task::yield_now().await;
        done
    })
}

/// How the program ends after this error.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let no_master = error.downcast_ref::<options::NoMaster>().is_some()
        || error.downcast_ref().is_some_and(ControlError::is_away)
        || matches!(
            error.downcast_ref(),
            Some(TraceError::Nowhere(_) | TraceError::Unreached(_) | TraceError::Broken { .. })
        );
    let refused = error.is::<TraceError>()
        || error.is::<why::NotFound>()
        || error.is::<select::NotFound>()
        || error.is::<group::Unfinished>()
        || matches!(error.downcast_ref(), Some(ControlError::Refused(_)));
    ExitCode::from(match (no_master, refused) {
        (true, _) => NO_MASTER,
        (_, true) => FAILED,
        _ => USAGE,
    })
}
