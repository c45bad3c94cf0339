//! The store of a simulated master: the production database in memory, and what makes it last on the simulated disk.
//!
//! Rule: a commit is a file of its own, flushed with its folder before anybody hears of it. At a start the files are read
//! in their order into an empty database: schema, SQL and recall are those of production, durability is the disk's.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mutirao::disk::Volume;
use mutirao::disk::publish::publish_over;
use mutirao::store::{Recalled, SqliteStore, Store, StoreError};
use mutirao_actors::clock::Clock;
use mutirao_actors::logic::record::Record;
use mutirao_actors::model::Digest;
use uuid::Uuid;

use crate::life::Life;
use crate::tally::{Met, Tally};

/// Where the commits lie.
const FOLDER: &str = ".mutirao/store";
/// Which master it is: the same in every run.
const MASTER: Uuid = Uuid::from_u128(0xa);
/// Longest commit read back, in bytes.
const COMMIT_MAX: u64 = 64 << 20;

/// What the store is told to forget: what a test must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Amnesia {
    /// Nothing.
    #[default]
    None,
    /// It says that everything is written down, and writes nothing.
    Everything,
    /// It does not write down how tasks ended.
    Endings,
}

/// Everything that was committed, as somebody outside the machine saw it.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    records: Arc<Mutex<Vec<Record>>>,
    tally: Tally,
}

impl Witness {
    /// It saw nothing yet; what is of interest is counted there.
    pub fn counted(tally: Tally) -> Self {
        Self {
            records: Arc::default(),
            tally,
        }
    }

    /// So far.
    pub fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, records: &[Record]) {
        for met in records.iter().filter_map(Met::of) {
            self.tally.count(met);
        }
        self.records().extend_from_slice(records);
    }

    /// A commit of which the disk said that it failed may be there all the same.
    fn add_missing(&self, found: &[Record]) {
        let mut records = self.records();
        for record in found {
            if !records.contains(record) {
                records.push(record.clone());
                self.tally.count(Met::CommitAfterAll);
            }
        }
    }
}

/// The store of one life of a master.
pub struct SimStore {
    base: SqliteStore,
    volume: Arc<Volume>,
    next: u64,
    witness: Witness,
    life: Life,
    amnesia: Amnesia,
}

impl SimStore {
    /// Opens what lies on the disk.
    ///
    /// # Errors
    /// What the disk refuses, or a commit that is not what was written: the disk lied.
    pub fn open(
        volume: Arc<Volume>,
        clock: Clock,
        witness: Witness,
        life: Life,
        amnesia: Amnesia,
    ) -> Result<(Self, Recalled), StoreError> {
        let folder = Path::new(FOLDER);
        let failed = |doing, file: &Path| {
            let file = file.to_owned();
            move |source| StoreError::File {
                doing,
                file,
                source,
            }
        };
        let made = volume.make_folder(folder).map_err(io::Error::other);
        made.map_err(failed("make", folder))?;
        let (mut base, _) = SqliteStore::in_memory(clock)?;
        let (mut damage, mut last) = (Vec::new(), None);
        let mut next = 0;
        for number in 0.. {
            let path = path_of(number);
            let bytes = match volume.read(&path, COMMIT_MAX) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                read => read.map_err(failed("read", &path))?.bytes,
            };
            match parse(&bytes) {
                Ok(records) => {
                    base.commit(&records)?;
                    witness.add_missing(&records);
                    last = Some((number, bytes));
                }
                Err(why) => {
                    damage.push(format!("{}: {why}", path.display()));
                    break;
                }
            }
            next = number + 1;
        }
        // The last commit may be one whose flush failed, or was not reached before the last life ended: who builds on it
        // writes it anew, as production does when it opens its database.
        if let Some((number, bytes)) = last {
            let written = publish_over(&volume, folder, &name_of(number), &bytes);
            written.map_err(|error| failed("write", &path_of(number))(io::Error::other(error)))?;
        }
        let recalled = base.recall()?;
        let recalled = Recalled {
            master: MASTER,
            epoch: next + 1,
            has_lost: recalled.has_lost || !damage.is_empty(),
            damage,
            ..recalled
        };
        let store = Self {
            base,
            volume,
            next,
            witness,
            life,
            amnesia,
        };
        Ok((store, recalled))
    }
}

fn path_of(number: u64) -> PathBuf {
    Path::new(FOLDER).join(name_of(number))
}

fn name_of(number: u64) -> String {
    format!("{number:08}")
}

fn parse(bytes: &[u8]) -> Result<Vec<Record>, String> {
    let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let (digest, json) = text.split_once('\n').ok_or("it is cut")?;
    if digest != Digest::of(json.as_bytes()).to_string() {
        return Err("its bytes are not those that were written".into());
    }
    serde_json::from_str(json).map_err(|error| error.to_string())
}

impl Store for SimStore {
    fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let is_kept = |record: &&Record| match self.amnesia {
            Amnesia::None => true,
            Amnesia::Everything => false,
            Amnesia::Endings => !matches!(record, Record::Ended { .. }),
        };
        let kept: Vec<Record> = records.iter().filter(is_kept).cloned().collect();
        let path = path_of(self.next);
        let failed = |source| StoreError::File {
            doing: "write",
            file: path.clone(),
            source,
        };
        let json = serde_json::to_string(&kept).map_err(|error| failed(error.into()))?;
        if self.amnesia != Amnesia::Everything {
            let text = format!("{}\n{json}", Digest::of(json.as_bytes()));
            let written = publish_over(
                &self.volume,
                Path::new(FOLDER),
                &name_of(self.next),
                text.as_bytes(),
            );
            written.map_err(|error| failed(io::Error::other(error)))?;
        }
        self.next += 1;
        if self.life.lasts() {
            self.witness.add(records);
        }
        self.base.commit(records)
    }
}
