//! Which letters are shown.

use std::collections::BTreeSet;
use std::str::FromStr;

use jiff::civil::{DateTime, Time};
use jiff::{Span, Timestamp, Zoned};
use serde_json::Value;

use super::body;
use super::record::Record;

/// Sessions remembered as those of the peer that is asked for; the newest, for old ones say no more.
const SESSIONS_MAX: usize = 1024;

/// What a letter must have to be shown; what is not said is not asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Sender or addressee: one actor (`peer_session#3`), or all of its role (`peer_session`).
    pub actor: Option<String>,
    /// Beginning of the `peer_id` that it names, or whose session says or hears it.
    pub peer: Option<String>,
    /// What it is.
    pub kind: Option<String>,
    /// Sent at this time or later.
    pub since: Option<Timestamp>,
    /// Sent before this time.
    pub until: Option<Timestamp>,
}

/// Tells which letters are wanted, as they pass by.
#[derive(Debug, Default)]
pub struct Filter {
    wanted: Wanted,
    /// Sessions that the peer has spoken on.
    sessions: BTreeSet<u64>,
}

impl Filter {
    /// A filter at the beginning of a log.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            sessions: BTreeSet::new(),
        }
    }

    /// Whether the letter is shown. Letters are to come in their order: a peer's session is learned
    /// when it first names the peer.
    pub fn accepts(&mut self, record: &Record) -> bool {
        // The peer comes first, because its sessions are learned from letters that are not shown too.
        let is_of_peer = self.is_of_peer(record);
        let Wanted {
            actor,
            kind,
            since,
            until,
            ..
        } = &self.wanted;
        is_of_peer
            && since.is_none_or(|since| record.at >= since)
            && until.is_none_or(|until| record.at < until)
            && kind.as_ref().is_none_or(|kind| record.kind == *kind)
            && actor
                .as_ref()
                .is_none_or(|actor| is_actor(actor, &record.from) || is_actor(actor, &record.to))
    }

    /// A new run: its sessions have nothing to do with those before.
    pub fn start_run(&mut self) {
        self.sessions.clear();
    }

    fn is_of_peer(&mut self, record: &Record) -> bool {
        let Some(wanted) = &self.wanted.peer else {
            return true;
        };
        let mut sessions = [&record.from, &record.to]
            .into_iter()
            .filter_map(|name| session(name));
        let body: Value = serde_json::from_str(record.body.get()).unwrap_or_default();
        let named = body::peers(&body);
        if named.is_empty() {
            return sessions.any(|session| self.sessions.contains(&session));
        }
        let speaks = body.pointer("/endpoint/peer").and_then(Value::as_str);
        if speaks.is_some_and(|peer| peer.starts_with(wanted)) {
            self.sessions.extend(session(&record.from));
            if self.sessions.len() > SESSIONS_MAX {
                self.sessions.pop_first();
            }
        }
        named.iter().any(|peer| peer.starts_with(wanted))
    }
}

/// Whether a name is the actor that is asked for, or one of its role.
fn is_actor(asked: &str, name: &str) -> bool {
    name == asked || name.split_once('#').is_some_and(|(role, _)| role == asked)
}

/// The number of a session on the master.
fn session(name: &str) -> Option<u64> {
    name.strip_prefix("peer_session#")?.parse().ok()
}

/// A point in time as it is typed.
#[derive(Debug, Clone)]
pub enum When {
    /// `2026-11-22T14:05:00Z`.
    At(Timestamp),
    /// `2026-11-22 14:05`, on the clock on the wall.
    Local(DateTime),
    /// `14:05`, today.
    Today(Time),
    /// `10m`: so long ago.
    Ago(Span),
}

/// The text is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither a time (14:05, 2026-11-22 14:05) nor how long ago (10m, 2h)")]
pub struct NoTime;

impl FromStr for When {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        if let Ok(local) = text.parse() {
            return Ok(Self::Local(local));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::Today(time));
        }
        match text.parse::<Span>() {
            Ok(span) if !span.is_negative() => Ok(Self::Ago(span)),
            _ => Err(NoTime),
        }
    }
}

impl When {
    /// The instant that is meant when it is `now`.
    ///
    /// # Errors
    ///
    /// [`NoTime`] if the calendar has no such instant.
    pub fn before(&self, now: &Zoned) -> Result<Timestamp, NoTime> {
        let zone = now.time_zone();
        let zoned = match self {
            Self::At(at) => return Ok(*at),
            Self::Local(local) => local.to_zoned(zone.clone()),
            Self::Today(time) => now.date().to_datetime(*time).to_zoned(zone.clone()),
            Self::Ago(span) => now.checked_sub(*span),
        };
        zoned.map(|zoned| zoned.timestamp()).map_err(|_| NoTime)
    }
}
