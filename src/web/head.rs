//! HEAD: what GET would answer, without its body.
//!
//! Rule: what shows something is asked by both, and is told apart here alone. A body is not begun that nobody is sent, for
//! some never end. And its length stands among the fields, where actix takes it from none: of requests that came at once it
//! takes each answer for one to the last of them, and would wait for a body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Route;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::{Any, Get, Head};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};

/// A body that is told of and not sent.
struct Told;

impl MessageBody for Told {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// A route that shows something.
pub fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// Answers HEAD without a body.
pub async fn without_body<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let is_head = request.method() == Method::HEAD;
    let mut response = next.call(request).await?;
    if !is_head {
        return Ok(response.map_into_boxed_body());
    }
    let (size, is_chunked) = (
        response.response().body().size(),
        response.response().head().chunked(),
    );
    let fields = response.headers_mut();
    match size {
        BodySize::Sized(length) => drop(fields.insert(CONTENT_LENGTH, length.into())),
        BodySize::Stream if is_chunked => {
            let chunked = HeaderValue::from_static("chunked");
            fields.insert(TRANSFER_ENCODING, chunked);
        }
        BodySize::Stream | BodySize::None => {}
    }
    response.response_mut().head_mut().no_chunking(true);
    Ok(response.map_body(|_, _| BoxBody::new(Told)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use actix_http::HttpService;
    use actix_service::{ServiceFactory as _, boxed, map_config};
    use actix_web::dev::AppConfig;
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse};
    use futures_util::stream::pending;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::task::LocalSet;
    use tokio::time::sleep;

    use super::super::serve_on;
    use super::*;
    use crate::sockets::begun::Begun;

    /// What is answered to requests that come at once, behind which nothing more does.
    async fn answered(requests: &[&str]) -> String {
        // Others are read before this is answered.
        let late = || async {
            sleep(Duration::from_millis(1)).await;
            "late"
        };
        let endless =
            || async { HttpResponse::Ok().streaming(pending::<Result<Bytes, Infallible>>()) };
        let app = App::new()
            .wrap(from_fn(without_body))
            .route("/late", get().to(late))
            .route("/endless", get().to(endless));
        let app = map_config(app, |()| AppConfig::default());
        let service = HttpService::build().h1(app).new_service(()).await;
        let (near, mut far) = duplex(4096);
        for request in requests {
            let request = format!("{request} HTTP/1.1\r\nHost: lab\r\n\r\n");
            far.write_all(request.as_bytes()).await.unwrap();
        }
        far.shutdown().await.unwrap();
        let stream = Begun::read(Box::new(near)).await.unwrap();
        let remote = (Ipv4Addr::LOCALHOST, 1).into();
        let (service, mut answer) = (boxed::service(service.unwrap()), String::new());
        let read = far.read_to_string(&mut answer);
        tokio::join!(serve_on(&service, stream, remote), read)
            .1
            .unwrap();
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_come_behind_a_head_are_answered_where_they_belong() {
        let play = async {
            for first in ["HEAD /late", "HEAD /endless", "HEAD /none"] {
                let answer = answered(&[first, "GET /late"]).await;
                let (head, behind) = answer.split_once("\r\n\r\n").unwrap();
                assert_eq!(
                    head.contains("content-length: 4"),
                    first == "HEAD /late",
                    "{head}"
                );
                assert!(behind.starts_with("HTTP/1.1 200 OK\r\n"), "{behind}");
                assert!(behind.ends_with("\r\n\r\nlate"), "{behind}");
            }
        };
        LocalSet::new().run_until(play).await;
    }
}
