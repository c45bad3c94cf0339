//! What a task prints, as it prints it: server-sent events.
//!
//! Rule: a reader takes one answer after the other from the actor that gathers what tasks print, so one that reads slowly
//! holds nothing here and is told where it goes on. What is not gathered any more, for the task has ended, comes out of
//! its result.

mod place;
mod story;
mod waiting;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::Stream;
use futures_util::future::Either;
use futures_util::stream::{StreamExt as _, iter, once, unfold};
use mutirao_actors::messages::ReadOutput;
use mutirao_actors::model::{Archive, Both, Stream as Lane};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zip::ZipArchive;

use super::Desk;
use super::answers::Answer;
use super::fed::{Fed, through};
use super::problem::Problem;
use super::results::{PIECES_MAX, entry_of, reader_of, send};
use place::{Start, position};
use story::{Next, OutputEvent, Story, read_of, was_tried};
use waiting::Waiting;

/// How long an answer waits for news: shorter than anybody cuts a connection on which nothing moves.
const WAIT: Duration = Duration::from_secs(10);
/// How long it is waited for what a task has printed so far: some times as long as a busy peer takes.
const SO_FAR: Duration = Duration::from_secs(5);
/// How often a reader is told that a result is waited for: one that has hung up shows itself when it is written to twice.
const SIGN_EVERY: Duration = Duration::from_secs(2);
/// Bytes that are inflated and passed over before it is looked whether anybody still waits for what follows.
const PASSED_AT_ONCE: u64 = 1 << 20;

/// How it is read.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Until the task has ended, and not only what it has printed so far
    #[param(default = false)]
    follow: Option<bool>,
}

/// What a result holds of a stream, and how many bytes were printed before it.
type Printed = (Lane, u64, Bytes);

/// One reader.
struct Tail {
    desk: Data<Desk>,
    reader: IpAddr,
    story: Story,
    rest: Option<Fed<Result<Printed, Problem>>>,
    is_over: bool,
}

impl Tail {
    /// What is told next; nothing when all is told.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(event) = self.story.take() {
                return Ok(Some(event));
            }
            if let Some(rest) = &mut self.rest {
                let Ok(next) = timeout(SIGN_EVERY, rest.next()).await else {
                    return Ok(Some(Bytes::from_static(
                        b": the result is not read yet\n\n",
                    )));
                };
                match next {
                    Ok(Some(Ok((lane, offset, bytes)))) => self.story.print(lane, offset, &bytes),
                    Ok(Some(Err(problem))) => self.story.problem(&problem.detail),
                    // It is over also where its result cannot be read, and how is known.
                    Ok(None) => {
                        self.rest = None;
                        self.story.end();
                        self.is_over = true;
                    }
                    Err(cut) => {
                        self.rest = None;
                        self.is_over = true;
                        return Err(cut);
                    }
                }
                continue;
            }
            if self.is_over {
                return Ok(None);
            }
            match self.read().await {
                Ok(Next::More) => {}
                Ok(Next::Stop) => self.is_over = true,
                Ok(Next::Rest(from)) => self.open_rest(from),
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
    fn open_rest(&mut self, from: Both<Start>) {
        let (desk, task, reader) = (self.desk.clone(), self.story.task, self.reader);
        let loaded = once(async move { desk.load(task, reader).await });
        self.rest = Some(Fed::from(loaded.flat_map(move |loaded| match loaded {
            Ok((_, archive)) => Either::Left(inflated(archive, from).map(Ok)),
            Err(problem) => Either::Right(iter([Err(problem)])),
        })));
    }

    fn events(self) -> impl Stream<Item = io::Result<Bytes>> {
        unfold(self, async |mut tail| {
            let event = tail.next().await.transpose()?;
            Some((event, tail))
        })
    }
}

/// Inflates both streams, as fast as they are read. What is no sound ZIP has nothing more to tell: the folders would not
/// have kept it.
fn inflated(archive: Archive, from: Both<Start>) -> impl Stream<Item = Printed> {
    let (tell, pieces) = mpsc::channel(PIECES_MAX);
    spawn_blocking(move || {
        for lane in Lane::ALL {
            if let Err(error) = inflate(&archive, lane, from[lane], &tell) {
                tracing::debug!("{lane} of a result cannot be read: {error}");
            }
        }
    });
    through(pieces)
}

/// Sends what one stream of a result holds from there on.
fn inflate(
    archive: &Archive,
    lane: Lane,
    start: Start,
    tell: &mpsc::Sender<Printed>,
) -> io::Result<()> {
    let mut zip = ZipArchive::new(io::Cursor::new(archive.bytes()))?;
    let printed = place::printed(&mut zip, lane);
    let mut entry = entry_of(&mut zip, &format!("{lane}.txt"))?;
    let (passed, mut offset) = position(start, entry.size(), printed);
    let mut passed = io::Read::take(&mut entry, passed);
    // Nobody may be waiting any more.
    while !tell.is_closed()
        && io::copy(
            &mut io::Read::take(&mut passed, PASSED_AT_ONCE),
            &mut io::sink(),
        )? > 0
    {}
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
        ("Last-Event-ID" = Option<String>, Header, description = "The last that was seen; what cannot be one counts as none")),
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
    let report = desk.task(&path, read.is_some()).await?;
    let read = read.filter(|(attempt, _)| was_tried(*attempt, &report.tries));
    let tail = Tail {
        desk,
        reader: reader_of(&request),
        story: Story::of(report.task_id, report.task_name, follows).behind(read),
        rest: None,
        is_over: false,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(tail.events())))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use mutirao_actors::model::PIECE_MAX;
    use tokio::time::sleep;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    struct Held(
        Vec<u8>,
        #[expect(dead_code, reason = "held, not read")] Arc<()>,
    );

    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    /// A result that has printed much on both streams, and shows whether it is held.
    fn result(held: Arc<()>) -> Archive {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for lane in Lane::ALL {
            let name = format!("{lane}.txt");
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&vec![b'x'; 10 * PIECE_MAX]).unwrap();
        }
        let bytes = zip.finish().unwrap().into_inner();
        let archive = Archive::new(bytes.clone());
        archive.held_by(Bytes::from_owner(Held(bytes, held)))
    }

    async fn is_dropped(held: &Arc<()>) -> bool {
        let dropped = async {
            while Arc::strong_count(held) > 1 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), dropped).await.is_ok()
    }

    #[tokio::test]
    async fn the_ends_of_both_streams_hold_no_result_though_nobody_reads_them() {
        let held = Arc::new(());
        let ends = Both {
            stdout: Start::NearEnd,
            stderr: Start::NearEnd,
        };
        let rest = inflated(result(Arc::clone(&held)), ends);
        assert!(is_dropped(&held).await);
        let told: Vec<_> = rest.map(|(_, at, bytes)| (at, bytes.len())).collect().await;
        assert_eq!(told, [(9 * PIECE_MAX as u64, PIECE_MAX); 2]);
    }

    #[tokio::test]
    async fn who_hangs_up_holds_no_result_of_which_much_is_left() {
        let held = Arc::new(());
        let all = Both {
            stdout: Start::Behind(0),
            stderr: Start::Behind(0),
        };
        let mut rest = Box::pin(inflated(result(Arc::clone(&held)), all));
        assert!(rest.next().await.is_some());
        assert_eq!(Arc::strong_count(&held), 2);
        drop(rest);
        assert!(is_dropped(&held).await);
    }
}
