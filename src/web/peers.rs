//! Who is in the cluster.

use actix_web::web::{Data, Json, Path};
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::ListPeers;
use mutirao_actors::wire::report::PeerRow;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;

impl Desk {
    /// Everybody who is here.
    pub(super) async fn peers(&self) -> Result<Vec<PeerRow>, Problem> {
        let registry = &self.master.registry;
        let asked = self
            .answers
            .ask(|reply| registry.tell(ListPeers { reply }, Cause::OUTSIDE));
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
