//! What befalls the disk for a while: all calls from some point on, until it is lifted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use mutirao_rig::clock;
use nix::errno::Errno;
use nix::unistd::Pid;

use super::Seen;
use super::calls::Call;

/// What befalls the calls that change the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spell {
    /// None of them happens, and each says this.
    NoChange(Errno),
    /// They happen, but no flush does, and each says this.
    NoFlush(Errno),
    /// Each flush begins so much later.
    SlowFlush(Duration),
}

/// What happens to one call.
pub enum Fate {
    Goes,
    Fails(Errno),
    Waits(Duration),
}

impl Spell {
    /// What it does to this call.
    pub fn on(self, call: &Call) -> Fate {
        match self {
            Self::NoChange(errno) => Fate::Fails(errno),
            Self::NoFlush(errno) if call.is_flush() => Fate::Fails(errno),
            Self::SlowFlush(wait) if call.is_flush() => Fate::Waits(wait),
            Self::NoFlush(_) | Self::SlowFlush(_) => Fate::Goes,
        }
    }
}

/// A flush that was made to wait.
#[derive(Debug, Clone)]
pub struct Flush {
    /// `fdatasync .mutirao/store/mutirao.db-wal`.
    pub what: String,
    /// When the program asked for it.
    pub began: Instant,
    /// When the program had its answer.
    pub ended: Option<Instant>,
}

impl Flush {
    /// Whether it flushes something in this folder, which ends with a slash.
    pub fn is_below(&self, folder: &str) -> bool {
        let (_, path) = self.what.split_once(' ').unwrap_or_default();
        path.starts_with(folder)
    }
}

/// The threads that wait in a slow flush.
#[derive(Debug, Default)]
pub struct Slow {
    /// Before their call, and until when.
    held: Vec<(Instant, Pid)>,
    /// From before their call to behind it, and which of [`Seen::flushes`] it is.
    under_way: HashMap<Pid, usize>,
}

impl Slow {
    /// Whether no thread is held.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// This thread is about to flush this, and waits so long before.
    pub fn hold(&mut self, pid: Pid, what: String, wait: Duration, seen: &mut Seen) {
        let began = clock::now();
        self.held.push((began + wait, pid));
        self.under_way.insert(pid, seen.flushes.len());
        seen.flushes.push(Flush {
            what,
            began,
            ended: None,
        });
    }

    /// Those that have waited long enough.
    pub fn due(&mut self) -> Vec<Pid> {
        let now = clock::now();
        let due = self.held.extract_if(.., |(until, _)| *until <= now);
        due.map(|(_, pid)| pid).collect()
    }

    /// This thread comes back from a call.
    pub fn back(&mut self, pid: Pid, seen: &mut Seen) {
        let flush = self.under_way.remove(&pid);
        if let Some(flush) = flush.and_then(|at| seen.flushes.get_mut(at)) {
            flush.ended = Some(clock::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use super::super::{Deed, Traced};
    use super::*;

    /// How long anything may take.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// Changes the disk each time it is told to, and says how that went.
    const SCRIPT: &str = "
import os, time
file = os.open('file', os.O_CREAT | os.O_WRONLY)
for step in range(2):
    while not os.path.exists(f'../step-{step}'):
        time.sleep(0.01)
    for change in (lambda: os.write(file, b'1'), lambda: os.fsync(file)):
        try:
            change()
            print('done', flush=True)
        except OSError as error:
            print(error.errno, flush=True)
";

    struct Play {
        folder: PathBuf,
        traced: Traced,
    }

    impl Play {
        fn start() -> Self {
            let folder = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
            let root = folder.join("root");
            fs::create_dir_all(&root).unwrap();
            let mut command = Command::new("/usr/bin/env");
            command.args(["python3", "-B", "-c", SCRIPT]);
            command.current_dir(&root);
            let log = folder.join("log");
            let traced = Traced::start(&command, &log, &root, 0, Deed::Kill).unwrap();
            assert!(clock::until(PATIENCE, || root.join("file").exists()));
            Self { folder, traced }
        }

        /// What it says of one step.
        fn step(&self, step: usize) -> Vec<String> {
            let all = || fs::read_to_string(self.folder.join("log")).unwrap();
            fs::write(self.folder.join(format!("step-{step}")), "").unwrap();
            let has_said = || all().lines().count() == 2 * (step + 1);
            assert!(clock::until(PATIENCE, has_said));
            all().lines().skip(2 * step).map(str::to_owned).collect()
        }
    }

    impl Drop for Play {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }

    #[test]
    fn calls_fail_from_the_chosen_one_on_until_the_spell_is_lifted() {
        for (nth, spell, said) in [
            (1, Spell::NoChange(Errno::EIO), ["5", "5"]),
            (2, Spell::NoChange(Errno::EIO), ["done", "5"]),
            (1, Spell::NoFlush(Errno::EIO), ["done", "5"]),
        ] {
            let play = Play::start();
            play.traced.cast(nth, spell);
            assert!(play.traced.seen().since.is_none());
            assert_eq!(play.step(0), said, "{spell:?} from call {nth} on");
            assert!(play.traced.seen().since.is_some());
            play.traced.lift();
            assert_eq!(play.step(1), ["done", "done"]);
        }
    }

    #[test]
    fn a_slow_flush_takes_so_much_longer_and_is_done_all_the_same() {
        let play = Play::start();
        let wait = Duration::from_millis(100);
        play.traced.cast(1, Spell::SlowFlush(wait));
        assert_eq!(play.step(0), ["done", "done"]);
        let seen = play.traced.seen();
        let [flush] = seen.flushes.as_slice() else {
            panic!("{:?}", seen.flushes);
        };
        assert_eq!(flush.what, "fsync file");
        assert!(flush.ended.unwrap() - flush.began >= wait);
    }
}
