//! What the API is, for programs: made from the handlers themselves.

use actix_web::HttpResponse;
use utoipa::openapi::{self, Content, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{
    events, gathered, groups, log, many, masters, metrics, output, peers, results, standing,
    submit, tasks,
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
        many::cancel,
        many::retry,
        tasks::one,
        tasks::cancel,
        tasks::retry,
        groups::list,
        groups::open,
        groups::one,
        groups::cancel,
        groups::retry,
        gathered::file,
        results::archive,
        results::stdout,
        results::stderr,
        output::output,
        events::events,
        log::log,
    ),
    modifiers(&TurnedAway)
)]
struct Api;

/// Says of each request that it may be turned away before it is looked at.
struct TurnedAway;

impl Modify for TurnedAway {
    fn modify(&self, api: &mut openapi::OpenApi) {
        for path in api.paths.paths.values_mut() {
            for asked in [&mut path.get, &mut path.post].into_iter().flatten() {
                let own = asked.responses.responses.entry("503".to_owned());
                own.or_insert_with(|| {
                    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
                    let turned_away = ResponseBuilder::new()
                        .description("Too many connections speak HTTP")
                        .content("application/problem+json", problem);
                    turned_away.build().into()
                });
            }
        }
    }
}

/// The description.
pub async fn openapi() -> HttpResponse {
    HttpResponse::Ok().json(Api::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_may_be_turned_away() {
        let api = serde_json::to_value(Api::openapi()).unwrap();
        for (path, asked) in api["paths"].as_object().unwrap() {
            for (method, described) in asked.as_object().unwrap() {
                let turned_away = &described["responses"]["503"]["content"];
                let problem = &turned_away["application/problem+json"]["schema"]["$ref"];
                assert_eq!(problem, "#/components/schemas/Problem", "{method} {path}");
            }
        }
    }
}
