//! What `mutirao top` shows, as a function of what the master says.

use std::net::SocketAddr;

use jiff::Timestamp;
use mutirao_actors::wire::report::{GroupReport, MasterReport, PeerRow};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize as _;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Row, Table, Widget as _};
use serde::Serialize;

use crate::cli::progress::ended;
use crate::cli::status::in_words;
use crate::cli::work::counted;

/// Steps of a group's bar.
const STEPS: u64 = 20;
/// Failures that are shown: the latest, for the rest there is `mutirao list --failed`.
const FAILURES_MAX: usize = 5;
/// Characters of a line where no terminal says how many fit: a reason is worth reading.
const PAGE_WIDTH: u16 = 120;
/// Lines that are drawn where no terminal says how many fit: more peers than a room has, and all else.
const PAGE_HEIGHT: u16 = 500;

/// All that is shown; with `--json`, exactly this.
#[derive(Debug, Serialize)]
pub struct View {
    /// When the master was asked.
    pub at: Timestamp,
    /// Where the master serves.
    pub address: SocketAddr,
    /// How it stands.
    pub master: MasterReport,
    /// The newest groups.
    pub groups: Vec<Group>,
    /// Who is here.
    pub peers: Vec<PeerRow>,
    /// Why it does not answer now, if it does not: then the rest is as it was.
    pub silence: Option<String>,
}

/// A group.
#[derive(Debug, Serialize)]
pub struct Group {
    /// How its parts stand.
    #[serde(flatten)]
    pub report: GroupReport,
    /// When the rest of it will have ended, once enough of it was seen to end.
    pub left: Option<Left>,
    /// The same and what failed, for readers.
    #[serde(skip)]
    pub words: String,
}

/// How long something takes, in seconds.
#[derive(Debug, Serialize)]
pub struct Left {
    /// At least, probably.
    pub low_s: u64,
    /// As far as can be told.
    pub likely_s: u64,
    /// At most, probably.
    pub high_s: u64,
}

/// As text, where there is no terminal.
pub fn page(view: &View) -> String {
    let area = Rect::new(0, 0, PAGE_WIDTH, PAGE_HEIGHT);
    let mut buffer = Buffer::empty(area);
    draw_with("", view, area, &mut buffer);
    let line = |y| {
        let cells = (0..PAGE_WIDTH).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    let text: String = (0..PAGE_HEIGHT).map(line).collect();
    text.trim_end().to_owned() + "\n"
}

/// Draws it on a terminal; what does not fit is left out from below, section by section.
pub fn draw(view: &View, area: Rect, buffer: &mut Buffer) {
    draw_with(" · q ends", view, area, buffer);
}

fn draw_with(hint: &str, view: &View, area: Rect, buffer: &mut Buffer) {
    let (groups, peers) = (view.groups.len(), view.peers.len());
    let failures = view.master.queue.failures.len().min(FAILURES_MAX);
    let running = view.master.queue.running.len();
    let [head, groups, peers, failed, runs] = Layout::vertical([
        Constraint::Length(3),
        section(groups),
        section(peers.min(usize::from(area.height) / 3)),
        section(failures),
        section(running),
    ])
    .areas(area);
    Paragraph::new(header(hint, view)).render(head, buffer);
    draw_groups(view, groups, buffer);
    draw_peers(view, peers, buffer);
    draw_failures(view, failed, buffer);
    draw_running(view, runs, buffer);
}

/// The rows, their heading, and a line of air; nothing for no rows.
fn section(rows: usize) -> Constraint {
    match u16::try_from(rows).unwrap_or(u16::MAX) {
        0 => Constraint::Length(0),
        rows => Constraint::Max(rows.saturating_add(2)),
    }
}

fn header<'a>(hint: &str, view: &'a View) -> Vec<Line<'a>> {
    let (master, tasks) = (&view.master, &view.master.queue.tasks);
    let up = in_words(master.uptime_s);
    let scheduler = &master.queue.scheduler;
    let first = format!(
        "{} ({}) · up {up} · {scheduler}{hint}",
        master.name, view.address
    );
    let second = format!(
        "{} waiting · {} running · {} done · {} failed · {} cancelled · {}",
        tasks.queued,
        tasks.leased,
        tasks.done,
        tasks.failed,
        tasks.cancelled,
        counted(master.queue.peers, "peer", "peers")
    );
    let trouble = match (&view.silence, &master.queue.trouble) {
        (Some(silence), _) => format!("as it was: {silence}"),
        (None, Some(trouble)) => format!("trouble: {trouble}"),
        (None, None) if tasks.queued > 0 && view.peers.is_empty() => {
            "the tasks wait for a peer: start one with `mutirao peer`".to_owned()
        }
        (None, None) => String::new(),
    };
    vec![
        Line::from(first).bold(),
        Line::from(second),
        Line::from(trouble).bold(),
    ]
}

