//! `mutirao peer`: find a master and run its tasks.

use std::process::ExitCode;

use clap::Args;

use super::house::{House, Signals, Wish};
use super::options::{FindOptions, LimitOptions, LogOptions, RunnerOptions, root};
use crate::peer::{self, Config};

/// Exit code after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Find a master and run its tasks
#[derive(Debug, Clone, Args)]
pub struct Peer {
    #[command(flatten)]
    find: FindOptions,
    /// The port on which this peer tells how it is [default: any free one]
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true,
        env = "MUTIRAO_PEER_PORT"
    )]
    port: u16,
    #[command(flatten)]
    runner: RunnerOptions,
    #[command(flatten)]
    limit: LimitOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// Works until it is told to end.
pub async fn run(args: Peer) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let house = House::open(root(), &args.log)?;
    let interpreter = args.runner.interpreter()?;
    let slots = args.runner.slots();
    let (python, unit) = (
        &interpreter.version,
        if slots == 1 { "slot" } else { "slots" },
    );
    tracing::info!("{slots} {unit} · python {python} · looking for a master");
    let config = Config {
        root: root().to_owned(),
        spool: None,
        port: args.port,
        slots,
        interpreter,
        start: args.runner.start,
        keep_work: args.runner.keep_work,
        time_limit: args.limit.time_limit,
        master: args.find.named().await?,
        everywhere: args.find.everywhere(),
    };
    let peer = peer::start(config, house.clock.clone(), house.log.clone()).await?;
    let code = leave_when_told(&peer, &mut signals).await;
    house.close(root());
    Ok(code)
}

/// Leaves on a signal: SIGTERM finishes what runs, Ctrl-C or a second signal does not.
async fn leave_when_told(peer: &peer::Peer, signals: &mut Signals) -> ExitCode {
    let (mut code, mut told) = (ExitCode::SUCCESS, false);
    loop {
        tokio::select! {
            () = peer.gone() => return code,
            wish = signals.next() => {
                let now = wish == Wish::Stop || std::mem::replace(&mut told, true);
                if wish == Wish::Stop {
                    code = ExitCode::from(INTERRUPTED);
                }
                if !now {
                    tracing::info!("finishing what runs, then leaving (a second signal stops it)");
                }
                peer.leave(now);
            }
        }
    }
}
