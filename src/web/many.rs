//! Changing many tasks with one request.
//!
//! Rule: whoever asks says which, by their ids or by what they have in common; to say nothing is a slip, and not all of them.
//! The master does no more for one request than for one of the protocol's, and says where the next begins.

use std::collections::BTreeSet;

use actix_web::web::{Data, Json, Query};
use mutirao_actors::logic::ledger::{FOUND_MAX, Meant};
use mutirao_actors::messages::{CancelSome, ReplyTo, RetrySome, SchedulerInbox};
use mutirao_actors::model::TaskId;
use mutirao_actors::port::Hears;
use mutirao_actors::wire::report::{Sought, SweepReport, TaskState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;
use super::tasks::in_words;

/// Ids of tasks, with commas between them.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(
    pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(,[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}){0,999}$"
)]
struct Ids(String);

/// In which state a task is that can be taken back: whoever asks for another one is told, and not that there was none.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OpenState {
    /// Waits for a peer.
    Queued,
    /// Runs at a peer.
    Leased,
}

impl From<OpenState> for TaskState {
    fn from(state: OpenState) -> Self {
        match state {
            OpenState::Queued => Self::Queued,
            OpenState::Leased => Self::Leased,
        }
    }
}

/// In which state a task is that can be tried again.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LostState {
    /// Failed for good.
    Failed,
    /// Was cancelled.
    Cancelled,
}

impl From<LostState> for TaskState {
    fn from(state: LostState) -> Self {
        match state {
            LostState::Failed => Self::Failed,
            LostState::Cancelled => Self::Cancelled,
        }
    }
}

/// Which open tasks are taken back.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Cancelled {
    /// Those with these ids, with commas between them, and no others
    #[param(inline)]
    tasks: Option<Ids>,
    /// Those in this state
    #[param(inline)]
    state: Option<OpenState>,
    /// Those of this group
    group: Option<String>,
    /// Those that are no parts of a group
    single: Option<bool>,
    /// Every one
    all: Option<bool>,
    /// Those behind the ones that were looked at: `next` of the answer before
    #[param(minimum = 0, maximum = 4294967295u64, default = 0)]
    from: Option<u32>,
    /// In words for a reader
    #[param(max_length = 500)]
    reason: Option<String>,
}

/// Which tasks are tried again, of those that failed or were cancelled.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Retried {
    /// Those with these ids, with commas between them, and no others
    #[param(inline)]
    tasks: Option<Ids>,
    /// Those in this state
    #[param(inline)]
    state: Option<LostState>,
    /// Those of this group
    group: Option<String>,
    /// Those that are no parts of a group
    single: Option<bool>,
    /// Every one
    all: Option<bool>,
    /// Those behind the ones that were looked at: `next` of the answer before
    #[param(minimum = 0, maximum = 4294967295u64, default = 0)]
    from: Option<u32>,
}

/// What is asked of tasks.
struct Asked {
    tasks: Option<Ids>,
    all: bool,
    from: Option<u32>,
    sought: Sought,
}

impl Asked {
    /// The tasks that are asked for.
    fn which(self) -> Result<(Sought, Meant), Problem> {
        let says_what = self.sought != Sought::default() || self.all;
        match self.tasks.map(|typed| ids(&typed.0)).transpose()? {
            // Each word by itself is as it should be, so they are understood, and refused together.
            Some(_) if says_what || self.from.is_some() => Err(Problem::refused(
                "tasks goes alone: it says which by itself, and they are done at once",
            )),
            Some(tasks) => Ok((Sought::default(), Meant::These(tasks))),
            None if !says_what => Err(Problem::refused(
                "say which tasks: tasks=<ids>, state=<state>, group=<group>, single=true, or all=true for every one",
            )),
            None => Ok((self.sought, Meant::From(self.from.unwrap_or_default()))),
        }
    }
}

/// These ids, each once.
fn ids(typed: &str) -> Result<BTreeSet<TaskId>, Problem> {
    if typed.split(',').nth(FOUND_MAX).is_some() {
        return Err(Problem::bad(format!(
            "tasks has at most {FOUND_MAX} ids: ask for the others in a request of their own"
        )));
    }
    typed.split(',').map(id).collect()
}

