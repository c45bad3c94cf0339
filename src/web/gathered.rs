//! What the parts of a group made, put together: the files of its folder.
//!
//! Rule: a file is opened once and sent as it was then, however often it is replaced by a longer one meanwhile.

use std::io::{self, Read as _};

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::{Data, Path};
use mutirao_actors::messages::{DescribeGroup, FindGathered};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::Desk;
use super::answers::Answer;
use super::fed::{Fed, through};
use super::problem::Problem;
use super::results::{PIECES_MAX, send};
use crate::disk::open_plain;

/// One file of what a group made, as far as it is put together: `merged.csv`, `stdout.txt`, `stderr.txt`, `failed.csv` or
/// `manifest.json`.
#[utoipa::path(get, path = "/api/v1/groups/{group}/files/{file}", tag = "results",
    params(
        ("group" = String, Path, description = "Its name, or `last`", example = "last"),
        ("file" = String, Path, description = "Which file", example = "merged.csv")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "application/octet-stream"),
        (status = 404, description = "There is no such group, or it has no such file", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn file(desk: Data<Desk>, path: Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (typed, name) = path.into_inner();
    let group = desk.name_of_group(typed).await?;
    let find = |reply| FindGathered {
        group: group.clone(),
        file: name.clone(),
        reply,
    };
    let Answer::Found(found) = desk.answers.ask(&desk.master.folders, find).await? else {
        return Err(Problem::strange());
    };
    let absent = || {
        Problem::not_found(format!(
            "nothing of {group} is put together as {name:?}: mutirao info {group} tells how far it is"
        ))
    };
    let found = found.ok_or_else(absent)?;
    let unreadable = |error| Problem::refused(format!("{name} of {group} cannot be read: {error}"));
    let opened = spawn_blocking(move || {
        let file = open_plain(&found)?;
        let length = file.metadata()?.len();
        Ok::<_, io::Error>((file, length))
    });
    let (file, length) = opened
        .await
        .map_err(|_| Problem::strange())?
        .map_err(unreadable)?;
    let (pieces, read) = mpsc::channel(PIECES_MAX);
    spawn_blocking(move || {
        let sent = send(file.take(length), |piece| {
            pieces.blocking_send(Ok(piece)).is_ok()
        });
        if let Err(error) = sent {
            // The response is cut short: whoever reads it sees that it is not whole.
            let _ = pieces.blocking_send(Err(error));
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .no_chunking(length)
        .streaming(Box::pin(Fed::from(through(read)).body())))
}

impl Desk {
    /// The name of a group that may be meant by `last`; of one that is not remembered the folder may still be there.
    async fn name_of_group(&self, typed: String) -> Result<String, Problem> {
        let describe = |reply| DescribeGroup {
            group: typed.clone(),
            why: false,
            reply,
        };
        let asked = self.answers.ask(&self.master.scheduler, describe);
        match asked.await? {
            Answer::Group(known) => Ok(known.map_or(typed, |known| known.group)),
            _ => Err(Problem::strange()),
        }
    }
}
