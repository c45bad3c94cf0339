//! Folders that keep everything in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use actix::{Actor, Context, Handler};
use mutirao_actors::logic::effect::End;
use mutirao_actors::message_log::Name;
use mutirao_actors::messages::{
    AdoptTask, DescribeGathered, FindGathered, GatheredDescribed, GatheredFound, GroupOpened,
    GroupReopened, KeepResult, LoadResult, LoadTask, OpenGroup, PayloadLoaded, RequestRefused,
    ResultKept, ResultRefused, RetryTasks, SchedulerInbox, SetAside, StoreChanged, TaskAccepted,
    TaskArrived, TaskEnded, TasksRetried, WrittenDown,
};
use mutirao_actors::model::{Archive, Digest, Kind, Task, TaskId, TaskName};
use mutirao_actors::port::{Letter, Port};
use mutirao_actors::wire::report::GatheredReport;

/// The name of the stand-in in the message log.
pub const NAME: Name = Name::one("folders");
/// What a result begins with that is no sound ZIP.
pub const UNSOUND: &[u8] = b"unsound";

/// What lies in them, to be looked at by the test.
#[derive(Debug, Default)]
pub struct Shelves {
    pub tasks: BTreeMap<TaskId, (TaskName, Archive)>,
    pub results: BTreeMap<TaskId, Vec<Archive>>,
    pub ended: BTreeMap<TaskId, Vec<End>>,
    /// The parts that had ended of each group that was reopened.
    pub reopened: Vec<BTreeSet<TaskId>>,
    /// How many groups were opened.
    pub groups: u32,
    /// Tasks that are to vanish when they are asked for.
    pub vanish: bool,
    /// The same of these.
    pub gone: BTreeSet<TaskId>,
    /// The task that is asked for after so many others is never loaded, as by a disk that stands still.
    pub stall_after: Option<u32>,
}

pub struct Folders {
    shelves: Arc<Mutex<Shelves>>,
    scheduler: Port<SchedulerInbox>,
}

impl Folders {
    pub fn new(shelves: Arc<Mutex<Shelves>>, scheduler: &Port<SchedulerInbox>) -> Self {
        Self {
            shelves,
            scheduler: scheduler.used_by(NAME),
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap()
    }
}

impl Actor for Folders {
    type Context = Context<Self>;
}

impl Handler<Letter<AdoptTask>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<AdoptTask>, _: &mut Context<Self>) {
        let (adopt, cause) = letter.open();
        let mut task = Task {
            id: TaskId::new(),
            name: adopt.name.clone(),
            size: adopt.archive.bytes().len() as u32,
            nth: None,
            sha256: adopt.archive.digest(),
            kind: Arc::new(Kind {
                code: Digest::of(b"main.py"),
                group: adopt.group,
                parts: None,
                wishes: adopt.wishes,
            }),
        };
        task.set_part(adopt.part);
        let task = Arc::new(task);
        let (id, name) = (task.id, adopt.name);
        self.shelves()
            .tasks
            .insert(id, (name.clone(), adopt.archive));
        self.scheduler.tell(TaskArrived { task }, cause);
        let accepted = TaskAccepted {
            request: adopt.reply.request,
            task: id,
            name,
        };
        adopt.reply.session.used_by(NAME).tell(accepted, cause);
    }
}

impl Handler<Letter<OpenGroup>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<OpenGroup>, _: &mut Context<Self>) {
        let (OpenGroup { name, reply }, cause) = letter.open();
        let mut shelves = self.shelves();
        shelves.groups += 1;
        let opened = GroupOpened {
            request: reply.request,
            group: format!("{}-{}", name.stem(), shelves.groups),
        };
        reply.session.used_by(NAME).tell(opened, cause);
    }
}

impl Handler<Letter<DescribeGathered>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<DescribeGathered>, _: &mut Context<Self>) {
        let (DescribeGathered { group, reply }, cause) = letter.open();
        let report = GatheredReport {
            group,
            parts_in: 0,
            complete: true,
        };
        let request = reply.request;
        let described = GatheredDescribed { request, report };
        reply.session.used_by(NAME).tell(described, cause);
    }
}