fn draw_groups(view: &View, area: Rect, buffer: &mut Buffer) {
    let rows = view.groups.iter().map(|group| {
        let (group, words) = (&group.report, &group.words);
        let (ended, parts) = (ended(group), u64::from(group.parts));
        Row::new([
            group.group.clone(),
            bar(ended, parts),
            format!("{ended}/{parts}"),
            group.running.to_string(),
            words.clone(),
        ])
    });
    let widths = [
        Constraint::Max(24),
        Constraint::Length(20),
        Constraint::Length(15),
        Constraint::Length(7),
        Constraint::Fill(1),
    ];
    let heads = ["GROUP", "", "ENDED", "RUNS", ""];
    draw_table(rows, widths, heads, area, buffer);
}

fn draw_peers(view: &View, area: Rect, buffer: &mut Buffer) {
    let rows = view.peers.iter().map(|peer| {
        Row::new([
            peer.peer_id.as_str().to_owned(),
            format!("{}/{}", peer.leases, peer.slots),
            peer.done.to_string(),
            peer.failed.to_string(),
            peer.state.clone(),
        ])
    });
    let widths = [
        Constraint::Length(36),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Fill(1),
    ];
    let heads = ["PEER", "RUNS", "DONE", "FAILED", "STATE"];
    draw_table(rows, widths, heads, area, buffer);
}

fn draw_failures(view: &View, area: Rect, buffer: &mut Buffer) {
    let failures = view.master.queue.failures.iter().take(FAILURES_MAX);
    let rows = failures.map(|row| Row::new([row.task_name.to_string(), row.reason.clone()]));
    let widths = [Constraint::Max(24), Constraint::Fill(1)];
    draw_table(rows, widths, ["FAILED", "WHY"], area, buffer);
}

fn draw_running(view: &View, area: Rect, buffer: &mut Buffer) {
    let rows = view.master.queue.running.iter().map(|row| {
        Row::new([
            row.task_name.to_string(),
            row.attempt.to_string(),
            in_words(row.for_s),
            row.peer_id.as_str().to_owned(),
        ])
    });
    let widths = [
        Constraint::Max(24),
        Constraint::Length(5),
        Constraint::Length(12),
        Constraint::Fill(1),
    ];
    draw_table(rows, widths, ["RUNS", "TRY", "FOR", "ON"], area, buffer);
}

fn draw_table<'a, const COLUMNS: usize>(
    rows: impl Iterator<Item = Row<'a>>,
    widths: [Constraint; COLUMNS],
    heads: [&'a str; COLUMNS],
    area: Rect,
    buffer: &mut Buffer,
) {
    let table = Table::new(rows, widths).header(Row::new(heads).dim());
    table.column_spacing(2).render(area, buffer);
}

