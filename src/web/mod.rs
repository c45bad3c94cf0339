//! HTTP on the master's one port: the control API, its description, metrics and health.
//!
//! Rule: HTTP is one more way to ask the actors. A request becomes a letter with an address for its answer, the answer
//! becomes the response, and nothing is known here that an actor would not tell. Who asks from another machine may look
//! and not change, until the master is told otherwise: nobody has said yet who they are.

mod access;
mod answers;
mod events;
mod fed;
mod gathered;
mod groups;
mod head;
mod life;
mod log;
mod many;
mod masters;
mod metrics;
mod openapi;
mod output;
mod peers;
mod problem;
mod results;
mod standing;
mod submit;
mod tasks;
mod turns;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{Service as _, ServiceFactory as _, boxed, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, post, resource};
use actix_web::{App, Resource, web};
use mutirao_actors::clock::Clock;
use mutirao_actors::connection::Counted;
use mutirao_actors::message_log::MessageLog;
use mutirao_actors::messages::OutputsInbox;
use mutirao_actors::peer_session::MasterDesk;
use mutirao_actors::port::Port;
use tokio::sync::Semaphore;

use crate::sockets::begun::Begun;
use answers::Answers;
use head::get;
use life::watched;
use masters::Found;
use turns::Turns;

/// Connections that speak HTTP at a time: enough for a room of people, and never the seats of the peers.
const CONNECTIONS_MAX: usize = 256;
/// Those of one address.
const CONNECTIONS_OF_ONE_MAX: usize = 64;
/// How long one may be quiet between two requests: browsers keep theirs for about as long.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the head of the first request may take.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long an answer that was not read whole is waited for to be read, before the connection is closed on it.
const LINGER: Duration = Duration::from_secs(5);
/// Bytes of tasks that are being handed in at a time, in KiB: two of the longest, each twice as it grows.
const BODIES_MAX_KIB: usize = 256 << 10;

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
    outputs: Port<OutputsInbox>,
    clock: Clock,
    log: MessageLog,
    answers: Answers,
    changes: Changes,
    masters: Found,
    /// Room for tasks that are being handed in, in KiB.
    bodies: Semaphore,
    /// Turns of those who look through the message log.
    looks: Turns,
}

type Connections =
    boxed::BoxService<(Counted<Begun>, Option<SocketAddr>), (), actix_http::error::DispatchError>;

/// Serves HTTP on connections that were let in.
pub struct Web {
    service: Option<Connections>,
    open: RefCell<HashMap<IpAddr, usize>>,
}

/// A connection's place among those that are open.
struct Place<'a>(&'a RefCell<HashMap<IpAddr, usize>>, IpAddr);

impl Web {
    /// Serves for this master and whoever tells what its tasks print; others are found where it is: on these UDP ports.
    pub async fn start(
        (master, outputs): (MasterDesk, Port<OutputsInbox>),
        ports: Vec<u16>,
        changes: Changes,
        clock: Clock,
        log: MessageLog,
    ) -> Self {
        let desk = Desk {
            answers: Answers::start(log.clone()),
            master: master.used_by(answers::NAME),
            outputs: outputs.used_by(answers::NAME),
            clock,
            log,
            changes,
            masters: Found::new(ports),
            bodies: Semaphore::new(BODIES_MAX_KIB),
            looks: Turns::default(),
        };
        let app = App::new()
            .app_data(Data::new(desk))
            .wrap(from_fn(access::check))
            .wrap(from_fn(head::without_body))
            .configure(routes);
        let app = map_config(app, |()| AppConfig::default());
        let connections = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_MAX)
            .client_disconnect_timeout(LINGER)
            .h1(app);
        let service = connections.new_service(()).await;
        Self {
            // Neither our routes nor our middleware can fail to be made.
            service: service.ok().map(boxed::service),
            open: RefCell::default(),
        }
    }

    /// Serves one connection until it ends or is cut; one too many is told so and closed.
    pub async fn serve(&self, stream: Begun, remote: SocketAddr) {
        let (Some(service), Some(_place)) = (&self.service, self.place(remote.ip())) else {
            tracing::warn!(%remote, "turned an HTTP connection away: too many are open");
            return problem::turn_away(stream).await;
        };
        serve_on(service, stream, remote).await;
    }

    fn place(&self, address: IpAddr) -> Option<Place<'_>> {
        let mut open = self.open.borrow_mut();
        let all: usize = open.values().sum();
        let of_one = open.get(&address).copied().unwrap_or_default();
        if all >= CONNECTIONS_MAX || of_one >= CONNECTIONS_OF_ONE_MAX {
            return None;
        }
        open.insert(address, of_one + 1);
        Some(Place(&self.open, address))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut open = self.0.borrow_mut();
        match open.get_mut(&self.1) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.1)),
        }
    }
}

