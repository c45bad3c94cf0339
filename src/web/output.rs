//! What a task prints, as it prints it: server-sent events.
//!
//! Rule: a reader takes one answer after the other from the actor that gathers what tasks print, so one that reads slowly
//! holds nothing here and is told where it goes on. What is not gathered any more, for the task has ended, comes out of
//! its result.

mod place;
mod story;
mod waiting;

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::Stream;
use futures_util::stream::unfold;
use mutirao_actors::messages::ReadOutput;
use mutirao_actors::model::{Archive, Both, Stream as Lane};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use zip::ZipArchive;

use super::Desk;
use super::answers::Answer;
use super::problem::Problem;
use super::results::{PIECES_MAX, entry_of, send};
use place::{Start, position};
use story::{Next, OutputEvent, Story, read_of};
use waiting::Waiting;

/// How long an answer waits for news: shorter than anybody cuts a connection on which nothing moves.
const WAIT: Duration = Duration::from_secs(10);
/// How long it is waited for what a task has printed so far: some times as long as a busy peer takes.
const SO_FAR: Duration = Duration::from_secs(5);

/// How it is read.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Until the task has ended, and not only what it has printed so far
    #[param(default = false)]
    follow: Option<bool>,
}

/// What is left of a result, one stream after the other.
struct Rest {
    pieces: mpsc::Receiver<(Lane, u64, Bytes)>,
}

/// One reader.
struct Tail {
    desk: Data<Desk>,
    story: Story,
    rest: Option<Rest>,
    is_over: bool,
}

impl Tail {
    /// What is told next; nothing when all is told.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.story.take() {
                return Some(event);
            }
            if let Some(rest) = &mut self.rest {
                match rest.pieces.recv().await {
                    Some((lane, offset, bytes)) => self.story.print(lane, offset, &bytes),
                    None => {
                        self.rest = None;
                        self.story.end();
                        self.is_over = true;
                    }
                }
                continue;
            }
            if self.is_over {
                return None;
            }
            match self.read().await {
                Ok(Next::More) => {}
                Ok(Next::Stop) => self.is_over = true,
                Ok(Next::Rest(from)) => self.open_rest(from).await,
                Err(problem) => {
                    self.story.problem(&problem.detail);
                    self.is_over = true;
                }
            }
        }
    }

    /// Asks for what has come since.
    async fn read(&mut self) -> Result<Next, Problem> {
        let (task, place) = (self.story.task, self.story.place);
        let wait = if self.story.follows { WAIT } else { SO_FAR };
        let mut waiting = Waiting::of(&self.desk.outputs);
        let read = |reply| ReadOutput {
            task,
            place,
            wait,
            reply: waiting.begin(reply),
        };
        let answer = self.desk.answers.ask(&self.desk.outputs, read).await;
        waiting.end();
        match answer? {
            Answer::Output(news) => Ok(self.story.hear(news)),
            _ => Err(Problem::strange()),
        }
    }

    /// Goes on with what its result holds.
    async fn open_rest(&mut self, from: Both<Start>) {
        match self.desk.load(self.story.task).await {
            Ok((_, archive)) => self.rest = Some(Rest::open(archive, from)),
            Err(problem) => {
                // It is over all the same, and how is known.
                self.story.problem(&problem.detail);
                self.story.end();
                self.is_over = true;
            }
        }
    }

    fn events(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, async |mut tail| {
            let event = tail.next().await?;
            Some((Ok(event), tail))
        })
    }
}

impl Rest {
    /// Inflates both streams, as fast as they are read. What is no sound ZIP has nothing more to tell: the folders would not
    /// have kept it.
    fn open(archive: Archive, from: Both<Start>) -> Self {
        let (tell, pieces) = mpsc::channel(PIECES_MAX);
        spawn_blocking(move || {
            for lane in Lane::ALL {
                if let Err(error) = inflate(&archive, lane, from[lane], &tell) {
                    tracing::debug!("{lane} of a result cannot be read: {error}");
                }
            }
        });
        Self { pieces }
    }
}

/// Sends what one stream of a result holds from there on.
fn inflate(
    archive: &Archive,
    lane: Lane,
    start: Start,
    tell: &mpsc::Sender<(Lane, u64, Bytes)>,
) -> io::Result<()> {
    let mut zip = ZipArchive::new(io::Cursor::new(archive.bytes()))?;
    let printed = place::printed(&mut zip, lane);
    let mut entry = entry_of(&mut zip, &format!("{lane}.txt"))?;
    let (passed, mut offset) = position(start, entry.size(), printed);
    io::copy(&mut io::Read::take(&mut entry, passed), &mut io::sink())?;
    send(entry, |piece| {
        let length = piece.len() as u64;
        let told = tell.blocking_send((lane, offset, piece));
        offset = offset.saturating_add(length);
        told.is_ok()
    })
}

/// What a task prints: what it has printed last, and with `follow` what it prints until it ends.
///
/// The events are `waits`, `try`, `output`, `now`, `withheld`, `problem` and `end`, as `docs/api.md` describes them.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/output", tag = "results", params(Wanted,
        ("task" = String, Path, description = "Its id, its name, or `last`", example = "last"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last that was seen")),
    responses(
        (status = 200, description = "Events, the last of which is `end` if the task has ended", body = OutputEvent, content_type = "text/event-stream"),
        (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Several ids begin so", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn output(
    desk: Data<Desk>,
    path: Path<String>,
    request: HttpRequest,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    let last = request.headers().get("last-event-id");
    let read = last.and_then(|last| read_of(last.to_str().ok()?));
    let follows = wanted.follow == Some(true);
    let report = desk.task(&path, false).await?;
    let tail = Tail {
        desk,
        story: Story::of(report.task_id, report.task_name, follows).behind(read),
        rest: None,
        is_over: false,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(tail.events())))
}
