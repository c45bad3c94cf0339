//! The end of what a dead life of this peer left: its scripts, which nobody watches any more, and their folders.

use std::io;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::notes::{Left, Notes};
use super::{Config, removal};

/// Between two rounds: time for killed processes to be gone.
const ROUND_PAUSE: Duration = Duration::from_millis(5);
/// Rounds, so at least two seconds: each kills all that is there, so only what cannot be killed remains.
const ROUNDS_MAX: usize = 400;

/// Kills what is noted as running, and removes its folders unless they are to be kept. To be called before anything is run.
///
/// # Errors
/// When the notes cannot be read.
pub(super) async fn sweep(config: &Config) -> io::Result<()> {
    let left = config.notes.left(&config.work)?;
    if left.is_empty() {
        return Ok(());
    }
    let count = left.len();
    let runs = if count == 1 { "run" } else { "runs" };
    tracing::info!("ending {count} {runs} that an earlier life of this peer left");
    kill_all(&left).await;
    let (notes, keep_work) = (config.notes.clone(), config.keep_work);
    // It fails only when the runtime shuts down, and then another life does it.
    let _ = spawn_blocking(move || tidy(&notes, &left, keep_work)).await;
    Ok(())
}

async fn kill_all(left: &[Left]) {
    let markers: Vec<String> = left.iter().map(|left| left.marker.clone()).collect();
    for _ in 0..ROUNDS_MAX {
        let markers = markers.clone();
        let round = spawn_blocking(move || cull(&markers)).await;
        if round.is_ok_and(|lived| lived == 0) {
            return;
        }
        tokio::time::sleep(ROUND_PAUSE).await;
    }
    tracing::warn!("processes of an earlier life cannot be killed");
}

fn tidy(notes: &Notes, left: &[Left], keep_work: bool) {
    for Left { marker, folder } in left {
        let removed = match folder.as_deref().filter(|_| !keep_work) {
            Some(folder) => removal::remove(folder),
            None => Ok(()),
        };
        match removed {
            Ok(()) => notes.remove(marker),
            Err(error) => tracing::warn!(
                ?folder,
                "failed to remove the folder of an earlier life: {error}; the next start tries again"
            ),
        }
    }
}

/// One round: how many there were.
#[cfg(procfs)]
fn cull(markers: &[String]) -> usize {
    super::procfs::cull_marked(super::family::MARKER, markers)
}

#[cfg(not(procfs))]
fn cull(_: &[String]) -> usize {
    0
}

#[cfg(test)]
#[cfg(procfs)]
mod tests {
    use std::fs;
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::path::PathBuf;
    use std::process::{Child, Command, Stdio};

    use mutirao_actors::clock::Clock;
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::super::{Interpreter, Notes, Start};
    use super::*;

    struct Stage {
        home: TempDir,
        config: Config,
    }

    impl Stage {
        fn new(keep_work: bool) -> Self {
            let home = tempfile::tempdir().unwrap();
            let config = Config {
                work: home.path().join("work"),
                keep_work,
                notes: Notes::open(home.path().join("runs")).unwrap(),
                interpreter: Interpreter::resolve(None).unwrap(),
                start: Start::Cold,
                templates: home.path().join("templates"),
                peer: None,
                clock: Clock::start(),
            };
            Self { home, config }
        }

        /// What a peer that was killed leaves of one run.
        fn leave(&self, name: &str, script: &str) -> (PathBuf, Child) {
            let marker = Uuid::new_v4().to_string();
            let folder = self.config.work.join(name);
            fs::create_dir_all(folder.join("task")).unwrap();
            self.config.notes.write(&marker, &folder).unwrap();
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).current_dir(self.home.path());
            command.env(super::super::family::MARKER, marker);
            command.process_group(0).stdin(Stdio::null());
            (folder, command.spawn().unwrap())
        }

        fn notes(&self) -> usize {
            self.config.notes.left(&self.config.work).unwrap().len()
        }
    }

    /// Whether it was killed; it waits until it has ended.
    fn was_killed(mut child: Child) -> bool {
        child.wait().unwrap().signal() == Some(9)
    }

    #[tokio::test]
    async fn what_a_dead_life_left_is_ended_and_removed_and_other_work_is_let_alone() {
        let stage = Stage::new(false);
        let (first, parent) = stage.leave("a", "sleep 600 & sleep 600; :");
        let (second, deaf) = stage.leave("b", "trap '' TERM HUP INT; sleep 600; :");
        let other = stage.config.work.join("other");
        fs::create_dir(&other).unwrap();
        sweep(&stage.config).await.unwrap();
        assert!(was_killed(parent) && was_killed(deaf));
        assert!(!first.exists() && !second.exists() && other.exists());
        assert_eq!(stage.notes(), 0);
    }

    #[tokio::test]
    async fn a_child_that_left_its_session_or_dropped_its_marker_is_ended_too() {
        let stage = Stage::new(false);
        let script = "setsid sh -c 'echo $$ > far; exec sleep 600' &
            env -i sh -c 'echo $$ > bare; exec sleep 600' & wait";
        let (_, parent) = stage.leave("a", script);
        let id = |name: &str| -> Option<u32> {
            let text = fs::read_to_string(stage.home.path().join(name)).ok()?;
            text.trim().parse().ok()
        };
        while id("far").is_none() || id("bare").is_none() {
            tokio::time::sleep(ROUND_PAUSE).await;
        }
        sweep(&stage.config).await.unwrap();
        assert!(was_killed(parent));
        for name in ["far", "bare"] {
            let stat = format!("/proc/{}/stat", id(name).unwrap());
            let is_dead = fs::read_to_string(stat).is_ok_and(|stat| stat.contains(") Z "));
            let is_gone = !PathBuf::from(format!("/proc/{}", id(name).unwrap())).exists();
            assert!(is_dead || is_gone, "{name} lives");
        }
    }

    #[tokio::test]
    async fn folders_that_are_to_be_kept_stay_and_are_not_looked_at_again() {
        let stage = Stage::new(true);
        let (folder, child) = stage.leave("a", "sleep 600; :");
        sweep(&stage.config).await.unwrap();
        assert!(was_killed(child) && folder.exists());
        assert_eq!(stage.notes(), 0);
    }
}
