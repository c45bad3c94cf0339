//! Rows that know whether they are whole: each carries a seal, a checksum of its table's name and its other columns.
//!
//! Rule: a row is checked whenever it is read and sealed whenever it is written, so nothing seals what was damaged before.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, ToSql, params_from_iter};
use uuid::Uuid;

use super::cell::{Cell as _, Cells, Written};
use super::fail::Fail;

/// Bytes that are sealed of a common row: room for them is made at once.
const SEALED_BYTES: usize = 512;

/// A table and what is said to it.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns in their order, without the seal; the first ones are its key.
    pub columns: &'static [&'static str],
    /// Reads all rows, in the order of the key.
    pub all: String,
    get: String,
    of_task: String,
    put: String,
    add: String,
}

impl Table {
    /// A table whose first `key` columns are its key.
    pub fn new(name: &'static str, key: usize, columns: &'static [&'static str]) -> Self {
        let list = columns.join(", ");
        let keys: Vec<_> = columns
            .iter()
            .take(key)
            .map(|key| format!("{key} = ?"))
            .collect();
        let keys = keys.join(" AND ");
        let first = columns.first().copied().unwrap_or_default();
        let number = columns.get(1).copied().unwrap_or_default();
        let holes = vec!["?"; columns.len() + 1].join(", ");
        let all = format!("SELECT {list}, seal FROM {name}");
        Self {
            name,
            columns,
            get: format!("{all} WHERE {keys}"),
            of_task: format!("{all} WHERE {first} = ? ORDER BY {number} DESC"),
            put: format!("INSERT OR REPLACE INTO {name} ({list}, seal) VALUES ({holes})"),
            add: format!("INSERT OR IGNORE INTO {name} ({list}, seal) VALUES ({holes})"),
            all,
        }
    }

    /// The seal of these cells.
    fn seal<'a>(&self, cells: impl Iterator<Item = ValueRef<'a>>) -> i64 {
        // In one piece, for a checksum of many small ones takes several times as long.
        let mut sealed = Vec::with_capacity(SEALED_BYTES);
        sealed.extend_from_slice(self.name.as_bytes());
        for cell in cells {
            let (kind, number, bytes): (u8, i64, &[u8]) = match cell {
                ValueRef::Null => (0, 0, &[]),
                ValueRef::Integer(number) => (1, number, &[]),
                ValueRef::Real(number) => (2, number.to_bits().cast_signed(), &[]),
                ValueRef::Text(text) => (3, length(text), text),
                ValueRef::Blob(blob) => (4, length(blob), blob),
            };
            sealed.push(kind);
            sealed.extend_from_slice(&number.to_le_bytes());
            sealed.extend_from_slice(bytes);
        }
        // As a signed number it takes four bytes in the file and not six.
        crc32fast::hash(&sealed).cast_signed().into()
    }

    /// That a row of it is damaged, in words for a reader.
    pub fn damaged(&self, row: &Row<'_>) -> String {
        let whose = row.get_ref(0).ok().and_then(Uuid::from_cell);
        let whose = whose.map_or("an unreadable task".to_owned(), |id| {
            format!("the task {id}")
        });
        format!(
            "a row of the table `{}`, of {whose}, was damaged",
            self.name
        )
    }

    /// What can be read of a row, for a reader.
    pub fn describe(&self, row: &Row<'_>) -> serde_json::Value {
        let cell = |(at, column): (usize, &&str)| {
            let cell = row
                .get_ref(at)
                .map_or(serde_json::Value::Null, |cell| match cell {
                    ValueRef::Null => serde_json::Value::Null,
                    ValueRef::Integer(number) => number.into(),
                    ValueRef::Real(number) => number.into(),
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                    ValueRef::Blob(blob) => hex(blob).into(),
                });
            ((*column).to_owned(), cell)
        };
        serde_json::Value::Object(self.columns.iter().enumerate().map(cell).collect())
    }
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A row of one of our tables.
pub trait Sealed: Sized {
    /// Where it stands.
    fn table() -> &'static Table;
    /// Its columns without the seal.
    fn cells(&self) -> Vec<Written<'_>>;
    /// Read back; none if a cell is none that we write.
    fn from_cells(cells: &mut Cells<'_>) -> Option<Self>;

    /// The cells of the row that was read, if they fit its seal.
    fn sealed<'r>(row: &'r Row<'_>) -> Result<Option<Vec<ValueRef<'r>>>, rusqlite::Error> {
        let table = Self::table();
        let width = table.columns.len();
        let mut cells = Vec::with_capacity(width);
        for at in 0..width {
            cells.push(row.get_ref(at)?);
        }
        let ValueRef::Integer(seal) = row.get_ref(width)? else {
            return Ok(None);
        };
        let fits = table.seal(cells.iter().copied()) == seal;
        Ok(fits.then_some(cells))
    }

    /// The row that was read, if it is whole.
    fn check(row: &Row<'_>) -> Result<Option<Self>, rusqlite::Error> {
        let sealed = Self::sealed(row)?;
        Ok(sealed.and_then(|cells| Self::from_cells(&mut Cells::new(&cells))))
    }

    /// The same, where a row that is not whole is the store's damage.
    fn whole(row: &Row<'_>) -> Result<Self, Fail> {
        Self::check(row)?.ok_or_else(Self::unsealed)
    }

    /// That a row is not whole.
    fn unsealed() -> Fail {
        let table = Self::table().name;
        Fail::Damage(format!(
            "a row of the table `{table}` does not fit its seal"
        ))
    }

    /// Finds a row by its key.
    fn get(base: &Connection, key: &[&dyn ToSql]) -> Result<Option<Self>, Fail> {
        let mut statement = base.prepare_cached(&Self::table().get)?;
        let mut rows = statement.query(key)?;
        rows.next()?.map(Self::whole).transpose()
    }

    /// The rows of one task, highest number first.
    fn of_task(base: &Connection, task: &[u8; 16], max: usize) -> Result<Vec<Self>, Fail> {
        let mut statement = base.prepare_cached(&Self::table().of_task)?;
        let mut rows = statement.query([task])?;
        let mut found = Vec::new();
        // A limit that is bound has SQLite plan the statement anew every time.
        while found.len() < max
            && let Some(row) = rows.next()?
        {
            found.push(Self::whole(row)?);
        }
        Ok(found)
    }

    /// Writes it, over the one with its key.
    fn put(&self, base: &Connection) -> Result<(), Fail> {
        write(base, &Self::table().put, self).map(drop)
    }

    /// Writes it unless there is one with its key; whether it did.
    fn add(&self, base: &Connection) -> Result<bool, Fail> {
        Ok(write(base, &Self::table().add, self)? > 0)
    }
}

fn write<R: Sealed>(base: &Connection, sql: &str, row: &R) -> Result<usize, Fail> {
    let mut cells = row.cells();
    let seal = R::table().seal(cells.iter().map(Written::value));
    cells.push(Written::Lent(ValueRef::Integer(seal)));
    Ok(base.prepare_cached(sql)?.execute(params_from_iter(cells))?)
}
