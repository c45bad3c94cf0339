//! Letters as a sequence diagram, for Mermaid or in plain text.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::body::cut;
use super::record::Record;
use super::text;
use crate::message_file::Marker;

/// Most actors drawn: more lifelines fit no screen. Letters of later ones are counted, and the diagram says so.
pub const DIAGRAM_MAX: usize = 12;
/// Most letters drawn: Mermaid takes 50,000 characters, and a letter is about a hundred.
pub const LETTERS_MAX: usize = 500;
/// Longest name or kind drawn, in characters; ours are half as long.
const LABEL_MAX: usize = 40;
/// Width of the column of times, in characters.
const TIME_WIDTH: usize = 14;
/// What an arrow needs beside its label: a line on both sides, its head, and the lifeline.
const ARROW_WIDTH: usize = 6;

/// A diagram that grows by letters; actors stand in the order in which they first appear.
#[derive(Debug, Default)]
pub struct Diagram {
    actors: Vec<String>,
    steps: Vec<Step>,
    not_drawn: u64,
}

#[derive(Debug)]
enum Step {
    Arrow(Arrow),
    Note(String),
}

#[derive(Debug)]
struct Arrow {
    from: usize,
    to: usize,
    time: String,
    kind: String,
    fields: String,
    dead: bool,
}

impl Diagram {
    /// Draws a letter, or counts it if there is no room.
    pub fn letter(&mut self, record: &Record, zone: &TimeZone) {
        if self.steps.len() >= LETTERS_MAX {
            self.not_drawn += 1;
            return;
        }
        let (Some(from), Some(to)) = (self.lane(&record.from), self.lane(&record.to)) else {
            self.not_drawn += 1;
            return;
        };
        self.steps.push(Step::Arrow(Arrow {
            from,
            to,
            time: text::time(record, zone),
            kind: cut(&text::plain(&record.kind), LABEL_MAX),
            fields: text::plain(&text::fields(record)),
            dead: record.dead,
        }));
    }

    /// Says what a marker says, where it stands.
    pub fn marker(&mut self, marker: &Marker) {
        if self.steps.len() < LETTERS_MAX {
            self.steps.push(Step::Note(text::marker(marker)));
        }
    }

    /// The place of an actor, a new one if there is room.
    fn lane(&mut self, name: &str) -> Option<usize> {
        let name = cut(&text::plain(name), LABEL_MAX);
        let known = self.actors.iter().position(|actor| *actor == name);
        known.or_else(|| {
            let lane = self.actors.len();
            (lane < DIAGRAM_MAX).then(|| {
                self.actors.push(name);
                lane
            })
        })
    }

    fn what_is_missing(&self) -> Option<String> {
        let missing = self.not_drawn;
        (missing > 0).then(|| {
            format!(
                "{missing} more letters are not drawn: a diagram has at most {DIAGRAM_MAX} actors and \
                 {LETTERS_MAX} letters; ask for less with --actor, --task or --since"
            )
        })
    }

    /// The diagram for Mermaid.
    pub fn mermaid(&self) -> String {
        let mut lines = vec!["sequenceDiagram".to_owned()];
        for (lane, actor) in self.actors.iter().enumerate() {
            lines.push(format!("    participant a{lane} as {}", escaped(actor)));
        }
        let last = self.actors.len().saturating_sub(1);
        let note = |note: &str| format!("    Note over a0,a{last}: {}", escaped(note));
        for step in &self.steps {
            lines.push(match step {
                Step::Note(said) => note(said),
                Step::Arrow(arrow) => {
                    let (from, to) = (arrow.from, arrow.to);
                    let (line, dead) = if arrow.dead {
                        ("-x", " (dead)")
                    } else {
                        ("->>", "")
                    };
                    let label = format!("{}{dead} {}", arrow.kind, arrow.fields);
                    format!("    a{from}{line}a{to}: {}", escaped(label.trim_end()))
                }
            });
        }
        lines.extend(self.what_is_missing().map(|missing| note(&missing)));
        lines.join("\n") + "\n"
    }

