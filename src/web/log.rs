//! What the actors say to each other: the message log, as far as it is in memory, page by page.
//!
//! Rule: a page is looked for off the arbiter, some of the log at a time, and more only when what was found is read:
//! however slow a reader is, it holds no more. Each look is one turn of a few milliseconds, and who may ask for one is
//! anybody: turns go round by address. What is missing is said, whatever is asked for.

use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::Stream;
use futures_util::stream::unfold;
use mutirao_actors::message_log::{Line, MessageLog, RING_MAX};
use serde::Deserialize;
use uuid::Uuid;

use super::Desk;
use super::problem::Problem;
use super::turns::Waited;
use crate::message_file::Marker;
use crate::trace::filter::{self, Filter};
use crate::trace::record;
use crate::trace::subject::Subject;

/// Letters of a page when nothing else is wished: about half a megabyte.
const LIMIT: usize = 1000;
/// Letters of a page at most: all that are in memory.
const LIMIT_MAX: usize = RING_MAX;
/// The highest number that every reader of JSON understands.
const AFTER_MAX: u64 = (1 << 53) - 1;
/// Lines that are taken out of the log at a time.
const SHARE: usize = 64;
/// Bytes of lines that are looked through, and so sent at most, in one turn, give or take one share: a connection's buffer
/// holds about as many, and telling whether they are wanted takes some milliseconds.
const PIECE: usize = 32 << 10;

/// Which letters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Those behind the letter of this number: the last of the page before
    #[param(minimum = 0, maximum = 9007199254740991u64, default = 0)]
    after: Option<u64>,
    /// So many at most
    #[param(minimum = 1, maximum = 8192, default = 1000)]
    limit: Option<usize>,
    /// From or to this actor: `peer_session#3`, or `peer_session` for all of them
    actor: Option<String>,
    /// Of this kind: `TaskOffered`
    kind: Option<String>,
    /// About this task: its id or the beginning of it, its name, or `last`
    task: Option<String>,
    /// About this peer, or on its connections: the beginning of its id
    peer: Option<String>,
}

impl Wanted {
    fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(LIMIT) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            limit => Err(Problem::bad(format!(
                "limit is 1 to {LIMIT_MAX}, not {limit}"
            ))),
        }
    }

    /// The number behind which the page begins; `newest` is the highest that was given.
    fn after(&self, newest: u64) -> Result<u64, Problem> {
        match self.after.unwrap_or_default() {
            after if after > AFTER_MAX => Err(Problem::bad(format!(
                "after is 0 to {AFTER_MAX}, not {after}"
            ))),
            after if after > newest => Err(Problem::refused(format!(
                "the newest letter has the number {newest}, so {after} is of an earlier run of this master: numbers start \
                 anew with each; ask without after"
            ))),
            after => Ok(after),
        }
    }

    /// What tells wanted letters from others; none if all are wanted.
    fn sieve(self, task: Option<Uuid>) -> Option<Sieve> {
        let Self {
            actor, kind, peer, ..
        } = self;
        let learns = task.is_some() || peer.is_some();
        if !learns && actor.is_none() && kind.is_none() {
            return None;
        }
        Some(Sieve {
            learns,
            filter: Filter::new(filter::Wanted {
                actor,
                peer,
                kind,
                ..filter::Wanted::default()
            }),
            subject: task.map(|task| Subject::of(&task.to_string())),
        })
    }
}

/// Tells wanted letters from others.
struct Sieve {
    filter: Filter,
    subject: Option<Subject>,
    /// Whether letters tell what is to be known of later ones: names of the task, connections of the peer.
    learns: bool,
}

impl Sieve {
    fn lets_through(&mut self, line: &str) -> bool {
        // It is of our own making, so it can be read.
        let Ok(record::Line::Letter(letter)) = record::Line::read(line.as_bytes()) else {
            return false;
        };
        let subject = self.subject.as_mut();
        let is_of_task = subject.is_none_or(|subject| subject.is_of(&letter));
        self.filter.accepts(&letter) && is_of_task
    }
}

/// A page that is being looked for.
struct Search {
    log: MessageLog,
    sieve: Option<Sieve>,
    /// Only letters behind this one are on the page.
    after: u64,
    /// The last letter that was looked at.
    seen: u64,
    /// The newest when the page was asked for, which ends the search.
    newest: u64,
    /// How many letters still find room.
    room: usize,
    /// What stands before all letters.
    head: Option<Marker>,
}

impl Search {
    fn new(log: MessageLog, sieve: Option<Sieve>, after: u64, newest: u64, limit: usize) -> Self {
        let learns = sieve.as_ref().is_some_and(|sieve| sieve.learns);
        Self {
            log,
            sieve,
            after,
            seen: if learns { 0 } else { after },
            newest,
            room: limit,
            head: (after == 0).then(Marker::run_started),
        }
    }

