//! What tasks left: their result's ZIP, and what they printed.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::header::{CONTENT_DISPOSITION, ETAG};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::Stream;
use futures_util::stream::{StreamExt as _, iter, unfold};
use mutirao_actors::messages::LoadResult;
use mutirao_actors::model::{Archive, PIECE_MAX, TaskId};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::Desk;
use super::answers::Answer;
use super::fed::{Fed, through};
use super::problem::Problem;

/// Bytes of a result that are sent at a time, and of a text inflated: the end of a stream, as a reader is told it, is one …
const PIECE: usize = PIECE_MAX;
/// … and pieces that wait for a slow reader: the ends of both streams, which so hold no result.
pub(super) const PIECES_MAX: usize = 2;

/// At which address somebody reads.
pub(super) fn reader_of(request: &HttpRequest) -> IpAddr {
    // A connection has one; those that had none would share what those at one address have.
    let from = request.peer_addr().map(|from| from.ip());
    from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

impl Desk {
    /// The result of a task, for whoever asks, and its name.
    async fn result(
        &self,
        typed: &str,
        request: &HttpRequest,
    ) -> Result<(String, Archive), Problem> {
        let report = self.task(typed, false).await?;
        if report.result_file.is_none() {
            let detail = format!(
                "{} has no result: it is {:?}",
                report.task_name, report.state
            )
            .to_lowercase();
            return Err(Problem::not_found(detail));
        }
        self.load(report.task_id, reader_of(request)).await
    }

    /// The result of a task that has one, for somebody at this address, and its name.
    pub(super) async fn load(
        &self,
        task: TaskId,
        reader: IpAddr,
    ) -> Result<(String, Archive), Problem> {
        let load = |reply| LoadResult {
            task,
            reader,
            reply,
        };
        let asked = self.answers.ask(&self.master.folders, load);
        match asked.await? {
            Answer::Payload(name, archive) => Ok((name, archive)),
            _ => Err(Problem::strange()),
        }
    }
}

/// The ZIP of a task's result; of one that failed, of its last output.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/result", tag = "results",
    params(("task" = String, Path, description = "Its id, its name, or `last`", example = "last")),
    responses(
        (status = 200, description = "The ZIP", body = String, content_type = "application/zip"),
        (status = 404, description = "There is no such task, or it has no result", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn archive(
    desk: Data<Desk>,
    path: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (name, archive) = desk.result(&path, &request).await?;
    let file = name.rsplit('/').next().unwrap_or_default();
    Ok(HttpResponse::Ok()
        .content_type("application/zip")
        .insert_header((ETAG, format!("\"{}\"", archive.digest())))
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{file}\""),
        ))
        .no_chunking(archive.bytes().len() as u64)
        .streaming(Box::pin(Fed::from(pieces_of(archive)).body())))
}

/// An archive in pieces: copies, so that one which waits for its reader does not hold the whole.
fn pieces_of(archive: Archive) -> impl Stream<Item = io::Result<Bytes>> {
    unfold((archive, 0), async |(archive, from)| {
        let rest = &archive.bytes()[from..];
        let piece = Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)]);
        let next = from + piece.len();
        (!piece.is_empty()).then_some((Ok(piece), (archive, next)))
    })
}

/// What a task printed.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/stdout", tag = "results",
    params(("task" = String, Path, description = "Its id, its name, or `last`", example = "last")),
    responses(
        (status = 200, description = "As it was printed", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such task, or it has no result", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn stdout(
    desk: Data<Desk>,
    path: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    text(&desk, &path, &request, "stdout.txt").await
}

/// What a task printed as errors.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/stderr", tag = "results",
    params(("task" = String, Path, description = "Its id, its name, or `last`", example = "last")),
    responses(
        (status = 200, description = "As it was printed", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such task, or it has no result", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn stderr(
    desk: Data<Desk>,
    path: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    text(&desk, &path, &request, "stderr.txt").await
}

/// One text of a result, inflated as fast as it is read.
async fn text(
    desk: &Desk,
    typed: &str,
    request: &HttpRequest,
    file: &'static str,
) -> Result<HttpResponse, Problem> {
    let (name, archive) = desk.result(typed, request).await?;
    let (pieces, mut inflated) = mpsc::channel(PIECES_MAX);
    spawn_blocking(move || {
        if let Err(error) = inflate(&archive, file, &pieces) {
            // Where some was sent, the response is cut short: whoever reads it sees that it is not whole.
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let first = match inflated.recv().await {
        Some(Ok(first)) => first,
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Problem::not_found(format!("{name} has no {file}")));
        }
        Some(Err(error)) => {
            return Err(Problem::refused(format!(
                "{file} of {name} cannot be read: {error}"
            )));
        }
        None => Bytes::new(),
    };
    let pieces = iter([Ok(first)]).chain(through(inflated));
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .streaming(Box::pin(Fed::from(pieces).body())))
}

/// Sends a text in pieces; it lies at the root, or in the one folder of the ZIP.
fn inflate(
    archive: &Archive,
    file: &str,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut zip = ZipArchive::new(io::Cursor::new(archive.bytes()))?;
    send(entry_of(&mut zip, file)?, |piece| {
        pieces.blocking_send(Ok(piece)).is_ok()
    })
}

/// A file of a result.
pub(super) fn entry_of<'a, R: io::Read + io::Seek>(
    zip: &'a mut ZipArchive<R>,
    file: &str,
) -> io::Result<ZipFile<'a, R>> {
    let is_it = |name: &str| match name.split_once('/') {
        None => name == file,
        Some((_, rest)) => rest == file,
    };
    let found = zip.file_names().flatten().find(|name| is_it(name));
    let name = found.map(String::from).ok_or(io::ErrorKind::NotFound)?;
    Ok(zip.by_name(&name)?)
}

/// Sends what is left of a text in pieces, until nobody takes them any more.
pub(super) fn send(
    mut entry: impl io::Read,
    mut is_taken: impl FnMut(Bytes) -> bool,
) -> io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        entry.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() || !is_taken(piece.into()) {
            return Ok(());
        }
    }
}
