//! Options that several subcommands share.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use mutirao_actors::logic::client::Master;
use mutirao_actors::logic::dispatch::Rules;
use mutirao_actors::schedulers::{self, Entry, SCHEDULERS};

use super::grammar;
use crate::config as settings;
use crate::runner::{Interpreter, Start};
use crate::search;
use crate::sockets::places::Place;
use crate::sockets::udp::{DISCOVERY_PORT, Everywhere};
use crate::web::Changes;

/// The TCP port of a master.
pub const MASTER_PORT: u16 = 50020;
/// How long the command line looks for a master.
const SEARCH: Duration = Duration::from_secs(2);

/// No master answered, and the command needs one.
#[derive(Debug, thiserror::Error)]
#[error(
    "no master answered here; start one with `mutirao master`, or name it with --master HOST:PORT. \
     `mutirao doctor` finds out why"
)]
pub struct NoMaster;

/// What a master is told.
#[derive(Debug, Clone, Args)]
pub struct MasterOptions {
    /// The name under which it is found [default: the host's name]
    #[arg(long, env = "MUTIRAO_NAME")]
    pub name: Option<String>,
    /// Its TCP port; 0 for any free one
    #[arg(long = "port", value_name = "PORT", default_value_t = MASTER_PORT, env = "MUTIRAO_PORT")]
    pub port: u16,
    /// Which task goes next
    #[arg(long, value_name = "NAME", default_value = SCHEDULERS[0].name, value_parser = scheduler,
          env = "MUTIRAO_SCHEDULER", help = schedulers_help())]
    pub scheduler: &'static Entry,
    /// Let programs on other machines submit and cancel tasks over HTTP too
    #[arg(long, env = "MUTIRAO_OPEN_API")]
    pub open_api: bool,
}

/// What a peer is told about running tasks.
#[derive(Debug, Clone, Args)]
pub struct RunnerOptions {
    /// Tasks at a time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024), env = "MUTIRAO_SLOTS")]
    pub slots: Option<u32>,
    /// The Python that runs the tasks [default: python3 or python in PATH]
    #[arg(long, value_name = "PATH", env = "MUTIRAO_PYTHON")]
    pub python: Option<PathBuf>,
    /// How scripts come to an interpreter
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value_t,
        env = "MUTIRAO_START"
    )]
    pub start: Start,
    /// Leave what the runs made in work/
    #[arg(long, env = "MUTIRAO_KEEP_WORK")]
    pub keep_work: bool,
}

/// How long a script may run.
#[derive(Debug, Clone, Args)]
pub struct LimitOptions {
    /// Kill a script after this long, such as 90s, 10m or 2h; on a master, if its task.toml says nothing else
    #[arg(long, value_name = "TIME", value_parser = duration, env = "MUTIRAO_TIME_LIMIT")]
    pub time_limit: Option<Duration>,
}

/// On which UDP ports masters and peers meet.
#[derive(Debug, Clone, Args)]
pub struct DiscoveryOptions {
    /// UDP port for finding each other; may be given several times
    #[arg(long, value_name = "PORT", default_values_t = [DISCOVERY_PORT], value_delimiter = ',',
          value_parser = clap::value_parser!(u16).range(1..), env = "MUTIRAO_DISCOVERY_PORT")]
    pub discovery_port: Vec<u16>,
}

/// Where to find a master.
#[derive(Debug, Clone, Args)]
pub struct FindOptions {
    /// Use this master and look for no other
    #[arg(long, value_name = "HOST:PORT", env = "MUTIRAO_MASTER")]
    pub master: Option<String>,
    /// Ask this host too: for a master that broadcasts do not reach; may be given several times
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        env = "MUTIRAO_DISCOVER",
        value_delimiter = ','
    )]
    pub discover: Vec<Place>,
    #[command(flatten)]
    pub ports: DiscoveryOptions,
}

/// Whether every letter is written to disk.
#[derive(Debug, Clone, Args)]
pub struct LogOptions {
    /// Write every message between the actors to .mutirao/messages.jsonl as it is sent; read it with `mutirao trace`
    #[arg(long, env = "MUTIRAO_MESSAGE_LOG")]
    pub message_log: bool,
}