fn bar(ended: u64, parts: u64) -> String {
    let full = (ended * STEPS)
        .checked_div(parts)
        .unwrap_or_default()
        .min(STEPS);
    let times = |steps: u64| usize::try_from(steps).unwrap_or_default();
    "█".repeat(times(full)) + &"░".repeat(times(STEPS - full))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mutirao_actors::model::{Attempt, PeerId, TaskId, TaskName};
    use mutirao_actors::wire::report::{
        FailureRow, MasterRole, QueueReport, RunningRow, TaskCounts,
    };

    fn peer(name: &str) -> PeerRow {
        PeerRow {
            peer_id: name.parse().unwrap(),
            address: "10.0.0.7:1".into(),
            slots: 8,
            ours: true,
            agent: None,
            state: "ready".into(),
            last_word_s: 1,
            leases: 2,
            done: 30,
            failed: 1,
            faults: Vec::new(),
        }
    }

    fn view(peers: usize) -> View {
        let peer_id: PeerId = "ana".parse().unwrap();
        let running = RunningRow {
            task_id: TaskId::new(),
            task_name: TaskName::tamed("main-7.136"),
            attempt: Attempt(1),
            peer_id,
            for_s: 75,
        };
        let failure = FailureRow {
            task_name: TaskName::tamed("main-7.12"),
            reason: "exit code 1: ValueError\u{1b}[2J".into(),
        };
        let group = GroupReport {
            group: "main-7".into(),
            parts: 200,
            waiting: 62,
            running: 2,
            done: 134,
            failed: 2,
            cancelled: 0,
            failures: Vec::new(),
            complete: false,
            why: None,
        };
        View {
            at: Timestamp::UNIX_EPOCH,
            address: "10.0.0.1:50020".parse().unwrap(),
            master: MasterReport {
                role: MasterRole::Master,
                name: "lab".into(),
                master_id: uuid::Uuid::nil(),
                version: "0".into(),
                uptime_s: 7300,
                queue: QueueReport {
                    scheduler: "fifo".into(),
                    tasks: TaskCounts {
                        queued: 62,
                        leased: 2,
                        done: 134,
                        failed: 2,
                        cancelled: 0,
                    },
                    peers: peers as u64,
                    running: vec![running],
                    failures: vec![failure],
                    ..QueueReport::default()
                },
            },
            groups: vec![Group {
                report: group,
                left: None,
                words: "2 failed · about 15:42".into(),
            }],
            peers: (0..peers)
                .map(|number| peer(&format!("peer-{number}")))
                .collect(),
            silence: None,
        }
    }

    fn drawn(view: &View, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        draw(view, area, &mut buffer);
        let row = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
        };
        (0..height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn everything_that_is_going_on_is_on_one_screen() {
        let rows = drawn(&view(2), 100, 24);
        assert_eq!(
            rows[..2],
            [
                "lab (10.0.0.1:50020) · up 2 h 1 min · fifo · q ends",
                "62 waiting · 2 running · 134 done · 2 failed · 0 cancelled · 2 peers"
            ]
        );
        let text = rows.join("\n");
        for words in [
            "main-7                    █████████████░░░░░░░  136/200",
            "2 failed · about 15:42",
            "peer-1",
            "exit code 1: ValueError",
            "main-7.136.zip            1      1 min 15 s    ana",
        ] {
            assert!(text.contains(words), "no {words}: {text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn any_size_of_a_terminal_is_drawn_on_and_many_peers_leave_room() {
        for (width, height) in [(1, 1), (20, 3), (80, 5), (80, 24), (300, 100)] {
            drawn(&view(500), width, height);
        }
        let rows = drawn(&view(500), 100, 30).join("\n");
        assert!(rows.contains("main-7.136.zip"), "{rows}");
        assert!(
            rows.contains("peer-0") && !rows.contains("peer-20"),
            "{rows}"
        );
    }

    #[test]
    fn without_a_terminal_there_are_as_many_lines_as_there_is_to_tell() {
        let text = page(&view(100));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("lab (10.0.0.1:50020)"), "{text}");
        assert!(text.contains("peer-99 "), "{text}");
        assert!(
            lines.last().unwrap().starts_with("main-7.136.zip"),
            "{text}"
        );
        assert_eq!(page(&view(0)).lines().count(), 11);
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_master_that_is_silent_or_lacks_peers_is_told() {
        let mut lonely = view(0);
        assert!(drawn(&lonely, 80, 24)[2].contains("mutirao peer"));
        lonely.silence = Some("it broke".into());
        assert_eq!(drawn(&lonely, 80, 24)[2], "as it was: it broke");
    }
}
