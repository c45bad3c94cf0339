//! What the folders hear, in the order of a task's life.

use std::sync::Arc;

use actix::Handler;
use mutirao_actors::logic::effect::End;
use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{
    AdoptTask, KeepResult, LoadResult, LoadTask, ReplyTo, SetAside, StoreChanged, TaskEnded,
    WrittenDown,
};
use mutirao_actors::port::Letter;

use super::Folders;
use super::answers::{answer, refuse};
use super::crew::WAITING_MAX;
use super::fetching::Fetch;
use super::jobs::{self, Draft, Settling};
use super::loads::LIGHT;

impl Folders {
    /// Answers a request that would wait too long; true when it may be done.
    pub(super) fn has_hands(&self, reply: &ReplyTo, cause: Cause) -> bool {
        if let Some(trouble) = &self.unopened {
            let why = format!("the master cannot open its folders: {trouble}");
            refuse(reply, why, cause);
            return false;
        }
        let waits = self.fetches.len().max(self.adoptions.len());
        let is_behind = self.crew.is_behind() || waits >= WAITING_MAX;
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

impl Handler<Letter<AdoptTask>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<AdoptTask>, ctx: &mut Self::Context) {
        let (message, cause) = letter.open();
        let AdoptTask {
            name,
            archive,
            group,
            wishes,
            part,
            reply,
        } = message;
        if let Some(trouble) = &self.store_trouble {
            let why = format!("the master cannot write the task down: {trouble}");
            refuse(&reply, why, cause);
        } else if self.intake.is_full() {
            refuse(
                &reply,
                "the master has as many tasks as it can: try again later".into(),
                cause,
            );
        } else if self.has_hands(&reply, cause) {
            let draft = Draft {
                id: self.ids.task(),
                name,
                archive,
                group,
                wishes,
                part,
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
        let (name, size) = (open.name.to_string(), u64::from(open.size));
        if let Some(archive) = self.hot.find(task) {
            return answer(&reply, name, Ok(archive), cause);
        }
        let fetch = Fetch {
            task,
            name: name.clone(),
            path: self.places.tasks.join(file),
            sha256: open.sha256,
            may_be_unlaid: self.layings.has(task),
            asked: (reply.clone(), cause),
        };
        if size <= LIGHT {
            return self.fetch(fetch, ctx);
        }
        if !self.has_hands(&reply, cause) {
            return;
        }
        let places = Arc::clone(&self.places);
        let load = move || fetch.load(&places);
        let room = self.loads.room_for_task(size);
        self.load(name, room, load, (reply, cause), ctx);
    }
}

impl Handler<Letter<KeepResult>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<KeepResult>, ctx: &mut Self::Context) {
        let (result, cause) = letter.open();
        self.keep(result, cause, ctx);
    }
}

impl Handler<Letter<SetAside>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<SetAside>, ctx: &mut Self::Context) {
        let (SetAside { peer, why, archive }, _) = letter.open();
        let sha256 = archive.digest();
        // One at a time: whoever sends rubbish is neither to fill our memory nor to keep honest results waiting.
        if std::mem::replace(&mut self.is_setting_aside, true) {
            return tracing::warn!(%peer, %sha256, "dropped a result that nobody uses: {why}");
        }
        tracing::warn!(%peer, %sha256, "set a result aside: {why}");
        let (places, bytes) = (Arc::clone(&self.places), archive.bytes().len());
        let set_aside = move || jobs::set_aside(&places, &peer, &why, &archive);
        self.work(ctx, set_aside, move |desk, done, _| {
            desk.is_setting_aside = false;
            desk.hear_asked("set aside", bytes, done.err().as_ref());
        });
    }
}

impl Handler<Letter<TaskEnded>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<TaskEnded>, ctx: &mut Self::Context) {
        let (message, _) = letter.open();
        let TaskEnded {
            task,
            name,
            mut end,
            part,
        } = message;
        if let Some(part) = part {
            self.assemblies.ends(task, *part, &name, &end);
        }
        if let (End::Failed(why), Some(kept)) = (&mut end, self.results.find(task)) {
            let output = self.places.results.join(&kept.file);
            why.push_str(&format!("\nits last output: {}", output.display()));
        }
        self.keepings.cancel(task);
        self.hot.remove(task);
        let kept = self.results.find(task);
        let settling = Settling {
            task,
            name,
            end,
            kept: kept.filter(|kept| !kept.is_settled).cloned(),
            // None when the task ended because its file was deleted or replaced.
            leaving: self.intake.end(task),
            may_be_unlaid: self.layings.has(task),
        };
        self.settlements.add(settling);
        self.settle_soon(ctx);
    }
}

impl Handler<Letter<LoadResult>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<LoadResult>, ctx: &mut Self::Context) {
        let (message, cause) = letter.open();
        let LoadResult {
            task,
            reader,
            reply,
        } = message;
        let Some(kept) = self.results.find(task).cloned() else {
            let why = format!("no result of {task} is remembered: look in results/");
            return refuse(&reply, why, cause);
        };
        if !self.has_hands(&reply, cause) {
            return;
        }
        let Some(room) = self.loads.room_for_result(kept.size, reader) else {
            let why = "too many wait for results already: try again in a few seconds";
            return refuse(&reply, why.into(), cause);
        };
        let (places, name) = (Arc::clone(&self.places), kept.file.clone());
        let load = move || jobs::load_kept(&places, task, &kept);
        self.load(name, room, load, (reply, cause), ctx);
    }
}

impl Handler<Letter<WrittenDown>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<WrittenDown>, ctx: &mut Self::Context) {
        let (WrittenDown { ticket }, _) = letter.open();
        for told in self.withheld.release(ticket) {
            told(self);
        }
        self.clear_put_away(ctx);
        self.lay(ctx);
    }
}

impl Handler<Letter<StoreChanged>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<StoreChanged>, _: &mut Self::Context) {
        let (StoreChanged { trouble }, _) = letter.open();
        self.store_trouble = trouble;
    }
}
