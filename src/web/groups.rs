//! Groups of tasks that are parts of one work.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path, Query};
use mutirao_actors::messages::{
    CancelGroup, DescribeGroup, ListGroups, OpenGroup, ReplyTo, RetryGroup, SchedulerInbox,
};
use mutirao_actors::model::TaskName;
use mutirao_actors::port::Hears;
use mutirao_actors::wire::report::{GroupReport, TaskState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;
use super::submit::check_name;
use super::tasks::{Reason, check_limit};

/// What a group is to be called.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// What its name begins with; a number follows
    #[param(max_length = 255)]
    name: Option<String>,
}

/// Which groups to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Those behind this one: `next` of the page before
    before: Option<String>,
    /// So many at most
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<usize>,
}

/// A page of groups.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupPage {
    /// The one with the newest part first.
    pub groups: Vec<GroupReport>,
    /// Where the next page begins, if there may be one.
    pub next: Option<String>,
}

/// A group that has a name and a folder.
#[derive(Debug, Serialize, ToSchema)]
pub struct Opened {
    /// Its name: no other group has it.
    pub group: String,
}

/// Opens a group: its folder is made below `results/`, and its parts may be handed in.
#[utoipa::path(post, path = "/api/v1/groups", tag = "groups", params(Named), responses(
    (status = 201, description = "It has a name", body = Opened),
    (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The folder cannot be made", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn open(desk: Data<Desk>, named: Query<Named>) -> Result<HttpResponse, Problem> {
    check_name(named.name.as_deref())?;
    let name = TaskName::tamed(named.name.as_deref().unwrap_or_default());
    let asked = desk
        .answers
        .ask(&desk.master.folders, |reply| OpenGroup { name, reply });
    match asked.await? {
        Answer::Opened(group) => Ok(HttpResponse::Created().json(Opened { group })),
        _ => Err(Problem::strange()),
    }
}

/// The groups that are remembered, the one with the newest part first.
#[utoipa::path(get, path = "/api/v1/groups", tag = "groups", params(Wanted), responses(
    (status = 200, description = "A page of them", body = GroupPage),
    (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn list(desk: Data<Desk>, wanted: Query<Wanted>) -> Result<Json<GroupPage>, Problem> {
    let limit = check_limit(wanted.limit)?;
    let before = wanted.into_inner().before;
    let list = |reply| ListGroups {
        before,
        limit,
        reply,
    };
    let asked = desk.answers.ask(&desk.master.scheduler, list);
    let Answer::Groups(groups) = asked.await? else {
        return Err(Problem::strange());
    };
    let last = groups.last().filter(|_| groups.len() == limit);
    let next = last.map(|group| group.group.clone());
    Ok(Json(GroupPage { groups, next }))
}

/// How a group is to be told.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// In full: also why parts wait, run or failed
    #[serde(default)]
    #[param(required = false)]
    why: bool,
}

/// How the parts of a group stand.
#[utoipa::path(get, path = "/api/v1/groups/{group}", tag = "groups",
    params(("group" = String, Path, description = "Its name, or `last`", example = "last"), Asked),
    responses(
        (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 200, description = "How many parts stand how", body = GroupReport),
        (status = 404, description = "There is no such group", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn one(
    desk: Data<Desk>,
    path: Path<String>,
    wanted: Query<Asked>,
) -> Result<Json<GroupReport>, Problem> {
    let why = wanted.why;
    let describe = |group, reply| DescribeGroup { group, why, reply };
    desk.group(path.into_inner(), describe).await
}

/// Takes back what of a group is open.
#[utoipa::path(post, path = "/api/v1/groups/{group}/cancel", tag = "groups",
    params(("group" = String, Path, description = "Its name, or `last`", example = "last"), Reason),
    responses(
        (status = 200, description = "How it stands: what is over stays as it was", body = GroupReport),
        (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such group", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The master cannot write it down now", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn cancel(
    desk: Data<Desk>,
    path: Path<String>,
    reason: Query<Reason>,
) -> Result<Json<GroupReport>, Problem> {
    let why = reason.into_inner().in_words()?;
    let cancel = |group, reply| CancelGroup { group, why, reply };
    desk.group(path.into_inner(), cancel).await
}

/// Which parts of a group are tried again.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Those in this state only: `failed` or `cancelled`
    state: Option<TaskState>,
}

/// Tries again what of a group failed or was cancelled.
#[utoipa::path(post, path = "/api/v1/groups/{group}/retry", tag = "groups",
    params(("group" = String, Path, description = "Its name, or `last`", example = "last"), Again),
    responses(
        (status = 200, description = "How it stands: what is done stays as it was", body = GroupReport),
        (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such group", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nothing of it failed, or the master cannot write it down now", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn retry(
    desk: Data<Desk>,
    path: Path<String>,
    again: Query<Again>,
) -> Result<Json<GroupReport>, Problem> {
    let states = again.into_inner().state.into_iter().collect();
    let retry = |group, reply| RetryGroup {
        group,
        states,
        reply,
    };
    desk.group(path.into_inner(), retry).await
}

impl Desk {
    /// Sends the scheduler a letter about a group, and answers with how that stands then.
    async fn group<M>(
        &self,
        group: String,
        letter: impl FnOnce(String, ReplyTo) -> M,
    ) -> Result<Json<GroupReport>, Problem>
    where
        SchedulerInbox: Hears<M>,
        M: Serialize + Send + 'static,
    {
        let scheduler = &self.master.scheduler;
        let asked = self
            .answers
            .ask(scheduler, |reply| letter(group.clone(), reply));
        match asked.await? {
            Answer::Group(Some(report)) => Ok(Json(report)),
            Answer::Group(None) => Err(Problem::not_found(format!(
                "no group {group:?} is known here: it is the name of one, or `last`"
            ))),
            _ => Err(Problem::strange()),
        }
    }
}
