//! What runs print, told to a master that follows them.
//!
//! Rule: nothing is looked at and nothing is said unless the master asked for it a short while ago; one message is on its
//! way at a time, so a master or a link that is slow is told less often, and never owed more than a few pieces. What a run
//! said last goes before what others say now: its result waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::RunKey;
use crate::model::{Both, Moment, PIECE_MAX, Piece, Stream};

/// Runs that are followed at a time: more than anybody reads, and some looks a second for each.
const FOLLOWS_MAX: usize = 64;
/// The longest that a master may ask for at once: one that is gone costs looks for so long.
const LASTS_MAX: Duration = Duration::from_secs(60);
/// How often it is looked what a run has printed: live for a reader.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The shortest pause between two messages of what runs: with the length of one it bounds what following takes of the link
/// to 640 KiB a second. On a quiet connection the next is said when the desk looks again what is due, ten times a second.
const SAY_EVERY: Duration = Duration::from_millis(50);
/// How long the result of a run waits until it is said what the run printed last: what a try that failed said last stands
/// nowhere else. Time for two pieces of each run that can be followed, to a master that takes 20 ms for one.
const LAST_WORDS_MAX: Duration = Duration::from_secs(3);

/// How far the last look is, at a run that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It is to be taken.
    Owed,
    /// It is being taken.
    Taken,
    /// It was taken.
    Over,
}

/// One run that is followed.
#[derive(Debug)]
struct Follow {
    until: Moment,
    /// Where the next look begins; none: a little before the end of what is there.
    from: Option<Both<u64>>,
    look_at: Moment,
    is_looked_at: bool,
    /// Whether a look has seen something of it that was said.
    is_begun: bool,
    /// The run has ended; its result waits until the last words are said, but no longer than its `until`.
    last: Option<Last>,
}

/// What is followed, and what is to be said of it.
#[derive(Debug, Default)]
pub(super) struct Follows {
    runs: BTreeMap<RunKey, Follow>,
    /// What was seen and not said yet: at most two pieces of each run.
    ready: VecDeque<(RunKey, Piece)>,
    say_at: Moment,
}

impl Follows {
    /// The master wants to be told for so long; where it has what came before, from there on.
    pub fn follow(&mut self, key: RunKey, from: Option<Both<u64>>, lasting: Duration, now: Moment) {
        let until = now.after(lasting.min(LASTS_MAX));
        if let Some(follow) = self.runs.get_mut(&key) {
            // What it says that it has is older than what is on its way to it. The end of a run is not put off.
            if follow.last.is_none() {
                follow.until = until;
            }
        } else if self.runs.len() < FOLLOWS_MAX {
            let follow = Follow {
                until,
                from,
                look_at: now,
                is_looked_at: false,
                is_begun: false,
                last: None,
            };
            self.runs.insert(key, follow);
        }
    }

    /// What is to be looked at now, and from where on.
    pub fn looks(&mut self, now: Moment) -> Vec<(RunKey, Option<Both<u64>>)> {
        self.runs.retain(|_, follow| now < follow.until);
        let runs = &self.runs;
        self.ready.retain(|(key, _)| runs.contains_key(key));
        let waits = |key| self.ready.iter().any(|(ready, _)| ready == key);
        let due = self.runs.iter().filter(|(key, follow)| {
            let is_over = follow.last == Some(Last::Over);
            !follow.is_looked_at && !is_over && now >= follow.look_at && !waits(*key)
        });
        let due: Vec<RunKey> = due.map(|(key, _)| *key).collect();
        let mut looks = Vec::new();
        for key in due {
            if let Some(follow) = self.runs.get_mut(&key) {
                follow.is_looked_at = true;
                follow.last = follow.last.map(|_| Last::Taken);
                looks.push((key, follow.from));
            }
        }
        looks
    }

    /// What a look has seen; nothing of a run that has not begun, or is not known any more.
    pub fn seen(&mut self, key: RunKey, seen: Option<Both<Piece>>, now: Moment) {
        let Some(follow) = self.runs.get_mut(&key) else {
            return;
        };
        follow.is_looked_at = false;
        follow.look_at = match follow.last {
            Some(_) => now,
            None => now.after(LOOK_EVERY),
        };
        if follow.last == Some(Last::Taken) {
            follow.last = Some(Last::Over);
        }
        if let Some(seen) = seen {
            // The first is said even if it is empty: then the master knows that nothing is there.
            let is_first = !std::mem::replace(&mut follow.is_begun, true);
            follow.from = Some(Both {
                stdout: seen.stdout.end(),
                stderr: seen.stderr.end(),
            });
            for stream in Stream::ALL {
                let piece = &seen[stream];
                if piece.bytes.len() >= PIECE_MAX {
                    follow.look_at = now;
                }
                if is_first || !piece.bytes.is_empty() {
                    self.ready.push_back((key, piece.clone()));
                }
            }
        }
        self.drop_if_told(key);
    }