/// An id as it is shown.
fn id(typed: &str) -> Result<TaskId, Problem> {
    let id = Uuid::try_parse(typed).ok();
    let id = id.filter(|_| typed.len() == uuid::fmt::Hyphenated::LENGTH);
    id.map(TaskId).ok_or_else(|| {
        Problem::bad(format!(
            "{typed:?} in tasks is no id: they are like {}, with commas between them",
            Uuid::nil()
        ))
    })
}

/// Takes many tasks back, of those that are open: at most 1,000 of them.
#[utoipa::path(post, path = "/api/v1/tasks/cancel", tag = "tasks", params(Cancelled), responses(
    (status = 200, description = "How many, and where it goes on", body = SweepReport),
    (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not said which, or the master cannot write it down now", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn cancel(
    desk: Data<Desk>,
    wanted: Query<Cancelled>,
) -> Result<Json<SweepReport>, Problem> {
    let wanted = wanted.into_inner();
    let why = in_words(wanted.reason)?;
    let asked = Asked {
        tasks: wanted.tasks,
        all: wanted.all == Some(true),
        from: wanted.from,
        sought: sought(wanted.state, wanted.group, wanted.single),
    };
    let (sought, meant) = asked.which()?;
    let cancel = |reply| CancelSome {
        sought,
        meant,
        why,
        reply,
    };
    desk.sweep(cancel).await
}

/// Tries many tasks again, of those that failed or were cancelled: at most 1,000 of them, and what was cancelled with them.
#[utoipa::path(post, path = "/api/v1/tasks/retry", tag = "tasks", params(Retried), responses(
    (status = 200, description = "How many, and where it goes on", body = SweepReport),
    (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not said which, or the master cannot write it down now", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn retry(desk: Data<Desk>, wanted: Query<Retried>) -> Result<Json<SweepReport>, Problem> {
    let wanted = wanted.into_inner();
    let asked = Asked {
        tasks: wanted.tasks,
        all: wanted.all == Some(true),
        from: wanted.from,
        sought: sought(wanted.state, wanted.group, wanted.single),
    };
    let (sought, meant) = asked.which()?;
    let retry = |reply| RetrySome {
        sought,
        meant,
        reply,
    };
    desk.sweep(retry).await
}

/// What they have in common.
fn sought(
    state: Option<impl Into<TaskState>>,
    group: Option<String>,
    single: Option<bool>,
) -> Sought {
    Sought {
        states: state.into_iter().map(Into::into).collect(),
        group,
        single: single == Some(true),
    }
}

impl Desk {
    /// Sends the scheduler a letter about many tasks, and answers with how far it has come.
    async fn sweep<M>(
        &self,
        letter: impl FnOnce(ReplyTo) -> M,
    ) -> Result<Json<SweepReport>, Problem>
    where
        SchedulerInbox: Hears<M>,
        M: Serialize + Send + 'static,
    {
        match self.answers.ask(&self.master.scheduler, letter).await? {
            Answer::Swept(report) => Ok(Json(report)),
            _ => Err(Problem::strange()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tasks: Option<&str>, sought: Sought) -> Asked {
        Asked {
            tasks: tasks.map(|typed| Ids(typed.to_owned())),
            all: false,
            from: None,
            sought,
        }
    }

    #[test]
    fn ids_are_told_from_other_words_and_there_are_only_so_many() {
        let one = "0193d5a0-6b1c-7000-8000-00000000000A";
        assert_eq!(ids(&format!("{one},{one}")).unwrap().len(), 1);
        let many = |count| vec![one; count].join(",");
        assert!(ids(&many(FOUND_MAX)).is_ok());
        let simple = one.replace('-', "");
        let braced = format!("{{{one}}}");
        for wrong in ["", ",", "last", &many(FOUND_MAX + 1), &simple, &braced] {
            assert_eq!(ids(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn whoever_says_nothing_means_nothing_and_ids_go_alone() {
        let nothing = asked(None, Sought::default()).which().unwrap_err();
        assert_eq!(nothing.status, 409);
        let all = Asked {
            all: true,
            ..asked(None, Sought::default())
        };
        assert!(matches!(all.which(), Ok((_, Meant::From(0)))));
        let failed = || sought(Some(TaskState::Failed), None, None);
        assert!(asked(None, failed()).which().is_ok());
        let id = Uuid::nil().to_string();
        let these = asked(Some(&id), Sought::default()).which();
        assert!(matches!(these, Ok((_, Meant::These(ids))) if ids.len() == 1));
        assert_eq!(asked(Some(&id), failed()).which().unwrap_err().status, 409);
    }
}
