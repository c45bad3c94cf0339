//! New groups of tasks: each gets a name of its own, and a folder for what becomes of it; whether that is whole, and where it lies.

use std::sync::Arc;

use actix::Handler;
use mutirao_actors::messages::{
    DescribeGathered, FindGathered, GatheredDescribed, GatheredFound, GroupOpened, OpenGroup,
};
use mutirao_actors::port::Letter;
use mutirao_actors::wire::report::GatheredReport;

use super::answers::refuse;
use super::assembling::{Gathered, folder_of, nothing_is_to_come};
use super::jobs::{self, Refused};
use super::{Folders, NAME};
use crate::gather;

impl Handler<Letter<DescribeGathered>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<DescribeGathered>, ctx: &mut Self::Context) {
        let (DescribeGathered { group, reply }, cause) = letter.open();
        let describe = move |parts_in, complete, group| {
            let request = reply.request;
            let report = GatheredReport {
                group,
                parts_in,
                complete,
            };
            let described = GatheredDescribed { request, report };
            reply.session.used_by(NAME).tell(described, cause);
        };
        if let Some(Gathered { parts_in, is_over }) = self.assemblies.stands(&group) {
            return describe(parts_in, is_over, group);
        }
        // Nothing is known of it any more: what lies there tells.
        let places = Arc::clone(&self.places);
        let look = move || (nothing_is_to_come(&places, &group), group);
        self.work(ctx, look, move |_, (complete, group), _| {
            describe(0, complete, group);
        });
    }
}

impl Handler<Letter<FindGathered>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<FindGathered>, ctx: &mut Self::Context) {
        let (FindGathered { group, file, reply }, cause) = letter.open();
        if !self.has_hands(&reply, cause) {
            return;
        }
        let places = Arc::clone(&self.places);
        let find = move || {
            let folder = folder_of(&group).filter(|_| gather::FILES.contains(&&*file))?;
            let path = places.results.join(folder).join(file);
            let is_there = places.volume.stat(&path).is_ok_and(|stat| stat.is_file);
            is_there.then_some(path)
        };
        self.work(ctx, find, move |_, path, _| {
            let request = reply.request;
            let session = reply.session.used_by(NAME);
            session.tell(GatheredFound { request, path }, cause);
        });
    }
}

impl Handler<Letter<OpenGroup>> for Folders {
    type Result = ();

    fn handle(&mut self, letter: Letter<OpenGroup>, ctx: &mut Self::Context) {
        let (OpenGroup { name, reply }, cause) = letter.open();
        if !self.has_hands(&reply, cause) {
            return;
        }
        let places = Arc::clone(&self.places);
        // The folder of a group may be gone while its tasks are known by its name.
        let known = self.intake.groups().chain(self.assemblies.names());
        let taken = jobs::numbers_of_groups(&name, known);
        let open = move || jobs::open_group(&places, &name, &taken).map_err(Refused::Disk);
        self.work(ctx, open, move |desk, opened, _| {
            match desk.heard("open a group", 0, opened) {
                Ok(group) => {
                    let request = reply.request;
                    let session = reply.session.used_by(NAME);
                    session.tell(GroupOpened { request, group }, cause);
                }
                Err(why) => refuse(&reply, why, cause),
            }
        });
    }
}
