//! What is answered when something cannot be done: `application/problem+json` (RFC 9457).

use std::fmt;
use std::time::Duration;

use actix_web::error::{PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use actix_web::web::{PathConfig, QueryConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink};
use tokio::time::timeout;
use utoipa::ToSchema;

/// How long whoever is turned away may take to read why, and to hang up.
const TURN_AWAY_MAX: Duration = Duration::from_secs(1);
/// Bytes that are read of what it asks, and thrown away: a request without a body, some times over.
const ASKED_MAX: u64 = 64 << 10;

/// Why a request was not done. Nothing has changed, save after a 504: what was asked may still be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The status in words.
    pub title: String,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened, to what, and what to do, for a reader.
    pub detail: String,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
        }
    }

    /// Something is not here.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// What was sent cannot be understood.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The master will not, or cannot now.
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// An actor did not answer.
    pub fn silent(after: Duration) -> Self {
        let seconds = after.as_secs();
        let detail = format!(
            "the master did not answer within {seconds} s: it is very busy, or its disk hangs. \
             What was asked may still be done: look before you ask again"
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, detail)
    }

    /// An actor answered something else than it was asked.
    pub fn strange() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the master answered something else",
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code())
            .insert_header((CONTENT_TYPE, "application/problem+json"))
            .json(self)
    }
}

/// Says on a connection for which there is no place that others have to end first, whatever was asked, and closes it.
pub async fn turn_away(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many connections to this master speak HTTP, or too many of them from your machine: end some, or come again later",
    );
    let Ok(body) = serde_json::to_string(&problem) else {
        return;
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    let told = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // What is not read when a connection is closed takes the answer back.
        copy(&mut stream.take(ASKED_MAX), &mut sink()).await
    };
    // Whoever does not hang up then has had the time to read it.
    let _ = timeout(TURN_AWAY_MAX, told).await;
}

/// What a part of a path cannot be is not there.
pub fn of_paths() -> PathConfig {
    PathConfig::default().error_handler(|error: PathError, _: &HttpRequest| {
        Problem::not_found(error.to_string()).into()
    })
}

/// What a query may not say.
pub fn of_queries() -> QueryConfig {
    QueryConfig::default().error_handler(|error: QueryPayloadError, _: &HttpRequest| {
        Problem::bad(error.to_string()).into()
    })
}

/// There is no such path.
pub async fn nothing_there(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (method, path) = (request.method(), request.path());
    let what = format!("{method} {path} is not known here; /api/openapi.json tells what is");
    Err(Problem::not_found(what))
}

/// The path is not asked in that way; `allowed` says in which.
pub async fn wrong_method(request: HttpRequest, allowed: &'static str) -> HttpResponse {
    let (method, path) = (request.method(), request.path());
    let what = format!("{path} is asked by {allowed}, not by {method}");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, what);
    let mut response = problem.error_response();
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}
