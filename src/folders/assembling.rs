//! Groups whose parts have ended are put together in `results/<group>/`: see [`crate::gather`].
//!
//! Rule: one job at a time, beside all other work, and only when a part's files lie where they belong. A group has its folder
//! since it was opened; where there is none, nobody wants it. After a restart a group that is not complete is made anew from
//! the parts that are remembered.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use actix::Context;
use mutirao_actors::logic::effect::End;
use mutirao_actors::logic::record::Remembered;
use mutirao_actors::messages::EndedPart;
use mutirao_actors::model::{Digest, TaskId, TaskName};
use mutirao_actors::wire::report::TaskState;

use super::Folders;
use super::kept::Kept;
use super::places::Places;
use super::plans::FAILED;
use super::stay::Copies;
use crate::disk::{DiskError, OnDisk as _};
use crate::gather::{Gather, Part, Whole, is_complete_in};

/// Parts that one job puts in: a program that ends waits for the job.
const BATCH_MAX: usize = 64;

/// A part whose files may not lie where they belong yet.
#[derive(Debug, Clone)]
struct Ending {
    group: Arc<str>,
    parts: u32,
    name: TaskName,
    size: u32,
    part: Part,
    /// The file of its result, below `results/`.
    file: Option<String>,
}

/// A group of which not all is put together.
#[derive(Debug)]
struct Assembly {
    parts: u32,
    /// What is put together; none before it is begun, and while it is being worked on.
    gather: Option<Box<Gather>>,
    /// Those that are not in; no more than the group has.
    ended: BTreeMap<u32, Ending>,
    /// Which goes in next.
    next: u32,
}

/// Groups that are put together, whose names are remembered: a part of one that is handed in again is passed over. One of an
/// older group is held until the next start, beside nothing else of it.
const OVER_MAX: usize = 10_000;

/// Groups that are not complete, no more than there are tasks, and the names of the newest that are.
#[derive(Debug, Default)]
pub(super) struct Assemblies {
    ending: HashMap<TaskId, Ending>,
    groups: HashMap<Arc<str>, Assembly>,
    /// Those of them that are over, the oldest first.
    over: VecDeque<Arc<str>>,
    /// Which have something to be put in, in turns: one that the disk refuses keeps no other waiting.
    due: VecDeque<Arc<str>>,
    is_busy: bool,
}

/// What a job made of a group.
enum Assembled {
    /// It goes on, with these that are not in.
    Open(Option<Box<Gather>>, Vec<Ending>),
    /// All is in, or nobody wants it.
    Over,
}

impl Assemblies {
    /// A part has ended, and its files are to be put where they belong.
    pub fn ends(&mut self, task: TaskId, ended: EndedPart, name: &TaskName, end: &End) {
        // The last output of tasks that failed is kept there.
        let is_taken = &*ended.group == FAILED.trim_end_matches('/');
        if is_taken || TaskName::tamed(&ended.group).stem() != &*ended.group {
            return;
        }
        let (state, reason) = told(end);
        let part = Part {
            part: ended.part.number(),
            task_id: task,
            state,
            peer: ended.peer,
            attempts: ended.attempts,
            input_sha256: ended.sha256,
            result_sha256: None,
            reason,
        };
        let ending = Ending {
            group: ended.group,
            parts: ended.part.of(),
            name: name.clone(),
            size: ended.size,
            part,
            file: None,
        };
        self.ending.insert(task, ending);
    }

    /// Its files lie where they belong: of its result under this name.
    pub fn settled(&mut self, task: TaskId, result: Option<(String, Digest)>) {
        let Some(mut ending) = self.ending.remove(&task) else {
            return;
        };
        if let Some((file, sha256)) = result {
            ending.part.result_sha256 = Some(sha256);
            ending.file = Some(file);
        }
        let group = Arc::clone(&ending.group);
        let assembly = self.groups.entry(Arc::clone(&group));
        let assembly = assembly.or_insert_with(|| Assembly {
            parts: ending.parts,
            gather: None,
            ended: BTreeMap::new(),
            next: 0,
        });
        // Whoever hands a part in twice has the first one.
        if assembly.parts != ending.parts || ending.part.part < assembly.next {
            return;
        }
        assembly.ended.entry(ending.part.part).or_insert(ending);
        if assembly.ended.contains_key(&assembly.next) && !self.due.contains(&group) {
            self.due.push_back(group);
        }
    }

