//! What the program tells a person while it runs: on standard error, as text or as JSON.

mod bounded;

use std::fmt;
use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use jiff::tz::TimeZone;
use mutirao_actors::clock::Clock;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::bounded::Bounded;

/// Whoever makes the store's tables tells of each step, and whoever serves HTTP calls each request that it cannot read
/// an error: news to nobody who does not ask with `-v`.
const QUIET: [&str; 2] = ["refinery_core=warn", "actix_http=off"];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `MUTIRAO_LOG` may say more exactly what is wanted, as `RUST_LOG` does elsewhere.
pub fn start(format: LogFormat, level: LevelFilter) {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .with_env_var("MUTIRAO_LOG")
        .from_env_lossy();
    let quiet = QUIET.iter().filter_map(|quiet| quiet.parse().ok());
    let filter = quiet
        .filter(|_| level <= LevelFilter::INFO)
        .fold(filter, EnvFilter::add_directive);
    let terminal = io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none();
    let wanted = tracing_subscriber::registry()
        .with(filter)
        .with(Bounded::new(Clock::start()));
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(colours)
        .with_writer(io::stderr);
    match format {
        // Whoever sits before it sees when a line comes; in a file the time is wanted.
        LogFormat::Text if terminal => wanted.with(lines.compact().without_time()).init(),
        LogFormat::Text => wanted
            .with(lines.compact().with_timer(OfDay::start()))
            .init(),
        // A line's innermost span is in the list of its spans too.
        LogFormat::Json => wanted
            .with(lines.json().flatten_event(true).with_current_span(false))
            .init(),
    }
}

/// The time of day, as the reader's clock on the wall shows it; logs that are kept for long are better kept as JSON.
struct OfDay {
    clock: Clock,
    zone: TimeZone,
}

impl OfDay {
    fn start() -> Self {
        Self {
            clock: Clock::start(),
            zone: TimeZone::system(),
        }
    }
}

impl FormatTime for OfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = self.clock.wall(self.clock.now());
        let now = now.to_zoned(self.zone.clone());
        write!(writer, "{}", now.strftime("%H:%M:%S"))
    }
}
