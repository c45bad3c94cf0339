use std::collections::BTreeMap;

use mutirao_actors::logic::record::Place;
use mutirao_actors::model::{Digest, Kind, Task, TaskName, Wishes};

use super::*;

mod bounds;
mod glances;

/// A mind with a clock that tests move, and its deeds.
#[derive(Default)]
struct Stage {
    intake: Intake,
    now: Moment,
    lying: BTreeMap<OsString, Stamp>,
}

fn stamp(content: u64) -> Stamp {
    Stamp {
        size: content,
        ..Stamp::default()
    }
}

fn task(name: &str, content: u8) -> Box<Task> {
    Box::new(Task {
        id: TaskId::new(),
        name: TaskName::tamed(name),
        size: 1,
        nth: None,
        sha256: Digest::of(&[content]),
        kind: Arc::new(Kind {
            code: Digest::of(b""),
            group: "tasks".into(),
            parts: None,
            wishes: Wishes::default(),
        }),
    })
}

/// A new task of `a.zip` or the like with this content, which is its stamp too.
fn arrive(task: impl Into<Arc<Task>>, content: u64) -> Deed {
    let task = task.into();
    let lies = Place {
        file: task.name.as_str().into(),
        stamp: stamp(content),
    };
    Deed::Arrive(task, lies)
}

impl Stage {
    fn put(&mut self, name: &str, content: u64) {
        self.lying.insert(name.into(), stamp(content));
    }

    fn listing(&self) -> Listing {
        Listing {
            files: self.lying.clone().into_iter().collect(),
            is_last: true,
            ..Listing::default()
        }
    }

    fn look_at(&mut self, listing: &Listing) -> Vec<Deed> {
        self.now = self.now.after(STILL);
        self.intake.begin_look();
        let mut deeds = self.intake.look(self.now, listing);
        deeds.retain(|deed| !matches!(deed, Deed::Count(_)));
        deeds
    }

    fn look(&mut self) -> Vec<Deed> {
        self.look_at(&self.listing())
    }

    /// What a glance would look at when there is news of these.
    fn begin_glance<const N: usize>(&mut self, news: [&str; N]) -> Vec<OsString> {
        self.intake.begin_glance(news.map(OsString::from).into())
    }

    /// Glances at these, which there is news of.
    fn glance<const N: usize>(&mut self, news: [&str; N]) -> Vec<Deed> {
        self.now = self.now.after(STILL);
        let mut glance = Glance::default();
        for name in self.begin_glance(news) {
            match self.lying.get(&name) {
                Some(stamp) => glance.found.files.push((name, *stamp)),
                None => glance.gone.push(name),
            }
        }
        let mut deeds = self.intake.glance(self.now, &glance);
        deeds.retain(|deed| !matches!(deed, Deed::Count(_)));
        deeds
    }

    /// Looks until something is to be read, and gives the answer.
    fn read(&mut self, told: Reading) -> Vec<Deed> {
        let mut next = self.intake.next_ready();
        for _ in 0..2 {
            next = next.or_else(|| {
                assert_eq!(self.look(), []);
                self.intake.next_ready()
            });
        }
        let (name, stamp) = next.expect("nothing is to be read");
        let mut deeds = self.intake.read(self.now, &name, stamp, told);
        deeds.retain(|deed| !matches!(deed, Deed::Count(_)));
        deeds
    }

    fn open(&mut self, name: &str, content: u8) -> TaskId {
        self.put(name, content.into());
        let task = task(name, content);
        let id = task.id;
        let deeds = self.read(Reading::Sound(task.clone(), None));
        assert_eq!(deeds, [arrive(task, content.into())]);
        id
    }
}

fn withdrawn(deeds: &[Deed]) -> Vec<TaskId> {
    let id = |deed: &Deed| match deed {
        Deed::Withdraw(id, _) => Some(*id),
        _ => None,
    };
    deeds.iter().filter_map(id).collect()
}

#[test]
fn a_file_is_read_only_when_two_looks_saw_the_same() {
    let mut stage = Stage::default();
    for size in 1..5 {
        stage.put("a.zip", size);
        stage.look();
        assert_eq!(stage.intake.next_ready(), None, "it grows");
        assert_eq!(stage.begin_glance([]), ["a.zip"], "it is seen again soon");
    }
    stage.look();
    assert_eq!(stage.intake.next_ready(), Some(("a.zip".into(), stamp(4))));
}

