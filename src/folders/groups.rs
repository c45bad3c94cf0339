//! New groups of tasks: each gets a name of its own, and a folder for what becomes of it.

use std::sync::Arc;

use actix::Handler;
use mutirao_actors::messages::{GroupOpened, OpenGroup};
use mutirao_actors::port::Letter;

use super::answers::refuse;
use super::jobs::{self, Refused};
use super::{Folders, NAME};

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
