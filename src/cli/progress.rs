//! How far a group is: a bar on a terminal, now and then a plain line elsewhere, with an estimate of its end.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Zoned};
use mutirao_actors::clock::Clock;
use mutirao_actors::wire::report::GroupReport;

use super::master::report;
use super::pace::{Estimate, Pace};
use super::telling::Telling;
use crate::control::{Control, ControlError};

/// What ends sooner than this is told in seconds, else by the clock.
const SOON: Duration = Duration::from_secs(120);
/// What ends later than this is told with its day.
const LATE: Duration = Duration::from_secs(20 * 3600);
/// Between two plain lines: a log that is read later needs few, and a short run none.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// So many plain lines of one group at most.
const LINES_MAX: u64 = 10;

/// How a line with a bar looks, and one without. Their words are cut to the width of the terminal: a line that goes on in the next
/// one scrolls it away each time that it changes.
const BAR: &str = "{bar:20} {percent} %  {pos}/{len}{wide_msg}";
const SPINNER: &str = "{spinner} {elapsed} {wide_msg}";

/// A group that is followed.
pub struct Progress {
    bar: ProgressBar,
    pace: Pace,
    clock: Clock,
    /// When a plain line was last told, and how many were due by then.
    told: (Duration, u64),
    loneliness: Loneliness,
    telling: Telling,
}

impl Progress {
    /// Of so many parts.
    pub fn of(parts: u32, telling: Telling) -> Self {
        Self {
            bar: bar(parts, "", telling),
            pace: Pace::default(),
            clock: Clock::start(),
            told: (Duration::ZERO, 0),
            loneliness: Loneliness::default(),
            telling,
        }
    }

    /// Shows how it stands.
    pub fn show(&mut self, report: &GroupReport) {
        let now = Duration::from_micros(self.clock.now().0);
        let (ended, parts) = (ended(report), u64::from(report.parts));
        self.pace.see(ended, now);
        let left = self.pace.left(parts.saturating_sub(ended), now);
        let words = in_words(report, left, &Zoned::now());
        self.bar.set_position(ended);
        self.bar.set_message(words.clone());
        let due = ended * LINES_MAX / parts.max(1);
        let (told_at, told) = self.told;
        if self.bar.is_hidden() && due > told && now.saturating_sub(told_at) >= LINE_EVERY {
            self.told = (now, due);
            let percent = ended * 100 / parts.max(1);
            self.telling
                .aside(format_args!("{percent} %  {ended}/{parts}{words}"));
        }
    }

    /// Says so when nobody is here to run what waits.
    ///
    /// # Errors
    /// When the master cannot be asked.
    pub async fn look_for_peers(
        &mut self,
        report: &GroupReport,
        control: &mut Control,
    ) -> Result<(), ControlError> {
        match report.waiting > 0 && report.running == 0 {
            true => self.loneliness.look(&self.bar, control).await,
            false => Ok(()),
        }
    }

    /// Leaves nothing behind on the terminal.
    pub fn clear(self) {
        self.bar.finish_and_clear();
    }
}

/// Says once that nobody is here to run what waits.
#[derive(Debug, Default)]
pub struct Loneliness {
    is_told: bool,
}

impl Loneliness {
    /// Looks whether anybody is here; `line` is what stands on the terminal meanwhile.
    ///
    /// # Errors
    /// When the master cannot be asked.
    pub async fn look(
        &mut self,
        line: &ProgressBar,
        control: &mut Control,
    ) -> Result<(), ControlError> {
        if !self.is_told && report(control).await?.queue.peers == 0 {
            self.is_told = true;
            line.suspend(|| {
                eprintln!(
                    "it waits for a peer, and none is here: start one with `mutirao peer`, on this machine or another"
                );
            });
        }
        Ok(())
    }
}

/// How many parts have ended.
pub fn ended(report: &GroupReport) -> u64 {
    report.done + report.failed + report.cancelled
}

/// A bar of so many steps; hidden where there is no terminal, or it is to be quiet.
pub fn bar(steps: u32, what: &str, telling: Telling) -> ProgressBar {
    line(Some(steps.into()), &format!("{what} {BAR}"), telling)
}

/// The same for what has no steps.
pub fn spinner(telling: Telling) -> ProgressBar {
    line(None, SPINNER, telling)
}

fn line(steps: Option<u64>, template: &str, telling: Telling) -> ProgressBar {
    match io::stderr().is_terminal() && !telling.is_quiet() {
        true => line_on(ProgressDrawTarget::stderr(), steps, template),
        false => ProgressBar::hidden(),
    }
}

