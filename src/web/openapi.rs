//! What the API is, for programs: made from the handlers themselves.

use actix_web::HttpResponse;
use utoipa::OpenApi;

use super::{
    events, groups, log, masters, metrics, output, peers, results, standing, submit, tasks,
};

/// The control API of a mutirao master.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "mutirao",
        description = "The control API of a master: looks at and changes its queue."
    ),
    paths(
        standing::healthz,
        standing::readyz,
        metrics::metrics,
        standing::status,
        masters::list,
        peers::list,
        peers::one,
        peers::drain,
        tasks::list,
        submit::submit,
        tasks::one,
        tasks::cancel,
        tasks::retry,
        groups::list,
        groups::open,
        groups::one,
        groups::cancel,
        groups::retry,
        results::archive,
        results::stdout,
        results::stderr,
        output::output,
        events::events,
        log::log,
    )
)]
struct Api;

/// The description.
pub async fn openapi() -> HttpResponse {
    HttpResponse::Ok().json(Api::openapi())
}
