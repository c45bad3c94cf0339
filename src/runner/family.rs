//! Everything that one run started, found and ended: also what left its process group, its session and its parents.
//!
//! On Linux this process is the subreaper of its descendants, so an orphan of a run becomes our child. Which run it
//! belongs to is told by the marker in its environment, its process group, or by having been seen below the script.
//! A child in our own process group was started by another part of the program and is never touched, nor is a script
//! itself, which tokio reaps. Elsewhere only the process group is ended.

use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

#[cfg(procfs)]
use super::procfs::Relatives;

/// The variable that marks whatever a run starts; its value is new for each run.
pub const MARKER: &str = "MUTIRAO_RUN";

/// Between two rounds of a sweep: time for killed processes to fall to us.
const ROUND_PAUSE: Duration = Duration::from_millis(5);
/// Rounds of a sweep, so at least two seconds: each ends all that is there, so only what cannot be killed remains.
const ROUNDS_MAX: usize = 400;

/// How long a look may take before the script is killed all the same: what forks faster than that is read goes by its group
/// and its marker.
pub(super) const LAST_LOOK_WAIT: Duration = Duration::from_secs(2);

/// All processes of one run. Dropped before its end, it ends the process group; only the sweep ends the others.
#[derive(Debug)]
pub struct Family {
    group: Pid,
    script_is_reaped: bool,
    #[cfg(procfs)]
    relatives: Relatives,
}

impl Family {
    /// Starts a script as the leader of its own group and takes note of it.
    ///
    /// # Errors
    /// What the system says when the script cannot be started.
    pub async fn start(mut command: Command, marker: &str) -> io::Result<(Self, Child)> {
        command
            .env(MARKER, marker)
            .process_group(0)
            .kill_on_drop(true);
        #[cfg(procfs)]
        let (child, relatives) = Relatives::start(command, MARKER, marker.to_owned()).await?;
        #[cfg(not(procfs))]
        let child = command.spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let family = Self {
            group: Pid::from_raw(id.ok_or(io::ErrorKind::NotFound)?),
            script_is_reaped: false,
            #[cfg(procfs)]
            relatives,
        };
        Ok((family, child))
    }

    /// That of a script which a template has started, as the leader of its own group and with the marker.
    ///
    /// # Errors
    /// When the runtime shuts down.
    #[cfg_attr(
        not(procfs),
        expect(unused_variables, reason = "its group is all that is known")
    )]
    pub async fn of(script: i32, marker: &str) -> io::Result<Self> {
        Ok(Self {
            group: Pid::from_raw(script),
            script_is_reaped: false,
            #[cfg(procfs)]
            relatives: Relatives::of(script, MARKER, marker.to_owned()).await?,
        })
    }

    /// Takes note of what the script has started so far: of anything, off the arbiter, for it may be thousands.
    pub async fn look(&mut self) {
        #[cfg(procfs)]
        if !self.relatives.is_alone() {
            let mut relatives = self.relatives.clone();
            let look = tokio::task::spawn_blocking(move || {
                relatives.look();
                relatives
            });
            // It fails only when the runtime shuts down, and then nothing more is looked at.
            if let Ok(relatives) = look.await {
                self.relatives = relatives;
            }
        }
    }

    /// Kills the script and its group. What left the group is noted for the sweep.
    pub async fn kill(&mut self) {
        #[cfg(procfs)]
        let _ = tokio::time::timeout(LAST_LOOK_WAIT, self.look()).await;
        // It fails only when all of the group are gone.
        let _ = killpg(self.group, Signal::SIGKILL);
    }

    /// Ends and reaps what is left of the run; to be called when the script itself was reaped.
    pub async fn sweep(mut self) {
        self.script_is_reaped = true;
        for _ in 0..ROUNDS_MAX {
            if self.cull().await == 0 {
                return;
            }
            tokio::time::sleep(ROUND_PAUSE).await;
        }
        tracing::warn!(group = %self.group, "processes that a task started cannot be killed");
    }

    /// One round: how many there were.
    #[cfg(procfs)]
    async fn cull(&mut self) -> usize {
        // Most scripts leave nobody, and that is seen in less time than another thread takes to wake up.
        if self.relatives.leave_if_alone() {
            return 0;
        }
        let mut relatives = self.relatives.clone();
        let round = tokio::task::spawn_blocking(move || (relatives.cull(), relatives)).await;
        // It fails only when the runtime shuts down, and then there are no more rounds.
        round.map_or(0, |(left, relatives)| {
            self.relatives = relatives;
            left
        })
    }

    #[cfg(not(procfs))]
    async fn cull(&mut self) -> usize {
        usize::from(killpg(self.group, Signal::SIGKILL).is_ok())
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if !self.script_is_reaped {
            let _ = killpg(self.group, Signal::SIGKILL);
        }
        // A script that was not reaped is nobody's now: tokio's own queue or the next sweep reaps it.
        #[cfg(procfs)]
        self.relatives.release();
    }
}

