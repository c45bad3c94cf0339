//! `hostile`: floods of questions and nonsense, idle, slow and all too many connections, while honest ones work.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mutirao_rig::clock;
use nix::unistd::Pid;
use serde_json::json;

use crate::asking::{Answer, Asking};
use crate::background::Background;
use crate::load::Load;
use crate::rows::Row;
use crate::scope::{Scope, Verdict};
use crate::strangers::Strangers;
use crate::trial::Trial;

/// How long they do it in the run of a commit, and in a long one, in seconds.
const SECONDS: (u64, u64) = (8, 120);
/// Files that the master may have open, which are soon too few.
const FILES: usize = 1024;
/// Of these it may use so many percent (promise R7) …
const FILES_PERCENT: usize = 80;
/// … and of memory so much more than it needs at rest, in KiB.
const MEMORY: u64 = 256 << 10;
/// Honest tasks come in by each door this often.
const TASK_EVERY: Duration = Duration::from_millis(200);
/// Between two looks at the files that are open.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long an honest question may wait for its answer, before it is asked again.
const ANSWERED_WITHIN: Duration = Duration::from_millis(300);
/// How long what is left may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The row.
pub const ROW: Row = Row {
    name: "hostile",
    about: "floods, nonsense, idle, slow and too many connections: bounded memory and files, the honest are served",
    needs: &[],
    run,
};

fn run(scope: &Scope) -> anyhow::Result<Verdict> {
    let mut trial = Trial::new(scope, "trial", 0)?;
    trial.master.files = Some(FILES);
    trial.master.serve()?;
    let _peer = trial.peer("peer", &["--slots", "2"])?;
    let at_rest = trial.master.process()?.memory("VmRSS")?;
    let files = Files::watch(trial.master.process()?.pid());
    let honest = Asking::start(&trial.master, json!({"action": "STATUS"}));
    let load = Load::start(&trial.tasks, TASK_EVERY, "");
    let strangers = Strangers::start(&trial.master, &scope.dice())?;
    let end = clock::now() + Duration::from_secs(scope.size(SECONDS.0, SECONDS.1));
    let (mut asked, mut found) = (0, 0);
    while clock::now() < end {
        asked += 1;
        found += u64::from(is_found(&trial)?);
    }
    drop((strangers, load));
    trial.drained(PATIENCE);
    let (honest, files) = (honest.end(), files.most());
    let peak = trial.master.process()?.memory("VmHWM")?;
    let grown = peak.saturating_sub(at_rest);
    let mut verdict = Verdict::default();
    verdict.require(trial.master.is_running(), "the master ended");
    let log = fs::read_to_string(&trial.master.log)?;
    verdict.require(!log.contains("panicked at"), "the master panicked");
    verdict.require(grown < MEMORY, format_args!("it took {grown} KiB"));
    verdict.require(
        files * 100 < FILES * FILES_PERCENT,
        format_args!("it had {files} of {FILES} files open"),
    );
    verdict.require(found > 0, "no honest question was answered");
    verdict.require(
        is_found(&trial)? || is_found(&trial)?,
        "none is answered afterwards",
    );
    verdict.figure(format_args!(
        "took {} MB and {files} files · honest: status p99 {} ms of {}, {found} of {asked} found the master",
        grown >> 10,
        p99(&honest).as_millis(),
        honest.len(),
    ));
    verdict.judge("the run", Ok(trial.counts()));
    Ok(verdict)
}

fn p99(answers: &[Answer]) -> Duration {
    let mut waits: Vec<_> = answers
        .iter()
        .map(|answer| answer.heard - answer.asked)
        .collect();
    waits.sort();
    waits
        .get(waits.len() * 99 / 100)
        .copied()
        .unwrap_or_default()
}

/// Whether a question of an honest peer is answered.
fn is_found(trial: &Trial) -> anyhow::Result<bool> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(ANSWERED_WITHIN))?;
    let question = json!({"action": "DISCOVER_MASTER", "peer_id": "honest", "port_tcp": 9});
    let master = (Ipv4Addr::LOCALHOST, trial.master.discovery);
    socket.send_to(question.to_string().as_bytes(), master)?;
    match socket.recv(&mut [0; 2048]) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(false)
        }
        heard => Ok(heard? > 0),
    }
}

/// Looks again and again how many files a process has open.
struct Files {
    most: Arc<AtomicUsize>,
    thread: Background,
}

impl Files {
    fn watch(pid: Pid) -> Self {
        let most = Arc::<AtomicUsize>::default();
        let seen = Arc::clone(&most);
        let thread = Background::repeat(move |_| {
            let open = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
            seen.fetch_max(open, Ordering::Relaxed);
            clock::pause(LOOK_EVERY);
        });
        Self { most, thread }
    }

    fn most(self) -> usize {
        drop(self.thread);
        self.most.load(Ordering::Relaxed)
    }
}