    /// The lines of one more look, which may be none, and ends early when nobody waits for them; nothing when all is looked
    /// through.
    fn next(&mut self, is_waited_for: impl Fn() -> bool) -> Option<Bytes> {
        let (mut text, mut looked_at) = (String::new(), 0);
        if let Some(head) = self.head.take() {
            say(&mut text, head.line());
        }
        while looked_at < PIECE && !self.is_over() && is_waited_for() {
            let share = self.log.since(self.seen, SHARE);
            let Some((first, last)) = share.first().zip(share.last()) else {
                self.seen = self.newest;
                break;
            };
            let before = first.seq().saturating_sub(1);
            let lost = before.saturating_sub(self.seen.max(self.after));
            if lost > 0 {
                say(&mut text, Marker::LinesLost { lost }.line());
            }
            self.seen = last.seq();
            for line in &share {
                looked_at += self.look_at(line, &mut text);
            }
        }
        (!text.is_empty() || !self.is_over()).then(|| text.into())
    }

    fn is_over(&self) -> bool {
        self.room == 0 || self.seen >= self.newest
    }

    /// How long the line was.
    fn look_at(&mut self, line: &Line, text: &mut String) -> usize {
        let shown = line.to_string();
        let length = shown.len();
        let sieve = self.sieve.as_mut();
        let is_wanted = sieve.is_none_or(|sieve| sieve.lets_through(&shown));
        let is_behind = (self.after + 1..=self.newest).contains(&line.seq());
        if is_wanted && is_behind && self.room > 0 {
            self.room -= 1;
            say(text, shown);
        }
        length
    }

    /// Its lines for somebody at this address, each piece looked for when the one before has gone.
    fn pieces(self, desk: Data<Desk>, address: IpAddr) -> impl Stream<Item = io::Result<Bytes>> {
        unfold(Some(self), move |search| {
            let desk = desk.clone();
            async move {
                let mut search = search?;
                loop {
                    let look = move |waited: &Waited| (search.next(|| waited.is_so()), search);
                    match desk.looks.work(address, look).await? {
                        Ok((Some(piece), rest)) if piece.is_empty() => search = rest,
                        Ok((piece, rest)) => return Some((Ok(piece?), Some(rest))),
                        // Whoever reads it sees that it is not whole.
                        Err(broke) => return Some((Err(io::Error::other(broke)), None)),
                    }
                }
            }
        })
    }
}

fn say(text: &mut String, line: String) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

/// What the actors of the master said to each other: the letters that are in memory, the oldest first.
///
/// A page with fewer letters than `limit` is the last one for now; the next begins behind the last letter of this one.
#[utoipa::path(get, path = "/api/v1/log", tag = "events", params(Wanted), responses(
    (status = 200, description = "Lines of the message log, as `docs/message-log.md` describes them", body = String, content_type = "application/x-ndjson",
        headers(("mutirao-epoch" = u64, description = "The life of the master, in which the numbers of letters are of one row"))),
    (status = 400, description = "The query is not understood", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such task", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "No letter has that number yet, or several ids begin so", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "No answer", body = Problem, content_type = "application/problem+json")))]
pub async fn log(
    desk: Data<Desk>,
    request: HttpRequest,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    let limit = wanted.limit()?;
    // What is asked of the scheduler for the sake of this is not on the page.
    let newest = desk.log.last_seq();
    let after = wanted.after(newest)?;
    let task = match &wanted.task {
        Some(typed) => Some(desk.task_id(typed).await?),
        None => None,
    };
    let sieve = wanted.into_inner().sieve(task);
    let search = Search::new(desk.log.clone(), sieve, after, newest, limit);
    // What comes over no network has no address, and is from here.
    let address = request.peer_addr().map(|remote| remote.ip());
    let address = address.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("mutirao-epoch", desk.master.identity.epoch))
        .streaming(Box::pin(search.pieces(desk, address))))
}