#[test]
fn a_file_that_may_have_lain_there_when_a_flush_failed_is_doubted_and_a_later_one_is_not() {
    let mut stage = Stage::default();
    let is_doubted = |stage: &Stage, name: &str| stage.intake.is_doubted(OsStr::new(name));
    stage.put("a.zip", 1);
    stage.look();
    assert!(!is_doubted(&stage, "a.zip"), "no flush has failed");
    stage.intake.doubt();
    for _ in 0..3 {
        assert_eq!(stage.begin_glance(["a.zip"]), ["a.zip"], "it sees no other");
    }
    for (name, expected) in [("b.zip", true), ("c.zip", false)] {
        stage.put(name, 1);
        stage.look();
        assert_eq!(is_doubted(&stage, name), expected, "{name}");
        assert!(is_doubted(&stage, "a.zip"));
    }
}

#[test]
fn two_looks_at_the_same_instant_are_one() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    stage.look();
    stage.intake.begin_look();
    stage.intake.look(stage.now, &stage.listing());
    assert_eq!(stage.intake.next_ready(), None);
}

#[test]
fn a_sound_file_is_one_task_until_it_is_deleted() {
    let mut stage = Stage::default();
    let id = stage.open("a.zip", 1);
    assert_eq!(stage.look(), []);
    assert_eq!(stage.intake.next_ready(), None);
    assert_eq!(stage.intake.find(id).unwrap().0, "a.zip");
    stage.lying.clear();
    assert_eq!(withdrawn(&stage.look()), [id]);
    assert!(stage.intake.find(id).is_none());
    assert_eq!(stage.look(), []);
}

#[test]
fn a_task_of_an_earlier_life_stays_while_its_file_does() {
    for (content, is_there) in [(Some(1), true), (Some(2), true), (None, false)] {
        let mut stage = Stage::default();
        let known = Arc::new(*task("a.zip", 1));
        stage.intake.recall("a.zip".as_ref(), &known, stamp(1));
        if let Some(content) = content {
            stage.put("a.zip", content);
        }
        let gone = withdrawn(&stage.look());
        assert_eq!(gone.is_empty(), is_there);
        assert_eq!(stage.intake.find(known.id).is_some(), is_there);
        if content == Some(2) {
            // Only touched: the bytes are the same, and so is the task.
            assert_eq!(stage.read(Reading::Sound(task("a.zip", 1), None)), []);
            assert!(stage.intake.find(known.id).is_some());
        }
    }
}

#[test]
fn a_file_of_a_task_that_ended_before_the_restart_is_no_new_task() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    stage.intake.recall_leaving("a.zip".as_ref());
    for _ in 0..3 {
        assert_eq!(stage.look(), []);
    }
    assert_eq!(stage.intake.next_ready(), None);
    stage.intake.left("a.zip".as_ref());
    stage.open("a.zip", 1);
}

#[test]
fn another_content_withdraws_the_old_task_before_the_new_arrives() {
    let mut stage = Stage::default();
    let old = stage.open("a.zip", 1);
    stage.put("a.zip", 2);
    let new = task("a.zip", 2);
    let deeds = stage.read(Reading::Sound(new.clone(), None));
    assert_eq!(withdrawn(&deeds), [old]);
    assert_eq!(deeds[1..], [arrive(new, 2)]);
}

#[test]
fn a_touched_file_is_the_same_task() {
    let mut stage = Stage::default();
    let id = stage.open("a.zip", 1);
    stage.put("a.zip", 7);
    assert_eq!(stage.read(Reading::Sound(task("a.zip", 1), None)), []);
    assert!(stage.intake.find(id).is_some());
}

#[test]
fn a_task_overwritten_by_something_else_is_withdrawn() {
    let mut stage = Stage::default();
    let id = stage.open("a.zip", 1);
    stage.put("a.zip", 2);
    let deeds = stage.read(Reading::Unsound("no".into()));
    assert_eq!(withdrawn(&deeds), [id]);
}

#[test]
fn what_is_no_task_is_rejected_after_the_settling_time_and_once() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    assert_eq!(stage.read(Reading::Unsound("no".into())), []);
    assert_eq!(stage.look(), []);
    stage.now = stage.now.after(SETTLING);
    let reject = Deed::Reject(
        Leaving {
            file: "a.zip".into(),
            mark: Mark::of(&stamp(1)),
            sha256: None,
        },
        "no".into(),
    );
    let reject = [reject];
    assert_eq!(stage.look(), reject);
    assert_eq!(stage.look(), []);
    stage.intake.stays_unsound(OsStr::new("a.zip"));
    assert_eq!(stage.look(), reject, "it could not be moved: again");
}

