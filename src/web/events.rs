//! What happens, as it happens: server-sent events.
//!
//! Rule: an event is a line of the message log, with the kind of its letter as its name and its number as its id.
//! Whoever comes back with the last id goes on behind it, as long as that is remembered.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::Stream;
use futures_util::stream::unfold;
use mutirao_actors::message_log::{Line, MessageLog};
use serde::Deserialize;
use tokio::time::sleep;

use super::Desk;
use super::problem::Problem;

/// How often it is looked for news: whoever waits for a task is not kept waiting. Where nothing has happened a look costs as much
/// as reading a number.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Lines that are taken at a time: a reader that is slow holds no more.
const LINES_MAX: usize = 64;
/// Looks without news after which a comment shows that the connection lives.
const QUIET_LOOKS: u32 = 750;
/// What is told when nothing else is wished: the lives of tasks and of peers.
const USUAL: &str = "TaskArrived,TaskOffered,ResultKept,TaskEnded,PeerJoined,PeerLeft";
/// Longest list of kinds, in bytes.
const KINDS_MAX: usize = 1024;

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Kinds of letters, with commas between them
    #[param(
        max_length = 1024,
        default = "TaskArrived,TaskOffered,ResultKept,TaskEnded,PeerJoined,PeerLeft"
    )]
    kinds: Option<String>,
}

/// One reader's place in the log.
struct Place {
    log: MessageLog,
    kinds: Vec<String>,
    seen: u64,
    ready: VecDeque<Line>,
}

impl Place {
    /// What has come since, or nothing for a while.
    async fn next(&mut self) -> Bytes {
        for _ in 0..QUIET_LOOKS {
            if let Some(line) = self.ready.pop_front() {
                return event(&line);
            }
            let news = match self.log.last_seq() > self.seen {
                true => self.log.since(self.seen, LINES_MAX),
                false => Vec::new(),
            };
            let is_all = news.is_empty();
            self.seen = news.last().map_or(self.seen, Line::seq);
            let is_wanted = |line: &Line| self.kinds.iter().any(|kind| kind == line.kind());
            self.ready.extend(news.into_iter().filter(is_wanted));
            if self.ready.is_empty() && is_all {
                sleep(LOOK_EVERY).await;
            }
        }
        match self.ready.pop_front() {
            Some(line) => event(&line),
            None => Bytes::from_static(b": nothing new\n\n"),
        }
    }

    fn events(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        let first = Bytes::from_static(b": what happens\n\n");
        unfold((Some(first), self), async |(first, mut place)| {
            let event = match first {
                Some(first) => first,
                None => place.next().await,
            };
            Some((Ok(event), (None, place)))
        })
    }
}

fn event(line: &Line) -> Bytes {
    let (kind, seq) = (line.kind(), line.seq());
    format!("event: {kind}\nid: {seq}\ndata: {line}\n\n").into()
}

/// What happens from now on, or since the event of `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Wanted,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last that was seen; what no letter has yet counts as none")),
    responses(
        (status = 200, description = "Lines of the message log, as `docs/message-log.md` describes them", body = String, content_type = "text/event-stream"),
        (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json")))]
pub async fn events(
    desk: Data<Desk>,
    request: HttpRequest,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    let kinds = wanted.kinds.as_deref().unwrap_or(USUAL);
    if kinds.len() > KINDS_MAX {
        return Err(Problem::bad(format!("kinds has at most {KINDS_MAX} bytes")));
    }
    let last = request.headers().get("last-event-id");
    let last = last.and_then(|last| last.to_str().ok()?.parse().ok());
    let newest = desk.log.last_seq();
    // Numbers start anew with each run: one that no letter has yet is of an earlier one.
    let last = last.filter(|last| *last <= newest);
    let place = Place {
        log: desk.log.clone(),
        kinds: kinds
            .split(',')
            .map(|kind| kind.trim().to_owned())
            .collect(),
        seen: last.unwrap_or(newest),
        ready: VecDeque::new(),
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(place.events())))
}
