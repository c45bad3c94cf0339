//! Words that mean something of their own: states, everything, and the numbers of parts.
//!
//! Rule: what exists by that very name is meant before the word, for it is less, and who typed its name sees it listed; only
//! behind a group are numbers its parts, for these are less than both.

use std::ops::RangeInclusive;
use std::str::FromStr;

use mutirao_actors::model::PARTS_MAX;
use mutirao_actors::wire::report::TaskState;

/// The words, for those who mistype one.
pub const WORDS: [&str; 7] = [
    "last",
    "all",
    "failed",
    "waiting",
    "running",
    "done",
    "cancelled",
];

/// What a word may mean beside a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The tasks that stand so.
    State(TaskState),
    /// Everything.
    All,
    /// Parts of a group.
    Parts(Numbers),
}

/// Numbers of parts: `3`, `1-5`, `1,4-6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers(Vec<RangeInclusive<u32>>);

/// The text is no number of a part.
#[derive(Debug, PartialEq, Eq)]
pub struct NoNumbers;

impl Word {
    /// What was typed; none if it is a name, an id or `last` and nothing else.
    pub fn of(typed: &str) -> Option<Self> {
        let state = match typed {
            "all" => return Some(Self::All),
            "failed" => TaskState::Failed,
            "waiting" => TaskState::Queued,
            "running" => TaskState::Leased,
            "done" => TaskState::Done,
            "cancelled" => TaskState::Cancelled,
            // No group has so many parts: it is the beginning of a peer's id.
            _ if typed
                .parse()
                .is_ok_and(|number: u64| number >= PARTS_MAX.into()) =>
            {
                return None;
            }
            _ => return typed.parse().ok().map(Self::Parts),
        };
        Some(Self::State(state))
    }
}

impl Numbers {
    /// Whether it is one of them.
    pub fn has(&self, number: u32) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    /// The highest of them.
    pub fn highest(&self) -> u32 {
        let ends = self.0.iter().map(|range| *range.end());
        ends.max().unwrap_or_default()
    }

    /// The first so many of them, as they were typed.
    fn first(&self, count: usize) -> impl Iterator<Item = u32> {
        self.0.iter().cloned().flatten().take(count)
    }

    /// These too.
    pub fn and(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl FromStr for Numbers {
    type Err = NoNumbers;

    fn from_str(text: &str) -> Result<Self, NoNumbers> {
        let ranges = text.split(',').map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let range = number(first)?..=number(last)?;
            if range.is_empty() {
                Err(NoNumbers)
            } else {
                Ok(range)
            }
        });
        Ok(Self(ranges.collect::<Result<_, _>>()?))
    }
}

/// What was typed where nobody can be asked what a word means.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Then {
    /// Tasks and groups; of a group whose parts were said, these.
    pub names: Vec<String>,
    /// In which states only.
    pub states: Vec<TaskState>,
}

/// The words cannot be understood without a master that knows the names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoNames {
    /// It would be everything.
    #[error("`all` is asked of a running master: here, name tasks and groups")]
    All,
    /// Numbers of nothing.
    #[error("{0:?} are parts of a group: name it before them, as in `main-7 {0}`")]
    NoGroup(String),
    /// More than is told.
    #[error("at most {0} tasks and groups at a time: name fewer of them")]
    Many(usize),
}

/// The names in these words, so many at most: nothing is looked up, so a word for a state is one, and numbers are parts of the
/// name before them.
///
/// # Errors
/// [`NoNames`], where a master would have to be asked.
pub fn then(words: &[String], most: usize) -> Result<Then, NoNames> {
    let mut then = Then::default();
    let (mut group, mut has_parts) = (None, false);
    for typed in words {
        match Word::of(typed) {
            Some(Word::All) => return Err(NoNames::All),
            Some(Word::State(state)) => then.states.push(state),
            Some(Word::Parts(numbers)) => {
                let group = group.ok_or_else(|| NoNames::NoGroup(typed.clone()))?;
                if !std::mem::replace(&mut has_parts, true) {
                    then.names.pop();
                }
                // One more than there may be shows that they are too many.
                let parts = numbers.first(most + 1);
                then.names
                    .extend(parts.map(|number| format!("{group}.{number}")));
            }
            None => {
                (group, has_parts) = (Some(typed), false);
                then.names.push(typed.clone());
            }
        }
        if then.names.len() > most {
            return Err(NoNames::Many(most));
        }
    }
    Ok(then)
}

