//! `mutirao top`: the queue, the groups and the peers of a master, live and full-screen.

mod draw;

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use jiff::Zoned;
use mutirao_actors::clock::Clock;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::GroupReport;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};

use self::draw::{View, draw};
use super::house::Signals;
use super::master::report;
use super::options::{FindOptions, NoMaster};
use super::pace::Pace;
use super::progress::{ended, in_words};
use super::select;
use super::status::read_report;
use crate::control::{Control, ControlError};

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
}

/// Shows until a key or a signal ends it.
pub async fn run(args: Top) -> anyhow::Result<ExitCode> {
    ensure!(
        io::stdout().is_terminal(),
        "top needs a terminal; for a program there are `mutirao status --json` and `mutirao list --json`"
    );
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut signals = Signals::listen()?;
    let mut watch = Watch::of(address);
    // What is wrong with the first look is told where it can be read.
    let first = watch.look().await?;
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
        screen.draw(|frame| draw(&view, frame))?;
        tokio::time::sleep(LOOK_EVERY).await;
        match watch.look().await {
            Ok(looked) => view = looked,
            Err(error) => view.silence = Some(error.to_string()),
        }
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

    /// How all stands; after an error the next look connects anew.
    async fn look(&mut self) -> Result<View, ControlError> {
        let mut control = match self.control.take() {
            Some(control) => control,
            None => Control::connect(self.address).await?,
        };
        let master = report(&mut control).await?;
        let (groups, _) = select::groups(GROUPS_MAX, &mut control).await?;
        let peers = control.ask(&Request::Peers, read_report).await?;
        self.control = Some(control);
        self.paces
            .retain(|name, _| groups.iter().any(|group| group.group == *name));
        let with_words = groups.into_iter().map(|group| {
            let words = self.words(&group);
            (group, words)
        });
        let groups = with_words.collect();
        Ok(View {
            address: self.address,
            master,
            groups,
            peers,
            silence: None,
        })
    }

    /// What failed of a group, and when the rest will have ended.
    fn words(&mut self, group: &GroupReport) -> String {
        let now = Duration::from_micros(self.clock.now().0);
        let ended = ended(group);
        let pace = self.paces.entry(group.group.clone()).or_default();
        pace.see(ended, now);
        let left = pace.left(u64::from(group.parts).saturating_sub(ended), now);
        let words = in_words(group, left, &Zoned::now());
        words.trim_start_matches(" · ").to_owned()
    }
}
