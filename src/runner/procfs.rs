//! The relatives of a script as `/proc` shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpgrp};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;

use super::kernel::text_of;

/// Children belong to a process, so there is one list in a process. It is held while a script is started, so that no sweep
/// meets a child that is not on it yet; and as long as a sweep looks at what a run has left, so the arbiter never waits
/// for it.
static SCRIPTS: Mutex<Scripts> = Mutex::new(Scripts {
    running: Vec::new(),
    templates: Vec::new(),
    since: None,
});

/// The scripts that this process has started.
#[derive(Debug)]
struct Scripts {
    /// Those whose runs are not over, by process id.
    running: Vec<i32>,
    /// Those that are forked for scripts and are none themselves.
    templates: Vec<i32>,
    /// When the first of all started: an orphan that is older is none of theirs.
    since: Option<u64>,
}

/// Deepest descent below a process: children of children that are made faster than we read must not hold us.
const DEPTH_MAX: usize = 64;
/// Threads of a script that are looked at on the arbiter: each costs it some ten microseconds.
const THREADS_MAX: usize = 32;

impl Scripts {
    fn note_start(&mut self, id: i32) {
        let started = || Process::read(id).map(|process| process.started);
        self.since = self.since.or_else(started);
    }
}

fn scripts() -> MutexGuard<'static, Scripts> {
    SCRIPTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// None while somebody else has it.
fn free_scripts() -> Option<MutexGuard<'static, Scripts>> {
    match SCRIPTS.try_lock() {
        Ok(scripts) => Some(scripts),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Does with the list what takes a moment: here, or in another thread if it is not free.
async fn with_scripts<T: Send + 'static>(
    work: impl FnOnce(&mut Scripts) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    if let Some(mut scripts) = free_scripts() {
        return work(&mut scripts);
    }
    let done = spawn_blocking(move || work(&mut scripts()));
    done.await.map_err(io::Error::other)?
}

/// What is known of the processes of one run, besides the script itself.
#[derive(Debug, Clone)]
pub(super) struct Relatives {
    script: i32,
    /// Whether the script is on the list.
    is_listed: bool,
    /// `NAME=` of the variable that marks what a run starts.
    variable: Vec<u8>,
    /// The same with this run's value.
    marker: Vec<u8>,
    /// By process id, with the time of their start: a number alone may be another process by now.
    seen: BTreeMap<i32, u64>,
}

impl Relatives {
    /// Starts the script, which `variable` marks with `value`, with orphans falling to us.
    pub async fn start(
        mut command: Command,
        variable: &'static str,
        value: String,
    ) -> io::Result<(Child, Self)> {
        // It holds for the whole process and is inherited by no child; setting it again changes nothing.
        prctl::set_child_subreaper(true)?;
        with_scripts(move |scripts| {
            let child = command.spawn()?;
            let relatives = Self::listed(id_of(&child)?, variable, &value, scripts);
            Ok((child, relatives))
        })
        .await
    }

    /// Of a script that a template has started.
    pub async fn of(script: i32, variable: &'static str, value: String) -> io::Result<Self> {
        with_scripts(move |scripts| Ok(Self::listed(script, variable, &value, scripts))).await
    }

    fn listed(script: i32, variable: &str, value: &str, scripts: &mut Scripts) -> Self {
        scripts.running.push(script);
        scripts.note_start(script);
        Self {
            script,
            is_listed: true,
            variable: format!("{variable}=").into_bytes(),
            marker: format!("{variable}={value}").into_bytes(),
            seen: BTreeMap::new(),
        }
    }

    /// Whether nobody was ever seen below the script, and nobody is there. Blocks for less than a millisecond, and says no
    /// where that is not enough to tell.
    pub fn is_alone(&self) -> bool {
        self.seen.is_empty() && is_childless(self.script)
    }

    /// Takes note of all that runs below the script. Blocks for as long as reading about each of them takes.
    pub fn look(&mut self) {
        self.forget_the_gone();
        for process in below(self.script) {
            self.seen.insert(process.id, process.started);
        }
    }

    /// Whether nobody was ever seen below the script and no orphan has fallen to us that is not on the list; then the
    /// script leaves the list. Blocks for some microseconds, and says no where it would have to wait.
    pub fn leave_if_alone(&mut self) -> bool {
        let Some(mut scripts) = free_scripts() else {
            return false;
        };
        let is_listed = |id: &i32| scripts.running.contains(id) || scripts.templates.contains(id);
        let is_alone =
            self.seen.is_empty() && fallen().is_some_and(|ids| ids.iter().all(is_listed));
        if is_alone {
            self.leave(&mut scripts);
        }
        is_alone
    }

