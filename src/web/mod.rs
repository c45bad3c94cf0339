//! HTTP on the master's one port: the control API, its description, metrics and health.
//!
//! Rule: HTTP is one more way to ask the actors. A request becomes a letter with an address for its answer, the answer
//! becomes the response, and nothing is known here that an actor would not tell. Who asks from another machine may look
//! and not change, until the master is told otherwise: nobody has said yet who they are.

mod access;
mod answers;
mod events;
mod groups;
mod metrics;
mod openapi;
mod peers;
mod problem;
mod results;
mod standing;
mod submit;
mod tasks;

use std::net::SocketAddr;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{Service as _, ServiceFactory as _, boxed, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use actix_web::{App, Resource, web};
use mutirao_actors::clock::Clock;
use mutirao_actors::message_log::MessageLog;
use mutirao_actors::peer_session::MasterDesk;
use tokio::sync::Semaphore;

use crate::sockets::begun::Begun;
use answers::Answers;

/// Connections that speak HTTP at a time: enough for a room of people, and never the seats of the peers.
const CONNECTIONS_MAX: usize = 256;
/// How long one may be quiet between two requests: browsers keep theirs for about as long.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the head of a request may take.
const HEAD_MAX: Duration = Duration::from_secs(10);

/// Who may change something over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Changes {
    /// Programs on the master's own machine.
    #[default]
    FromHere,
    /// Programs on any machine.
    FromAnywhere,
}

/// What the handlers of requests share.
struct Desk {
    master: MasterDesk,
    clock: Clock,
    log: MessageLog,
    answers: Answers,
    changes: Changes,
}

type Connections =
    boxed::BoxService<(Begun, Option<SocketAddr>), (), actix_http::error::DispatchError>;

/// Serves HTTP on connections that were let in.
pub struct Web {
    service: Option<Connections>,
    room: Semaphore,
}

impl Web {
    /// Serves for this master.
    pub async fn start(
        master: MasterDesk,
        changes: Changes,
        clock: Clock,
        log: MessageLog,
    ) -> Self {
        let desk = Desk {
            answers: Answers::start(log.clone()),
            master,
            clock,
            log,
            changes,
        };
        let app = App::new()
            .app_data(Data::new(desk))
            .wrap(from_fn(access::check))
            .configure(routes);
        let app = map_config(app, |()| AppConfig::default());
        let connections = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_MAX)
            .h1(app);
        let service = connections.new_service(()).await;
        Self {
            // Neither our routes nor our middleware can fail to be made.
            service: service.ok().map(boxed::service),
            room: Semaphore::new(CONNECTIONS_MAX),
        }
    }

    /// Serves one connection until it ends; one too many is closed.
    pub async fn serve(&self, stream: Begun, remote: SocketAddr) {
        let Ok(_place) = self.room.try_acquire() else {
            tracing::warn!(%remote, "turned an HTTP connection away: {CONNECTIONS_MAX} are open");
            return;
        };
        let Some(service) = &self.service else {
            return;
        };
        if let Err(error) = service.call((stream, Some(remote))).await {
            tracing::debug!(%remote, "an HTTP connection ended: {error}");
        }
    }
}

fn routes(config: &mut ServiceConfig) {
    config
        .app_data(problem::of_paths())
        .app_data(problem::of_queries())
        .service(look("/healthz").route(get().to(standing::healthz)))
        .service(look("/readyz").route(get().to(standing::readyz)))
        .service(look("/metrics").route(get().to(metrics::metrics)))
        .service(look("/api/openapi.json").route(get().to(openapi::openapi)))
        .service(look("/api/v1/status").route(get().to(standing::status)))
        .service(look("/api/v1/peers").route(get().to(peers::list)))
        .service(look("/api/v1/peers/{peer_id}").route(get().to(peers::one)))
        .service(look("/api/v1/events").route(get().to(events::events)))
        .service(
            at("/api/v1/tasks", "GET, POST")
                .route(get().to(tasks::list))
                .route(post().to(submit::submit)),
        )
        .service(look("/api/v1/tasks/{task}").route(get().to(tasks::one)))
        .service(at("/api/v1/tasks/{task}/cancel", "POST").route(post().to(tasks::cancel)))
        .service(look("/api/v1/tasks/{task}/result").route(get().to(results::archive)))
        .service(look("/api/v1/tasks/{task}/stdout").route(get().to(results::stdout)))
        .service(look("/api/v1/tasks/{task}/stderr").route(get().to(results::stderr)))
        .service(at("/api/v1/groups", "POST").route(post().to(groups::open)))
        .service(look("/api/v1/groups/{group}").route(get().to(groups::one)))
        .service(at("/api/v1/groups/{group}/cancel", "POST").route(post().to(groups::cancel)))
        .default_service(web::to(problem::nothing_there));
}

/// A path that is asked in these ways.
fn at(path: &str, allowed: &'static str) -> Resource {
    let refuse = move |request| problem::wrong_method(request, allowed);
    resource(path).default_service(web::to(refuse))
}

/// A path that shows something.
fn look(path: &str) -> Resource {
    at(path, "GET")
}
