//! `mutirao up`: master and peer in one process.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mutirao_actors::logic::client::Master as Known;
use mutirao_actors::model::Dialect;

use super::FAILED;
use super::house::{House, Signals};
use super::master::{LOOK_EVERY, announce, code_of, config, own_address, report, until_told};
use super::options::{
    DiscoveryOptions, LimitOptions, LogOptions, MasterOptions, RunnerOptions, root,
};
use super::served;
use crate::control::Control;
use crate::disk::Volume;
use crate::folders::Strangers;
use crate::master;
use crate::peer::{self, Peer};
use crate::runner::Interpreter;
use crate::sockets::udp::Everywhere;

/// Be master and peer in one process
#[derive(Debug, Clone, Args)]
pub struct Up {
    /// End when every task in tasks/ is done or failed: 0 if none failed, else 1
    #[arg(long)]
    drain: bool,
    #[command(flatten)]
    master: MasterOptions,
    #[command(flatten)]
    discovery: DiscoveryOptions,
    #[command(flatten)]
    runner: RunnerOptions,
    #[command(flatten)]
    limit: LimitOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// Serves and works until it is told to end, or all is done.
pub async fn run(args: Up) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let house = House::open(root(), &args.log)?;
    let interpreter = args.runner.interpreter()?;
    let config = config(&args.master, &args.discovery, &args.limit);
    let master = master::start(config, house.clock.clone(), house.log.clone()).await?;
    served::note(&master, &args.log);
    announce(&master, &args.discovery);
    let peer = start_peer(&master, &args.runner, interpreter, None, &house).await?;
    let ended = tokio::select! {
        code = until_drained(&master), if args.drain => code.map(|code| (code, false)),
        told = until_told(&master, &mut signals) => told.map(|told| (code_of(told), told.is_some())),
    };
    // Nothing runs any more, unless it is not to be waited for.
    peer.leave(ended.as_ref().map_or(true, |(_, at_once)| *at_once));
    peer.gone().await;
    master.tidied().await;
    house.close(root());
    Ok(ended?.0)
}

/// A peer in the same process, which needs no search for its master.
pub async fn start_peer(
    master: &master::Master,
    options: &RunnerOptions,
    interpreter: Interpreter,
    spool: Option<PathBuf>,
    house: &House,
) -> anyhow::Result<Peer> {
    let known = Known {
        name: master.identity.name.clone(),
        addresses: vec![own_address(master)],
        dialect: Some(Dialect::Flat),
    };
    let config = peer::Config {
        root: root().to_owned(),
        spool,
        port: 0,
        slots: options.slots(),
        interpreter,
        start: options.start,
        keep_work: options.keep_work,
        time_limit: None,
        master: Some(known),
        everywhere: Everywhere::default(),
    };
    Ok(peer::start(config, house.clock.clone(), house.log.clone()).await?)
}

/// Comes back when every task is terminal: 0, or 1 if one failed.
async fn until_drained(master: &master::Master) -> anyhow::Result<ExitCode> {
    let mut control = Control::connect(own_address(master)).await?;
    loop {
        let queue = report(&mut control).await?.queue;
        let tasks = queue.tasks;
        if queue.arriving == 0 && tasks.queued + tasks.leased == 0 {
            let done = tasks.done.saturating_sub(master.before.done);
            let failed = tasks.failed.saturating_sub(master.before.failed);
            tracing::info!("{}", in_words(done, failed));
            return Ok(if failed == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(FAILED)
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How it went, and where to look next.
fn in_words(done: u64, failed: u64) -> String {
    match (done, failed) {
        (0, 0) => {
            let tasks = root().join("tasks");
            let why = Strangers::list(&Volume::real(), &tasks).in_words(&tasks);
            let why = why.unwrap_or_else(|| "tasks/ holds no new task".to_owned());
            format!("nothing to do: {why}")
        }
        (done, 0) => format!("all is done: {done} done · results are in results/"),
        (done, failed) => format!(
            "{done} done, {failed} failed · results are in results/, reasons in tasks/failed/"
        ),
    }
}
