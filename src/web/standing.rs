//! How the master stands.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use mutirao_actors::messages::DescribeQueue;
use mutirao_actors::wire::report::{MasterReport, MasterRole, QueueReport};

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;

impl Desk {
    /// How its queue stands.
    pub(super) async fn queue(&self) -> Result<QueueReport, Problem> {
        let describe = |reply| DescribeQueue { reply };
        let asked = self.answers.ask(&self.master.scheduler, describe);
        match asked.await? {
            Answer::Queue(queue) => Ok(queue),
            _ => Err(Problem::strange()),
        }
    }

    /// How it stands.
    pub(super) async fn report(&self) -> Result<MasterReport, Problem> {
        let identity = &self.master.identity;
        Ok(MasterReport {
            role: MasterRole::Master,
            name: identity.name.clone(),
            master_id: identity.id,
            version: identity.version.clone(),
            uptime_s: self.clock.now().0 / 1_000_000,
            queue: self.queue().await?,
        })
    }
}

/// Whether the program lives.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the master works: its disk takes what it has to write down.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "It does", body = String, content_type = "text/plain"),
    (status = 503, description = "It does not, and why", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "It does not answer", body = Problem, content_type = "application/problem+json")))]
pub async fn readyz(desk: Data<Desk>) -> Result<&'static str, Problem> {
    match desk.queue().await?.trouble {
        Some(trouble) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, trouble)),
        None => Ok("ready\n"),
    }
}

/// How the master and its queue stand.
#[utoipa::path(get, path = "/api/v1/status", tag = "master", responses(
    (status = 200, description = "As `mutirao status --json` prints it", body = MasterReport),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn status(desk: Data<Desk>) -> Result<Json<MasterReport>, Problem> {
    desk.report().await.map(Json)
}