impl Desk {
    /// The id of a task; one that was typed whole need not be known any more.
    async fn task_id(&self, typed: &str) -> Result<Uuid, Problem> {
        match typed.parse() {
            Ok(id) => Ok(id),
            Err(_) => self.task(typed, false).await.map(|task| task.task_id.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use mutirao_actors::message_log::{Cause, Name};
    use mutirao_actors::messages::{CancelTask, CloseQueue, SchedulerInbox};
    use mutirao_actors::model::{RequestId, SessionId, TaskId};
    use mutirao_actors::port::Port;
    use mutirao_actors::testing::Stage;
    use serde_json::Value;

    use super::*;

    fn scheduler(stage: &Stage) -> Port<SchedulerInbox> {
        stage.probe(Name::one("scheduler"), SchedulerInbox::of)
    }

    /// The lines of a page, each piece held to its bound.
    fn page(stage: &Stage, sieve: Option<Sieve>, after: u64, limit: usize) -> Vec<Value> {
        let log = stage.log();
        let newest = log.last_seq();
        let mut search = Search::new(log, sieve, after, newest, limit);
        let pieces = std::iter::from_fn(|| search.next(|| true));
        let read = |piece: Bytes| {
            assert!(piece.len() < 2 * PIECE, "{}", piece.len());
            let text = str::from_utf8(&piece).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            lines.collect::<Vec<Value>>()
        };
        pieces.flat_map(read).collect()
    }

    fn numbers(page: &[Value]) -> Vec<u64> {
        page.iter()
            .filter_map(|line| line["seq"].as_u64())
            .collect()
    }

    #[actix_rt::test]
    async fn pages_are_the_log_in_its_order_and_say_what_is_missing() {
        let stage = Stage::new();
        let scheduler = scheduler(&stage);
        let last = RING_MAX as u64 + 3;
        (0..last).for_each(|_| scheduler.tell(CloseQueue {}, Cause::OUTSIDE));
        let first = page(&stage, None, 0, 10);
        assert_eq!(first[0]["kind"], "RunStarted");
        assert_eq!(
            (&first[1]["kind"], &first[1]["lost"]),
            (&"LinesLost".into(), &3.into())
        );
        assert_eq!(numbers(&first), (4..14).collect::<Vec<_>>());
        let second = page(&stage, None, 13, LIMIT_MAX);
        assert_eq!(second.len(), numbers(&second).len(), "nothing is missing");
        assert_eq!(numbers(&second), (14..=last).collect::<Vec<_>>());
        assert!(page(&stage, None, last, LIMIT_MAX).is_empty());
        assert_eq!(page(&stage, None, 1, 1)[0]["lost"], 2);
    }

    #[actix_rt::test]
    async fn what_nobody_wants_is_looked_through_some_at_a_time_too() {
        let stage = Stage::new();
        let scheduler = scheduler(&stage);
        (0..RING_MAX).for_each(|_| scheduler.tell(CloseQueue {}, Cause::OUTSIDE));
        let (log, wanted) = (stage.log(), r#"{"kind":"Nothing","after":1}"#);
        let wanted: Wanted = serde_json::from_str(wanted).unwrap();
        let newest = log.last_seq();
        let mut search = Search::new(log, wanted.sieve(None), 1, newest, LIMIT);
        let mut looks = 0;
        loop {
            let before = search.seen;
            let Some(piece) = search.next(|| true) else {
                break;
            };
            assert!(piece.is_empty());
            let lines = search.seen - before;
            assert!(lines as usize <= PIECE / 100 + SHARE, "{lines}");
            looks += 1;
        }
        assert!(search.seen == newest && looks > 10, "{looks}");
    }

    #[actix_rt::test]
    async fn a_look_for_nobody_ends_at_once() {
        let stage = Stage::new();
        let scheduler = scheduler(&stage);
        (0..RING_MAX).for_each(|_| scheduler.tell(CloseQueue {}, Cause::OUTSIDE));
        let newest = stage.log().last_seq();
        let mut search = Search::new(stage.log(), None, 0, newest, LIMIT);
        let waits = std::cell::Cell::new(2);
        search.next(|| waits.replace(waits.get() - 1) > 0);
        assert_eq!(search.seen, 2 * SHARE as u64);
    }

    #[actix_rt::test]
    async fn what_a_task_is_called_is_learned_from_letters_before_the_page() {
        let stage = Stage::new();
        let scheduler = scheduler(&stage);
        let [ours, other] = [TaskId::new(), TaskId::new()];
        for task in [ours, other, ours] {
            let (why, reply) = (String::new(), stage.reply_to(SessionId(1), RequestId(1)));
            scheduler.tell(CancelTask { task, why, reply }, Cause::OUTSIDE);
        }
        // It names no task, and answers one that does.
        scheduler.tell(CloseQueue {}, Cause::from(1));
        let wanted = |text: &str| {
            let wanted: Wanted = serde_json::from_str(text).unwrap();
            wanted.sieve(Some(ours.0))
        };
        assert_eq!(numbers(&page(&stage, wanted("{}"), 0, LIMIT)), [1, 3, 4]);
        assert_eq!(numbers(&page(&stage, wanted("{}"), 1, LIMIT)), [3, 4]);
        assert_eq!(numbers(&page(&stage, wanted("{}"), 0, 1)), [1]);
        let kind = r#"{"kind":"CancelTask"}"#;
        assert_eq!(numbers(&page(&stage, wanted(kind), 1, LIMIT)), [3]);
    }
}
