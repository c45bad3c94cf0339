//! Who is in the cluster.

use actix_web::web::{Data, Json, Path, Query};
use mutirao_actors::messages::{DrainPeer, ListPeers};
use mutirao_actors::model::PeerId;
use mutirao_actors::wire::report::{DrainReport, PeerRow};
use serde::Deserialize;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;

impl Desk {
    /// Everybody who is here.
    pub(super) async fn peers(&self) -> Result<Vec<PeerRow>, Problem> {
        let asked = self
            .answers
            .ask(&self.master.registry, |reply| ListPeers { reply });
        match asked.await? {
            Answer::Peers(peers) => Ok(peers),
            _ => Err(Problem::strange()),
        }
    }
}

/// All peers of the cluster.
#[utoipa::path(get, path = "/api/v1/peers", tag = "peers", responses(
    (status = 200, description = "As `mutirao peers --json` prints them", body = Vec<PeerRow>),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn list(desk: Data<Desk>) -> Result<Json<Vec<PeerRow>>, Problem> {
    desk.peers().await.map(Json)
}

/// The peers of one `peer_id`: mostly one.
#[utoipa::path(get, path = "/api/v1/peers/{peer_id}", tag = "peers",
    params(("peer_id" = String, Path, description = "Who")),
    responses(
        (status = 200, description = "One, or several machines under one name", body = Vec<PeerRow>),
        (status = 404, description = "Nobody of that name is here", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn one(desk: Data<Desk>, path: Path<String>) -> Result<Json<Vec<PeerRow>>, Problem> {
    let mut peers = desk.peers().await?;
    peers.retain(|peer| peer.peer_id.as_str() == *path);
    if peers.is_empty() {
        return Err(Problem::not_found(format!("no peer {path:?} is here")));
    }
    Ok(Json(peers))
}

/// Whether that is undone.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Give it tasks again
    undo: Option<bool>,
}

/// Gives a peer nothing more; it ends what it has.
#[utoipa::path(post, path = "/api/v1/peers/{peer_id}/drain", tag = "peers",
    params(("peer_id" = String, Path, description = "Who, here or not"), Undo),
    responses(
        (status = 200, description = "Whether it is given anything", body = DrainReport),
        (status = 400, description = "That is no name of a peer, or the query is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not from there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "That can be no peer", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The master cannot write it down now", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn drain(
    desk: Data<Desk>,
    path: Path<String>,
    undo: Query<Undo>,
) -> Result<Json<DrainReport>, Problem> {
    let peer: PeerId = path
        .parse()
        .map_err(|_| Problem::bad(format!("{path:?} can be no peer_id")))?;
    let is_drained = !undo.undo.unwrap_or(false);
    let drain = |reply| DrainPeer {
        peer,
        is_drained,
        reply,
    };
    let asked = desk.answers.ask(&desk.master.scheduler, drain);
    match asked.await? {
        Answer::Drained(report) => Ok(Json(report)),
        _ => Err(Problem::strange()),
    }
}
