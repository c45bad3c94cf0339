//! What a master's message means, taken apart from its bytes.

use std::time::Duration;

use crate::logic::client::{Ours, Said};
use crate::model::Archive;
use crate::wire::reply::{Lease, Welcome};
use crate::wire::{Extension, Extensions, Message, Reply, WireError};

/// The quickest heartbeat that a master is given, whatever it wants.
const HEARTBEAT_MIN: Duration = Duration::from_secs(1);
/// The slowest: a connection that is quiet for longer is forgotten by NATs and firewalls.
const HEARTBEAT_MAX: Duration = Duration::from_secs(60);

/// One message of the master.
#[derive(Debug)]
pub struct Told {
    /// The request that it answers, if the master knows ids.
    pub id: Option<u64>,
    /// What it says.
    pub said: Said,
    /// The extensions of a master of ours that takes us.
    pub named: Option<Extensions>,
}

/// Takes one message apart; an error in words for a reader if it cannot be understood.
pub fn take_apart(message: &Message) -> Result<Told, String> {
    let message = message.apart();
    let heard = message.reply().map_err(|error| error.to_string())?;
    let named = match &heard.reply {
        Reply::Registered { ours: Some(ours) } => Some(Extensions::named(&ours.capabilities)),
        _ => None,
    };
    let named = named.filter(|named| named.make_a_master());
    let said = read(heard.reply, named).map_err(|error| error.to_string())?;
    Ok(Told {
        id: heard.id,
        said,
        named,
    })
}

fn read(reply: Reply<'_>, named: Option<Extensions>) -> Result<Said, WireError> {
    Ok(match reply {
        Reply::Registered { ours } => {
            let ours = ours.zip(named);
            Said::Registered(ours.map(|(welcome, named)| welcomed(&welcome, named)))
        }
        Reply::Alive => Said::Alive,
        Reply::NoTask => Said::Nothing,
        Reply::TaskPackage {
            task_name,
            task_data,
            ours,
        } => {
            let archive = Archive::new(task_data.decode()?);
            if ours.is_some_and(|lease| lease.sha256 != archive.digest()) {
                return Err(WireError::Damaged);
            }
            Said::Task {
                key: ours.map(|lease| (lease.task_id, lease.attempt)),
                name: task_name.into_owned(),
                archive,
                time_limit: ours.as_ref().and_then(time_limit),
            }
        }
        Reply::Ok => Said::Taken,
        Reply::Left => Said::Left,
        Reply::Error { message, code } => Said::Error(message.into_owned(), code.map(Into::into)),
        Reply::CancelAttempt { task_id, attempt } => Said::Cancel((task_id, attempt)),
        Reply::FollowOutput {
            task_id,
            attempt,
            follow_ms,
            from,
        } => {
            let lasting = Duration::from_millis(follow_ms.into());
            Said::Follow((task_id, attempt), from, lasting)
        }
        Reply::Unknown { word } => Said::Unknown(word.into_owned()),
        other => Said::Unknown(format!("{other:?}").chars().take(40).collect()),
    })
}

fn welcomed(welcome: &Welcome<'_>, named: Extensions) -> Ours {
    let heartbeat = Duration::from_secs(welcome.heartbeat_s.into());
    Ours {
        master_id: welcome.master_id,
        heartbeat: heartbeat.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX),
        has_spares: named.has(Extension::Spare),
    }
}

fn time_limit(lease: &Lease) -> Option<Duration> {
    lease.time_limit_ms.map(Duration::from_millis)
}
