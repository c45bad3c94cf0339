//! One value of ours, and the cell of a table in which it stands.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mutirao_actors::logic::fault::Fault;
use mutirao_actors::model::{BootId, Digest, Life, PeerId, TaskName};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::nouns::Asked;

/// The cells of a row, taken one after the other.
#[derive(Debug)]
pub struct Cells<'a> {
    cells: std::slice::Iter<'a, ValueRef<'a>>,
}

impl<'a> Cells<'a> {
    /// From the first one on.
    pub fn new(cells: &'a [ValueRef<'a>]) -> Self {
        Self {
            cells: cells.iter(),
        }
    }

    /// The next one, if it is what it should be.
    pub fn take<C: Cell>(&mut self) -> Option<C> {
        C::from_cell(*self.cells.next()?)
    }
}

/// What is written into a cell.
#[derive(Debug)]
pub enum Written<'a> {
    /// As it lies in memory.
    Lent(ValueRef<'a>),
    /// Made for this.
    Made(Value),
}

impl Written<'_> {
    /// As it stands there.
    pub fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Lent(value) => *value,
            Self::Made(value) => value.into(),
        }
    }

    fn number<'a>(number: impl Into<i64>) -> Written<'a> {
        Written::Lent(ValueRef::Integer(number.into()))
    }

    /// A text, as it lies in memory.
    pub fn text(text: &str) -> Written<'_> {
        Written::Lent(ValueRef::Text(text.as_bytes()))
    }

    fn blob(blob: &[u8]) -> Written<'_> {
        Written::Lent(ValueRef::Blob(blob))
    }
}

impl ToSql for Written<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.value()))
    }
}

/// What can stand in a cell.
pub trait Cell: Sized {
    /// As it stands there.
    fn to_cell(&self) -> Written<'_>;
    /// Read back; none if it is none.
    fn from_cell(cell: ValueRef<'_>) -> Option<Self>;
}

impl<C: Cell> Cell for Option<C> {
    fn to_cell(&self) -> Written<'_> {
        self.as_ref()
            .map_or(Written::Lent(ValueRef::Null), Cell::to_cell)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        match cell {
            ValueRef::Null => Some(None),
            cell => C::from_cell(cell).map(Some),
        }
    }
}

impl Cell for i64 {
    fn to_cell(&self) -> Written<'_> {
        Written::number(*self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_i64().ok()
    }
}

impl Cell for u64 {
    /// The same bits: SQLite knows signed numbers only.
    fn to_cell(&self) -> Written<'_> {
        Written::number(self.cast_signed())
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_i64().ok().map(i64::cast_unsigned)
    }
}

impl Cell for u32 {
    fn to_cell(&self) -> Written<'_> {
        Written::number(*self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_i64().ok()?.try_into().ok()
    }
}

impl Cell for bool {
    fn to_cell(&self) -> Written<'_> {
        Written::number(*self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        match cell.as_i64() {
            Ok(0) => Some(false),
            Ok(1) => Some(true),
            _ => None,
        }
    }
}

impl Cell for String {
    fn to_cell(&self) -> Written<'_> {
        Written::text(self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_str().ok().map(str::to_owned)
    }
}

impl Cell for Arc<str> {
    fn to_cell(&self) -> Written<'_> {
        Written::text(self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_str().ok().map(Self::from)
    }
}

impl Cell for Vec<u8> {
    fn to_cell(&self) -> Written<'_> {
        Written::blob(self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_blob().ok().map(<[u8]>::to_vec)
    }
}

impl Cell for Uuid {
    fn to_cell(&self) -> Written<'_> {
        Written::blob(self.as_bytes())
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        Self::from_slice(cell.as_blob().ok()?).ok()
    }
}

impl Cell for Digest {
    fn to_cell(&self) -> Written<'_> {
        Written::blob(self.as_bytes())
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        let bytes: [u8; 32] = cell.as_blob().ok()?.try_into().ok()?;
        Some(bytes.into())
    }
}

impl Cell for TaskName {
    fn to_cell(&self) -> Written<'_> {
        Written::text(self.as_str())
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_str().ok()?.parse().ok()
    }
}

impl Cell for PeerId {
    fn to_cell(&self) -> Written<'_> {
        Written::text(self.as_str())
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_str().ok()?.parse().ok()
    }
}

impl Cell for Life {
    /// The life of one of ours in binary, the address of any other as text.
    fn to_cell(&self) -> Written<'_> {
        match self {
            Self::Boot(BootId(boot)) => boot.to_cell(),
            Self::Address(address) => Written::Made(Value::Text(address.to_string())),
        }
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        match cell {
            ValueRef::Text(_) => {
                let address: IpAddr = cell.as_str().ok()?.parse().ok()?;
                Some(Self::Address(address))
            }
            cell => Uuid::from_cell(cell).map(|boot| Self::Boot(BootId(boot))),
        }
    }
}

impl Cell for Duration {
    /// In nanoseconds; what lasts longer than 292 years is cut to that.
    fn to_cell(&self) -> Written<'_> {
        Written::number(i64::try_from(self.as_nanos()).unwrap_or(i64::MAX))
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        let nanos = u64::try_from(cell.as_i64().ok()?).ok()?;
        Some(Self::from_nanos(nanos))
    }
}

impl Cell for Fault {
    fn to_cell(&self) -> Written<'_> {
        to_json(self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        from_json(cell)
    }
}

impl Cell for Asked {
    fn to_cell(&self) -> Written<'_> {
        to_json(self)
    }

    fn from_cell(cell: ValueRef<'_>) -> Option<Self> {
        from_json(cell)
    }
}

fn to_json<T: Serialize>(value: &T) -> Written<'static> {
    // None of these has keys that are not text, which is all that can fail.
    Written::Made(serde_json::to_string(value).map_or(Value::Null, Value::Text))
}

fn from_json<T: DeserializeOwned>(cell: ValueRef<'_>) -> Option<T> {
    serde_json::from_str(cell.as_str().ok()?).ok()
}