    /// One round of the sweep: kills and reaps what is there and tells how many that were. When there were none the
    /// script leaves the list at once, so that of two runs that end together the second knows that it is the last.
    pub fn cull(&mut self) -> usize {
        let mut scripts = scripts();
        let ours = |process: &Process| {
            !scripts.running.contains(&process.id)
                && !scripts.templates.contains(&process.id)
                && self.is_relative(process, &scripts)
        };
        let orphans: Vec<Process> = children(std::process::id().cast_signed())
            .filter(ours)
            .collect();
        for orphan in &orphans {
            self.seen.insert(orphan.id, orphan.started);
            for process in below(orphan.id) {
                self.seen.insert(process.id, process.started);
            }
        }
        self.forget_the_gone();
        for id in self.seen.keys() {
            // One that is gone already needs no killing.
            let _ = kill(Pid::from_raw(*id), Signal::SIGKILL);
        }
        for orphan in &orphans {
            // Only what became our child by losing its parents: nobody else waits for it.
            let _: Result<_, Errno> = waitpid(Pid::from_raw(orphan.id), Some(WaitPidFlag::WNOHANG));
        }
        let left = orphans.len().max(self.seen.len());
        if left == 0 {
            self.leave(&mut scripts);
        }
        left
    }

    /// The run is over: the process id of its script means nothing from here on.
    pub fn release(&mut self) {
        if self.is_listed {
            self.leave(&mut scripts());
        }
    }

    /// Once only, for the number may be another script's by then.
    fn leave(&mut self, scripts: &mut Scripts) {
        if std::mem::take(&mut self.is_listed) {
            scripts.running.retain(|script| *script != self.script);
        }
    }

    fn forget_the_gone(&mut self) {
        let lives = |id: &i32, started: &mut u64| {
            Process::read(*id).is_some_and(|process| process.started == *started)
        };
        self.seen.retain(lives);
    }

    fn is_relative(&self, child: &Process, scripts: &Scripts) -> bool {
        if child.group == self.script || self.seen.get(&child.id) == Some(&child.started) {
            return true;
        }
        // What other parts of the program start stays in our group, so this one only waits to be reaped, by any run.
        let in_our_group = child.group == getpgrp().as_raw();
        if child.is_dead {
            return !in_our_group;
        }
        let environment = fs::read(format!("/proc/{}/environ", child.id)).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if let Some(found) = variables.find(|set| set.starts_with(&self.variable)) {
            return found == self.marker;
        }
        // It dropped its marker. What cannot be told apart is left to the last run that ends.
        let alone = scripts.running.iter().all(|script| *script == self.script);
        alone && !in_our_group && scripts.since.is_some_and(|since| child.started >= since)
    }
}

fn id_of(child: &Child) -> io::Result<i32> {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    id.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Starts what is to be forked for scripts, with the orphans of its children falling to us. No sweep touches it before it
/// is dismissed.
pub(super) async fn start_template(mut command: Command) -> io::Result<(Child, i32)> {
    prctl::set_child_subreaper(true)?;
    with_scripts(move |scripts| {
        let child = command.spawn()?;
        let id = id_of(&child)?;
        scripts.templates.push(id);
        scripts.note_start(id);
        Ok((child, id))
    })
    .await
}

/// A template was reaped: its process id means nothing from here on.
pub(super) async fn dismiss(template: i32) {
    let dismissed = with_scripts(move |scripts| {
        scripts.templates.retain(|id| *id != template);
        Ok(())
    });
    // It fails only when the runtime shuts down.
    let _ = dismissed.await;
}

/// Kills a group of processes that nobody watches; one that is gone needs no killing.
pub(super) fn kill_group(group: i32) {
    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
}

/// A line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    id: i32,
    /// Whether it ended and waits to be reaped.
    is_dead: bool,
    group: i32,
    /// In ticks since the system started.
    started: u64,
}

impl Process {
    fn read(id: i32) -> Option<Self> {
        Self::parse(&text_of(format!("/proc/{id}/stat")).ok()?)
    }