    /// What is to be said next: of what runs nothing if something was said just now, for there is always more of it. What
    /// runs said that have ended is not much, and does not wait.
    pub fn next(&self, now: Moment) -> Option<(RunKey, Piece)> {
        let last = self.ready.iter().find(|(key, _)| self.has_ended(key));
        let live = || self.ready.front().filter(|_| now >= self.say_at);
        last.or_else(live).cloned()
    }

    /// The next piece of this run is being said.
    pub fn said(&mut self, key: RunKey, now: Moment) {
        if !self.has_ended(&key) {
            self.say_at = now.after(SAY_EVERY);
        }
        if let Some(at) = self.ready.iter().position(|(ready, _)| *ready == key) {
            self.ready.remove(at);
        }
        self.drop_if_told(key);
    }

    /// The run has ended: what it printed last is looked at once more.
    pub fn ended(&mut self, key: RunKey, now: Moment) {
        if let Some(follow) = self.runs.get_mut(&key) {
            follow.last = Some(Last::Owed);
            follow.until = now.after(LAST_WORDS_MAX);
            follow.look_at = now;
        }
    }

    /// Whether the result of this run waits until it is said what the run printed last.
    pub fn holds_back(&self, key: &RunKey, now: Moment) -> bool {
        let follow = self.runs.get(key);
        follow.is_some_and(|follow| follow.last.is_some() && now < follow.until)
    }

    fn has_ended(&self, key: &RunKey) -> bool {
        let follow = self.runs.get(key);
        follow.is_some_and(|follow| follow.last.is_some())
    }

    /// The master does not want to hear of this run.
    pub fn forget(&mut self, key: &RunKey) {
        self.runs.remove(key);
        self.ready.retain(|(ready, _)| ready != key);
    }

