//! What one reader is told of a task, event by event.

use std::collections::VecDeque;

use actix_web::web::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mutirao_actors::logic::outputs::{News, Place, Standing};
use mutirao_actors::model::{Attempt, Both, STREAM_MAX, Stream, TaskId, TaskName};
use mutirao_actors::wire::report::{TaskState, TryRow};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::place::Start;

/// What an event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum OutputWord {
    /// The task waits.
    Waits,
    /// A try begins, or goes on.
    Try,
    /// It has printed something.
    Output,
    /// All is told that it had printed when somebody began to follow it.
    Now,
    /// Its peer tells what it prints only with its result.
    Withheld,
    /// Something cannot be told.
    Problem,
    /// The task has ended.
    End,
}

/// One event.
#[derive(Debug, ToSchema)]
pub struct OutputEvent {
    /// What it tells of.
    event: OutputWord,
    /// How far a reader is with it, for `Last-Event-ID`.
    #[schema(required = false)]
    id: Option<String>,
    /// The rest, as a JSON object.
    data: String,
}

impl OutputWord {
    fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Try => "try",
            Self::Output => "output",
            Self::Now => "now",
            Self::Withheld => "withheld",
            Self::Problem => "problem",
            Self::End => "end",
        }
    }
}

impl OutputEvent {
    fn written(&self) -> Bytes {
        let (event, data) = (self.event.word(), &self.data);
        let id = self.id.as_ref().map(|id| format!("id: {id}\n"));
        let id = id.unwrap_or_default();
        format!("event: {event}\n{id}data: {data}\n\n").into()
    }
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// More may come.
    More,
    /// That was all.
    Stop,
    /// What stands in the result, from there on.
    Rest(Both<Start>),
}

/// What was told, and is to be told.
#[derive(Debug)]
pub struct Story {
    /// Of which task.
    pub task: TaskId,
    /// Whether it is told until the task ends.
    pub follows: bool,
    /// How far it is.
    pub place: Place,
    name: TaskName,
    ready: VecDeque<Bytes>,
    /// The try that was told last.
    tried: Option<Attempt>,
    /// Up to where its output is told with the last event.
    at: Both<u64>,
    /// Whether it was said of that try that all up to now is told, or that its peer says nothing.
    is_now: bool,
    is_withheld: bool,
    /// Whether the task had not ended when it was first looked at.
    was_open: bool,
    waits: bool,
    end: Option<(TaskState, Option<String>)>,
}

impl Story {
    /// Of this task.
    pub fn of(task: TaskId, name: TaskName, follows: bool) -> Self {
        Self {
            task,
            follows,
            place: Place::default(),
            name,
            ready: VecDeque::new(),
            tried: None,
            at: Both::default(),
            is_now: false,
            is_withheld: false,
            was_open: false,
            waits: false,
            end: None,
        }
    }

    /// To somebody who has read up to there.
    #[must_use]
    pub fn behind(mut self, read: Option<(Attempt, Both<u64>)>) -> Self {
        self.place.read = read;
        self.was_open = read.is_some();
        self
    }

