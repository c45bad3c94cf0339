//! HEAD: what GET would answer, without its body.
//!
//! Rule: what shows something is asked by both, and is told apart here alone. A body is not begun that nobody is sent, for
//! some never end.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Route;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::{Any, Get, Head};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};

/// A body that is told of and not sent.
struct Told(BodySize);

impl MessageBody for Told {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
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
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| match is_head {
        true => BoxBody::new(Told(body.size())),
        false => BoxBody::new(body),
    }))
}
