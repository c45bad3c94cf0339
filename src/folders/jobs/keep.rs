//! Results that were handed in: looked over, and written where no crash loses them.

use mutirao_actors::model::{Archive, TaskId, TaskName};

use super::{Places, Refused};
use crate::archive::inspect_result;
use crate::folders::plans::Plans;

/// A result that was handed in.
#[derive(Debug)]
pub(in crate::folders) struct Keeping {
    /// Of which task.
    pub task: TaskId,
    /// That task's own name.
    pub name: TaskName,
    /// Whether it is its success.
    pub success: bool,
    /// The ZIP.
    pub archive: Archive,
}

/// Vets a result, writes it where no crash loses it, and says what its file below `results/` will be.
pub(in crate::folders) fn keep(
    places: &Places,
    plans: &Plans,
    result: &Keeping,
) -> Result<String, Refused> {
    vet(result)?;
    places.write_payload(result.task, &result.archive)?;
    Ok(plan(places, plans, result))
}

/// The same for several small ones, with one file and one flush for all. Where there is no room for that each is written
/// for itself, for some may fit.
pub(in crate::folders) fn keep_together(
    places: &Places,
    plans: &Plans,
    results: &[Keeping],
) -> Vec<Result<String, Refused>> {
    let vetted: Vec<_> = results.iter().map(vet).collect();
    let sound = results
        .iter()
        .zip(&vetted)
        .filter(|(_, vetted)| vetted.is_ok());
    let sound: Vec<_> = sound
        .map(|(result, _)| (result.task, &result.archive))
        .collect();
    let is_packed = sound.len() > 1 && places.packs.pack(&places.volume, &sound).is_ok();
    let keep = |(result, vetted): (&Keeping, Result<(), Refused>)| {
        vetted?;
        if !is_packed {
            places.write_payload(result.task, &result.archive)?;
        }
        Ok(plan(places, plans, result))
    };
    results.iter().zip(vetted).map(keep).collect()
}

fn vet(result: &Keeping) -> Result<(), Refused> {
    match inspect_result(result.archive.bytes()) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Refused::Cannot(refusal.to_string())),
    }
}

fn plan(places: &Places, plans: &Plans, result: &Keeping) -> String {
    plans.plan(places, result.task, &result.name, result.success)
}