impl Handler<Letter<FindGathered>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<FindGathered>, _: &mut Context<Self>) {
        let (FindGathered { reply, .. }, cause) = letter.open();
        let found = GatheredFound {
            request: reply.request,
            path: None,
        };
        reply.session.used_by(NAME).tell(found, cause);
    }
}

impl Handler<Letter<LoadTask>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<LoadTask>, _: &mut Context<Self>) {
        let (LoadTask { task, reply }, cause) = letter.open();
        let mut shelves = self.shelves();
        if let Some(others) = shelves.stall_after.take() {
            if others == 0 {
                return;
            }
            shelves.stall_after = Some(others - 1);
        }
        let there = !std::mem::take(&mut shelves.vanish) && !shelves.gone.contains(&task);
        let found = shelves.tasks.get(&task).filter(|_| there).cloned();
        let (session, request) = (reply.session.used_by(NAME), reply.request);
        match found {
            Some((name, archive)) => {
                let name = name.to_string();
                let loaded = PayloadLoaded {
                    request,
                    name,
                    archive,
                };
                session.tell(loaded, cause);
            }
            None => {
                let why = "the file is gone".into();
                session.tell(RequestRefused { request, why }, cause);
            }
        }
    }
}

impl Handler<Letter<LoadResult>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<LoadResult>, _: &mut Context<Self>) {
        let (LoadResult { task, reply, .. }, cause) = letter.open();
        let (session, request) = (reply.session.used_by(NAME), reply.request);
        let kept = self.shelves().results.get(&task).cloned();
        match kept.and_then(|kept| kept.first().cloned()) {
            Some(archive) => {
                let name = "result.zip".into();
                let loaded = PayloadLoaded {
                    request,
                    name,
                    archive,
                };
                session.tell(loaded, cause);
            }
            None => {
                let why = "there is no result yet".into();
                session.tell(RequestRefused { request, why }, cause);
            }
        }
    }
}

impl Handler<Letter<KeepResult>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<KeepResult>, _: &mut Context<Self>) {
        let (keep, cause) = letter.open();
        let (task, attempt) = (keep.task, keep.attempt);
        if keep.archive.bytes().starts_with(UNSOUND) {
            let why = "it is no ZIP".into();
            let by_disk = false;
            let refused = ResultRefused {
                task,
                attempt,
                by_disk,
                why,
            };
            return self.scheduler.tell(refused, cause);
        }
        if keep.success {
            let mut shelves = self.shelves();
            shelves.results.entry(task).or_default().push(keep.archive);
        }
        let file = keep.name.to_string();
        let kept = ResultKept {
            task,
            attempt,
            file,
        };
        self.scheduler.tell(kept, cause);
    }
}

impl Handler<Letter<TaskEnded>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskEnded>, _: &mut Context<Self>) {
        let (TaskEnded { task, end, .. }, _) = letter.open();
        self.shelves().ended.entry(task).or_default().push(end);
    }
}

impl Handler<Letter<SetAside>> for Folders {
    type Result = ();

    fn handle(&mut self, _: Letter<SetAside>, _: &mut Context<Self>) {}
}

impl Handler<Letter<WrittenDown>> for Folders {
    type Result = ();

    fn handle(&mut self, _: Letter<WrittenDown>, _: &mut Context<Self>) {}
}

impl Handler<Letter<StoreChanged>> for Folders {
    type Result = ();

    fn handle(&mut self, _: Letter<StoreChanged>, _: &mut Context<Self>) {}
}

impl Handler<Letter<RetryTasks>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<RetryTasks>, _: &mut Context<Self>) {
        let (
            RetryTasks {
                retry,
                tasks,
                reply,
            },
            cause,
        ) = letter.open();
        let gone = &self.shelves().gone.clone();
        let (left, open): (Vec<_>, _) = tasks
            .iter()
            .map(|task| task.id)
            .partition(|task| gone.contains(task));
        let retried = TasksRetried {
            retry,
            open,
            why: (!left.is_empty()).then(|| "the file is gone".into()),
            left,
            reply,
        };
        self.scheduler.tell(retried, cause);
    }
}

impl Handler<Letter<GroupReopened>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<GroupReopened>, _: &mut Context<Self>) {
        let (GroupReopened { ended, .. }, _) = letter.open();
        let ended = ended.into_iter().map(|ended| ended.task).collect();
        self.shelves().reopened.push(ended);
    }
}
