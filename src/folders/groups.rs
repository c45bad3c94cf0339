//! New groups of tasks: each gets a name of its own, and a folder for what becomes of it; and whether that is whole.

use std::sync::Arc;

use actix::Handler;
use mutirao_actors::messages::{DescribeGathered, GatheredDescribed, GroupOpened, OpenGroup};
use mutirao_actors::port::Letter;
use mutirao_actors::wire::report::GatheredReport;

use super::answers::refuse;
use super::assembling::{Gathered, nothing_is_to_come};
use super::jobs::{self, Refused};
use super::{Folders, NAME};

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