impl MasterOptions {
    /// The name, or the host's.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(host_name)
    }

    /// Who may change something over HTTP.
    pub fn changes(&self) -> Changes {
        match self.open_api {
            true => Changes::FromAnywhere,
            false => Changes::FromHere,
        }
    }
}

impl RunnerOptions {
    /// Tasks at a time, or the number of CPUs.
    pub fn slots(&self) -> u32 {
        let cpus = || {
            available_parallelism()
                .ok()
                .and_then(|cpus| u32::try_from(cpus.get()).ok())
        };
        self.slots.or_else(cpus).unwrap_or(1)
    }

    /// The interpreter, asked who it is.
    pub fn interpreter(&self) -> anyhow::Result<Interpreter> {
        Ok(Interpreter::resolve(self.python.as_deref())?)
    }
}

impl LimitOptions {
    /// The rules of a master with this limit.
    pub fn rules(&self) -> Rules {
        Rules {
            time_limit: self.time_limit,
            ..Rules::default()
        }
    }
}

impl FindOptions {
    /// Where to ask.
    pub fn everywhere(&self) -> Everywhere {
        Everywhere {
            ports: self.ports.discovery_port.clone(),
            places: self.discover.clone(),
        }
    }

    /// The master that was named, its name looked up.
    pub async fn named(&self) -> anyhow::Result<Option<Master>> {
        let Some(name) = &self.master else {
            return Ok(None);
        };
        let blamed = |error: anyhow::Error| {
            let typed = (grammar(), env::args_os().collect());
            match settings::said_by(typed, "master", &settings::files()) {
                Some(origin) => error.context(origin),
                None => error,
            }
        };
        Ok(Some(Master {
            name: name.clone(),
            addresses: look_up(name).await.map_err(blamed)?,
            dialect: None,
        }))
    }

    /// The address of the master that was named or is found, which then really answers.
    pub async fn find(&self) -> anyhow::Result<Option<SocketAddr>> {
        if let Some(named) = self.named().await? {
            return Ok(named.addresses.first().copied());
        }
        let best = search::best(self.everywhere(), SEARCH).await?;
        Ok(best.and_then(|master| master.addresses.first().copied()))
    }
}

/// Whether a master was named on the command line, or where to look for one; a setting is there for other commands too.
pub fn is_master_typed(matches: &ArgMatches) -> bool {
    let options = ["master", "discover", "discovery_port"];
    options
        .iter()
        .any(|option| matches.value_source(option) == Some(ValueSource::CommandLine))
}

async fn look_up(name: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let with_port = if name.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:{MASTER_PORT}")
    };
    let found = tokio::net::lookup_host(&with_port).await;
    let found =
        found.with_context(|| format!("`{name}` is not a HOST:PORT that can be looked up"))?;
    Ok(found.collect())
}

/// The folder in which the program was started; everything it keeps lies below.
pub fn root() -> &'static Path {
    Path::new(".")
}

fn host_name() -> String {
    let name = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "mutirao".to_owned())
}

fn scheduler(name: &str) -> Result<&'static Entry, String> {
    schedulers::named(name).ok_or_else(|| {
        let names: Vec<_> = SCHEDULERS.iter().map(|entry| entry.name).collect();
        format!("there are: {}", names.join(", "))
    })
}

fn schedulers_help() -> String {
    let rows = SCHEDULERS
        .iter()
        .map(|entry| format!("{}: {}", entry.name, entry.help));
    format!(
        "Which task goes next; {}",
        rows.collect::<Vec<_>>().join("; ")
    )
}

/// A whole number from 1 on; of a type that has no other.
pub fn from_one<T: FromStr>(text: &str) -> Result<T, String> {
    let wrong = |_| "it takes a whole number from 1 on, such as 100".to_owned();
    text.parse().map_err(wrong)
}

/// `90s`, `10m`, `2h`, `1.5s`, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number with s, m or h behind it, such as 90s or 1.5h".to_owned();
    let (number, unit) = match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(number * scale).map_err(|_| wrong())?;
    if time.is_zero() {
        Err("a limit of no time would end every script".to_owned())
    } else {
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_unit_and_refused_without_sense() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "s", "-1s", "0", "1d", "inf", "NaN", "1e400s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