    /// Its name stands in parentheses and may hold anything, so fields are counted from the last one.
    fn parse(stat: &str) -> Option<Self> {
        let (id, _) = stat.split_once(' ')?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        Some(Self {
            id: id.parse().ok()?,
            is_dead: *fields.first()? == "Z",
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

/// The processes that fell to us when they lost their parents, among others: the kernel gives them to the first thread
/// of their new parent that lives, and the one with which a process begins lives as long as it does.
fn fallen() -> Option<Vec<i32>> {
    let own = std::process::id();
    let list = text_of(format!("/proc/{own}/task/{own}/children")).ok()?;
    Some(ids_in(&list).collect())
}

fn ids_in(list: &str) -> impl Iterator<Item = i32> {
    list.split(' ').filter_map(|id| id.trim().parse().ok())
}

fn children(of: i32) -> impl Iterator<Item = Process> {
    let threads = fs::read_dir(format!("/proc/{of}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lists = threads.filter_map(|thread| text_of(thread.path().join("children")).ok());
    let ids: Vec<i32> = lists
        .flat_map(|list| ids_in(&list).collect::<Vec<_>>())
        .collect();
    ids.into_iter().filter_map(Process::read)
}

/// Whether a process that has not very many threads has no children.
fn is_childless(id: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{id}/task"));
    let mut threads = threads.into_iter().flatten().flatten();
    let has_children = |thread: fs::DirEntry| {
        let list = File::open(thread.path().join("children"));
        // The list of very many takes the kernel long; its first byte does not.
        list.is_ok_and(|mut list| list.read(&mut [0]).is_ok_and(|length| length > 0))
    };
    let has_any = threads.by_ref().take(THREADS_MAX).any(has_children);
    !has_any && threads.next().is_none()
}

fn below(id: i32) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut generation = vec![id];
    for _ in 0..DEPTH_MAX {
        let next: Vec<Process> = generation.iter().flat_map(|id| children(*id)).collect();
        if next.is_empty() {
            break;
        }
        generation = next.iter().map(|process| process.id).collect();
        found.extend(next);
    }
    found
}

/// All that a process has started, and what that has.
pub(super) fn ids_below(id: i32) -> Vec<i32> {
    below(id).iter().map(|process| process.id).collect()
}

/// Kills every process of this user in whose environment the variable has one of these values, with all that runs below it
/// or in a group that it leads, and tells how many there were. They are not our children: whoever took them over reaps them.
pub(super) fn cull_marked(variable: &str, values: &[String]) -> usize {
    let marks: Vec<String> = values
        .iter()
        .map(|value| format!("{variable}={value}"))
        .collect();
    let all: Vec<Process> = living().collect();
    let mut condemned = BTreeSet::new();
    for process in all.iter().filter(|process| is_marked(process.id, &marks)) {
        condemned.insert(process.id);
        condemned.extend(below(process.id).iter().map(|process| process.id));
    }
    let led: Vec<i32> = all
        .iter()
        .filter(|process| condemned.contains(&process.group))
        .map(|process| process.id)
        .collect();
    condemned.extend(led);
    condemned.remove(&std::process::id().cast_signed());
    let started = |id: &i32| {
        all.iter()
            .find(|process| process.id == *id)
            .map(|process| process.started)
    };
    let mut killed = 0;
    for id in condemned {
        let is_same = Process::read(id).is_some_and(|process| {
            !process.is_dead && started(&id).is_none_or(|started| started == process.started)
        });
        if is_same {
            let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
            killed += 1;
        }
    }
    killed
}

fn living() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Process::read)
        .filter(|process| !process.is_dead)
}

fn is_marked(id: i32, marks: &[String]) -> bool {
    // That of another user cannot be read, and is none of ours.
    let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|set| marks.iter().any(|mark| set == mark.as_bytes()))
}

/// Whether this process has not ended.
#[cfg(test)]
pub(super) fn lives(id: i32) -> bool {
    Process::read(id).is_some_and(|process| !process.is_dead)
}

/// Whether this process has ended and waits to be reaped.
pub(super) fn is_dead(id: i32) -> bool {
    Process::read(id).is_some_and(|process| process.is_dead)
}

/// Peak resident memory of a living process so far, in bytes.
pub(super) fn peak_rss(id: u32) -> Option<u64> {
    let status = text_of(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_and_spaces_is_no_trap() {
        let stat = "42 (a) R 9 (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1 2";
        assert_eq!(
            Process::parse(stat),
            Some(Process {
                id: 42,
                is_dead: false,
                group: 7,
                started: 12_345
            })
        );
        assert_eq!(Process::parse("42 (a"), None);
        assert_eq!(Process::parse(""), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let id = std::process::id();
        let process = Process::read(id.cast_signed()).unwrap();
        assert_eq!(process.group, getpgrp().as_raw());
        assert!(process.started > 0);
        assert!(peak_rss(id).unwrap() > 100_000);
    }
}