    /// The next event.
    pub fn take(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// What has come.
    pub fn hear(&mut self, news: News) -> Next {
        let before = self.ready.len();
        let next = self.follow(news);
        if self.ready.len() == before && next == Next::More {
            self.ready
                .push_back(Bytes::from_static(b": nothing new\n\n"));
        }
        next
    }

    fn follow(&mut self, news: News) -> Next {
        self.place.read = self.place.read.map(|read| no_further(read, &news));
        // Without one the master has not answered in time.
        let Some(standing) = news.standing else {
            return match self.follows {
                true => Next::More,
                false => self.stop("the master did not say in time how the task stands"),
            };
        };
        if let Some((attempt, _)) = news.place.read.filter(|_| !news.pieces.is_empty()) {
            self.begin(attempt, None);
        }
        for piece in &news.pieces {
            self.print(piece.stream, piece.offset, &piece.bytes);
        }
        let is_quiet = self.place.told == news.place.told && news.pieces.is_empty();
        self.place = news.place;
        match standing {
            Standing::Unknown => self.stop("the task is not known any more"),
            Standing::Waiting => {
                self.was_open = true;
                if !std::mem::replace(&mut self.waits, true) {
                    self.tell(OutputWord::Waits, json!({}));
                }
                if self.follows { Next::More } else { Next::Stop }
            }
            Standing::Running { attempt, peer } => {
                (self.was_open, self.waits) = (true, false);
                self.begin(attempt, Some(peer.as_str()));
                if news.is_caught_up && !std::mem::replace(&mut self.is_now, true) {
                    self.tell(OutputWord::Now, json!({}));
                }
                if news.is_withheld && !std::mem::replace(&mut self.is_withheld, true) {
                    self.tell(OutputWord::Withheld, json!({ "peer_id": peer }));
                }
                match self.follows {
                    true => Next::More,
                    false if self.is_now || self.is_withheld => Next::Stop,
                    false if is_quiet => self.stop("its peer does not say what it prints"),
                    false => Next::More,
                }
            }
            Standing::Over {
                state,
                reason,
                attempt,
            } => {
                self.end = Some((state, reason));
                self.rest(attempt)
            }
        }
    }

    /// What is left to be told of a task that has ended.
    fn rest(&mut self, attempt: Option<Attempt>) -> Next {
        let Some(attempt) = attempt else {
            self.end();
            return Next::Stop;
        };
        let read = self.place.read.filter(|(read, _)| *read == attempt);
        self.begin(attempt, None);
        Next::Rest(match (read, self.was_open) {
            (Some((_, at)), _) => Both {
                stdout: Start::Behind(at.stdout),
                stderr: Start::Behind(at.stderr),
            },
            (None, true) => Both {
                stdout: Start::Behind(0),
                stderr: Start::Behind(0),
            },
            (None, false) => Both {
                stdout: Start::NearEnd,
                stderr: Start::NearEnd,
            },
        })
    }

    /// The try of which what follows is.
    fn begin(&mut self, attempt: Attempt, peer: Option<&str>) {
        if self.tried == Some(attempt) {
            return;
        }
        self.tried = Some(attempt);
        let read = self.place.read.filter(|(read, _)| *read == attempt);
        self.at = read.map_or_else(Both::default, |(_, at)| at);
        (self.is_now, self.is_withheld) = (false, false);
        let name = &self.name;
        self.tell(
            OutputWord::Try,
            json!({ "task_name": name, "peer_id": peer }),
        );
    }

    /// It has printed this.
    pub fn print(&mut self, stream: Stream, offset: u64, bytes: &[u8]) {
        self.at[stream] = offset.saturating_add(bytes.len() as u64);
        let data = STANDARD.encode(bytes);
        let printed = json!({ "stream": stream, "offset": offset, "data": data });
        self.tell(OutputWord::Output, printed);
    }

    /// It has ended, and all is told.
    pub fn end(&mut self) {
        if let Some((state, reason)) = self.end.take() {
            self.tell(OutputWord::End, json!({ "state": state, "reason": reason }));
        }
    }

    /// Something cannot be told.
    pub fn problem(&mut self, detail: &str) {
        self.tell(OutputWord::Problem, json!({ "detail": detail }));
    }

    fn stop(&mut self, why: &str) -> Next {
        self.problem(why);
        Next::Stop
    }

    fn tell(&mut self, event: OutputWord, mut data: Value) {
        data["task_id"] = json!(self.task);
        data["attempt"] = json!(self.tried);
        let id = self.tried.map(|attempt| id_of(attempt, self.at));
        let data = data.to_string();
        self.ready
            .push_back(OutputEvent { event, id, data }.written());
    }
}

/// How far somebody has read a try, of which no more is there than what is told now.
fn no_further((attempt, mut at): (Attempt, Both<u64>), news: &News) -> (Attempt, Both<u64>) {
    if let Some((_, end)) = news.place.read.filter(|(told, _)| *told == attempt) {
        for stream in Stream::ALL {
            at[stream] = at[stream].min(end[stream]);
        }
        for piece in &news.pieces {
            at[piece.stream] = at[piece.stream].min(piece.offset);
        }
    }
    (attempt, at)
}

/// How far somebody has read, as a word: `2.1024.0`.
fn id_of(attempt: Attempt, at: Both<u64>) -> String {
    format!("{attempt}.{}.{}", at.stdout, at.stderr)
}

/// How far somebody has read who says so; none if it is no such word, or says what no stream can have.
pub fn read_of(id: &str) -> Option<(Attempt, Both<u64>)> {
    let mut numbers = id.split('.');
    let attempt = Attempt(numbers.next()?.parse().ok()?);
    let mut bytes = || {
        let bytes: u64 = numbers.next()?.parse().ok()?;
        (bytes <= STREAM_MAX).then_some(bytes)
    };
    let at = Both {
        stdout: bytes()?,
        stderr: bytes()?,
    };
    numbers.next().is_none().then_some((attempt, at))
}

/// Whether one of these tries, the newest last, can be the one that somebody says to have read.
pub fn was_tried(attempt: Attempt, tries: &[TryRow]) -> bool {
    let last = tries.last().map_or(0, |tried| tried.attempt.0);
    (1..=last).contains(&attempt.0)
}

#[cfg(test)]
mod tests {
    use mutirao_actors::model::Piece;