    /// The diagram in plain text: `x` is the head of an arrow to a dead actor, `o` a letter to oneself.
    pub fn ascii(&self) -> String {
        let lanes = self.lanes();
        let mut rows = vec![self.names(&lanes)];
        for step in &self.steps {
            rows.push(match step {
                Step::Note(said) => format!("{:TIME_WIDTH$}{said}", ""),
                Step::Arrow(arrow) => row(arrow, &lanes),
            });
        }
        rows.extend(self.what_is_missing());
        rows.iter().fold(String::new(), |mut text, row| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", row.trim_end());
            text
        })
    }

    /// The column of each lifeline, so far apart that names and labels fit between them.
    fn lanes(&self) -> Vec<usize> {
        let half = |name: &String| name.chars().count().div_ceil(2);
        let mut lanes: Vec<usize> = Vec::with_capacity(self.actors.len());
        for (lane, actor) in self.actors.iter().enumerate() {
            let before = lane
                .checked_sub(1)
                .and_then(|before| self.actors.get(before));
            let mut column = half(actor);
            if let (Some(left), Some(name)) = (lanes.last(), before) {
                column += left + half(name) + 2;
            }
            for step in &self.steps {
                if let Step::Arrow(arrow) = step
                    && arrow.right_end() == lane
                    && let Some(left) = lanes.get(arrow.from.min(arrow.to))
                {
                    column = column.max(left + arrow.kind.chars().count() + ARROW_WIDTH);
                }
            }
            lanes.push(column);
        }
        lanes
    }

    fn names(&self, lanes: &[usize]) -> String {
        let mut row = String::new();
        for (actor, column) in self.actors.iter().zip(lanes) {
            let start = TIME_WIDTH + column - actor.chars().count() / 2;
            let gap = start.saturating_sub(row.chars().count());
            row.extend(std::iter::repeat_n(' ', gap));
            row.push_str(actor);
        }
        row
    }
}

impl Arrow {
    /// The lane that its label must not reach: a letter to oneself is written to the right of its lane.
    fn right_end(&self) -> usize {
        if self.from == self.to {
            self.to + 1
        } else {
            self.from.max(self.to)
        }
    }
}

/// One row: the time, all lifelines, and one arrow across some of them.
fn row(arrow: &Arrow, lanes: &[usize]) -> String {
    let column = |lane: usize| lanes.get(lane).copied().unwrap_or_default();
    let (from, to) = (column(arrow.from), column(arrow.to));
    let (left, right) = (from.min(to), from.max(to));
    let end = lanes.last().copied().unwrap_or_default() + ARROW_WIDTH + arrow.kind.chars().count();
    let mut cells: Vec<char> = (0..=end)
        .map(|at| if lanes.contains(&at) { '|' } else { ' ' })
        .collect();
    let mut put = |at: usize, c: char| {
        if let Some(cell) = cells.get_mut(at) {
            *cell = c;
        }
    };
    let label = arrow.kind.chars().enumerate();
    if from == to {
        put(from, 'o');
        label.for_each(|(at, c)| put(from + 2 + at, c));
    } else {
        (left + 1..right).for_each(|at| put(at, '-'));
        let (at, head) = if to == right {
            (right - 1, '>')
        } else {
            (left + 1, '<')
        };
        put(at, if arrow.dead { 'x' } else { head });
        let start = (left + right + 1 - arrow.kind.chars().count()) / 2;
        label.for_each(|(at, c)| put(start + at, c));
    }
    let cells: String = cells.into_iter().collect();
    format!("{:<TIME_WIDTH$}{cells}", arrow.time)
}

/// Without the characters that end a statement of Mermaid or begin an entity.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' => escaped.push_str("#35;"),
            ';' => escaped.push_str("#59;"),
            c => escaped.push(c),
        }
    }
    escaped
}
