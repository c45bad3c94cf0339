use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const WAIT: Duration = Duration::from_secs(10);

fn task(number: u128) -> TaskId {
    TaskId(Uuid::from_u128(number))
}

fn piece(stream: Stream, offset: u64, text: &str) -> Piece {
    Piece {
        stream,
        offset,
        bytes: text.to_owned().into(),
    }
}

fn running(attempt: u32) -> Standing {
    Standing::Running {
        attempt: Attempt(attempt),
        peer: "p1".parse().unwrap(),
    }
}

fn over() -> Standing {
    Standing::Over {
        state: TaskState::Done,
        reason: None,
        attempt: Some(Attempt(1)),
    }
}

/// A mind, one task, the time, and a reader that goes on from where it was.
struct Play {
    mind: Outputs,
    now: Moment,
    place: Place,
    readers: u64,
    text: String,
}

impl Play {
    fn new() -> Self {
        Self {
            mind: Outputs::default(),
            now: Moment(1_000_000),
            place: Place::default(),
            readers: 0,
            text: String::new(),
        }
    }

    /// Somebody reads the task, which runs for the first time.
    fn running() -> Self {
        let mut play = Self::new();
        assert_eq!(play.reads(), [Effect::Follow(task(1), None)]);
        let effects = play.stands(running(1));
        assert!(effects.contains(&Effect::Follow(task(1), Some((Attempt(1), None)))));
        play
    }

    fn took(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        for effect in &effects {
            if let Effect::Tell(_, news) = effect {
                self.place = news.place;
                for piece in &news.pieces {
                    self.text.push_str(str::from_utf8(&piece.bytes).unwrap());
                }
            }
        }
        effects
    }

    fn reads(&mut self) -> Vec<Effect> {
        self.readers += 1;
        let reader = Reader(self.readers);
        let effects = self.mind.read(task(1), self.place, WAIT, reader, self.now);
        self.took(effects)
    }

    /// Reads until it has to wait.
    fn reads_all(&mut self) {
        while self
            .reads()
            .iter()
            .any(|effect| matches!(effect, Effect::Tell(..)))
        {}
    }

    fn stands(&mut self, standing: Standing) -> Vec<Effect> {
        let effects = self.mind.stands(task(1), standing, self.now);
        self.took(effects)
    }

    fn prints(&mut self, attempt: u32, offset: u64, text: &str) -> Vec<Effect> {
        let piece = piece(Stream::Stdout, offset, text);
        let effects = self.mind.came(task(1), Attempt(attempt), &piece);
        self.took(effects)
    }

    fn waits(&mut self, wait: Duration) -> Vec<Effect> {
        self.now = self.now.after(wait);
        let effects = self.mind.tick(self.now);
        self.took(effects)
    }
}

#[test]
fn a_reader_is_told_what_comes_as_it_comes() {
    let mut play = Play::running();
    play.reads_all();
    play.prints(1, 70, "one ");
    play.reads_all();
    play.prints(1, 74, "two");
    assert_eq!(play.text, "one two");
    assert_eq!(play.place.read.unwrap().1.stdout, 77);
}

