//! The end of a run: what is left, held against what was promised.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mutirao::disk::Volume;
use mutirao_actors::clock::Clock;
use mutirao_actors::logic::record::{Record, Remembered};
use mutirao_actors::model::TaskId;

use super::{Report, World, panics};
use crate::checker::{self, Evidence};
use crate::disk::Loss;
use crate::life::Life;
use crate::store::{Amnesia, SimStore, Witness};

impl World {
    /// Cuts the power once more, and looks at what is left.
    pub(super) fn finish(mut self, unfinished: Option<String>) -> Report {
        let lasted = self.sim.elapsed();
        let met = self.tally.counts();
        let panics = panics::count();
        let place = self.place(0);
        if !self.is_down[place] {
            self.crash(place, Loss::Power, Duration::ZERO, false);
        }
        panics::unheard(|| drop(self.sim));
        self.disk.revive();
        let adopted = adopted(&self.witness);
        let volume = Arc::new(Volume::new(Arc::new(self.disk.clone())));
        let clock = Clock::at(Timestamp::UNIX_EPOCH);
        let opened = SimStore::open(
            volume,
            clock,
            Witness::default(),
            Life::begin(),
            Amnesia::None,
        );
        let (recalled, damage) = match opened {
            Ok((_, recalled)) => (recalled.tasks, recalled.damage),
            Err(error) => (Vec::new(), vec![error.to_string()]),
        };
        let evidence = Evidence {
            unfinished,
            panics,
            is_calm: self.storm.is_calm,
            accepted: self.receipts.list().clone(),
            dropped: self.dropped,
            adopted,
            recalled: recalled
                .into_iter()
                .map(|known| (known.task.id, known))
                .collect::<BTreeMap<TaskId, Remembered>>(),
            damage,
            files: self.disk.files_below(Path::new("")),
            acks: self.acks.list().clone(),
        };
        let verdict = checker::check(&evidence, &self.works.book());
        let (transcript, fingerprint) = self.transcript.read();
        Report {
            verdict,
            lasted,
            quiet: lasted.saturating_sub(self.storm.ends),
            met,
            fingerprint,
            transcript,
        }
    }
}

/// Every task that the store took.
fn adopted(witness: &Witness) -> Vec<TaskId> {
    let records = witness.records();
    let ids = records.iter().filter_map(|record| match record {
        Record::Adopted { task, .. } => Some(task.id),
        _ => None,
    });
    ids.collect()
}