#[test]
fn a_change_starts_the_settling_time_anew() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    stage.read(Reading::Unsound("cut".into()));
    stage.now = stage.now.after(SETTLING);
    stage.put("a.zip", 2);
    assert_eq!(stage.look(), []);
    let whole = task("a.zip", 2);
    let deeds = stage.read(Reading::Sound(whole.clone(), None));
    assert_eq!(deeds, [arrive(whole, 2)]);
}

#[test]
fn a_reading_of_what_has_changed_since_counts_for_nothing() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    stage.look();
    stage.look();
    let (name, read) = stage.intake.next_ready().unwrap();
    stage.put("a.zip", 2);
    stage.look();
    let told = Reading::Sound(task("a.zip", 1), None);
    let deeds = stage.intake.read(stage.now, &name, read, told);
    assert!(
        deeds.iter().all(|deed| matches!(deed, Deed::Count(_))),
        "{deeds:?}"
    );
    stage.look();
    assert_eq!(stage.intake.next_ready(), Some((name, stamp(2))));
}

#[test]
fn an_unread_file_is_tried_again_at_the_next_look_without_hurry() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    assert_eq!(stage.read(Reading::Unread), []);
    assert_eq!(stage.intake.next_ready(), None);
    assert!(stage.begin_glance([]).is_empty());
    stage.look();
    assert!(stage.intake.next_ready().is_some());
}

#[test]
fn the_same_name_after_the_end_is_a_new_task() {
    let mut stage = Stage::default();
    let first = stage.open("a.zip", 1);
    let leaving = stage.intake.end(first).unwrap();
    assert_eq!(leaving.file, "a.zip");
    assert_eq!(leaving.sha256, Some(Digest::of(&[1])));
    assert_eq!(stage.look(), [], "it is being moved");
    assert_eq!(stage.intake.next_ready(), None);
    stage.intake.left(&leaving.file);
    let second = stage.open("a.zip", 1);
    assert_ne!(first, second);
    assert_eq!(stage.intake.end(first), None, "the first ended before");
}

#[test]
fn what_leaves_is_what_was_adopted_whatever_lies_there_now() {
    let mut stage = Stage::default();
    let id = stage.open("a.zip", 1);
    stage.put("a.zip", 2);
    stage.look();
    stage.look();
    let leaving = stage.intake.end(id).unwrap();
    assert_eq!(leaving.mark, Mark::of(&stamp(1)));
    stage.put("a.zip", 3);
    stage.look();
    stage.look();
    assert_eq!(
        stage.intake.next_ready(),
        None,
        "not before that is settled"
    );
    stage.intake.left(&leaving.file);
    stage.open("a.zip", 3);
}

#[test]
fn a_file_on_its_way_out_is_not_taken_for_deleted() {
    let mut stage = Stage::default();
    let id = stage.open("a.zip", 1);
    stage.intake.end(id).unwrap();
    stage.lying.clear();
    assert_eq!(stage.look(), []);
}

#[test]
fn a_resting_file_is_read_again_when_its_copy_is_gone() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    let copy = PathBuf::from("tasks/done/a.zip");
    let rested = Reading::Sound(task("a.zip", 1), Some(copy.clone()));
    assert_eq!(stage.read(rested), []);
    assert_eq!(stage.look(), []);
    assert_eq!(stage.intake.next_ready(), None);
    assert_eq!(stage.intake.begin_look(), [("a.zip".into(), copy)]);
    let mut listing = stage.listing();
    Arc::make_mut(&mut listing.awake).insert("a.zip".into());
    assert_eq!(stage.look_at(&listing), []);
    assert!(stage.intake.next_ready().is_some());
}

#[test]
fn what_we_write_ourselves_is_adopted_once() {
    let mut stage = Stage::default();
    stage.put("a.zip", 1);
    stage.look();
    let name = stage.intake.reserve(stage.now, &TaskName::tamed("a.zip"));
    assert_eq!(name.as_str(), "a.2.zip");
    stage.put("a.2.zip", 2);
    for _ in 0..3 {
        stage.look();
    }
    assert_eq!(stage.intake.next_ready().unwrap().0, "a.zip");
    assert_eq!(stage.intake.next_ready(), None, "the other is ours");
    let ours = task("a.2.zip", 2);
    stage.intake.adopt(stamp(1), (*ours).clone());
    assert_eq!(stage.look(), []);
    let lies = stage.intake.laid(ours.id, stamp(2)).unwrap();
    assert_eq!((&*lies.file, lies.stamp), (&b"a.2.zip"[..], stamp(2)));
    assert_eq!(stage.look(), []);
    assert_eq!(stage.intake.next_ready(), None);
    assert_eq!(stage.intake.find(ours.id).unwrap().0, "a.2.zip");
}