#[cfg(test)]
#[cfg(procfs)]
mod tests {
    use std::process::Stdio;

    use futures_util::FutureExt as _;
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;

    async fn start(script: &str, marker: &str) -> (Family, Child) {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Family::start(command, marker).await.unwrap()
    }

    async fn first_line(child: &mut Child) -> String {
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout)
            .lines()
            .next_line()
            .await
            .unwrap()
            .unwrap()
    }

    #[tokio::test]
    async fn a_child_without_a_mark_is_found_although_another_run_lives() {
        let (mut other, mut other_script) = start("sleep 600", "other").await;
        let hidden = "setsid env -i sh -c 'echo $$; exec sleep 600' & wait";
        let (mut family, mut script) = start(hidden, "one").await;
        let id: i32 = first_line(&mut script).await.parse().unwrap();

        family.kill().await;
        script.wait().await.unwrap();
        family.sweep().await;
        assert!(nix::sys::signal::kill(Pid::from_raw(id), None).is_err());
        assert_eq!(
            other_script.try_wait().unwrap(),
            None,
            "the other run is untouched"
        );

        other.kill().await;
        other_script.wait().await.unwrap();
        other.sweep().await;
    }

    #[tokio::test]
    async fn a_child_whose_name_is_no_text_is_found() {
        let hidden =
            r#"setsid sh -c "printf '\\377' > /proc/\$\$/comm; echo \$\$; sleep 600; :" & wait"#;
        let (mut family, mut script) = start(hidden, "named").await;
        let id: i32 = first_line(&mut script).await.parse().unwrap();
        family.kill().await;
        script.wait().await.unwrap();
        family.sweep().await;
        assert!(nix::sys::signal::kill(Pid::from_raw(id), None).is_err());
    }

    #[tokio::test]
    async fn what_a_run_could_not_tell_apart_falls_to_the_last_run() {
        let hidden = "setsid env -i sh -c 'echo $$; exec sleep 600' &";
        let (first, mut first_script) = start(hidden, "first").await;
        let id: i32 = first_line(&mut first_script).await.parse().unwrap();
        let (mut last, mut last_script) = start("sleep 600", "last").await;
        first_script.wait().await.unwrap();
        first.sweep().await;

        last.kill().await;
        last_script.wait().await.unwrap();
        last.sweep().await;
        // Other tests have runs too, and then the last is one of theirs.
        for _ in 0..1000 {
            if nix::sys::signal::kill(Pid::from_raw(id), None).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} lives");
    }

    #[tokio::test]
    async fn what_a_script_has_started_is_looked_at_by_another_thread() {
        for (then, is_at_once) in [("sleep 600 & wait", false), ("read line", true)] {
            let (mut family, mut script) = start(&format!("echo; {then}"), "looked at").await;
            first_line(&mut script).await;
            while family.relatives.is_alone() != is_at_once {
                tokio::task::yield_now().await;
            }
            assert_eq!(family.look().now_or_never().is_some(), is_at_once, "{then}");
            family.kill().await;
            script.wait().await.unwrap();
            family.sweep().await;
        }
    }

    #[tokio::test]
    async fn a_run_that_is_dropped_ends_its_group() {
        let (family, mut script) = start("echo $$; sleep 600", "dropped").await;
        first_line(&mut script).await;
        drop(family);
        // It ended, whether it is reaped here or by the sweep of another test's run.
        let ended = tokio::time::timeout(Duration::from_secs(60), script.wait()).await;
        assert!(ended.is_ok(), "it lives");
    }
}
