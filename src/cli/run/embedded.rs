//! A master and a peer of our own, for when no master answers.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::cli::house::House;
use crate::cli::master::{config, own_address};
use crate::cli::options::{
    FindOptions, LimitOptions, LogOptions, MasterOptions, NoMaster, RunnerOptions, root,
};
use crate::cli::telling::Telling;
use crate::cli::up::start_peer;
use crate::master;
use crate::peer::Peer;

/// Both, and where they keep what they do.
pub struct Embedded {
    house: House,
    master: master::Master,
    peer: Peer,
    /// The master's: what lies in `tasks/` here is not this command's to do.
    folders: TempDir,
}

impl Embedded {
    /// Where the master keeps everything.
    pub fn root(&self) -> &Path {
        self.folders.path()
    }

    /// Ends both, and leaves the message log. What they kept is to be removed when the system has ended: until then a record of
    /// theirs may come late, and a master whose records are gone calls that a trouble.
    pub async fn end(self) -> TempDir {
        let Self {
            house,
            master,
            peer,
            folders,
        } = self;
        peer.leave(true);
        peer.gone().await;
        master.tidied().await;
        house.close(root());
        folders
    }
}

/// The master that answers, or one of our own with a peer.
///
/// # Errors
/// When one that was named does not answer, or our own cannot be started.
pub async fn master_or_own(
    find: &FindOptions,
    runner: &RunnerOptions,
    telling: Telling,
) -> anyhow::Result<(SocketAddr, Option<Embedded>)> {
    if let Some(address) = find.find().await? {
        return Ok((address, None));
    }
    if let Some(master) = &find.master {
        return Err(NoMaster).with_context(|| format!("the master {master} does not answer"));
    }
    telling.aside("no master answered: running it here");
    let house = House::open(root(), &LogOptions { message_log: false })?;
    let interpreter = runner.interpreter()?;
    let options = MasterOptions {
        name: None,
        port: 0,
        scheduler: &mutirao_actors::schedulers::SCHEDULERS[0],
        open_api: false,
    };
    let limit = LimitOptions { time_limit: None };
    let mut config = config(&options, &find.ports, &limit);
    // Nobody is to find a master that ends with this command.
    config.discovery_ports.clear();
    let folders = tempfile::tempdir().context("failed to make a temporary folder")?;
    config.root = folders.path().to_owned();
    let master = master::start(config, house.clock.clone(), house.log.clone()).await?;
    // Whatever it leaves is nothing to any other master.
    let spool = Some(folders.path().join("spool"));
    let peer = start_peer(&master, runner, interpreter, spool, &house).await?;
    let address = own_address(&master);
    let embedded = Embedded {
        house,
        master,
        peer,
        folders,
    };
    Ok((address, Some(embedded)))
}
