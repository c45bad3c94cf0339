//! `mutirao top`: the queue, the groups and the peers of a master, live and full-screen; once as text, or as JSON lines,
//! where nobody looks at a screen.

mod draw;

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::{Timestamp, Zoned};
use mutirao_actors::clock::Clock;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::GroupReport;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use self::draw::{Group, Left, View, draw, page};
use super::ask::read_report;
use super::house::Signals;
use super::master::report;
use super::options::{FindOptions, NoMaster};
use super::pace::{Estimate, Pace};
use super::progress::{ended, in_words};
use super::select;
use crate::control::{Control, ControlError};
use crate::json;

/// Between two looks at the master.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at the keyboard.
const KEY_EVERY: Duration = Duration::from_millis(50);
/// Groups that are shown: the newest, and as many as leave room for the rest.
const GROUPS_MAX: usize = 8;

/// Watch a master full-screen: its groups, what runs, its peers; `q` ends it
#[derive(Debug, Clone, Args)]
pub struct Top {
    #[command(flatten)]
    find: FindOptions,
    /// Print one JSON object a line, each second, until it is interrupted
    #[arg(long)]
    json: bool,
}

/// Shows until a key or a signal ends it, or once where nobody could press one.
pub async fn run(args: Top) -> anyhow::Result<ExitCode> {
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut signals = Signals::listen()?;
    let mut watch = Watch::of(address);
    // What is wrong with the first look is told where it can be read.
    let first = watch.look().await?;
    if args.json {
        return tokio::select! {
            told = tell(first, watch) => told.map(|()| ExitCode::SUCCESS),
            _ = signals.next() => Ok(ExitCode::SUCCESS),
        };
    }
    if !io::stdout().is_terminal() {
        io::stdout().lock().write_all(page(&first).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut screen = ratatui::try_init().context("failed to take over the terminal")?;
    let shown = tokio::select! {
        shown = show(&mut screen, first, watch) => shown,
        ended = quit() => ended.context("failed to read the keyboard"),
        _ = signals.next() => Ok(()),
    };
    ratatui::restore();
    shown.map(|()| ExitCode::SUCCESS)
}

/// Draws what the master says, again and again.
async fn show(
    screen: &mut DefaultTerminal,
    mut view: View,
    mut watch: Watch,
) -> anyhow::Result<()> {
    loop {
        screen.draw(|frame| draw(&view, frame.area(), frame.buffer_mut()))?;
        watch.look_again(&mut view).await;
    }
}

/// Prints what the master says, again and again, a line each.
async fn tell(mut view: View, mut watch: Watch) -> anyhow::Result<()> {
    loop {
        let mut out = io::stdout().lock();
        json::line(&mut out, &view)?;
        out.flush()?;
        drop(out);
        watch.look_again(&mut view).await;
    }
}

/// Comes back when the key was pressed that ends it.
async fn quit() -> io::Result<()> {
    loop {
        while event::poll(Duration::ZERO)? {
            if matches!(event::read()?, Event::Key(key) if ends(key)) {
                return Ok(());
            }
        }
        tokio::time::sleep(KEY_EVERY).await;
    }
}

fn ends(key: KeyEvent) -> bool {
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') => with_control,
        code => matches!(code, KeyCode::Char('q') | KeyCode::Esc),
    }
}

/// A master that is looked at.
struct Watch {
    address: SocketAddr,
    /// None where the last look failed.
    control: Option<Control>,
    clock: Clock,
    /// How fast each group goes that is shown.
    paces: HashMap<String, Pace>,
}

impl Watch {
    fn of(address: SocketAddr) -> Self {
        Self {
            address,
            control: None,
            clock: Clock::start(),
            paces: HashMap::new(),
        }
    }

    /// How all stands some time later, or why nobody knows.
    async fn look_again(&mut self, view: &mut View) {
        tokio::time::sleep(LOOK_EVERY).await;
        match self.look().await {
            Ok(looked) => *view = looked,
            Err(error) => {
                view.at = Timestamp::now();
                view.silence = Some(error.to_string());
            }
        }
    }

    /// How all stands; after an error the next look connects anew.
    async fn look(&mut self) -> Result<View, ControlError> {
        let mut control = match self.control.take() {
            Some(control) => control,
            None => Control::connect(self.address).await?,
        };
        let master = report(&mut control).await?;
        let groups = select::groups(None, GROUPS_MAX, |_| true, &mut control).await?;
        let groups = groups.groups;
        let peers = control.ask(&Request::Peers, read_report).await?;
        self.control = Some(control);
        self.paces
            .retain(|name, _| groups.iter().any(|group| group.group == *name));
        let groups = groups.into_iter().map(|group| self.group(group)).collect();
        Ok(View {
            at: Timestamp::now(),
            address: self.address,
            master,
            groups,
            peers,
            silence: None,
        })
    }

    /// With what failed of it, and when the rest will have ended.
    fn group(&mut self, report: GroupReport) -> Group {
        let now = Duration::from_micros(self.clock.now().0);
        let ended = ended(&report);
        let pace = self.paces.entry(report.group.clone()).or_default();
        pace.see(ended, now);
        let left = pace.left(u64::from(report.parts).saturating_sub(ended), now);
        let words = in_words(&report, left, &Zoned::now());
        Group {
            left: left.map(in_seconds),
            words: words.trim_start_matches(" · ").to_owned(),
            report,
        }
    }
}

fn in_seconds(left: Estimate) -> Left {
    Left {
        low_s: left.low.as_secs(),
        likely_s: left.likely.as_secs(),
        high_s: left.high.as_secs(),
    }
}