    /// The names of the groups that are known.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let ending = self.ending.values().map(|ending| &*ending.group);
        ending.chain(self.groups.keys().map(|group| &**group))
    }

    /// A part that has ended in an earlier life.
    pub fn recall(&mut self, known: &Remembered, end: &End, kept: Option<&Kept>) {
        let Some(part) = known.task.part() else {
            return;
        };
        let ended = EndedPart {
            group: Arc::clone(&known.task.kind.group),
            part,
            sha256: known.task.sha256,
            size: known.task.size,
            peer: known.tries.last().map(|tried| tried.holder.peer.clone()),
            attempts: u32::try_from(known.tries.len()).unwrap_or(u32::MAX),
        };
        self.ends(known.task.id, ended, &known.task.name, end);
        if known.settled {
            let result = kept.map(|kept| (kept.file.clone(), kept.sha256));
            self.settled(known.task.id, result);
        }
    }

    /// The next work, if there is some and none is under way.
    fn begin(&mut self) -> Option<(Whole, Option<Box<Gather>>, Vec<Ending>)> {
        if self.is_busy {
            return None;
        }
        let group = self.due.pop_front()?;
        let assembly = self.groups.get_mut(&group)?;
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX
            && let Some(ending) = assembly.ended.remove(&assembly.next)
        {
            assembly.next += 1;
            batch.push(ending);
        }
        self.is_busy = true;
        let whole = Whole {
            group: group.to_string(),
            parts: assembly.parts,
        };
        Some((whole, assembly.gather.take(), batch))
    }

    /// A job has ended; what it left is due again, at once if all went well.
    fn ended(&mut self, group: &str, assembled: Assembled) {
        self.is_busy = false;
        let Some((group, assembly)) = self.groups.get_key_value(group) else {
            return;
        };
        let (group, parts) = (Arc::clone(group), assembly.parts);
        match assembled {
            Assembled::Over => {
                if let Some(assembly) = self.groups.get_mut(&group) {
                    assembly.next = parts;
                    assembly.ended = BTreeMap::new();
                    self.over.push_back(group);
                }
                if self.over.len() > OVER_MAX
                    && let Some(oldest) = self.over.pop_front()
                {
                    self.groups.remove(&oldest);
                }
            }
            Assembled::Open(gather, left) => {
                if let Some(assembly) = self.groups.get_mut(&group) {
                    assembly.gather = gather;
                    assembly.next -= u32::try_from(left.len()).unwrap_or_default();
                    let left = left.into_iter().map(|ending| (ending.part.part, ending));
                    assembly.ended.extend(left);
                    let is_due = assembly.ended.contains_key(&assembly.next)
                        || assembly.next == assembly.parts;
                    if is_due && !self.due.contains(&group) {
                        self.due.push_back(group);
                    }
                }
            }
        }
    }
}

impl Folders {
    /// Puts together what can be, unless that is being done.
    pub(super) fn assemble(&mut self, ctx: &mut Context<Self>) {
        let Some((whole, gather, batch)) = self.assemblies.begin() else {
            return;
        };
        let places = Arc::clone(&self.places);
        let group = whole.group.clone();
        let assemble = move || assemble(&places, whole, gather, batch);
        self.work(ctx, assemble, move |desk, (assembled, trouble), ctx| {
            let folder = desk.places.results.join(&group);
            desk.troubles.hear("assemble", &folder, trouble.as_ref());
            desk.assemblies.ended(&group, assembled);
            // Otherwise when the disk is tried again.
            if trouble.is_none() {
                desk.assemble(ctx);
            }
        });
    }
}

