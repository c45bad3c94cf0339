//! The ratios that were reached once, and whether they still are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::figure::{Figure, Unit};

/// How much of a recorded ratio may be missing before it counts as a regression: the machine is shared, and medians of
/// a few rounds differ by ten percent from run to run.
const SLACK: f64 = 0.15;

/// A bench, with the mark of its size behind its name, and its figures.
pub type Measured = (String, Vec<Figure>);

/// Ratios by bench and figure.
pub type Record = BTreeMap<String, BTreeMap<String, f64>>;

/// Where it is kept.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded.json")
}

/// What was recorded; nothing yet when there is no file.
pub fn read(path: &Path) -> anyhow::Result<Record> {
    if !path.exists() {
        return Ok(Record::new());
    }
    let text = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("failed to read {}", path.display()))
}

/// Records the ratios of these benches and leaves those of the others as they are.
pub fn write(path: &Path, measured: &[Measured]) -> anyhow::Result<()> {
    let mut record = read(path)?;
    for (bench, figures) in measured {
        let ratios = ratios(figures).map(|ratio| (ratio.name.clone(), rounded(ratio.median())));
        record.insert(bench.clone(), ratios.collect());
    }
    let text = serde_json::to_string_pretty(&record)?;
    fs::write(path, text + "\n").with_context(|| format!("failed to write {}", path.display()))
}

/// What has become worse than recorded, each in a sentence.
pub fn regressions(record: &Record, measured: &[Measured]) -> Vec<String> {
    let mut found = Vec::new();
    for (bench, figures) in measured {
        for ratio in ratios(figures) {
            let recorded = record.get(bench).and_then(|ratios| ratios.get(&ratio.name));
            let Some(recorded) = recorded else { continue };
            let now = ratio.median();
            if now < recorded * (1.0 - SLACK) {
                found.push(format!(
                    "{bench}: {} is {now:.3}, and was {recorded:.3}",
                    ratio.name
                ));
            }
        }
    }
    found
}

fn ratios(figures: &[Figure]) -> impl Iterator<Item = &Figure> {
    figures.iter().filter(|figure| figure.unit == Unit::Ratio)
}

/// Three digits: more are noise, and would make every recording a change.
fn rounded(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(ratio: f64) -> [Measured; 1] {
        let figures = vec![
            Figure::new("ours / log", Unit::Ratio, vec![ratio]),
            Figure::new("ours", Unit::PerSecond, vec![1.0]),
        ];
        [("cycles".into(), figures)]
    }

    #[test]
    fn a_ratio_is_a_regression_when_more_than_the_slack_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recorded.json");
        write(&path, &measured(0.5)).unwrap();
        let record = read(&path).unwrap();
        assert!(regressions(&record, &measured(0.43)).is_empty());
        assert!(regressions(&record, &measured(0.9)).is_empty());
        assert_eq!(regressions(&record, &measured(0.42)).len(), 1);
    }

    #[test]
    fn what_was_not_recorded_is_no_regression_and_what_is_no_ratio_is_not_recorded() {
        assert!(regressions(&Record::new(), &measured(0.1)).is_empty());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recorded.json");
        write(&path, &measured(0.5)).unwrap();
        assert_eq!(read(&path).unwrap()["cycles"].len(), 1);
    }

    #[test]
    fn recording_one_bench_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recorded.json");
        write(&path, &measured(0.5)).unwrap();
        write(&path, &[("script".into(), Vec::new())]).unwrap();
        assert_eq!(read(&path).unwrap()["cycles"]["ours / log"], 0.5);
    }
}
