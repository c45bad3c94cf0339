//! Any legal sequence of records, committed in any batches and reopened at any time, gives back what a model says.

use proptest::prelude::*;

use super::*;

/// The tasks as the records say, in memory.
#[derive(Debug, Default)]
struct Model(Vec<Remembered>);

/// Without the times, which the records do not say.
fn untimed(tasks: &[Remembered]) -> Vec<Remembered> {
    let untimed = |task: &Remembered| Remembered {
        began_at: None,
        ended_at: None,
        ..task.clone()
    };
    tasks.iter().map(untimed).collect()
}

impl Model {
    fn take(&mut self, record: &Record) {
        let task = match record {
            Record::Drained { .. } => return,
            Record::Adopted { task, lies } => {
                return self.0.push(Remembered::untried(task.clone(), lies.clone()));
            }
            Record::Leased { task, .. }
            | Record::TakenUp { task, .. }
            | Record::TryEnded { task, .. }
            | Record::Ended { task, .. }
            | Record::Reopened { task }
            | Record::Retried { task }
            | Record::Settled { task, .. }
            | Record::Conflict { task, .. } => *task,
        };
        let known = self
            .0
            .iter_mut()
            .find(|known| known.task.id == task)
            .unwrap();
        match record.clone() {
            Record::Adopted { .. } | Record::Drained { .. } => {}
            Record::Leased {
                attempt,
                name,
                holder,
                ..
            } => {
                let (fault, refusals) = (None, 0);
                known.course.told().tries.push(Tried {
                    attempt,
                    name,
                    holder,
                    fault,
                    refusals,
                });
                known.course.told().fate = Fate::Leased(attempt);
            }
            Record::TakenUp {
                attempt, holder, ..
            } => {
                let tried = &mut known.course.told().tries[attempt.0 as usize - 1];
                (tried.fault, tried.holder) = (None, holder);
                known.course.told().fate = Fate::Leased(attempt);
            }
            Record::TryEnded { attempt, fault, .. } => {
                known.course.told().tries[attempt.0 as usize - 1].fault = Some(fault);
                if known.course.fate == Fate::Leased(attempt) {
                    known.course.told().fate = Fate::Queued;
                }
            }
            Record::Ended { fate, .. } => known.course.told().fate = fate,
            Record::Reopened { .. } => known.course.told().fate = Fate::Queued,
            Record::Retried { .. } => {
                known.course.told().fate = Fate::Queued;
                known.settled = false;
                for tried in &mut known.course.told().tries {
                    tried.fault = tried.fault.take().map(Fault::forgiven);
                }
            }
            Record::Settled { file, .. } => {
                known.settled = true;
                if let (
                    Fate::Done { file: lies, .. }
                    | Fate::Failed {
                        output: Some((_, lies)),
                        ..
                    },
                    Some(file),
                ) = (&mut known.course.told().fate, file)
                {
                    *lies = file;
                }
            }
            Record::Conflict {
                attempt,
                peer,
                sha256,
                ..
            } => {
                let conflict = Conflict {
                    attempt,
                    peer,
                    sha256,
                };
                if !known.course.conflicts.contains(&conflict) {
                    known.course.told().conflicts.push(conflict);
                }
            }
        }
    }

    /// The record that these numbers stand for, if it is a legal one now.
    fn choose(&self, what: u8, which: u16, how: u16) -> Option<Record> {
        if what == 0 {
            return Some(adopted(self.0.len() as u128 + 1));
        }
        let at = usize::from(which) % self.0.len().max(1);
        let known = self.0.get(at)?;
        let number = at as u128 + 1;
        let tries = u32::try_from(known.course.tries.len()).ok()?;
        let holder = if how.is_multiple_of(2) {
            ours("p")
        } else {
            other("q")
        };
        let fault = match how % 3 {
            0 => Fault::Late,
            1 => Fault::Run(Ending::NotStarted("no \"disk\"\n".to_owned())),
            _ => Fault::PeerLost(String::new()),
        };
        let open = !known.course.fate.is_terminal();
        let one_of = || (tries > 0).then(|| u32::from(how) % tries.max(1) + 1);
        match what {
            1 if open && known.course.fate == Fate::Queued && tries < 60 => {
                Some(leased(number, tries + 1, holder))
            }
            2 if open => Some(Record::TakenUp {
                task: id(number),
                attempt: Attempt(one_of()?),
                holder,
            }),
            3 => Some(try_ended(number, one_of()?, fault)),
            4 if open => {
                let attempt = one_of()?;
                let output =
                    (how % 4 == 1).then(|| (submitted(attempt, Some(fault)), "x.zip".into()));
                let why = "so".to_owned();
                Some(ended(
                    number,
                    match how % 4 {
                        0 => done(attempt),
                        1 | 2 => Fate::Failed { why, output },
                        _ => Fate::Cancelled { why },
                    },
                ))
            }
            5 if !open => Some(settled(number, (how.is_multiple_of(2)).then_some("y.zip"))),
            8 if matches!(
                known.course.fate,
                Fate::Failed { .. } | Fate::Cancelled { .. }
            ) =>
            {
                Some(Record::Retried { task: id(number) })
            }
            7 if matches!(known.course.fate, Fate::Done { .. }) && !known.settled => {
                Some(Record::Reopened { task: id(number) })
            }
            6 if known.course.conflicts.len() < CONFLICTS_MAX => Some(Record::Conflict {
                task: id(number),
                attempt: Attempt(one_of()?),
                peer: "z".parse().unwrap(),
                sha256: Digest::of(&how.to_le_bytes()),
            }),
            _ => None,
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for known in &self.0 {
            *match known.course.fate {
                Fate::Queued => &mut counts.queued,
                Fate::Leased(_) => &mut counts.leased,
                Fate::Done { .. } => &mut counts.done,
                Fate::Failed { .. } => &mut counts.failed,
                Fate::Cancelled { .. } => &mut counts.cancelled,
            } += 1;
        }
        counts
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_back_is_what_was_written(
        choices in prop::collection::vec((0u8..10, any::<u16>(), any::<u16>()), 1..150)
    ) {
        let (mut bench, mut model, mut batch) = (Bench::new(), Model::default(), Vec::new());
        for (what, which, how) in choices {
            if let Some(record) = model.choose(what, which, how) {
                model.take(&record);
                batch.push(record);
            }
            if what == 8 {
                // As often as it pleases: after an error it is committed again.
                for _ in 0..=which % 2 {
                    bench.commit(&batch);
                }
                batch.clear();
            }
            if what == 9 {
                bench.commit(&std::mem::take(&mut batch));
                let recalled = bench.reopen();
                prop_assert_eq!(untimed(&recalled.tasks), model.0.clone());
                prop_assert_eq!(recalled.counts, model.counts());
                prop_assert!(recalled.damage.is_empty());
            }
        }
        bench.commit(&batch);
        prop_assert_eq!(untimed(&bench.reopen().tasks), model.0);
    }
}
