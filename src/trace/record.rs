//! One line of the message log, taken apart.

use jiff::Timestamp;
use mutirao_actors::message_log::FORMAT;
use mutirao_actors::model::Moment;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::TraceError;
use crate::message_file::Marker;

/// A letter as it was logged.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    v: u32,
    /// Its number, from 1 in each run.
    pub seq: u64,
    /// The wall time at which it was sent, for people.
    pub at: Timestamp,
    /// The same on the clock that only moves forward.
    pub moment: Moment,
    /// Who sent it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What it is: the name of the message's type.
    pub kind: String,
    /// The letter that its sender was handling; none when a socket, a file or a timer spoke.
    pub cause: Option<u64>,
    /// Whether the addressee had stopped.
    pub dead: bool,
    /// The message itself, as it was written.
    pub body: Box<RawValue>,
}

/// What a line says.
#[derive(Debug, Clone)]
pub enum Line {
    /// A letter was sent.
    Letter(Record),
    /// Something about the log itself.
    Marker(Marker),
    /// Nothing that can be read: a crash has torn it, or it is of another program.
    Torn,
}

impl Line {
    /// Reads one line, with or without its line end.
    ///
    /// # Errors
    ///
    /// [`TraceError::Version`] if the line says that it is of another format.
    pub fn read(line: &[u8]) -> Result<Self, TraceError> {
        if let Ok(record) = serde_json::from_slice::<Record>(line)
            && record.v == FORMAT
        {
            return Ok(Self::Letter(record));
        }
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        match serde_json::from_slice::<Version>(line) {
            Ok(Version { v: FORMAT }) => {
                Ok(serde_json::from_slice(line).map_or(Self::Torn, Self::Marker))
            }
            Ok(Version { v: found }) => Err(TraceError::Version {
                found,
                known: FORMAT,
            }),
            Err(_) => Ok(Self::Torn),
        }
    }
}
