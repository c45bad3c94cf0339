//! Judges what was answered and promised while flushes hung: not by the clock, but by what came before what.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::asking::Answer;
use crate::checker::Promise;
use crate::tracer::Flush;

/// What the store flushes begins so.
const STORE: &str = ".mutirao/store/";
/// Of a kind of flush that comes so often, one at least must leave the master free to answer.
const OFTEN: usize = 3;

/// The kinds of flushes during which no answer was both asked for and heard: somebody waits for them who should not.
pub fn unanswered(flushes: &[Flush], answers: &[Answer]) -> Vec<String> {
    let is_answered = |flush: &&Flush| {
        let is_during = |answer: &Answer| {
            answer.asked > flush.began && flush.ended.is_some_and(|ended| answer.heard < ended)
        };
        answers.iter().any(is_during)
    };
    let mut kinds = BTreeMap::<_, Vec<_>>::new();
    for flush in flushes {
        // Numbers tell apart what is of one kind.
        let kind = flush
            .what
            .replace(|letter: char| letter.is_ascii_digit(), "");
        kinds.entry(kind).or_default().push(flush);
    }
    kinds.retain(|_, flushes| flushes.len() >= OFTEN && !flushes.iter().any(is_answered));
    kinds.into_keys().collect()
}

/// How many flushes of the store began and ended while this answer was waited for.
pub fn outlasted(flushes: &[Flush], answer: &Answer) -> usize {
    let between = flushes
        .iter()
        .filter(|flush| is_between(flush, answer.asked, answer.heard));
    between.filter(|flush| flush.is_below(STORE)).count()
}

/// The promises that did not come behind a flush of something handed in and one of the store, both of which began after
/// it was asked for; in words.
pub fn early(flushes: &[Flush], promises: &[Promise]) -> Vec<String> {
    let mut early = Vec::new();
    for promise in promises {
        for (of_store, what) in [(false, "its bytes"), (true, "the store")] {
            let mut between = flushes
                .iter()
                .filter(|flush| is_between(flush, promise.asked, promise.heard));
            if !between.any(|flush| flush.is_below(STORE) == of_store) {
                early.push(format!(
                    "{} was promised before {what} was flushed",
                    promise.key
                ));
            }
        }
    }
    early
}

fn is_between(flush: &Flush, asked: Instant, heard: Instant) -> bool {
    flush.began > asked && flush.ended.is_some_and(|ended| ended < heard)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mutirao_rig::clock;

    use super::*;

    /// The flush of this from one second to another, and an answer or promise between two.
    struct Times(Instant);

    impl Times {
        fn at(&self, second: u64) -> Instant {
            self.0 + Duration::from_secs(second)
        }

        fn flush(&self, what: &str, began: u64, ended: u64) -> Flush {
            Flush {
                what: format!("fsync {what}"),
                began: self.at(began),
                ended: Some(self.at(ended)),
            }
        }

        fn answer(&self, asked: u64, heard: u64) -> Answer {
            Answer {
                asked: self.at(asked),
                heard: self.at(heard),
            }
        }

        fn promise(&self, asked: u64, heard: u64) -> Promise {
            Promise {
                key: "a".into(),
                asked: self.at(asked),
                heard: self.at(heard),
            }
        }
    }

    #[test]
    fn a_kind_of_flush_that_nobody_is_answered_in_is_named_if_it_comes_often() {
        let times = Times(clock::now());
        let mut flushes: Vec<_> = (0..3)
            .map(|number| times.flush(&format!("tasks/{number}.zip"), 10 * number, 10 * number + 9))
            .collect();
        flushes.push(times.flush("results", 50, 59));
        let across = [times.answer(5, 15), times.answer(25, 35)];
        assert_eq!(unanswered(&flushes, &across), ["fsync tasks/.zip"]);
        assert_eq!(unanswered(&flushes, &[times.answer(11, 12)]), [""; 0]);
    }

    #[test]
    fn only_flushes_of_the_store_that_lie_within_are_outlasted() {
        let times = Times(clock::now());
        let log = ".mutirao/store/mutirao.db-wal";
        let flushes = [
            times.flush(log, 0, 2),
            times.flush(log, 3, 4),
            times.flush("results", 3, 4),
            times.flush(log, 5, 9),
        ];
        assert_eq!(outlasted(&flushes, &times.answer(1, 8)), 1);
    }

    #[test]
    fn a_promise_that_waited_for_one_flush_only_is_early() {
        let times = Times(clock::now());
        let flushes = [
            times.flush(".mutirao/payloads", 1, 2),
            times.flush(".mutirao/store/mutirao.db-wal", 3, 5),
        ];
        assert_eq!(early(&flushes, &[times.promise(0, 6)]), [""; 0]);
        for (asked, heard, what) in [(0, 4, "the store"), (2, 6, "its bytes")] {
            let told = early(&flushes, &[times.promise(asked, heard)]);
            assert_eq!(told, [format!("a was promised before {what} was flushed")]);
        }
    }
}