#[test]
fn a_look_that_began_before_we_wrote_does_not_withdraw() {
    let mut stage = Stage::default();
    let before = stage.listing();
    stage.intake.begin_look();
    let name = stage.intake.reserve(stage.now, &TaskName::tamed("a.zip"));
    let ours = task(name.as_str(), 1);
    stage.intake.adopt(stamp(1), (*ours).clone());
    stage.intake.laid(ours.id, stamp(1)).unwrap();
    let deeds = stage.intake.look(stage.now, &before);
    assert_eq!(withdrawn(&deeds), []);
    assert_eq!(withdrawn(&stage.look()), [ours.id], "a later look may");
}

#[test]
fn a_reserved_name_that_somebody_took_is_read_like_any_other() {
    let mut stage = Stage::default();
    let name = stage.intake.reserve(stage.now, &TaskName::tamed("a.zip"));
    stage.intake.name_was_taken(&name);
    assert_eq!(stage.begin_glance([]), ["a.zip"]);
    assert_ne!(stage.intake.reserve(stage.now, &name), name);
    stage.open("a.zip", 1);
}

#[test]
fn a_task_whose_name_somebody_took_lies_under_another() {
    let mut stage = Stage::default();
    let name = stage.intake.reserve(stage.now, &TaskName::tamed("a.zip"));
    let ours = task(name.as_str(), 1);
    stage.intake.adopt(stamp(1), (*ours).clone());
    stage.put("a.zip", 2);
    let elsewhere = stage.intake.lie_elsewhere(stage.now, ours.id);
    assert_eq!(elsewhere.as_deref(), Some(&b"a.2.zip"[..]));
    assert_eq!(withdrawn(&stage.look()), []);
    assert_eq!(stage.intake.find(ours.id).unwrap().0, "a.2.zip");
    stage.open("a.zip", 2);
}

#[test]
fn what_arrives_is_counted_and_told_when_the_count_changes() {
    let mut stage = Stage::default();
    let look = |stage: &mut Stage| {
        stage.now = stage.now.after(STILL);
        stage.intake.begin_look();
        stage.intake.look(stage.now, &stage.listing())
    };
    assert_eq!(
        look(&mut stage),
        [Deed::Count(0)],
        "the first look always tells"
    );
    stage.put("a.zip", 1);
    assert_eq!(look(&mut stage), [Deed::Count(1)]);
    assert_eq!(look(&mut stage), []);
    let (name, stamp) = stage.intake.next_ready().unwrap();
    let told = Reading::Sound(task("a.zip", 1), None);
    let deeds = stage.intake.read(stage.now, &name, stamp, told);
    assert!(matches!(deeds[..], [Deed::Arrive(..)]));
    assert_eq!(
        stage.intake.batch_read(),
        [Deed::Count(0)],
        "the task comes first"
    );
}

#[test]
fn a_link_is_said_to_be_ignored_once_while_it_lies_there() {
    let mut stage = Stage::default();
    let mut listing = stage.listing();
    listing.others.insert("l.zip".into());
    assert_eq!(stage.look_at(&listing), [Deed::Ignore("l.zip".into())]);
    assert_eq!(stage.look_at(&listing), []);
    assert_eq!(stage.look(), []);
    assert_eq!(stage.look_at(&listing), [Deed::Ignore("l.zip".into())]);
}

#[test]
fn what_a_look_finds_may_come_in_parts() {
    let mut stage = Stage::default();
    let ids = ["a.zip", "b.zip", "c.zip"].map(|name| stage.open(name, 1));
    stage.lying.remove(OsStr::new("b.zip"));
    stage.intake.begin_look();
    let files = stage.listing().files;
    for (at, file) in files.into_iter().enumerate() {
        let part = Listing {
            files: vec![file],
            is_last: at == 1,
            ..Listing::default()
        };
        let gone = if at == 1 { vec![ids[1]] } else { Vec::new() };
        assert_eq!(withdrawn(&stage.intake.look(stage.now, &part)), gone);
    }
    assert!(stage.intake.find(ids[0]).is_some() && stage.intake.find(ids[2]).is_some());
}
