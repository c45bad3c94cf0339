//! What the folders hear, in the order of a task's life.

use std::sync::Arc;

use actix::Handler;
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{
    AdoptTask, KeepResult, LoadResult, LoadTask, PayloadLoaded, ReplyTo, RequestRefused,
    ResultKept, ResultRefused, TaskEnded,
};
use mutirao_actors::model::Archive;
use mutirao_actors::port::Letter;

use super::jobs::{self, Draft, Refused};
use super::kept::Kept;
use super::{Folders, Moment, NAME};

pub(super) fn refuse(reply: &ReplyTo, why: String, cause: Cause) {
    let request = reply.request;
    reply
        .session
        .used_by(NAME)
        .tell(RequestRefused { request, why }, cause);
}

impl Folders {
    /// Answers a request that would wait too long; true when it may be done.
    fn has_hands(&self, reply: &ReplyTo, cause: Cause) -> bool {
        let is_behind = self.crew.is_behind();
        if is_behind {
            refuse(
                reply,
                "the master's disk is behind: try again in a few seconds".into(),
                cause,
            );
        }
        !is_behind
    }
}

fn answer(reply: &ReplyTo, name: String, loaded: Result<Archive, String>, cause: Cause) {
    let request = reply.request;
    match loaded {
        Ok(archive) => {
            let loaded = PayloadLoaded {
                request,
                name,
                archive,
            };
            reply.session.used_by(NAME).tell(loaded, cause);
        }
        Err(why) => refuse(reply, why, cause),
    }
}

impl Handler<Letter<AdoptTask>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<AdoptTask>, ctx: &mut Self::Context) {
        let (message, cause) = letter.open();
        let AdoptTask {
            name,
            archive,
            group,
            wishes,
            reply,
        } = message;
        if self.intake.is_full() {
            refuse(
                &reply,
                "the master has as many tasks as it can: try again later".into(),
                cause,
            );
        } else if self.has_hands(&reply, cause) {
            let draft = Draft {
                name,
                archive,
                group,
                wishes,
            };
            self.adopt(draft, (reply, cause), 1, ctx);
        }
    }
}

impl Handler<Letter<LoadTask>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<LoadTask>, ctx: &mut Self::Context) {
        let (LoadTask { task, reply }, cause) = letter.open();
        let Some((file, open)) = self.intake.find(task) else {
            return refuse(&reply, format!("the task {task} is not open"), cause);
        };
        let (path, sha256) = (self.places.tasks.join(file), open.sha256);
        let name = open.name.to_string();
        if self.has_hands(&reply, cause) {
            self.work(
                ctx,
                move || jobs::load(&path, sha256),
                move |desk, loaded, _| {
                    let loaded = desk.heard("load", loaded);
                    if loaded.is_err() {
                        // The file is not what was adopted: the next look tells the scheduler what became of it.
                        desk.soonest = Moment::default();
                    }
                    answer(&reply, name, loaded, cause);
                },
            );
        }
    }
}

impl Handler<Letter<KeepResult>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<KeepResult>, ctx: &mut Self::Context) {
        let (message, cause) = letter.open();
        let KeepResult {
            task,
            name,
            attempt,
            success,
            archive,
        } = message;
        let (places, sha256) = (Arc::clone(&self.places), archive.digest());
        let keep = move || jobs::keep(&places, &name, success, &archive);
        self.work(ctx, keep, move |desk, kept, _| {
            let by_disk = matches!(kept, Err(Refused::Disk(_)));
            match desk.heard("keep", kept) {
                Ok(file) => {
                    let kept = Kept {
                        file: file.clone(),
                        sha256,
                        success,
                    };
                    desk.results.add(task, kept);
                    desk.scheduler.tell(
                        ResultKept {
                            task,
                            attempt,
                            file,
                        },
                        cause,
                    );
                }
                Err(why) => {
                    let refused = ResultRefused {
                        task,
                        attempt,
                        by_disk,
                        why,
                    };
                    desk.scheduler.tell(refused, cause);
                }
            }
        });
    }
}

impl Handler<Letter<TaskEnded>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskEnded>, ctx: &mut Self::Context) {
        let (TaskEnded { task, end, .. }, _) = letter.open();
        // None when the task ended because its file was deleted or replaced.
        if let Some(leaving) = self.intake.end(task) {
            self.shelve(leaving, end, ctx);
        }
    }
}

impl Handler<Letter<LoadResult>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<LoadResult>, ctx: &mut Self::Context) {
        let (LoadResult { task, reply }, cause) = letter.open();
        let Some(kept) = self.results.find(task).cloned() else {
            let why =
                format!("no result of {task} is known since the master started: look in results/");
            return refuse(&reply, why, cause);
        };
        if self.has_hands(&reply, cause) {
            let path = self.places.results.join(&kept.file);
            self.work(
                ctx,
                move || jobs::load(&path, kept.sha256),
                move |desk, loaded, _| {
                    let loaded = desk.heard("load", loaded);
                    answer(&reply, kept.file, loaded, cause);
                },
            );
        }
    }
}
