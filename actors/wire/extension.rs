//! The extensions, by the names under which both sides say that they know them.
//!
//! Rule: nothing of one is sent to whoever has not named it. What comes with `protocol` itself, to whoever said its own, is
//! REGISTERED in full, the `code` of an error, and LEAVE.

use std::borrow::Cow;

/// One of them; its place is that of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// One lasting connection with several requests in flight, matched by `id`.
    Persistent,
    /// Tries by their ids.
    Attempt,
    /// A REQUEST_TASK that waits.
    Wait,
    /// Digests of payloads.
    Sha256,
    /// How a run ended.
    Outcome,
    /// What a peer holds.
    Holds,
    /// Orders to stop a run.
    Cancel,
    /// A payload follows its message as it is, instead of standing in it as base64.
    Raw,
    /// A REQUEST_TASK for a task that is to be held until a slot is free.
    Spare,
    /// A REQUEST_TASK for several tasks.
    Count,
    /// What a try prints, while it runs.
    Output,
}

/// The names of those that a master of ours can use.
pub const CAPABILITIES: [&str; 11] = [
    "persistent",
    "attempt",
    "wait",
    "sha256",
    "outcome",
    "holds",
    "cancel",
    "raw",
    "spare",
    "count",
    "output",
];

/// The names of those that a peer of ours uses: it has several requests in flight instead of asking for several tasks.
pub fn capabilities_of_peers() -> impl Iterator<Item = &'static str> {
    let is_used = |name: &&str| *name != Extension::Count.name();
    CAPABILITIES.into_iter().filter(is_used)
}

/// Those that somebody named, of the ones that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions(u16);

impl Extension {
    /// Its name.
    pub fn name(self) -> &'static str {
        CAPABILITIES.get(self as usize).copied().unwrap_or_default()
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Extensions {
    /// Those among these names.
    pub fn named(names: &[Cow<'_, str>]) -> Self {
        let place = |name: &Cow<'_, str>| CAPABILITIES.iter().position(|known| known == name);
        let places = names.iter().filter_map(place);
        Self(places.fold(0, |all, place| all | 1 << place))
    }

    /// Whether this one is among them.
    pub fn has(self, extension: Extension) -> bool {
        self.0 & extension.bit() != 0
    }

    fn has_all(self, extensions: &[Extension]) -> bool {
        extensions.iter().all(|extension| self.has(*extension))
    }

    /// Whether tries are told by their ids, and the digest of the ZIP with them.
    pub fn name_tries(self) -> bool {
        self.has_all(&[Extension::Attempt, Extension::Sha256])
    }

    /// Whether a peer that named them can have several tasks at a time over one connection; any other is served as one
    /// that names nothing, but for what it named. One that does not say what it holds would be believed for ever to hold a
    /// task that never reached it.
    pub fn make_a_peer(self) -> bool {
        self.has_all(&[Extension::Persistent, Extension::Holds]) && self.name_tries()
    }

    /// Whether a master that named them is worked for in that way; any other is told nothing but the fixed messages.
    pub fn make_a_master(self) -> bool {
        self.make_a_peer() && self.has(Extension::Wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_name_and_what_is_not_known_names_nothing() {
        let all: Vec<Cow<'_, str>> = CAPABILITIES.map(Into::into).to_vec();
        assert_eq!(Extension::Output as usize + 1, CAPABILITIES.len());
        assert_eq!(Extension::Count.name(), "count");
        for (place, name) in all.iter().enumerate() {
            let one = Extensions::named(&[name.clone(), "telepathy".into()]);
            assert_eq!(one, Extensions(1 << place));
        }
        let holds = Extensions::named(&["holds".into()]);
        assert!(holds.has(Extension::Holds) && !holds.has(Extension::Raw));
        assert!(Extensions::named(&all).make_a_master());
    }

    #[test]
    fn one_name_less_makes_a_stranger() {
        let core = ["persistent", "attempt", "sha256", "wait", "holds"];
        for missing in core {
            let others = core.into_iter().filter(|name| *name != missing);
            let others: Vec<Cow<'_, str>> = others.map(Into::into).collect();
            let named = Extensions::named(&others);
            assert!(!named.make_a_master(), "without {missing}");
            assert_eq!(named.make_a_peer(), missing == "wait");
        }
    }
}
