//! What a session is answered that asked for something.

use mutirao_actors::message_log::Cause;
use mutirao_actors::messages::{PayloadLoaded, ReplyTo, RequestRefused};
use mutirao_actors::model::Archive;

use super::NAME;

/// Answers a session that needs a payload.
pub(super) fn answer(reply: &ReplyTo, name: String, loaded: Result<Archive, String>, cause: Cause) {
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

/// Tells it why there is nothing.
pub(super) fn refuse(reply: &ReplyTo, why: String, cause: Cause) {
    let request = reply.request;
    reply
        .session
        .used_by(NAME)
        .tell(RequestRefused { request, why }, cause);
}
