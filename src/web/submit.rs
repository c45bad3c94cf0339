//! Handing a task in.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{BytesMut, Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use mutirao_actors::messages::{AdoptAfter, AdoptTask};
use mutirao_actors::model::{
    Archive, GROUP_NAME_WANTED, PARTS_MAX, Part, TaskId, TaskName, Wishes, is_group_name,
};
use mutirao_actors::wire::scanner::ARCHIVE_MAX;
use serde::{Deserialize, Serialize};
use tokio::sync::SemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;

/// How long nothing of a task's ZIP may come.
const PIECE_MAX: Duration = Duration::from_secs(30);
/// Longest name, in characters: that of a file.
const NAME_MAX: usize = 255;

/// What a task is called and wishes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its name; what may not stand in one becomes `_`
    #[param(max_length = 255)]
    name: Option<String>,
    /// The group of tasks that it belongs to, instead of all that this machine hands in
    #[param(
        min_length = 1,
        max_length = 128,
        pattern = r#"^[^\u0000-\u001f\u007f-\u009f/\\'"`$;&|<>(){}\[\]*?!#~\u2028\u2029]+$"#
    )]
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
    /// Wait until this task is done
    after: Option<Uuid>,
    /// So many tasks of its group that say so run at a time
    #[param(minimum = 1)]
    max_running: Option<u32>,
    /// Which part of its group it is, from 0
    part: Option<u32>,
    /// Of how many
    #[param(minimum = 1, maximum = 1000000)]
    parts: Option<u32>,
}

impl Wanted {
    /// Whether each is what it may be; together, as the protocol's `SUBMIT_TASK`.
    fn check(&self) -> Result<(), Problem> {
        if !self.group.as_deref().is_none_or(is_group_name) {
            return Err(Problem::bad(format!("group is {GROUP_NAME_WANTED}")));
        }
        check_name(self.name.as_deref())?;
        if self
            .parts
            .is_some_and(|parts| parts == 0 || parts > PARTS_MAX)
        {
            return Err(Problem::bad(format!("parts is 1 to {PARTS_MAX}")));
        }
        if self.time_limit_s == Some(0) {
            return Err(Problem::bad("time_limit_s is at least 1"));
        }
        if self.max_running == Some(0) {
            return Err(Problem::bad("max_running is at least 1"));
        }
        let of_group = self.part.is_some() || self.max_running.is_some();
        if of_group && self.group.is_none() {
            return Err(Problem::refused("part and max_running go with a group"));
        }
        Ok(())
    }

    fn part(&self) -> Result<Option<Part>, Problem> {
        match (self.part, self.parts) {
            (None, None) => Ok(None),
            (Some(number), Some(of)) => Part::new(number, of).map(Some).ok_or_else(|| {
                Problem::refused(format!(
                    "part is below parts, and there are at most {PARTS_MAX}"
                ))
            }),
            _ => Err(Problem::refused("part and parts go together")),
        }
    }
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
        (status = 503, description = "Many are being handed in", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn submit(
    desk: Data<Desk>,
    request: HttpRequest,
    wanted: Query<Wanted>,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let wanted = wanted.into_inner();
    wanted.check()?;
    let part = wanted.part()?;
    let (bytes, _place) = read(&desk, &request, body).await?;
    let archive = hashed(bytes).await?;
    let from = request.peer_addr().map(|from| from.ip().to_string());
    let after = wanted.after.map(TaskId);
    let wishes = Wishes {
        priority: wanted.priority.unwrap_or_default(),
        time_limit: wanted
            .time_limit_s
            .map(|seconds| Duration::from_secs(seconds.into())),
        retries: wanted.retries,
        max_fails: wanted.max_fails,
        after,
        max_running: wanted.max_running.and_then(NonZeroU32::new),
    };
    let adopt = |reply| AdoptTask {
        name: TaskName::tamed(wanted.name.as_deref().unwrap_or_default()),
        archive,
        group: Arc::from(wanted.group.or(from).unwrap_or_default()),
        wishes,
        part,
        reply,
    };
    let (answers, master) = (&desk.answers, &desk.master);
    let answer = match after {
        Some(after) => {
            let adopt = |reply| AdoptAfter {
                after,
                adopt: adopt(reply),
            };
            answers.ask(&master.scheduler, adopt).await
        }
        None => answers.ask(&master.folders, adopt).await,
    };
    match answer? {
        Answer::Accepted(task_id, task_name) => {
            Ok(HttpResponse::Created().json(Accepted { task_id, task_name }))
        }
        _ => Err(Problem::strange()),
    }
}

/// Whether a name is one that is worth taming.
pub(super) fn check_name(name: Option<&str>) -> Result<(), Problem> {
    match name.map(|name| name.chars().count()) {
        Some(length) if length > NAME_MAX => Err(Problem::bad(format!(
            "name has at most {NAME_MAX} characters"
        ))),
        _ => Ok(()),
    }
}

/// Its digest is taken off the arbiter.
async fn hashed(bytes: BytesMut) -> Result<Archive, Problem> {
    let hashed = spawn_blocking(move || Archive::new(bytes.freeze())).await;
    hashed.map_err(|_| Problem::strange())
}

/// The whole body, which may be slow but must not stand still, and its place in the room for bodies.
async fn read<'a>(
    desk: &'a Desk,
    request: &HttpRequest,
    mut body: Payload,
) -> Result<(BytesMut, SemaphorePermit<'a>), Problem> {
    let too_large = || {
        let detail = format!("a task has at most {} MiB", ARCHIVE_MAX >> 20);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let said = request.headers().get(CONTENT_LENGTH);
    let said = said.and_then(|said| said.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > ARCHIVE_MAX as u64) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    let mut place = room_for(desk, 0)?;
    loop {
        let Ok(piece) = timeout(PIECE_MAX, body.next()).await else {
            let detail = format!("nothing of the body came for {} s", PIECE_MAX.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        };
        let piece = match piece {
            None => return Ok((bytes, place)),
            Some(Err(error)) => {
                let detail = format!("the body did not come whole: {error}");
                return Err(Problem::bad(detail));
            }
            Some(Ok(piece)) => piece,
        };
        let length = bytes.len() + piece.len();
        if length > ARCHIVE_MAX {
            return Err(too_large());
        }
        // Vectors grow by doubling.
        let wanted = 2 * length.div_ceil(1 << 10);
        if wanted > place.num_permits() {
            place.merge(room_for(desk, wanted - place.num_permits())?);
        }
        bytes.extend_from_slice(&piece);
    }
}

fn room_for(desk: &Desk, kib: usize) -> Result<SemaphorePermit<'_>, Problem> {
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    desk.bodies.try_acquire_many(kib).map_err(|_| {
        let detail = "many tasks are being handed in: try again in a few seconds";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })
}
