//! What the desk has done for it on the disk, and what it makes of the outcome.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use actix::{ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::ReplyTo;
use mutirao_actors::model::{Archive, Digest, Moment, Stamp, TaskId};

use super::Folders;
use super::answers::answer;
use super::intake::{Deed, Leaving, Reading};
use super::jobs::{self, Hold, Read, Refused, Unread};
use super::kept::Kept;
use super::loads::Berth;
use crate::disk::{DiskError, Mark};

impl Folders {
    /// Has a ZIP of this name loaded for a session, once there is room for it.
    pub(super) fn load(
        &mut self,
        name: String,
        room: impl Future<Output = Berth> + 'static,
        load: impl FnOnce() -> Result<Archive, Refused> + Send + 'static,
        asked: (ReplyTo, Cause),
        ctx: &mut Context<Self>,
    ) {
        let room = room.into_actor(self);
        ctx.spawn(room.map(move |berth, desk: &mut Self, ctx| {
            desk.work(ctx, load, move |desk, loaded, _| {
                let loaded = loaded.map(|archive| berth.hold(&archive));
                desk.loaded(name, loaded, asked);
            });
        }));
    }

    /// A payload was read, or could not be.
    pub(super) fn loaded(
        &mut self,
        name: String,
        loaded: Result<Archive, Refused>,
        (reply, cause): (ReplyTo, Cause),
    ) {
        let loaded = self.heard("load", 0, loaded);
        if loaded.is_err() {
            // The file is not what was adopted: the next look tells the scheduler what became of it.
            self.soonest = Moment::default();
        }
        answer(&reply, name, loaded, cause);
    }

    /// Has files read that may be tasks.
    pub(super) fn read(&mut self, batch: Vec<(OsString, Stamp)>, ctx: &mut Context<Self>) {
        let since = self.mark_of_flushes();
        let unread = |(name, stamp): (OsString, Stamp)| Unread {
            id: self.ids.task(),
            open: self.intake.open_as(&name),
            how: self.how_to_hold(&name),
            name,
            stamp,
        };
        let files: Vec<_> = batch.into_iter().map(unread).collect();
        let places = Arc::clone(&self.places);
        let read = move || (jobs::read_together(&places, &files, since), files);
        self.work(ctx, read, |desk, (read, files), ctx| {
            let tasks = &desk.places.tasks;
            desk.troubles.hear("flush", tasks, read.trouble.as_ref());
            let (mut deeds, mut copied) = (Vec::new(), Vec::new());
            for (file, read) in files.iter().zip(read.each) {
                deeds.extend(desk.hear_read(file, read, &mut copied));
            }
            deeds.extend(desk.intake.batch_read());
            desk.carry_out(deeds, ctx);
            for (task, sha256) in copied {
                match desk.intake.settled(task).cloned() {
                    Some(task) => desk.lay_over(task),
                    None => desk.drop_copy(task, sha256, ctx),
                }
            }
        });
    }

    /// What reading one of them showed.
    fn hear_read(
        &mut self,
        file: &Unread,
        read: Result<Read, DiskError>,
        copied: &mut Vec<(TaskId, Digest)>,
    ) -> Vec<Deed> {
        self.hear_of("read", &file.name, read.as_ref().err());
        let read = read.unwrap_or_else(|_| Read::of(Reading::Unread));
        copied.extend(read.copied);
        let (now, name) = (self.clock.now(), &file.name);
        let deeds = self.intake.read(now, name, file.stamp, read.told);
        self.remember(&deeds, read.archive);
        deeds
    }

    /// Has a copy removed of a file that has changed meanwhile.
    fn drop_copy(&mut self, task: TaskId, sha256: Digest, ctx: &mut Context<Self>) {
        let places = Arc::clone(&self.places);
        let drop_copy = move || places.volume.remove(&places.payload(task, sha256));
        self.work(ctx, drop_copy, |desk, dropped, _| {
            desk.hear_asked("discard", 0, dropped.err().as_ref());
        });
    }

    /// A mark of now; what was seen before a flush that failed since the last one is doubted.
    fn mark_of_flushes(&mut self) -> Mark {
        let mark = self.places.volume.mark();
        if std::mem::replace(&mut self.flushed_well, mark) != mark {
            self.intake.doubt();
        }
        mark
    }

    /// How a file that somebody put into `tasks/` is made to last.
    fn how_to_hold(&self, name: &OsStr) -> Hold {
        match self.intake.is_doubted(name) {
            true => Hold::Rewrite,
            false => Hold::Flush,
        }
    }

    /// Keeps the ZIP of a task that arrives: it is asked for soon.
    fn remember(&mut self, deeds: &[Deed], archive: Option<Archive>) {
        for deed in deeds {
            if let (Deed::Arrive(task, _), Some(archive)) = (deed, &archive) {
                self.hot.insert(task.id, archive);
            }
        }
    }

    /// Has a file moved that is no task.
    pub(super) fn reject(&mut self, leaving: Leaving, why: String, ctx: &mut Context<Self>) {
        let places = Arc::clone(&self.places);
        let reject = move || (jobs::reject(&places, &leaving, &why), leaving, why);
        self.work(ctx, reject, |desk, (moved, leaving, why), _| {
            let file = &leaving.file;
            desk.hear_of("reject", file, moved.as_ref().err());
            match moved {
                Ok(moved) => {
                    if moved {
                        let path = desk.places.tasks.join(file);
                        tracing::warn!("{} went to rejected/: {why}", path.display());
                    }
                    desk.intake.left(file);
                }
                Err(_) => desk.intake.stays_unsound(file),
            }
        });
    }

    /// Has a result removed whose task was cancelled while it was looked over.
    pub(super) fn discard(&mut self, task: TaskId, kept: Kept, ctx: &mut Context<Self>) {
        let (places, plans) = (Arc::clone(&self.places), Arc::clone(&self.plans));
        let discard = move || {
            plans.release(task);
            jobs::discard(&places, task, &kept)
        };
        self.work(ctx, discard, |desk, discarded, _| {
            desk.hear_asked("discard", 0, discarded.err().as_ref());
        });
    }

    /// How work on a file of `tasks/` went.
    pub(super) fn hear_of(
        &mut self,
        work: &'static str,
        file: impl AsRef<Path>,
        trouble: Option<&DiskError>,
    ) {
        self.troubles
            .hear(work, &self.places.tasks.join(file), trouble);
    }

    /// How work went whose outcome is an answer, and that was to write so many bytes: in words, and said to the master's
    /// owner when it is the disk's fault.
    pub(super) fn heard<T>(
        &mut self,
        work: &'static str,
        bytes: usize,
        told: Result<T, Refused>,
    ) -> Result<T, String> {
        let trouble = match &told {
            Err(Refused::Disk(error)) => Some(error),
            Ok(_) => None,
            Err(Refused::Cannot(why)) => return Err(why.clone()),
        };
        self.hear_asked(work, bytes, trouble);
        told.map_err(|refused| refused.to_string())
    }
}