#[test]
fn several_readers_are_told_the_same_and_each_from_where_it_is() {
    let mut play = Play::running();
    play.reads_all();
    play.prints(1, 0, "one ");
    let late = Reader(99);
    let effects = play
        .mind
        .read(task(1), Place::default(), WAIT, late, play.now);
    let [Effect::Tell(reader, news)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(*reader, late);
    assert_eq!(news.pieces, [piece(Stream::Stdout, 0, "one ")]);
    play.reads_all();
    play.mind.read(task(1), news.place, WAIT, late, play.now);
    let effects = play.prints(1, 4, "two");
    assert_eq!(effects.len(), 2);
}

#[test]
fn the_log_shows_of_what_is_told_how_much_and_hashes_it_for_no_reader() {
    let mut play = Play::running();
    play.reads_all();
    let effects = play.prints(1, 7, "secret");
    let [Effect::Tell(_, news)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    let logged = serde_json::to_value(news).unwrap();
    let told = serde_json::json!([{ "stream": "stdout", "offset": 7, "bytes": "6 bytes" }]);
    assert_eq!(logged["pieces"], told);
}

#[test]
fn a_try_that_begins_under_our_eyes_is_followed_from_its_beginning() {
    let mut play = Play::new();
    play.reads();
    play.stands(Standing::Waiting);
    let from = |effects: &[Effect]| match effects {
        [Effect::Follow(_, Some((_, from))), ..] => *from,
        other => panic!("{other:?}"),
    };
    assert_eq!(from(&play.stands(running(1))), Some(Both::default()));
    play.prints(1, 0, "lost");
    play.stands(Standing::Waiting);
    assert_eq!(from(&play.stands(running(2))), Some(Both::default()));
    play.reads_all();
    play.prints(1, 4, " and late");
    play.prints(2, 0, "again");
    assert!(play.text.ends_with("again") && !play.text.contains("late"));
    assert_eq!(play.place.read.unwrap().0, Attempt(2));
}

#[test]
fn who_comes_back_after_we_forgot_goes_on_where_it_was() {
    let mut play = Play::running();
    play.reads_all();
    play.prints(1, 0, "abc");
    play.waits(FORGET_AFTER);
    play.waits(FORGET_AFTER);
    assert!(play.mind.tasks.is_empty());
    assert_eq!(play.reads(), [Effect::Follow(task(1), None)]);
    let effects = play.stands(running(1));
    let from = Both {
        stdout: 3,
        stderr: 0,
    };
    assert!(effects.contains(&Effect::Follow(task(1), Some((Attempt(1), Some(from))))));
}

#[test]
fn who_says_to_have_read_what_was_not_printed_is_told_what_is_there() {
    let mut play = Play::new();
    let beyond = Both {
        stdout: 1 << 40,
        stderr: 1 << 40,
    };
    play.place.read = Some((Attempt(1), beyond));
    play.reads();
    play.stands(running(1));
    play.reads_all();
    play.prints(1, 100, "abc");
    play.mind
        .came(task(1), Attempt(1), &piece(Stream::Stderr, 0, ""));
    play.reads_all();
    play.prints(1, 103, "def");
    assert_eq!(play.text, "abcdef");
    let read = Both {
        stdout: 106,
        stderr: 0,
    };
    assert_eq!(play.place.read, Some((Attempt(1), read)));
}

#[test]
fn it_is_said_again_that_a_task_is_followed_and_how_much_of_it_is_known() {
    let mut play = Play::running();
    play.reads_all();
    play.prints(1, 7, "abc");
    let effects = play.waits(AGAIN_EVERY);
    assert_eq!(
        effects,
        [Effect::Follow(task(1), Some((Attempt(1), None)))],
        "nothing of its errors is known"
    );
    let errors = piece(Stream::Stderr, 5, "");
    play.mind.came(task(1), Attempt(1), &errors);
    let from = Both {
        stdout: 10,
        stderr: 5,
    };
    let effects = play.waits(AGAIN_EVERY);
    let follow = Effect::Follow(task(1), Some((Attempt(1), Some(from))));
    assert!(effects.contains(&follow), "{effects:?}");
}

#[test]
fn a_reader_knows_when_it_has_all_and_when_nothing_is_told() {
    let mut play = Play::running();
    play.reads_all();
    play.prints(1, 0, "abc");
    play.reads_all();
    let effects = play
        .mind
        .came(task(1), Attempt(1), &piece(Stream::Stderr, 0, ""));
    let [Effect::Tell(_, news)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert!(news.is_caught_up && news.pieces.is_empty());
    let mut play = Play::running();
    play.reads_all();
    let effects = play.mind.withheld(task(1), Attempt(1));
    assert!(matches!(effects.as_slice(), [Effect::Tell(_, news)] if news.is_withheld));
    assert!(play.mind.withheld(task(1), Attempt(1)).is_empty(), "once");
}

#[test]
fn a_task_that_is_over_is_forgotten_and_asked_after_anew() {
    let mut play = Play::running();
    play.reads_all();
    let effects = play.stands(over());
    assert!(matches!(effects.as_slice(), [Effect::Tell(_, news)] if news.standing == Some(over())));
    assert!(play.mind.tasks.is_empty());
    assert!(play.stands(running(2)).is_empty(), "nobody reads it");
    assert_eq!(play.reads(), [Effect::Follow(task(1), None)]);
}

#[test]
fn a_wait_ends_and_a_quiet_reader_stays() {
    let mut play = Play::running();
    play.reads_all();
    let effects = play.waits(WAIT);
    let quiet = |effect: &Effect| match effect {
        Effect::Tell(_, news) => news.pieces.is_empty() && news.standing == Some(running(1)),
        _ => false,
    };
    assert!(effects.iter().any(quiet), "{effects:?}");
    for _ in 0..10 {
        play.reads();
        play.waits(WAIT);
    }
    assert_eq!(play.mind.tasks.len(), 1);
}

#[test]
fn more_than_there_is_room_for_is_refused() {
    let mut mind = Outputs::default();
    for number in 0..=TASKS_MAX as u128 {
        let reader = Reader(number as u64);
        let effects = mind.read(task(number), Place::default(), WAIT, reader, Moment(1));
        let is_refused = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Refuse(..)));
        assert_eq!(is_refused, number == TASKS_MAX as u128);
    }
    let rest = READERS_MAX - TASKS_MAX;
    for number in 0..=rest as u64 {
        let effects = mind.read(task(1), Place::default(), WAIT, Reader(number), Moment(1));
        let is_refused = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Refuse(..)));
        assert_eq!(is_refused, number == rest as u64);
    }
}