    /// The connection is gone, and with it who asked.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.ready.clear();
    }

    /// One that has ended and of which all is said is over.
    fn drop_if_told(&mut self, key: RunKey) {
        let is_told = !self.ready.iter().any(|(ready, _)| *ready == key);
        let follow = self.runs.get(&key);
        let is_over = follow.is_some_and(|follow| follow.last == Some(Last::Over));
        if is_told && is_over {
            self.runs.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::{Attempt, TaskId};

    const LASTING: Duration = Duration::from_secs(5);

    fn key(number: u128) -> RunKey {
        (TaskId(Uuid::from_u128(number)), Attempt(1))
    }

    fn piece(stream: Stream, offset: u64, text: &str) -> Piece {
        Piece {
            stream,
            offset,
            bytes: text.to_owned().into(),
        }
    }

    fn seen(stdout: (u64, &str), stderr: (u64, &str)) -> Option<Both<Piece>> {
        Some(Both {
            stdout: piece(Stream::Stdout, stdout.0, stdout.1),
            stderr: piece(Stream::Stderr, stderr.0, stderr.1),
        })
    }

    /// Says what is to be said next, if anything is.
    fn say_next(follows: &mut Follows, now: Moment) -> Option<(RunKey, Piece)> {
        let (key, piece) = follows.next(now)?;
        follows.said(key, now);
        Some((key, piece))
    }

    /// Says all that is to be said, however long that takes.
    fn all_said(follows: &mut Follows, now: &mut Moment) -> Vec<(RunKey, Piece)> {
        let mut said = Vec::new();
        while !follows.ready.is_empty() {
            *now = now.after(SAY_EVERY);
            said.extend(say_next(follows, *now));
        }
        said
    }

    #[test]
    fn what_is_not_asked_for_is_not_looked_at() {
        let mut follows = Follows::default();
        assert!(follows.looks(Moment(0)).is_empty());
        follows.seen(key(1), seen((0, "x"), (0, "")), Moment(0));
        assert!(follows.next(Moment(9)).is_none());
    }

    #[test]
    fn the_first_look_is_said_even_if_it_saw_nothing_and_later_ones_only_with_news() {
        let (mut follows, mut now) = (Follows::default(), Moment(1));
        follows.follow(key(1), None, LASTING, now);
        assert_eq!(follows.looks(now), [(key(1), None)]);
        assert!(follows.looks(now).is_empty(), "one look at a time");
        follows.seen(key(1), seen((70, "ab"), (0, "")), now);
        let said = all_said(&mut follows, &mut now);
        let expected = [
            (key(1), piece(Stream::Stdout, 70, "ab")),
            (key(1), piece(Stream::Stderr, 0, "")),
        ];
        assert_eq!(said, expected);
        now = now.after(LOOK_EVERY);
        let from = Both {
            stdout: 72,
            stderr: 0,
        };
        assert_eq!(follows.looks(now), [(key(1), Some(from))]);
        follows.seen(key(1), seen((72, ""), (0, "")), now);
        assert!(follows.next(now).is_none());
    }

    #[test]
    fn a_follow_ends_by_itself_unless_it_is_asked_for_again() {
        let (mut follows, now) = (Follows::default(), Moment(1));
        follows.follow(key(1), None, LASTING, now);
        follows.follow(key(2), None, LASTING, now);
        let late = now.after(LASTING);
        follows.follow(key(2), Some(Both::default()), LASTING, Moment(2));
        let looked: Vec<_> = follows
            .looks(late)
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(looked, [key(2)]);
        follows.follow(key(3), None, Duration::MAX, late);
        assert!(follows.looks(late.after(LASTS_MAX)).is_empty());
    }

    #[test]
    fn the_result_waits_for_the_last_words_and_not_for_ever() {
        let (mut follows, mut now) = (Follows::default(), Moment(1));
        follows.follow(key(1), Some(Both::default()), LASTING, now);
        assert!(!follows.holds_back(&key(1), now));
        follows.ended(key(1), now);
        assert!(follows.holds_back(&key(1), now));
        assert!(!follows.holds_back(&key(1), now.after(LAST_WORDS_MAX)));
        assert_eq!(follows.looks(now).len(), 1);
        follows.seen(key(1), seen((0, ""), (0, "Error")), now);
        assert!(follows.holds_back(&key(1), now));
        assert_eq!(all_said(&mut follows, &mut now).len(), 2);
        assert!(!follows.holds_back(&key(1), now));
        assert!(follows.runs.is_empty());
    }

    #[test]
    fn a_look_that_was_under_way_when_the_run_ended_is_not_the_last() {
        let (mut follows, now) = (Follows::default(), Moment(1));
        follows.follow(key(1), Some(Both::default()), LASTING, now);
        assert_eq!(follows.looks(now).len(), 1);
        follows.ended(key(1), now);
        assert!(follows.looks(now).is_empty());
        follows.seen(key(1), None, now);
        assert!(follows.holds_back(&key(1), now));
        assert_eq!(follows.looks(now).len(), 1);
        follows.seen(key(1), None, now);
        assert!(!follows.holds_back(&key(1), now));
    }

    #[test]
    fn what_runs_said_last_waits_neither_for_the_pause_nor_for_what_others_say() {
        let (mut follows, now) = (Follows::default(), Moment(1));
        for number in 1..=3 {
            follows.follow(key(number), Some(Both::default()), LASTING, now);
        }
        assert_eq!(follows.looks(now).len(), 3);
        for number in 1..=3 {
            follows.seen(key(number), seen((0, "a"), (0, "b")), now);
        }
        assert_eq!(say_next(&mut follows, now).unwrap().0, key(1));
        assert_eq!(follows.next(now), None, "all of them run");
        follows.ended(key(2), now);
        follows.ended(key(3), now);
        let mut last = || say_next(&mut follows, now);
        assert_eq!(last(), Some((key(2), piece(Stream::Stdout, 0, "a"))));
        assert_eq!(last(), Some((key(2), piece(Stream::Stderr, 0, "b"))));
        assert_eq!(last().unwrap().0, key(3));
        assert_eq!(last().unwrap().0, key(3));
        assert_eq!(last(), None, "the first runs on");
        let next = follows.next(now.after(SAY_EVERY));
        assert_eq!(next, Some((key(1), piece(Stream::Stderr, 0, "b"))));
    }

    proptest! {
        #[test]
        fn whatever_happens_it_stays_small(events in prop::collection::vec((0_u8..5, 0_u128..200, 0_u64..400), 0..400)) {
            let (mut follows, mut now) = (Follows::default(), Moment(1));
            for (event, number, millis) in events {
                now = now.after(Duration::from_millis(millis));
                match event {
                    0 => follows.follow(key(number), None, LASTING, now),
                    1 => {
                        for (key, from) in follows.looks(now) {
                            let from = from.unwrap_or_default();
                            follows.seen(key, seen((from.stdout, "x"), (from.stderr, "y")), now);
                        }
                    }
                    2 => follows.ended(key(number), now),
                    3 => follows.forget(&key(number)),
                    _ => {
                        let next = follows.next(now);
                        let is_paced = next.is_some_and(|(key, _)| !follows.has_ended(&key));
                        say_next(&mut follows, now);
                        let next = follows.next(now).filter(|_| is_paced);
                        prop_assert!(next.is_none(), "there is a pause");
                    }
                }
                prop_assert!(follows.runs.len() <= FOLLOWS_MAX);
                prop_assert!(follows.ready.len() <= 2 * FOLLOWS_MAX);
            }
        }
    }
}