    use super::*;

    fn story(follows: bool) -> Story {
        Story::of(TaskId::new(), TaskName::tamed("sim"), follows)
    }

    fn place(attempt: u32, stdout: u64) -> Place {
        let read = Both { stdout, stderr: 0 };
        Place {
            told: Some(1),
            read: Some((Attempt(attempt), read)),
        }
    }

    fn running(attempt: u32) -> Standing {
        Standing::Running {
            attempt: Attempt(attempt),
            peer: "p1".parse().unwrap(),
        }
    }

    fn over(attempt: Option<u32>) -> Standing {
        Standing::Over {
            state: TaskState::Failed,
            reason: Some("no good".into()),
            attempt: attempt.map(Attempt),
        }
    }

    fn news(standing: Standing, place: Place) -> News {
        News {
            standing: Some(standing),
            pieces: Vec::new(),
            is_caught_up: false,
            is_withheld: false,
            place,
        }
    }

    fn printed(attempt: u32, text: &str) -> News {
        let piece = Piece {
            stream: Stream::Stdout,
            offset: 0,
            bytes: text.to_owned().into(),
        };
        News {
            pieces: vec![piece],
            ..news(running(attempt), place(attempt, text.len() as u64))
        }
    }

    /// The names of the events that are told.
    fn told(story: &mut Story) -> Vec<String> {
        let events = std::iter::from_fn(|| story.take());
        let name = |event: Bytes| {
            let event = String::from_utf8(event.to_vec()).unwrap();
            let name = event.lines().next().unwrap();
            name.trim_start_matches("event: ").to_owned()
        };
        events.map(name).collect()
    }

    #[test]
    fn each_try_is_told_once_before_what_it_prints() {
        let mut story = story(true);
        assert_eq!(story.hear(printed(1, "a")), Next::More);
        story.hear(printed(1, "b"));
        story.hear(news(Standing::Waiting, place(1, 2)));
        story.hear(news(Standing::Waiting, place(1, 2)));
        story.hear(printed(2, "c"));
        let expected = [
            "try",
            "output",
            "output",
            "waits",
            ": nothing new",
            "try",
            "output",
        ];
        assert_eq!(told(&mut story), expected);
    }