fn line_on(terminal: ProgressDrawTarget, steps: Option<u64>, template: &str) -> ProgressBar {
    let line = ProgressBar::with_draw_target(steps, terminal);
    if let Ok(style) = ProgressStyle::with_template(template) {
        line.set_style(style.progress_chars("█▌░"));
    }
    line
}

/// What stands behind the numbers.
pub fn in_words(report: &GroupReport, left: Option<Estimate>, now: &Zoned) -> String {
    let mut words = String::new();
    if report.failed > 0 {
        words.push_str(&format!(" · {} failed", report.failed));
    }
    if let Some(when) = left.and_then(|left| when(left, now)) {
        words.push_str(&format!(" · {when}"));
    }
    words
}

/// When it will be done, and between when and when it probably will.
fn when(left: Estimate, now: &Zoned) -> Option<String> {
    let Estimate { low, likely, high } = left;
    if high < SOON {
        // Something is left, so none of them is nothing.
        let [low, likely, high] = [low, likely, high].map(|time| time.as_millis().div_ceil(1000));
        return Some(match low == high {
            true => format!("about {likely} s"),
            false => format!("about {likely} s ({low}–{high} s)"),
        });
    }
    let format = if high < LATE { "%H:%M" } else { "%a %H:%M" };
    let at = |left| {
        let end = now.checked_add(SignedDuration::try_from(left).ok()?).ok()?;
        Some(end.strftime(format).to_string())
    };
    let (low, likely, high) = (at(low)?, at(likely)?, at(high)?);
    Some(match low == high {
        true => format!("about {likely}"),
        false => format!("about {likely} ({low}–{high})"),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    fn left(low: u64, likely: u64, high: u64) -> Estimate {
        let [low, likely, high] = [low, likely, high].map(Duration::from_secs);
        Estimate { low, likely, high }
    }

    #[test]
    fn the_end_is_told_in_seconds_by_the_clock_or_with_its_day() {
        let now: Zoned = "2026-11-29T15:00:00+00:00[UTC]".parse().unwrap();
        let told = |low, likely, high| when(left(low, likely, high), &now).unwrap();
        assert_eq!(told(20, 30, 45), "about 30 s (20–45 s)");
        let moment = Duration::from_millis(300);
        let soon = Estimate {
            low: moment / 2,
            likely: moment,
            high: moment * 2,
        };
        assert_eq!(when(soon, &now).unwrap(), "about 1 s");
        assert_eq!(told(600, 900, 1200), "about 15:15 (15:10–15:20)");
        assert_eq!(told(121, 122, 123), "about 15:02");
        assert_eq!(
            told(36_000, 72_000, 144_000),
            "about Mon 11:00 (Mon 01:00–Tue 07:00)"
        );
        assert_eq!(when(left(1, 2, u64::MAX), &now), None);
    }

    /// A terminal of this many columns, and what was written to it.
    #[derive(Debug, Clone)]
    struct Screen(u16, Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.0
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.1.lock().unwrap().push_str(text);
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_cut_to_the_width_of_the_terminal() {
        for (width, template) in [(80, SPINNER), (80, BAR), (60, BAR)] {
            let screen = Screen(width, Arc::default());
            let terminal = ProgressDrawTarget::term_like(Box::new(screen.clone()));
            let line = line_on(terminal, Some(200), template);
            line.set_message(format!(" · last try: {}", "ã".repeat(100)));
            screen.1.lock().unwrap().clear();
            line.force_draw();
            let drawn = screen.1.lock().unwrap().trim_end().to_owned();
            assert!(drawn.contains(" · last try: ã"), "{drawn}");
            assert_eq!(drawn.chars().count(), usize::from(width), "{drawn}");
        }
    }

    #[test]
    fn what_failed_stands_before_the_end() {
        let now: Zoned = "2026-11-29T15:00:00+00:00[UTC]".parse().unwrap();
        let report = GroupReport {
            group: "main-1".into(),
            parts: 10,
            waiting: 5,
            running: 1,
            done: 2,
            failed: 2,
            cancelled: 0,
            failures: Vec::new(),
            complete: false,
            why: None,
        };
        assert_eq!(ended(&report), 4);
        assert_eq!(in_words(&report, None, &now), " · 2 failed");
        let words = in_words(&report, Some(left(1, 2, 3)), &now);
        assert_eq!(words, " · 2 failed · about 2 s (1–3 s)");
    }
}