/// Puts these parts in, and shows what there is.
fn assemble(
    places: &Places,
    whole: Whole,
    gather: Option<Box<Gather>>,
    batch: Vec<Ending>,
) -> (Assembled, Option<DiskError>) {
    let folder = places.results.join(&whole.group);
    let is_over = !folder.is_dir() || (gather.is_none() && is_complete_in(&folder));
    if is_over {
        return (Assembled::Over, None);
    }
    let begun = match gather {
        Some(gather) => Ok(gather),
        None => Gather::begin(&folder, whole).map(Box::new),
    };
    let mut gather = match begun.on_disk("begin to put together", &folder) {
        Ok(gather) => gather,
        Err(error) => return (Assembled::Open(None, batch), Some(error)),
    };
    let mut left = batch.into_iter();
    let (mut trouble, mut failed) = (None, None);
    while let Some(ending) = left.as_slice().first() {
        match add(places, &mut gather, ending, &mut failed) {
            Ok(()) => drop(left.next()),
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    let shown = gather.show().on_disk("put together", &folder);
    let trouble = trouble.or(shown.err());
    match gather.is_complete() && trouble.is_none() {
        true => (Assembled::Over, None),
        false => (Assembled::Open(Some(gather), left.collect()), trouble),
    }
}

/// Puts a part in; `failed` is what lies where the ZIPs of those go that were not done, once that was needed.
fn add(
    places: &Places,
    gather: &mut Gather,
    ending: &Ending,
    failed: &mut Option<Copies>,
) -> Result<(), DiskError> {
    let open = |path: &Path| match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(|file| Some(BufReader::new(file))),
    };
    let result = match &ending.file {
        Some(file) => {
            let path = places.results.join(file);
            open(&path).on_disk("read", &path)?
        }
        None => None,
    };
    let task = match ending.part.state {
        TaskState::Done => None,
        _ => {
            let (name, size) = (ending.name.as_str(), u64::from(ending.size));
            let copies = match failed.take() {
                Some(copies) => copies,
                None => Copies::list(&places.volume, &[places.failed()])?,
            };
            let sha256 = ending.part.input_sha256;
            let found = failed
                .insert(copies)
                .find(&places.volume, name, size, sha256)?;
            let opened: io::Result<_> = found.as_deref().map_or(Ok(None), open);
            opened.on_disk("read", &places.failed())?
        }
    };
    let added = gather.add(&ending.part, result, task);
    added.on_disk("put together", &places.results.join(&*ending.group))
}

/// How it ended, as reports say it.
fn told(end: &End) -> (TaskState, Option<String>) {
    match end {
        End::Done => (TaskState::Done, None),
        End::Failed(why) => (TaskState::Failed, Some(why.clone())),
        End::Cancelled(why) => (TaskState::Cancelled, Some(why.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use mutirao_actors::model;

    use super::*;
    use crate::archive::{Compression, pack};
    use crate::disk::Volume;
    use crate::gather::MANIFEST;

    struct Stage {
        home: tempfile::TempDir,
        places: Places,
        assemblies: Assemblies,
    }

    impl Stage {
        /// A master's folders in which `main-1` was opened.
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let places = Places::under(home.path(), Arc::new(Volume::real()));
            fs::create_dir_all(places.results.join("main-1")).unwrap();
            fs::create_dir_all(places.failed()).unwrap();
            Self {
                home,
                places,
                assemblies: Assemblies::default(),
            }
        }

        /// A part of three ends, with its number as what it printed.
        fn ends(&mut self, group: &str, number: u32, end: &End) {
            let name = TaskName::tamed(&format!("{group}.{number}"));
            let input = format!("h\n{number}\n");
            let task = [("main.py", &b""[..]), ("input.csv", input.as_bytes())];
            let task = pack(task, Compression::Fast).unwrap();
            let printed = format!("{number}\n");
            let result = pack([("stdout.txt", printed.as_bytes())], Compression::Fast).unwrap();
            if *end != End::Done {
                fs::write(self.places.failed().join(name.as_str()), &task).unwrap();
            }
            fs::write(self.places.results.join(name.as_str()), &result).unwrap();
            let ended = EndedPart {
                group: group.into(),
                part: model::Part::new(number, 3).unwrap(),
                sha256: Digest::of(&task),
                size: u32::try_from(task.len()).unwrap(),
                peer: None,
                attempts: 1,
            };
            let id = TaskId::new();
            self.assemblies.ends(id, ended, &name, end);
            let result = (name.as_str().to_owned(), Digest::of(&result));
            self.assemblies.settled(id, Some(result));
        }

        /// Works until nothing is due or the disk refuses something; the latter is said.
        fn work(&mut self) -> Option<String> {
            while let Some((whole, gather, batch)) = self.assemblies.begin() {
                let group = whole.group.clone();
                let (assembled, trouble) = assemble(&self.places, whole, gather, batch);
                self.assemblies.ended(&group, assembled);
                if let Some(trouble) = trouble {
                    return Some(trouble.to_string());
                }
            }
            None
        }

        fn text(&self, name: &str) -> String {
            let path = self.home.path().join("results/main-1").join(name);
            fs::read_to_string(path).unwrap_or_default()
        }
    }

    fn failed() -> End {
        End::Failed("exit code 1".into())
    }

    #[test]
    fn parts_that_end_in_any_order_are_put_together_in_theirs() {
        let mut stage = Stage::new();
        stage.ends("main-1", 2, &End::Done);
        assert_eq!(stage.work(), None);
        assert_eq!(
            stage.text("stdout.txt"),
            "",
            "those before it have not ended"
        );
        stage.ends("main-1", 0, &End::Done);
        assert_eq!(stage.work(), None);
        assert_eq!(stage.text("stdout.txt"), "0\n");
        stage.ends("main-1", 1, &failed());
        assert_eq!(stage.work(), None);
        assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
        assert_eq!(stage.text("merged.csv"), "0\n2\n");
        assert_eq!(stage.text("failed.csv"), "h\n1\n");
        assert!(is_complete_in(&stage.places.results.join("main-1")));
    }

    #[test]
    fn the_names_of_groups_that_are_over_do_not_pile_up() {
        let mut stage = Stage::new();
        for number in 0..OVER_MAX + 10 {
            let group: Arc<str> = format!("group-{number}").into();
            let assembly = Assembly {
                parts: 1,
                gather: None,
                ended: BTreeMap::new(),
                next: 0,
            };
            stage.assemblies.groups.insert(Arc::clone(&group), assembly);
            stage.assemblies.ended(&group, Assembled::Over);
        }
        assert_eq!(stage.assemblies.groups.len(), OVER_MAX);
        assert!(!stage.assemblies.groups.contains_key("group-0"));
    }

    #[test]
    fn a_part_that_ends_twice_is_in_once_and_a_complete_group_stays_as_it_is() {
        let mut stage = Stage::new();
        for number in [0, 0, 1, 2] {
            stage.ends("main-1", number, &End::Done);
            assert_eq!(stage.work(), None);
        }
        stage.ends("main-1", 1, &failed());
        assert_eq!(stage.work(), None);
        assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
        assert_eq!(stage.text("failed.csv"), "");
        // Nor does another life touch it.
        stage.assemblies = Assemblies::default();
        fs::write(stage.places.results.join("main-1/stdout.txt"), "mine").unwrap();
        stage.ends("main-1", 0, &End::Done);
        assert_eq!(stage.work(), None);
        assert_eq!(stage.text("stdout.txt"), "mine");
    }

    #[test]
    fn another_life_puts_together_what_the_last_one_did_not_complete() {
        let mut stage = Stage::new();
        stage.ends("main-1", 0, &End::Done);
        assert_eq!(stage.work(), None);
        stage.assemblies = Assemblies::default();
        for number in 0..3 {
            stage.ends("main-1", number, &End::Done);
        }
        assert_eq!(stage.work(), None);
        assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
    }

    #[test]
    fn what_the_disk_refuses_is_told_and_tried_again() {
        let mut stage = Stage::new();
        stage.ends("main-1", 0, &End::Done);
        assert_eq!(stage.work(), None);
        // Nothing can be renamed onto a folder.
        let in_the_way = stage.places.results.join("main-1").join(MANIFEST);
        fs::remove_file(&in_the_way).unwrap();
        fs::create_dir(&in_the_way).unwrap();
        stage.ends("main-1", 1, &End::Done);
        stage.ends("main-1", 2, &End::Done);
        let said = stage.work().unwrap();
        assert!(said.contains("failed to put together"), "{said}");
        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(stage.work(), None);
        assert_eq!(stage.text("stdout.txt"), "0\n1\n2\n");
        let manifest = stage.text(MANIFEST);
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["done"], 3, "nothing is in twice");
    }

    #[test]
    fn a_group_that_nobody_opened_or_whose_name_leads_elsewhere_is_left_alone() {
        let mut stage = Stage::new();
        for group in ["other-1", "main-1/..", "../main-1"] {
            stage.ends(&group.replace('/', "_"), 0, &End::Done);
            let name = TaskName::tamed("a");
            let ended = EndedPart {
                group: group.into(),
                part: model::Part::new(0, 1).unwrap(),
                sha256: Digest::of(b""),
                size: 0,
                peer: None,
                attempts: 1,
            };
            let id = TaskId::new();
            stage.assemblies.ends(id, ended, &name, &End::Done);
            stage.assemblies.settled(id, None);
        }
        assert_eq!(stage.work(), None);
        assert!(!stage.places.results.join("other-1").exists());
        assert!(!stage.home.path().join(MANIFEST).exists());
        assert!(!stage.places.results.join(MANIFEST).exists());
    }
}
