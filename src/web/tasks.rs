//! How tasks stand, and taking them back.

use actix_web::web::{Data, Json, Path, Query};
use mutirao_actors::messages::{CancelTask, DescribeTask, ListTasks, RetryTask};
use mutirao_actors::model::{TaskChoice, TaskId, in_one_line};
use mutirao_actors::wire::report::{REPORT_ROWS_MAX, Sought, TaskReport, TaskState};
use mutirao_actors::wire::request::REASON_MAX;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;

/// Why something is taken back.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In words for a reader
    #[param(max_length = 500)]
    reason: Option<String>,
}

impl Reason {
    /// What is said, in one line.
    pub(super) fn in_words(self) -> Result<String, Problem> {
        in_words(self.reason)
    }
}

/// Why something is taken back, in one line.
pub(super) fn in_words(reason: Option<String>) -> Result<String, Problem> {
    let why = reason.unwrap_or_else(|| "cancelled over HTTP".to_owned());
    match why.chars().nth(REASON_MAX) {
        None => Ok(in_one_line(&why, REASON_MAX)),
        Some(_) => Err(Problem::bad(format!(
            "reason has at most {REASON_MAX} characters"
        ))),
    }
}

/// Which tasks to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// In this state only
    state: Option<TaskState>,
    /// Of this group only
    group: Option<String>,
    /// Without those that are parts of a group
    single: Option<bool>,
    /// Those that came before this one: `next` of the page before
    before: Option<Uuid>,
    /// So many at most
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<usize>,
}

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page {
    /// The newest first.
    pub tasks: Vec<TaskReport>,
    /// Where the next page begins, if there may be one.
    pub next: Option<TaskId>,
}

impl Desk {
    /// How one task stands; with `why` in full.
    pub(super) async fn task(&self, typed: &str, why: bool) -> Result<TaskReport, Problem> {
        let task = TaskChoice::typed(typed);
        let describe = |reply| DescribeTask { task, why, reply };
        let asked = self.answers.ask(&self.master.scheduler, describe);
        match asked.await? {
            Answer::Task(Some(report)) => Ok(report),
            Answer::Task(None) => Err(Problem::not_found(format!(
                "no task {typed:?} is known here: it is the id of one or its beginning, its name, or `last`"
            ))),
            _ => Err(Problem::strange()),
        }
    }
}

/// How many rows a page has at most.
pub(super) fn check_limit(wanted: Option<usize>) -> Result<usize, Problem> {
    match wanted.unwrap_or(REPORT_ROWS_MAX) {
        limit @ 1..=REPORT_ROWS_MAX => Ok(limit),
        limit => Err(Problem::bad(format!(
            "limit is 1 to {REPORT_ROWS_MAX}, not {limit}"
        ))),
    }
}

/// The newest tasks, newest first.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", params(Wanted), responses(
    (status = 200, description = "A page of them", body = Page),
    (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn list(desk: Data<Desk>, wanted: Query<Wanted>) -> Result<Json<Page>, Problem> {
    let limit = check_limit(wanted.limit)?;
    let sought = Sought {
        states: wanted.state.into_iter().collect(),
        group: wanted.group.clone(),
        single: wanted.single.unwrap_or(false),
    };
    let list = |reply| ListTasks {
        sought,
        before: wanted.before.map(TaskId),
        limit,
        reply,
    };
    let asked = desk.answers.ask(&desk.master.scheduler, list);
    let Answer::Tasks(tasks) = asked.await? else {
        return Err(Problem::strange());
    };
    let last = tasks.last().filter(|_| tasks.len() == limit);
    let next = last.map(|task| task.task_id);
    Ok(Json(Page { tasks, next }))
}

/// One task: its id or the beginning of it, its name, or `last`.
#[utoipa::path(get, path = "/api/v1/tasks/{task}", tag = "tasks",
    params(("task" = String, Path, description = "Its id, its name, or `last`", example = "last")),
    responses(
        (status = 200, description = "How it stands, and how it came to that", body = TaskReport),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Several ids begin so", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn one(desk: Data<Desk>, path: Path<String>) -> Result<Json<TaskReport>, Problem> {
    desk.task(&path, true).await.map(Json)
}

/// Takes a task back.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/cancel", tag = "tasks",
    params(("task" = String, Path, description = "Its id, its name, or `last`", example = "last"), Reason),
    responses(
        (status = 200, description = "How it stands: what is over stays as it was", body = TaskReport),
        (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The master cannot write it down now", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn cancel(
    desk: Data<Desk>,
    path: Path<String>,
    reason: Query<Reason>,
) -> Result<Json<TaskReport>, Problem> {
    let why = reason.into_inner().in_words()?;
    let task = desk.task(&path, false).await?.task_id;
    let asked = desk
        .answers
        .ask(&desk.master.scheduler, |reply| CancelTask {
            task,
            why,
            reply,
        });
    changed(asked.await?)
}

/// Tries a task again that failed or was cancelled, and what was cancelled with it.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/retry", tag = "tasks",
    params(("task" = String, Path, description = "Its id, its name, or `last`", example = "last")),
    responses(
        (status = 200, description = "How it stands: it waits", body = TaskReport),
        (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It has not failed, or its ZIP is gone", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn retry(desk: Data<Desk>, path: Path<String>) -> Result<Json<TaskReport>, Problem> {
    let task = desk.task(&path, false).await?.task_id;
    let asked = desk
        .answers
        .ask(&desk.master.scheduler, |reply| RetryTask { task, reply });
    changed(asked.await?)
}

/// How a task stands that was there when it was to be changed.
fn changed(answer: Answer) -> Result<Json<TaskReport>, Problem> {
    match answer {
        Answer::Task(Some(report)) => Ok(Json(report)),
        _ => Err(Problem::strange()),
    }
}
