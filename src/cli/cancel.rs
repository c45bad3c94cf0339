//! `mutirao cancel`: take back groups and tasks.
//!
//! Rule: what is named is taken back; everything, which is that of others too, only for who says so twice.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::Args;
use mutirao_actors::model::TaskId;
use mutirao_actors::wire::Request;
use mutirao_actors::wire::report::{GroupReport, TaskReport, TaskState};
use mutirao_actors::wire::request::REASON_MAX;

use super::account::{Account, Came, Words};
use super::ask::{group_status, read_report, read_task};
use super::everything::in_words;
use super::options::{FindOptions, NoMaster};
use super::select::{Meant, Selection, Target, stands};
use super::sweep::sweep;
use super::telling::Telling;
use super::work::counted;
use crate::control::{Control, ControlError};

/// Tasks that can be taken back.
const OPEN: [TaskState; 2] = [TaskState::Queued, TaskState::Leased];

/// Take back groups and tasks
#[derive(Debug, Clone, Args)]
pub struct Cancel {
    #[command(flatten)]
    selection: Selection,
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// With `all`, or a state alone: do it, whoever handed it in
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    find: FindOptions,
    /// Print what came of it as one JSON object
    #[arg(long)]
    json: bool,
}

/// Takes back, and says how much.
pub async fn run(args: Cancel, telling: Telling) -> anyhow::Result<ExitCode> {
    let telling = telling.json(args.json);
    let reason = args.reason.as_deref();
    let length = reason.map_or(0, |reason| reason.chars().count());
    ensure!(
        length <= REASON_MAX,
        "nothing is taken back: a --reason has at most {REASON_MAX} characters, and this one has {length}"
    );
    let address = args.find.find().await?.ok_or(NoMaster)?;
    let mut control = Control::connect(address).await?;
    let read = args.selection.read(&mut control).await?;
    let targets = read.targets(&OPEN, &mut control).await?;
    let mut account = Account::of(args.selection.asked(), reason, telling);
    let mut went = Ok(());
    if !args.yes && read.is_of_everybody() {
        let parts = targets.iter().filter_map(|target| match target {
            Target::One(Meant::Group(group)) => Some(group.waiting + group.running),
            Target::One(Meant::Task(_)) | Target::Some(_) => None,
        });
        let parts: Vec<_> = parts.collect();
        if let Some(all) = in_words(&OPEN, &read, &parts, &mut control).await? {
            bail!(
                "nothing is taken back yet: it would be {all}, whoever handed it in; say it with --yes"
            );
        }
    } else {
        went = take_back(targets, reason, &mut account, &mut control).await;
    }
    // What has ended is nothing to take back, however it is named.
    if went.is_ok() && account.is_empty() && read.is_any(&mut control).await? {
        account.nothing_to_do("all of it has ended already".to_owned())?;
    }
    account.end(went, read.nothing(&[]))
}

async fn take_back(
    targets: Vec<Target>,
    reason: Option<&str>,
    account: &mut Account,
    control: &mut Control,
) -> anyhow::Result<()> {
    for target in targets {
        match target {
            Target::Some(sought) => {
                let request = |from| Request::CancelTasks {
                    sought: sought.clone(),
                    reason: reason.map(Into::into),
                    from,
                };
                let swept = sweep(request, control).await?;
                let (one, more) = ("task is cancelled", "tasks are cancelled");
                let words = Words::done(counted(swept.tasks, one, more));
                account.others(sought, swept, &words)?;
            }
            Target::One(Meant::Task(task)) => {
                let report = cancel_task(task.task_id, reason, control).await?;
                let name = report.task_name.as_str();
                let came = match (report.state, task.state) {
                    (TaskState::Cancelled, TaskState::Cancelled) => {
                        Came::Was(format!("{name} was cancelled already"))
                    }
                    (TaskState::Cancelled, _) => Came::Changed(format!("{name} is cancelled")),
                    (ended, _) => {
                        Came::Was(format!("{name} has ended already: it {}", stands(&[ended])))
                    }
                };
                account.task(report.task_id, name, came)?;
            }
            Target::One(Meant::Group(group)) => {
                // It was looked at before others were taken back, and these may be parts of it.
                let before = group_status(&group.group, control).await?;
                let request = Request::CancelGroup {
                    group: group.group.as_str().into(),
                    reason: reason.map(Into::into),
                };
                let report: GroupReport = control.ask(&request, read_report).await?;
                // One of which parts are missing is never complete.
                let had_ended = before.waiting + before.running == 0;
                let words = Words::done(of_group(&report, had_ended));
                let changed = report.cancelled.saturating_sub(before.cancelled);
                account.group(report, (changed, 0), &words)?;
            }
        }
    }
    Ok(())
}

/// How a group stands that was taken back, or had ended before that.
fn of_group(report: &GroupReport, had_ended: bool) -> String {
    let GroupReport {
        group,
        done,
        failed,
        cancelled,
        ..
    } = report;
    match had_ended {
        true => format!(
            "{group} has ended already: {done} done, {failed} failed, {cancelled} cancelled"
        ),
        false => {
            let parts = counted(*cancelled, "part", "parts");
            format!("{parts} of {group} are cancelled, {done} are done")
        }
    }
}

async fn cancel_task(
    task_id: TaskId,
    reason: Option<&str>,
    control: &mut Control,
) -> Result<TaskReport, ControlError> {
    let reason = reason.map(Into::into);
    let request = Request::CancelTask { task_id, reason };
    control.ask(&request, read_task).await
}