/// The numbers that were likely meant, where one of their ranges goes downward: `1-5` for `5-1`.
pub fn upward(typed: &str) -> Option<String> {
    let turned = |range: &str| {
        let ends = range.split_once('-');
        let ends = ends.filter(|(first, last)| matches!((number(first), number(last)), (Ok(first), Ok(last)) if first > last));
        ends.map_or_else(
            || range.to_owned(),
            |(first, last)| format!("{last}-{first}"),
        )
    };
    let meant: Vec<_> = typed.split(',').map(turned).collect();
    let meant = meant.join(",");
    (meant != typed && meant.parse::<Numbers>().is_ok()).then_some(meant)
}

/// A number as people write it; an id may be digits too, and begins with a zero.
fn number(text: &str) -> Result<u32, NoNumbers> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    match text.parse() {
        Ok(number) if is_plain && is_short => Ok(number),
        _ => Err(NoNumbers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_state_all_the_numbers_of_parts_or_a_name() {
        let state = |state| Some(Word::State(state));
        assert_eq!(Word::of("failed"), state(TaskState::Failed));
        assert_eq!(Word::of("waiting"), state(TaskState::Queued));
        assert_eq!(Word::of("all"), Some(Word::All));
        for name in [
            "last",
            "main-7",
            "sim",
            "Failed",
            "failed.zip",
            "",
            "-",
            "1-",
            "-5",
            "5-1",
            "1,,2",
            "1-2-3",
            "+3",
            "3.zip",
            "01a2",
            "0193",
            "1000000",
            "10953116",
            "4294967296",
        ] {
            assert_eq!(Word::of(name), None, "{name}");
        }
        for word in WORDS.iter().skip(1) {
            assert_ne!(Word::of(word), None, "{word}");
        }
    }

    #[test]
    fn without_a_master_numbers_are_parts_of_the_name_before_them() {
        let read = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            then(&words, 3)
        };
        let names = |words: &[&str]| read(words).unwrap().names;
        assert_eq!(names(&["sim", "main-7"]), ["sim", "main-7"]);
        assert_eq!(
            names(&["main-7", "2", "4-5"]),
            ["main-7.2", "main-7.4", "main-7.5"]
        );
        assert_eq!(names(&["main-7", "2", "sim"]), ["main-7.2", "sim"]);
        let failed = read(&["main-7", "failed"]).unwrap();
        assert_eq!(
            (failed.names.len(), failed.states),
            (1, vec![TaskState::Failed])
        );
        assert_eq!(read(&["all"]), Err(NoNames::All));
        assert_eq!(read(&["3"]), Err(NoNames::NoGroup("3".into())));
        assert_eq!(read(&["main-7", "0-4294967295"]), Err(NoNames::Many(3)));
    }

    #[test]
    fn a_range_that_goes_downward_is_asked_about() {
        for (typed, meant) in [("5-1", "1-5"), ("3,10-2", "3,2-10")] {
            assert_eq!(upward(typed).as_deref(), Some(meant));
        }
        for typed in ["1-5", "3", "main-7", "b-a", "5-1-2", "5-01", "sim,5-1", ""] {
            assert_eq!(upward(typed), None, "{typed}");
        }
    }

    #[test]
    fn numbers_are_single_ones_and_ranges_with_both_ends() {
        let has = |text: &str| {
            let Some(Word::Parts(numbers)) = Word::of(text) else {
                panic!("{text} has no numbers");
            };
            let has: Vec<u32> = (0..10).filter(|number| numbers.has(*number)).collect();
            (has, numbers.highest())
        };
        assert_eq!(has("3"), (vec![3], 3));
        assert_eq!(has("0-2"), (vec![0, 1, 2], 2));
        assert_eq!(has("1,4-6,90"), (vec![1, 4, 5, 6], 90));
        assert_eq!(has("10-4294967295"), (vec![], u32::MAX));
    }
}
