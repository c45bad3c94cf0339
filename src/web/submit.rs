//! Handing a task in.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{BytesMut, Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::AdoptTask;
use mutirao_actors::model::{Archive, TaskId, TaskName, Wishes};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;

/// How long nothing of a task's ZIP may come.
const PIECE_MAX: Duration = Duration::from_secs(30);
/// Longest name of a group, in bytes.
const GROUP_MAX: usize = 128;

/// What a task is called and wishes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its name; what may not stand in one becomes `_`
    #[param(max_length = 255)]
    name: Option<String>,
    /// The group of tasks that it belongs to, instead of all that this machine hands in
    #[param(min_length = 1, max_length = 128)]
    group: Option<String>,
    /// Higher goes first under the `priority` scheduler
    priority: Option<i32>,
    /// Its run is killed after so many seconds
    #[param(minimum = 1)]
    time_limit_s: Option<u32>,
    /// How often a failed run is tried again
    retries: Option<u32>,
    /// Cancel it when more than so many tasks of its group have failed
    max_fails: Option<u32>,
}

/// A task that was taken in: it lies in `tasks/`, and is not lost any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// Which.
    pub task_id: TaskId,
    /// Under which name.
    pub task_name: TaskName,
}

/// Takes a task in: the ZIP is the body.
#[utoipa::path(post, path = "/api/v1/tasks", tag = "tasks", params(Wanted),
    request_body(content = String, content_type = "application/zip", description = "A ZIP with a `main.py`"),
    responses(
        (status = 201, description = "It is safe here", body = Accepted),
        (status = 400, description = "The query is not understood, or the body did not come whole", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be a task, or cannot be taken now; and why", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is too large", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn submit(
    desk: Data<Desk>,
    request: HttpRequest,
    wanted: Query<Wanted>,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let Wanted {
        name,
        group,
        priority,
        time_limit_s,
        retries,
        max_fails,
    } = wanted.into_inner();
    if group
        .as_ref()
        .is_some_and(|group| group.is_empty() || group.len() > GROUP_MAX)
    {
        return Err(Problem::bad(format!("group has 1 to {GROUP_MAX} bytes")));
    }
    if time_limit_s == Some(0) {
        return Err(Problem::bad("time_limit_s is at least 1"));
    }
    let archive = Archive::new(read(body).await?.freeze());
    let from = request.peer_addr().map(|from| from.ip().to_string());
    let group = group.or(from).unwrap_or_default();
    let wishes = Wishes {
        priority: priority.unwrap_or_default(),
        time_limit: time_limit_s.map(|seconds| Duration::from_secs(seconds.into())),
        retries,
        max_fails,
    };
    let adopt = |reply| AdoptTask {
        name: TaskName::tamed(name.as_deref().unwrap_or_default()),
        archive,
        group: Arc::from(group),
        wishes,
        reply,
    };
    let folders = &desk.master.folders;
    let asked = desk
        .answers
        .ask(|reply| folders.tell(adopt(reply), Cause::OUTSIDE));
    match asked.await? {
        Answer::Accepted(task_id, task_name) => {
            Ok(HttpResponse::Created().json(Accepted { task_id, task_name }))
        }
        _ => Err(Problem::strange()),
    }
}

/// The whole body, which may be slow but must not stand still.
async fn read(mut body: Payload) -> Result<BytesMut, Problem> {
    let mut bytes = BytesMut::new();
    loop {
        let Ok(piece) = timeout(PIECE_MAX, body.next()).await else {
            let detail = format!("nothing of the body came for {} s", PIECE_MAX.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        };
        match piece {
            None => return Ok(bytes),
            Some(Err(error)) => {
                return Err(Problem::bad(format!(
                    "the body did not come whole: {error}"
                )));
            }
            Some(Ok(piece)) if bytes.len() + piece.len() > ARCHIVE_MAX => {
                let detail = format!("a task has at most {} MiB", ARCHIVE_MAX >> 20);
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
            }
            Some(Ok(piece)) => bytes.extend_from_slice(&piece),
        }
    }
}