#[test]
fn a_task_for_which_nobody_waits_gives_its_place_to_the_next() {
    let mut play = Play::running();
    // All others are read by who waits, save one that was read later.
    for number in 2..TASKS_MAX as u128 {
        let reader = Reader(1_000 + number as u64);
        play.mind
            .read(task(number), Place::default(), WAIT, reader, play.now);
    }
    play.now = play.now.after(Duration::from_secs(1));
    let late = Reader(2_000);
    play.mind
        .read(task(900), Place::default(), WAIT, late, play.now);
    play.mind.left(late);
    let next = Reader(3_000);
    let effects = play
        .mind
        .read(task(901), Place::default(), WAIT, next, play.now);
    assert_eq!(effects, [Effect::Follow(task(901), None)]);
    assert_eq!(play.mind.tasks.len(), TASKS_MAX);
    assert!(!play.mind.tasks.contains_key(&task(1)) && play.mind.tasks.contains_key(&task(900)));

    // Its reader was only slow.
    assert_eq!(play.reads(), [Effect::Follow(task(1), None)]);
    assert!(!play.mind.tasks.contains_key(&task(900)));
}

#[test]
fn whoever_hangs_up_is_not_told_and_takes_the_place_of_nobody() {
    let mut mind = Outputs::default();
    for number in 0..2 * READERS_MAX as u64 {
        let effects = mind.read(task(1), Place::default(), WAIT, Reader(number), Moment(1));
        let refused = |effect: &Effect| matches!(effect, Effect::Refuse(..));
        assert!(!effects.iter().any(refused), "{number}");
        mind.left(Reader(number));
    }
    assert_eq!(mind.parked, 0);
    assert_eq!(mind.stands(task(1), running(1), Moment(1)).len(), 1);
}

#[derive(Debug, Clone)]
enum Event {
    Read(u128),
    Leaves,
    Stands(u128, Standing),
    Prints(u128, u32, usize),
    Passes(u64),
}

fn any_event() -> impl Strategy<Value = Event> {
    let number = 0..4_u128;
    let standing = prop_oneof![
        Just(Standing::Unknown),
        Just(Standing::Waiting),
        (1..4_u32).prop_map(running),
        Just(over()),
    ];
    prop_oneof![
        3 => number.clone().prop_map(Event::Read),
        1 => Just(Event::Leaves),
        2 => (number.clone(), standing).prop_map(|(number, standing)| Event::Stands(number, standing)),
        4 => (number, 1..4_u32, 0..9_usize).prop_map(|(number, attempt, length)| Event::Prints(number, attempt, length)),
        2 => (1..30_000_u64).prop_map(Event::Passes),
    ]
}

proptest! {
    /// Whatever happens, each reader is answered once, in time, and what it reads of a try is what that printed.
    #[test]
    fn every_reader_is_answered_once_and_reads_what_was_printed(events in prop::collection::vec(any_event(), 0..200)) {
        let (mut mind, mut now, mut last) = (Outputs::default(), Moment(1), 0);
        let mut open: BTreeMap<Reader, (u128, Moment)> = BTreeMap::new();
        let mut places: BTreeMap<u128, Place> = BTreeMap::new();
        let mut printed: BTreeMap<(u128, u32), u64> = BTreeMap::new();
        for event in events {
            let effects = match event {
                Event::Read(number) => {
                    last += 1;
                    open.insert(Reader(last), (number, now));
                    let place = places.get(&number).copied().unwrap_or_default();
                    mind.read(task(number), place, WAIT, Reader(last), now)
                }
                Event::Leaves => {
                    let gone = open.pop_first();
                    if let Some((reader, _)) = gone {
                        mind.left(reader);
                    }
                    Vec::new()
                }
                Event::Stands(number, standing) => mind.stands(task(number), standing, now),
                Event::Prints(number, attempt, length) => {
                    let end = printed.entry((number, attempt)).or_default();
                    // The byte at each offset is known.
                    let bytes: Vec<u8> = (*end..).take(length).map(|at| (at % 251) as u8).collect();
                    let piece = Piece { stream: Stream::Stdout, offset: *end, bytes: bytes.into() };
                    *end += length as u64;
                    mind.came(task(number), Attempt(attempt), &piece)
                }
                Event::Passes(millis) => {
                    now = now.after(Duration::from_millis(millis));
                    mind.tick(now)
                }
            };
            for effect in effects {
                let Effect::Tell(reader, news) = effect else { continue };
                let (number, _) = open.remove(&reader).expect("answered twice");
                for piece in &news.pieces {
                    let expected: Vec<u8> =
                        (piece.offset..).take(piece.bytes.len()).map(|at| (at % 251) as u8).collect();
                    prop_assert_eq!(&piece.bytes, &expected);
                }
                places.insert(number, news.place);
            }
            prop_assert_eq!(mind.parked, open.len());
            prop_assert!(open.values().all(|(_, since)| now.since(*since) < WAIT + Duration::from_secs(30)));
        }
        now = now.after(WAIT_MAX);
        let told = mind.tick(now).into_iter().filter(|effect| matches!(effect, Effect::Tell(..)));
        prop_assert_eq!(told.count(), open.len());
        mind.tick(now.after(FORGET_AFTER));
        prop_assert!(mind.tasks.is_empty(), "nobody reads");
    }
}
