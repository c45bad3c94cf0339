//! Which masters answer on the network of this one.
//!
//! Rule: asking costs everybody on the network a broadcast, so there is one search at a time, and what it found is told for a
//! while.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use mutirao_actors::model::Moment;
use tokio::sync::Mutex;

use super::Desk;
use super::problem::Problem;
use crate::search::{self, MasterRow};
use crate::sockets::udp::Everywhere;

/// How long answers are waited for: every master here answers within milliseconds, and is asked twice.
const WAIT: Duration = Duration::from_millis(1200);
/// How long an answer is told again.
const FRESH: Duration = Duration::from_secs(5);

/// What was found the last time, and when.
#[derive(Debug)]
pub(super) struct Found {
    /// The UDP ports on which masters are asked.
    ports: Vec<u16>,
    last: Mutex<Option<(Moment, Vec<MasterRow>)>>,
}

impl Found {
    /// Nothing yet.
    pub fn new(ports: Vec<u16>) -> Self {
        Self {
            ports,
            last: Mutex::new(None),
        }
    }
}

/// All masters that answer on the network of this one, itself among them; those of other groups too.
#[utoipa::path(get, path = "/api/v1/masters", tag = "master", responses(
    (status = 200, description = "As `mutirao masters --json` prints them, at most 5 s old", body = Vec<MasterRow>),
    (status = 503, description = "No question can be sent", body = Problem, content_type = "application/problem+json")))]
pub async fn list(desk: Data<Desk>) -> Result<Json<Vec<MasterRow>>, Problem> {
    let mut last = desk.masters.last.lock().await;
    if let Some((at, rows)) = &*last
        && desk.clock.now().since(*at) < FRESH
    {
        return Ok(Json(rows.clone()));
    }
    let everywhere = Everywhere {
        ports: desk.masters.ports.clone(),
        places: Vec::new(),
    };
    let heard = search::masters(everywhere, WAIT).await;
    let heard =
        heard.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let rows = search::rows(heard.ranked(&[]));
    *last = Some((desk.clock.now(), rows.clone()));
    Ok(Json(rows))
}
