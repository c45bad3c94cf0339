//! One run, step by step: prepare the place, run the script, pack what it left.

use std::ffi::OsString;
use std::mem;
use std::sync::Arc;

use mutirao_actors::logic::traceback::{LAST_WORDS_MAX, last_words};
use mutirao_actors::model::{Archive, Both, Ending, Moment, Outcome};
use mutirao_actors::runner::{Finished, Job};
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::environment;
use super::forking::{self, Forking};
use super::plan::Plan;
use super::prepare::{Place, prepare};
use super::process::{self, Ran};
use super::result::{self, Remains, Report, Skipped, Started};
use super::warm::Warmth;
use super::windows::Windows;
use super::{Config, Trace};

/// Runs the job to its end; `register` hears of the folder that it leaves on the disk.
pub(super) async fn run(
    config: &Arc<Config>,
    warmth: &Arc<Warmth>,
    windows: &Windows,
    job: &Job,
    stop: CancellationToken,
    register: impl Fn(Trace),
) -> Finished {
    let started = config.clock.now();
    let marker = Uuid::new_v4().to_string();
    let (of_ours, order, mark) = (config.clone(), job.clone(), marker.clone());
    let prepared = spawn_blocking(move || prepare(&of_ours, &order, &mark)).await;
    let mut place = match prepared.unwrap_or_else(|error| Err(interrupted(&error))) {
        Ok(place) => place,
        Err(ending) => return unrun(config, started, ending).await,
    };
    register(Trace {
        folder: place.whole.clone(),
        marker: marker.clone(),
    });
    if stop.is_cancelled() {
        return unrun(config, started, Ending::Cancelled).await;
    }
    let group = forking::group(&place);
    let mut plan = plan(config, job, &mut place, marker);
    let key = (job.task, job.attempt);
    plan.looks = windows.open(key);
    plan.forking = Forking::choose(warmth, group.as_ref(), &place, &plan.env).await;
    let report = plan
        .forking
        .as_ref()
        .and_then(|forking| forking.report.clone());
    let program = plan
        .command
        .first()
        .map(|program| program.to_string_lossy().into_owned());
    let started = config.clock.now();
    let mut ran = process::run(plan, stop).await;
    let left = ran.as_mut().ok().map(|ran| Both {
        stdout: &mut ran.stdout,
        stderr: &mut ran.stderr,
    });
    windows.close(key, left).await;
    match ran {
        Ok(ran) => {
            if let (Some(group), Some(report)) = (group, report) {
                forking::learn(warmth.clone(), group, report).await;
            }
            finish(config, job, place, started, ran).await
        }
        Err(error) => {
            let why = format!("failed to start {}: {error}", program.unwrap_or_default());
            unrun(config, started, Ending::NotStarted(why)).await
        }
    }
}

fn plan(config: &Config, job: &Job, place: &mut Place, marker: String) -> Plan {
    let python = || config.interpreter.path.clone().into_os_string();
    let command = match &place.contents.command {
        Some(words) => {
            let mut command: Vec<OsString> = words.iter().map(OsString::from).collect();
            if let Some(program) = command.first_mut() {
                // The Python that the peer answers for, not what PATH happens to name.
                if *program == "python" || *program == "python3" {
                    *program = python();
                } else if program.to_string_lossy().contains('/') {
                    *program = place.folder.join(&*program).into_os_string();
                }
            }
            command
        }
        None => {
            let input = place.contents.has_input.then(|| "input.csv".into());
            [Some(python()), Some("main.py".into()), input]
                .into_iter()
                .flatten()
                .collect()
        }
    };
    let limits = [job.time_limit, place.contents.wishes.time_limit];
    Plan {
        command,
        folder: place.folder.clone(),
        env: environment::of_task(job.task, job.attempt, &place.contents.env),
        marker,
        forking: None,
        looks: Both::default(),
        time_limit: limits.into_iter().flatten().min(),
        stdout: mem::take(&mut place.stdout),
        stderr: mem::take(&mut place.stderr),
    }
}

/// Packs what the run left. An output that could not be kept whole is no success, whatever the script thinks.
async fn finish(config: &Config, job: &Job, place: Place, started: Moment, ran: Ran) -> Finished {
    let ended = config.clock.now();
    let ((stdout, printed), (stderr, mut errors)) = (ran.stdout, ran.stderr);
    let lost = stdout.failed.as_ref().or(stderr.failed.as_ref());
    let ending = match lost {
        Some(why) if ran.ending.is_success() => {
            Ending::NotStarted(format!("its output could not be written: {why}"))
        }
        _ => ran.ending,
    };
    let error = match ending.is_success() {
        true => None,
        false => last_words(&errors.end(LAST_WORDS_MAX).await),
    };
    let outcome = Outcome {
        ending: ending.clone().saying(error.as_deref()),
        took: ended.since(started),
        peak_rss: ran.peak_rss,
    };
    let report = Report {
        task: job.task,
        attempt: job.attempt,
        name: job.name.clone(),
        peer: config.peer.clone(),
        ending,
        summary: outcome.ending.to_string(),
        started: config.clock.wall(started),
        ended: config.clock.wall(ended),
        took_s: outcome.took.as_secs_f64(),
        peak_rss: outcome.peak_rss,
        task_sha256: job.archive.digest(),
        code_sha256: place.contents.code,
        input_sha256: place.input,
        interpreter: config.interpreter.clone(),
        start: if ran.is_warm {
            Started::Warm
        } else {
            Started::Cold
        },
        stdout,
        stderr,
        skipped: Skipped::default(),
    };
    let mut remains = Remains {
        stdout: printed,
        stderr: errors,
        folder: place.folder,
        before: place.before,
    };
    let is_plain = job.plain_result;
    let packed = blocking(move || {
        let bytes = if is_plain {
            result::plain_of(&mut remains)
        } else {
            result::full(&mut remains, report)
        };
        bytes.map(Archive::new).map_err(|error| error.to_string())
    });
    match packed.await {
        Ok(result) => Finished { outcome, result },
        Err(why) => {
            let ending = Ending::NotStarted(format!("its result could not be packed: {why}"));
            unrun(config, started, ending).await
        }
    }
}

/// What is handed in when no script ran, or nothing of it is left: the reason, where people look for errors.
async fn unrun(config: &Config, started: Moment, ending: Ending) -> Finished {
    let stderr = format!("mutirao: {ending}\n");
    let packed =
        blocking(move || result::plain(b"", stderr.as_bytes()).map_err(|error| error.to_string()));
    Finished {
        outcome: Outcome {
            ending,
            took: config.clock.now().since(started),
            peak_rss: None,
        },
        // Two small files in memory cannot fail to be packed; if they did, an empty result still ends the attempt.
        result: Archive::new(packed.await.unwrap_or_default()),
    }
}

fn interrupted(error: &JoinError) -> Ending {
    Ending::NotStarted(format!("interrupted: {error}"))
}

/// Off the arbiter and back.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let joined = spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(format!("interrupted: {error}")))
}
