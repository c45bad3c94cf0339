//! The process that runs a script, however it was started.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};

use super::family::{Family, MARKER};
use super::forking::Forking;
use super::plan::Plan;
use super::warm::{self, Begun, Order};

/// A running script.
#[derive(Debug)]
pub enum Script {
    /// With an interpreter of its own.
    Started(Child),
    /// From a template.
    Forked(warm::Child),
}

impl Script {
    /// Starts what is planned, with these two files as its standard output and error, and finds its family.
    ///
    /// # Errors
    /// What the system says when it cannot be started; nothing runs then.
    pub async fn start(plan: &Plan, files: [OwnedFd; 2]) -> io::Result<(Family, Self)> {
        if let Some(forking) = &plan.forking
            && let Some(child) = forked(plan, forking, &files).await?
        {
            let family = Family::of(child.id(), &plan.marker).await?;
            return Ok((family, Self::Forked(child)));
        }
        let (program, arguments) = plan
            .command
            .split_first()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let [stdout, stderr] = files;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&plan.folder)
            .env_clear()
            .envs(plan.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        let (family, child) = Family::start(command, &plan.marker).await?;
        Ok((family, Self::Started(child)))
    }

    /// Whether it was spared the start of an interpreter.
    pub fn is_forked(&self) -> bool {
        matches!(self, Self::Forked(_))
    }

    /// Its process id, until it was reaped.
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Started(child) => child.id(),
            Self::Forked(child) => child.id().try_into().ok(),
        }
    }

    /// Looks after what stands between it and us.
    pub fn look(&mut self) {
        if let Self::Forked(child) = self {
            child.look();
        }
    }

    /// Comes back when it has ended, as often as it is asked.
    ///
    /// # Errors
    /// When its end was not seen.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        match self {
            Self::Started(child) => child.wait().await,
            Self::Forked(child) => child.wait().await,
        }
    }
}

/// `None` if the script did not begin, and may be started.
async fn forked(
    plan: &Plan,
    forking: &Forking,
    files: &[OwnedFd; 2],
) -> io::Result<Option<warm::Child>> {
    let mut env = forking.own.clone();
    env.push((MARKER.into(), plan.marker.clone().into()));
    let order = Order {
        folder: &plan.folder,
        report: forking.report.as_deref(),
        env: &env,
        arguments: plan.command.get(1..).unwrap_or_default(),
    };
    match forking.fork.template.begin(order, files).await? {
        Begun::Began(child) => Ok(Some(child)),
        Begun::Cold(why) => {
            tracing::debug!("a script is started cold: {why}");
            Ok(None)
        }
    }
}