    #[test]
    fn an_event_says_how_far_a_reader_is_with_it_and_no_further() {
        let mut story = story(true);
        let mut both = printed(2, "abc");
        both.pieces.push(Piece {
            stream: Stream::Stderr,
            offset: 7,
            bytes: "xy".into(),
        });
        story.hear(both);
        let events = std::iter::from_fn(|| story.take());
        let ids = events.filter_map(|event| {
            let event = String::from_utf8(event.to_vec()).unwrap();
            let id = event.lines().find_map(|line| line.strip_prefix("id: "));
            id.map(str::to_owned)
        });
        assert_eq!(ids.collect::<Vec<_>>(), ["2.0.0", "2.3.0", "2.3.9"]);
        let at = Both {
            stdout: 3,
            stderr: 9,
        };
        assert_eq!(read_of("2.3.9"), Some((Attempt(2), at)));
        let too_many = format!("2.3.{}", STREAM_MAX + 1);
        for id in ["", "2", "2.3", "2.3.x", "2.3.9.1", "-1.0.0", &too_many] {
            assert_eq!(read_of(id), None, "{id}");
        }
    }

    #[test]
    fn only_a_try_that_was_can_have_been_read() {
        let tried = |attempt| TryRow {
            attempt: Attempt(attempt),
            peer_id: "p1".parse().unwrap(),
            ended: "runs".into(),
            against: None,
        };
        let believed = |attempt, tries: &[TryRow]| was_tried(Attempt(attempt), tries);
        assert!(!believed(1, &[]));
        // Of many only the newest are known.
        let tries = [tried(7), tried(8)];
        let were: Vec<_> = [0, 1, 8, 9].map(|attempt| believed(attempt, &tries)).into();
        assert_eq!(were, [false, true, true, false]);
    }

    #[test]
    fn who_says_to_have_read_more_than_there_is_is_told_where_it_is() {
        let mut beyond = story(true).behind(place(1, 70).read);
        let mut told = printed(1, "abc");
        told.pieces[0].offset = 5;
        told.place = place(1, 8);
        beyond.hear(told);
        let ids: Vec<_> = std::iter::from_fn(|| beyond.take())
            .map(|event| {
                let event = String::from_utf8(event.to_vec()).unwrap();
                let id = event.lines().find_map(|line| line.strip_prefix("id: "));
                id.unwrap().to_owned()
            })
            .collect();
        assert_eq!(ids, ["1.5.0", "1.8.0"]);
    }

    #[test]
    fn without_following_it_ends_when_all_that_was_there_is_told() {
        let mut one = story(false);
        assert_eq!(one.hear(printed(1, "a")), Next::More);
        let mut caught_up = news(running(1), place(1, 1));
        caught_up.is_caught_up = true;
        caught_up.place.told = Some(2);
        assert_eq!(one.hear(caught_up), Next::Stop);
        assert_eq!(told(&mut one), ["try", "output", "now"]);

        let mut waiting = story(false);
        let waits = news(Standing::Waiting, Place::default());
        assert_eq!(waiting.hear(waits), Next::Stop);
        let mut silent = story(false);
        assert_eq!(silent.hear(news(running(1), place(1, 0))), Next::More);
        assert_eq!(silent.hear(news(running(1), place(1, 0))), Next::Stop);
        assert_eq!(told(&mut silent), ["try", "problem"]);
    }

    #[test]
    fn what_is_left_comes_out_of_the_result_from_where_it_was_read() {
        let behind = |stdout| Both {
            stdout: Start::Behind(stdout),
            stderr: Start::Behind(0),
        };
        let mut read = story(true);
        read.hear(printed(1, "abc"));
        let ended = read.hear(news(over(Some(1)), place(1, 3)));
        assert_eq!(ended, Next::Rest(behind(3)));
        // The result is of another try than was read.
        let mut other = story(true);
        other.hear(printed(1, "abc"));
        let ended = other.hear(news(over(Some(2)), place(1, 3)));
        assert_eq!(ended, Next::Rest(behind(0)));
        let mut late = story(true);
        let ended = late.hear(news(over(Some(1)), Place::default()));
        let near_end = Both {
            stdout: Start::NearEnd,
            stderr: Start::NearEnd,
        };
        assert_eq!(ended, Next::Rest(near_end));
        let mut cancelled = story(true);
        let ended = cancelled.hear(news(over(None), Place::default()));
        assert_eq!(ended, Next::Stop);
        assert_eq!(told(&mut cancelled), ["end"]);
    }
}
