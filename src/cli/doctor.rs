//! `mutirao doctor`: walks the way from this machine to a master, and names the step at which it ends.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::masters::seconds;
use super::options::{FindOptions, root};
use super::{FAILED, NO_MASTER};
use crate::doctor::{self, Looked, Name, Step, Went, probe};
use crate::json;
use crate::runner::Interpreter;

/// Find out why this machine does not work with a master, step by step
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    #[command(flatten)]
    find: FindOptions,
    /// How long to listen for answers
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    wait: Duration,
    /// The Python that would run the tasks [default: python3 or python in PATH]
    #[arg(long, value_name = "PATH", env = "MUTIRAO_PYTHON")]
    python: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Findings {
    steps: Vec<Step>,
    /// The first that failed.
    failed: Option<Name>,
    /// Where the master is that was reached.
    master: Option<SocketAddr>,
}

/// Goes all steps and tells of each; 0 if none failed, 3 if no master was reached, else 1.
pub async fn run(args: Doctor) -> anyhow::Result<ExitCode> {
    let findings = walk(&args).await?;
    let mut out = io::stdout().lock();
    match args.json {
        true => json::line(&mut out, &findings)?,
        false => out.write_all(in_words(&findings).as_bytes())?,
    }
    Ok(match (findings.failed, findings.master) {
        (None, _) => ExitCode::SUCCESS,
        (Some(_), None) => ExitCode::from(NO_MASTER),
        (Some(_), Some(_)) => ExitCode::from(FAILED),
    })
}

async fn walk(args: &Doctor) -> anyhow::Result<Findings> {
    let mut steps = vec![doctor::interfaces(&probe::interfaces()?)];
    let (addresses, is_ours) = match args.find.named().await? {
        // A peer that is told so asks nobody else either.
        Some(named) => {
            let why = format!("{} was named, so no other is looked for", named.name);
            for step in &mut steps {
                // It is reached without a broadcast.
                if step.went == Went::Failed {
                    step.went = Went::Doubtful;
                }
            }
            let left = [Name::BroadcastOut, Name::AnswerIn];
            steps.extend(left.map(|step| Step::left_out(step, &*why)));
            (named.addresses, true)
        }
        None => look(args, &mut steps).await?,
    };
    let master = reach(&addresses, is_ours, &mut steps).await;
    let python = args.python.clone();
    let python = spawn_blocking(move || Interpreter::resolve(python.as_deref())).await?;
    steps.push(doctor::python(&python));
    let folder = root().canonicalize().unwrap_or_else(|_| root().into());
    steps.push(doctor::disk(&folder, &probe::free(&folder)));
    let failed = steps.iter().find(|step| step.went == Went::Failed);
    Ok(Findings {
        failed: failed.map(|step| step.step),
        master,
        steps,
    })
}

/// The steps of the questions; where the master is that a peer would choose, and whether it is one of ours.
async fn look(args: &Doctor, steps: &mut Vec<Step>) -> anyhow::Result<(Vec<SocketAddr>, bool)> {
    let everywhere = args.find.everywhere();
    steps.push(doctor::broadcasts(&probe::broadcasts(&everywhere).await?));
    let looked = Looked {
        ports: everywhere.ports.clone(),
        for_s: args.wait.as_secs_f32(),
    };
    let heard = probe::masters(everywhere, args.wait).await?;
    steps.push(doctor::answer(&heard, &looked));
    let best = heard.into_iter().next();
    Ok(best.map_or_else(
        || (Vec::new(), true),
        |heard| (heard.addresses, heard.is_ours),
    ))
}

/// The steps of a connection; where the master is, if all of them could be gone.
async fn reach(
    addresses: &[SocketAddr],
    is_ours: bool,
    steps: &mut Vec<Step>,
) -> Option<SocketAddr> {
    let later = [Name::Tcp, Name::Http, Name::Clock];
    let leave_out = |from: usize, steps: &mut Vec<Step>, why: &str| {
        let left = later.iter().skip(from);
        steps.extend(left.map(|step| Step::left_out(*step, why)));
    };
    let Some((to, dialled)) = probe::connection(addresses).await else {
        leave_out(0, steps, "no master to connect to");
        return None;
    };
    steps.push(doctor::tcp(to, dialled.as_ref().map(|_| ())));
    let Ok(mut stream) = dialled else {
        leave_out(1, steps, "no connection");
        return None;
    };
    if !is_ours {
        leave_out(1, steps, "a master of another program need not speak HTTP");
        return Some(to);
    }
    let answered = probe::readiness(&mut stream, to).await;
    let seen = answered.as_ref();
    let step = doctor::http(to, seen.map(|seen| (seen.status, &*seen.body)));
    let is_reached = step.went == Went::Well;
    steps.push(step);
    let date = answered.ok().and_then(|answered| answered.date);
    match date {
        Some(date) => {
            let ahead = date.duration_since(Timestamp::now()).as_secs();
            steps.push(doctor::clock(ahead));
        }
        None => leave_out(2, steps, "the master does not tell its time"),
    }
    is_reached.then_some(to)
}

fn in_words(findings: &Findings) -> String {
    let mut text = String::new();
    for step in &findings.steps {
        let went = match step.went {
            Went::Well => "ok",
            Went::Doubtful => "look",
            Went::Failed => "FAILED",
            Went::LeftOut => "-",
        };
        let _ = writeln!(text, "{went:<7} {:<14} {}", step.step.word(), step.said);
        for help in &step.helps {
            let _ = writeln!(text, "{:<22} → {help}", "");
        }
    }
    let end = match (findings.failed, findings.master) {
        (Some(failed), _) => format!("the way ends at: {}", failed.word()),
        (None, Some(master)) => format!("all is well: a peer here works for {master}"),
        (None, None) => "all is well".to_owned(),
    };
    let _ = writeln!(text, "{end}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_a_line_and_what_helps_stands_below_it() {
        let failed = doctor::disk(&PathBuf::from("/work"), &Ok(5 << 20));
        let findings = Findings {
            steps: vec![Step::left_out(Name::Tcp, "no connection"), failed],
            failed: Some(Name::Disk),
            master: None,
        };
        assert_eq!(
            in_words(&findings),
            "-       tcp            no connection\n\
             FAILED  disk           5 MiB free in /work\n                       \
             → df -h /work shows the disk; make room on it\n                       \
             → or start the peer in a folder on another disk\n\
             the way ends at: disk\n"
        );
    }
}