/// Serves one connection that has its place.
async fn serve_on(service: &Connections, stream: Begun, remote: SocketAddr) {
    let (stream, life) = watched(stream);
    let served = service.call((stream, Some(remote)));
    tokio::select! {
        biased;
        ended = served => if let Err(error) = ended {
            tracing::debug!(%remote, "an HTTP connection ended: {error}");
        },
        why = life.end() => tracing::debug!(%remote, "cut an HTTP connection: {why}"),
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
        .service(look("/api/v1/masters").route(get().to(masters::list)))
        .service(look("/api/v1/peers").route(get().to(peers::list)))
        .service(look("/api/v1/peers/{peer_id}").route(get().to(peers::one)))
        .service(at("/api/v1/peers/{peer_id}/drain", "POST").route(post().to(peers::drain)))
        .service(look("/api/v1/events").route(get().to(events::events)))
        .service(look("/api/v1/log").route(get().to(log::log)))
        .service(
            at("/api/v1/tasks", "GET, HEAD, POST")
                .route(get().to(tasks::list))
                .route(post().to(submit::submit)),
        )
        // Before those of one task, which has another name then.
        .service(at("/api/v1/tasks/cancel", "POST").route(post().to(many::cancel)))
        .service(at("/api/v1/tasks/retry", "POST").route(post().to(many::retry)))
        .service(look("/api/v1/tasks/{task}").route(get().to(tasks::one)))
        .service(at("/api/v1/tasks/{task}/cancel", "POST").route(post().to(tasks::cancel)))
        .service(at("/api/v1/tasks/{task}/retry", "POST").route(post().to(tasks::retry)))
        .service(look("/api/v1/tasks/{task}/result").route(get().to(results::archive)))
        .service(look("/api/v1/tasks/{task}/stdout").route(get().to(results::stdout)))
        .service(look("/api/v1/tasks/{task}/stderr").route(get().to(results::stderr)))
        .service(look("/api/v1/tasks/{task}/output").route(get().to(output::output)))
        .service(
            at("/api/v1/groups", "GET, HEAD, POST")
                .route(get().to(groups::list))
                .route(post().to(groups::open)),
        )
        .service(look("/api/v1/groups/{group}").route(get().to(groups::one)))
        .service(look("/api/v1/groups/{group}/files/{file}").route(get().to(gathered::file)))
        .service(at("/api/v1/groups/{group}/cancel", "POST").route(post().to(groups::cancel)))
        .service(at("/api/v1/groups/{group}/retry", "POST").route(post().to(groups::retry)))
        .default_service(web::to(problem::nothing_there));
}

/// A path that is asked in these ways.
fn at(path: &str, allowed: &'static str) -> Resource {
    let refuse = move |request| problem::wrong_method(request, allowed);
    resource(path).default_service(web::to(refuse))
}

/// A path that shows something.
fn look(path: &str) -> Resource {
    at(path, "GET, HEAD")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::Ipv4Addr;

    use actix_http::{Request, Response};
    use actix_service::fn_service;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::LocalSet;
    use tokio::time::{sleep, timeout};

    use super::*;

    /// One connection, on which every answer takes so long.
    async fn served(answer_takes: Duration, asks: impl AsyncFnOnce(DuplexStream)) {
        let answer = move |_: Request| async move {
            sleep(answer_takes).await;
            Ok::<_, Infallible>(Response::ok().set_body("late"))
        };
        let service = HttpService::build().h1(fn_service(answer));
        let service = boxed::service(service.new_service(()).await.unwrap());
        let (near, mut far) = duplex(4096);
        let request = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n";
        far.write_all(request).await.unwrap();
        let stream = Begun::read(Box::new(near)).await.unwrap();
        let remote = (Ipv4Addr::LOCALHOST, 1).into();
        tokio::join!(serve_on(&service, stream, remote), asks(far));
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_while_it_waits_does_not_keep_its_place() {
        let play = async {
            let answer_takes = Duration::from_secs(60);
            let served = served(answer_takes, async |far| drop(far));
            assert!(timeout(answer_takes / 2, served).await.is_ok());
        };
        LocalSet::new().run_until(play).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_closes_only_its_half_is_answered() {
        let play = async {
            let reads = async |mut far: DuplexStream| {
                far.shutdown().await.unwrap();
                let mut answer = String::new();
                far.read_to_string(&mut answer).await.unwrap();
                assert!(answer.ends_with("late"), "{answer}");
            };
            served(Duration::from_secs(5), reads).await;
        };
        LocalSet::new().run_until(play).await;
    }
}
