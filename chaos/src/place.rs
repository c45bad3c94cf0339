//! Where a process runs: in the row's own network, or in one that was made for it.
//!
//! Only a thread moves: what it starts there stays there, and a connection that it makes there can be used anywhere.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::process;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, anyhow};
use nix::sched::{CloneFlags, setns, unshare};

/// A network, which lasts as long as something knows it or runs in it, and the address that others reach it at.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where others reach what serves there.
    pub address: Ipv4Addr,
    /// None is the row's own.
    network: Option<Arc<File>>,
}

impl Place {
    /// The row's own network.
    pub fn here() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST,
            network: None,
        }
    }

    /// A network of its own, which has no interface but loopback, and that is down.
    ///
    /// # Errors
    /// The kernel makes no more of them.
    pub fn apart(address: Ipv4Addr) -> anyhow::Result<Self> {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            anyhow::Ok(File::open("/proc/thread-self/ns/net")?)
        };
        let made = thread::spawn(make).join();
        let network = made.unwrap_or_else(|_| Err(anyhow!("the thread panicked")));
        let network = network.context("failed to make a network")?;
        Ok(Self {
            address,
            network: Some(Arc::new(network)),
        })
    }

    /// Does this there.
    ///
    /// # Errors
    /// What came of it, or that one cannot go there.
    pub fn on<T: Send>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T> {
        let Some(network) = &self.network else {
            return work();
        };
        let go = || {
            setns(network, CloneFlags::CLONE_NEWNET).context("failed to enter a network")?;
            work()
        };
        let went = thread::scope(|scope| scope.spawn(go).join());
        went.unwrap_or_else(|_| Err(anyhow!("the thread panicked")))
    }

    /// The network as `ip` takes it for an interface's new home.
    pub fn network(&self) -> String {
        let own = process::id();
        match &self.network {
            Some(network) => format!("/proc/{own}/fd/{}", network.as_raw_fd()),
            None => format!("/proc/{own}/ns/net"),
        }
    }
}
