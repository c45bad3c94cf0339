//! Which peers are to be given nothing: one row of the table `meta`.

use std::collections::BTreeSet;

use mutirao_actors::model::PeerId;
use rusqlite::Connection;

use super::fail::Fail;
use super::row::Sealed as _;
use super::rows::MetaRow;

/// Its key.
const KEY: &str = "drained";

/// Those that were written down.
pub fn read(base: &Connection) -> Result<BTreeSet<PeerId>, Fail> {
    let Some(row) = MetaRow::get(base, &[&KEY])? else {
        return Ok(BTreeSet::new());
    };
    serde_json::from_str(&row.value)
        .map_err(|error| Fail::Damage(format!("the table `meta` tells no drained peers: {error}")))
}

/// Writes these.
pub fn write(base: &Connection, peers: &BTreeSet<PeerId>) -> Result<(), Fail> {
    let value = serde_json::to_string(peers)
        .map_err(|error| Fail::Damage(format!("drained peers cannot be written: {error}")))?;
    let key = KEY.to_owned();
    MetaRow { key, value }.put(base)
}

/// One more, or one less.
pub fn change(base: &Connection, peer: &PeerId, is_drained: bool) -> Result<(), Fail> {
    let mut peers = read(base)?;
    match is_drained {
        true => peers.insert(peer.clone()),
        false => peers.remove(peer),
    };
    write(base, &peers)
}
