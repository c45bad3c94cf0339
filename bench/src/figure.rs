//! What a bench gives: named figures, each measured once a round, and their medians and ranges.

use std::fmt;

use serde::Serialize;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Our figure over that of a baseline, so made that higher is better; compared with the recorded one.
    Ratio,
    /// Events a second.
    PerSecond,
    /// Megabytes (10⁶ bytes) a second.
    MegabytesPerSecond,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Megabytes (10⁶ bytes).
    Megabytes,
    /// Bytes.
    Bytes,
    /// Of one core, in percent.
    PercentOfCore,
}

/// What a figure is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The median is to be this or more.
    AtLeast(f64),
    /// The median is to be this or less.
    AtMost(f64),
}

/// One figure of a bench.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it is called within its bench.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// One value a round, in the order of the rounds; never empty.
    pub values: Vec<f64>,
    /// What it is to reach, if anything.
    pub target: Option<Target>,
}

impl Figure {
    /// A figure without a target.
    pub fn new(name: impl Into<String>, unit: Unit, values: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            unit,
            values,
            target: None,
        }
    }

    /// How many times the baseline ours is, round by round, so that what disturbs a round disturbs both sides of it.
    /// Both are rates: more is better.
    pub fn ratio(name: impl Into<String>, ours: &[f64], baseline: &[f64]) -> Self {
        let pairs = ours.iter().zip(baseline);
        let values = pairs.map(|(ours, baseline)| ours / baseline).collect();
        Self::new(name, Unit::Ratio, values)
    }

    /// The same figure with this target.
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// The value in the middle; the mean of the two in the middle of an even number.
    pub fn median(&self) -> f64 {
        median(&self.values)
    }

    /// The smallest and the largest value.
    pub fn range(&self) -> (f64, f64) {
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let widen = |(low, high): (f64, f64), value: &f64| (low.min(*value), high.max(*value));
        self.values.iter().fold(start, widen)
    }

    /// Whether the median reaches the target; none without one.
    pub fn is_met(&self) -> Option<bool> {
        self.target.map(|target| target.is_met_by(self.median()))
    }
}

impl Target {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Unit {
    /// The value as a reader wants it.
    pub fn show(self, value: f64) -> String {
        let digits = match value.abs() {
            large if large >= 100.0 => 0,
            middle if middle >= 10.0 => 1,
            small if small >= 0.1 => 2,
            _ => 3,
        };
        let word = match self {
            Self::Ratio => " ×",
            Self::PerSecond => " /s",
            Self::MegabytesPerSecond => " MB/s",
            Self::Micros => " µs",
            Self::Millis => " ms",
            Self::Megabytes => " MB",
            Self::Bytes => " B",
            Self::PercentOfCore => " %",
        };
        format!("{value:.digits$}{word}")
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

/// The value in the middle of these, not a number when there are none.
pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value below which this part of them lies, between neighbours in proportion; not a number when there are none.
pub fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = part.clamp(0.0, 1.0) * last as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (below, above) = (at(place.floor()), at(place.ceil()));
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_percentile_lies_between_its_neighbours() {
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.99), 99.0);
        assert_eq!(percentile(&[0.0, 10.0], 0.25), 2.5);
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let ratio = Figure::ratio("x", &[10.0, 100.0, 30.0], &[20.0, 200.0, 20.0]);
        assert_eq!(ratio.values, [0.5, 0.5, 1.5]);
        assert_eq!(ratio.median(), 0.5);
        assert_eq!(ratio.range(), (0.5, 1.5));
    }

    #[test]
    fn a_target_judges_the_median() {
        let figure = |target| Figure::new("x", Unit::Micros, vec![40.0, 60.0, 50.0]).target(target);
        assert_eq!(figure(Target::AtMost(50.0)).is_met(), Some(true));
        assert_eq!(figure(Target::AtMost(49.0)).is_met(), Some(false));
        assert_eq!(figure(Target::AtLeast(50.0)).is_met(), Some(true));
        assert_eq!(figure(Target::AtLeast(51.0)).is_met(), Some(false));
        assert_eq!(Figure::new("x", Unit::Micros, vec![1.0]).is_met(), None);
    }

    #[test]
    fn a_value_is_shown_with_the_digits_that_matter() {
        assert_eq!(Unit::PerSecond.show(12_345.6), "12346 /s");
        assert_eq!(Unit::Ratio.show(0.256), "0.26 ×");
        assert_eq!(Unit::Ratio.show(0.0312), "0.031 ×");
        assert_eq!(Unit::Millis.show(12.34), "12.3 ms");
    }
}
