//! Discovery over UDP: a peer asks who is there, a master says where it is.
//!
//! Rule: a datagram that is not one of these is an error and nothing more; anyone can send anything to a broadcast port.

use std::borrow::Cow;

use uuid::Uuid;

use super::dialect::{self, Dialect};
use super::error::WireError;
use super::fields::{Fields, PORT, WHOLE};
use super::writer::Writer;
use crate::model::PeerId;

/// Longest discovery message, in bytes. Ours have about 300 and strangers' fewer; it must pass any link unfragmented.
pub const DATAGRAM_MAX: usize = 1400;

/// One discovery message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// A peer looks for a master.
    Discover(Discover),
    /// A master says where it is.
    Announce(Announce<'a>),
}

/// `DISCOVER_MASTER`, or `DISCOVER_SUPER_PEER`. It is answered to the address that it came from, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discover {
    /// The words that it used, to be answered in kind.
    pub dialect: Dialect,
    /// Who asks, if it says; not in the super-peer dialect.
    pub peer_id: Option<PeerId>,
    /// The peer's TCP port, if it says.
    pub port: Option<u16>,
}

/// `MASTER_ANNOUNCE`, or `SUPER_PEER_ANNOUNCEMENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce<'a> {
    /// The words that it used; the master's TCP port speaks the same.
    pub dialect: Dialect,
    /// The master's address, as it says. Often wrong: the datagram's source is the other one to try.
    pub ip: Cow<'a, str>,
    /// The master's TCP port.
    pub port: u16,
    /// What a master of ours adds.
    pub ours: Option<MasterOffer<'a>>,
}

/// What a master of ours adds to its announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterOffer<'a> {
    /// The highest protocol version that it speaks.
    pub protocol: u32,
    /// Which master.
    pub master_id: Uuid,
    /// Its name, for people.
    pub name: Cow<'a, str>,
    /// Which reign of it.
    pub epoch: u64,
    /// The extensions that it can use.
    pub capabilities: Vec<Cow<'a, str>>,
}

/// Reads one datagram.
///
/// # Errors
/// [`WireError`] if it is not a discovery message; there is nothing to do but to count it.
pub fn parse_datagram(bytes: &[u8]) -> Result<Datagram<'_>, WireError> {
    if bytes.len() > DATAGRAM_MAX {
        return Err(WireError::LongDatagram(bytes.len()));
    }
    let fields = Fields::read(bytes)?;
    let word = dialect::word_of_request(&fields)?;
    let dialect = Dialect::of_request(&fields, &word);
    match word.as_ref() {
        "DISCOVER_MASTER" | "DISCOVER_SUPER_PEER" => {
            Ok(Datagram::Discover(read_discover(&fields, dialect)))
        }
        "MASTER_ANNOUNCE" => {
            let announce = read_announce(&fields, dialect, "master_ip", "master_port")?;
            Ok(Datagram::Announce(announce))
        }
        "SUPER_PEER_ANNOUNCEMENT" => {
            let announce = read_announce(&fields, dialect, "ip", "port")?;
            Ok(Datagram::Announce(announce))
        }
        _ => Err(WireError::NotDiscovery(word.into_owned())),
    }
}

/// The answer needs nothing of what the asker says, so nothing that it says wrongly keeps it from an answer.
fn read_discover(fields: &Fields<'_>, dialect: Dialect) -> Discover {
    let port = |key| fields.number(key, PORT).unwrap_or(None);
    Discover {
        dialect,
        peer_id: fields.spelled("peer_id", "a peer's id").unwrap_or(None),
        port: port("port_tcp").or_else(|| port("port")),
    }
}

fn read_announce<'a>(
    fields: &Fields<'a>,
    dialect: Dialect,
    ip: &'static str,
    port: &'static str,
) -> Result<Announce<'a>, WireError> {
    let number = fields.number(port, PORT)?;
    Ok(Announce {
        dialect,
        ip: fields.need_text(ip)?,
        port: number.ok_or(WireError::Missing(port))?,
        ours: read_offer(fields)?,
    })
}

fn read_offer<'a>(fields: &Fields<'a>) -> Result<Option<MasterOffer<'a>>, WireError> {
    let protocol = fields.number("protocol", WHOLE).unwrap_or(None);
    let (Some(protocol), Some(master_id)) = (protocol, fields.uuid("master_id")) else {
        return Ok(None);
    };
    Ok(Some(MasterOffer {
        protocol,
        master_id,
        name: fields.text("name")?.unwrap_or_default(),
        epoch: fields.number("epoch", WHOLE)?.unwrap_or(0),
        capabilities: fields.texts("capabilities")?,
    }))
}

/// Writes the question. The super-peer dialect asks without saying who.
pub fn encode_discover(discover: &Discover) -> Vec<u8> {
    let dialect = discover.dialect;
    let (word, port) = match dialect {
        Dialect::Flat => ("DISCOVER_MASTER", "port_tcp"),
        Dialect::Envelope => ("DISCOVER_MASTER", "port"),
        Dialect::SuperPeer => ("DISCOVER_SUPER_PEER", "port"),
    };
    let writer = Writer::new(dialect, "action", word, None);
    if dialect == Dialect::SuperPeer {
        return writer.finish().into_vec();
    }
    writer
        .maybe("peer_id", discover.peer_id.as_ref())
        .maybe(port, discover.port)
        .finish()
        .into_vec()
}

/// Writes the announcement.
pub fn encode_announce(announce: &Announce<'_>) -> Vec<u8> {
    let dialect = announce.dialect;
    let (word, ip, port) = match dialect {
        Dialect::Flat | Dialect::Envelope => ("MASTER_ANNOUNCE", "master_ip", "master_port"),
        Dialect::SuperPeer => ("SUPER_PEER_ANNOUNCEMENT", "ip", "port"),
    };
    let writer = Writer::new(dialect, "action", word, None)
        .field(ip, &announce.ip)
        .field(port, announce.port);
    let Some(ours) = &announce.ours else {
        return writer.finish().into_vec();
    };
    writer
        .field("protocol", ours.protocol)
        .field("master_id", ours.master_id)
        .field("name", &ours.name)
        .field("epoch", ours.epoch)
        .field("capabilities", &ours.capabilities)
        .finish()
        .into_vec()
}

#[cfg(test)]
mod tests;
