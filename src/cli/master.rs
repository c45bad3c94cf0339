//! `mutirao master`: hand out what lies in `tasks/`, take the results into `results/`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::MasterReport;

use super::ask::read_report;
use super::house::{House, Signals, Wish};
use super::options::{DiscoveryOptions, LimitOptions, LogOptions, MasterOptions, root};
use super::peer::INTERRUPTED;
use super::served;
use crate::control::{Control, ControlError};
use crate::master::{self, Config};
use crate::sockets::places::routes_towards;
use crate::sockets::udp::DISCOVERY_PORT;

/// How often a master that drains, or a command that waits, looks whether all is done.
pub const LOOK_EVERY: Duration = Duration::from_millis(200);
/// An address beyond every local network: the way there shows which of ours to tell people.
const ANYWHERE: std::net::SocketAddr = std::net::SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    9,
);

/// Hand out the tasks in tasks/ and take the results into results/
#[derive(Debug, Clone, Args)]
pub struct Master {
    #[command(flatten)]
    master: MasterOptions,
    #[command(flatten)]
    discovery: DiscoveryOptions,
    #[command(flatten)]
    limit: LimitOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// Serves until it is told to end.
pub async fn run(args: Master) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let house = House::open(root(), &args.log)?;
    let config = config(&args.master, &args.discovery, &args.limit);
    let master = master::start(config, house.clock.clone(), house.log.clone()).await?;
    served::note(&master, &args.log);
    announce(&master, &args.discovery);
    let told = until_told(&master, &mut signals).await;
    master.tidied().await;
    house.close(root());
    Ok(code_of(told?))
}

/// Serves until a signal: SIGTERM lets what runs come in first. The wish that ended it, if it was not to wait for that.
pub async fn until_told(
    master: &master::Master,
    signals: &mut Signals,
) -> anyhow::Result<Option<Wish>> {
    if signals.next().await == Wish::Stop {
        return Ok(Some(Wish::Stop));
    }
    tracing::info!(
        "handing nothing out any more; waiting for what runs (a second signal ends now)"
    );
    drain(master, signals).await
}

/// How a program ends that was told to.
pub fn code_of(told: Option<Wish>) -> ExitCode {
    match told {
        Some(Wish::Stop) => ExitCode::from(INTERRUPTED),
        Some(Wish::Drain) | None => ExitCode::SUCCESS,
    }
}

/// What a master is to be, from its options.
pub fn config(
    master: &MasterOptions,
    discovery: &DiscoveryOptions,
    limit: &LimitOptions,
) -> Config {
    Config {
        name: master.name(),
        root: root().to_owned(),
        port: master.port,
        discovery_ports: discovery.discovery_port.clone(),
        scheduler: master.scheduler,
        rules: limit.rules(),
        changes: master.changes(),
    }
}

/// Says where it serves and what to do next.
pub fn announce(master: &master::Master, discovery: &DiscoveryOptions) {
    let port = master.address.port();
    let shown = routes_towards(ANYWHERE).unwrap_or(master.address.ip());
    let ports: Vec<_> = discovery
        .discovery_port
        .iter()
        .map(u16::to_string)
        .collect();
    let name = &master.identity.name;
    // A peer looks on the standard port only, unless it is told another.
    let wish = match discovery.discovery_port.as_slice() {
        ports if ports.contains(&DISCOVERY_PORT) => String::new(),
        ports => ports
            .first()
            .map(|port| format!(" --discovery-port {port}"))
            .unwrap_or_default(),
    };
    tracing::info!(
        "serving {name:?} on {shown}:{port} (discovery {}) · join with: mutirao peer{wish}",
        ports.join(", ")
    );
}

/// Waits until no peer holds a task, or until told again.
async fn drain(master: &master::Master, signals: &mut Signals) -> anyhow::Result<Option<Wish>> {
    master.close_queue();
    let mut control = Control::connect(own_address(master)).await?;
    loop {
        if report(&mut control).await?.queue.tasks.leased == 0 {
            return Ok(None);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            wish = signals.next() => return Ok(Some(wish)),
        }
    }
}

/// Where this process reaches its own master.
pub fn own_address(master: &master::Master) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, master.address.port()).into()
}

/// How the master stands.
pub async fn report(control: &mut Control) -> Result<MasterReport, ControlError> {
    control.ask(&Request::Status, read_report).await
}
