//! `mutirao run` of a work that is cut: canary, progress, and the folder with what all parts made.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use mutirao_actors::logic::diagnosis::helps_against;
use mutirao_actors::model::{Archive, Stream};
use mutirao_actors::wire::report::{TaskReport, TaskState};
use tempfile::TempDir;

use super::embedded::{Embedded, master_or_own};
use super::{AFTERWARDS, Alone, Run, dry_run};
use crate::archive::inspect_task;
use crate::cli::ended::{GroupEnded, wait};
use crate::cli::group::{self, Group};
use crate::cli::house::Signals;
use crate::cli::left::{Text, fetch};
use crate::cli::peer::INTERRUPTED;
use crate::cli::telling::{Telling, code};
use crate::cli::wanted::Wanted;
use crate::cli::work::Work;
use crate::control::Control;
use crate::disk::numbers::free_number;

/// Longest line of a canary's output that is shown, in characters.
const LINE_MAX: usize = 60;

/// Cuts, hands in, follows, and says where what was made lies.
pub async fn run(
    mut args: Run,
    telling: Telling,
    left: &mut Option<TempDir>,
) -> anyhow::Result<ExitCode> {
    let wanted = &mut args.wanted;
    let (mut work, first) = cut(wanted)?;
    if wanted.dry_run {
        let planned = (&*wanted, Some(&work), &first);
        return dry_run(planned, &args.find, Alone::RunsHere, telling).await;
    }
    let mut signals = Signals::listen()?;
    let (address, embedded) = master_or_own(&args.find, &args.runner, telling).await?;
    wanted.is_passing = embedded.is_some();
    let wanted = &*wanted;
    let mut control = Control::connect(address).await?;
    let opened = Opened::default();
    let parts = work.parts();
    let from = embedded.as_ref().map(Embedded::root);
    let code = tokio::select! {
        code = all((wanted, &mut work, first), (address, from), (&opened, telling), &mut control) => code,
        _ = signals.next() => {
            let group = opened.group.take();
            let made = from.zip(group.as_deref()).and_then(|(root, group)| rescue(root, group, wanted));
            eprintln!("interrupted; {}", left_behind(embedded.is_some(), group, (opened.handed_in.get(), parts)));
            match made {
                // An object would tell of a group that has ended.
                Some(made) if telling.is_json() => eprintln!("it lies in {}/", made.display()),
                Some(made) => println!("{}/", made.display()),
                None => {}
            }
            Ok(ExitCode::from(INTERRUPTED))
        }
    };
    if let Some(embedded) = embedded {
        *left = Some(embedded.end().await);
    }
    code
}

/// What was begun at the master, for who is interrupted.
#[derive(Default)]
struct Opened {
    group: RefCell<Option<String>>,
    handed_in: Cell<u32>,
}

/// The work, and its first part, which is sound.
pub fn cut(wanted: &Wanted) -> anyhow::Result<(Work, Archive)> {
    let mut work = Work::of(&wanted.what, wanted.input.as_deref(), &wanted.cut)?;
    let first = Archive::new(work.part(0)?);
    inspect_task(first.bytes())
        .with_context(|| format!("{} cannot be a task", wanted.what.display()))?;
    Ok((work, first))
}

/// Brings what our own master has put together so far, if that is something.
fn rescue(root: &Path, group: &str, wanted: &Wanted) -> Option<PathBuf> {
    let folder = root.join("results").join(group);
    let is_something = folder.join("manifest.json").is_file();
    let brought = is_something.then(|| bring(&folder, &wanted.name()))?;
    let told = |error: &io::Error| eprintln!("failed to leave what was made in results/: {error}");
    brought.inspect_err(told).ok()
}

/// What becomes of the group when this command is interrupted.
fn left_behind(is_embedded: bool, group: Option<String>, (handed_in, parts): (u32, u32)) -> String {
    match (is_embedded, group) {
        (true, _) => "what ran is stopped; what was put together so far is kept".into(),
        (false, Some(group)) if handed_in < parts => format!(
            "only {handed_in} of {parts} parts were handed in, and these go on: mutirao cancel {group} takes them back"
        ),
        (false, Some(group)) => {
            format!("what was handed in goes on: mutirao wait last, or mutirao cancel {group}")
        }
        (false, None) => "nothing was handed in".into(),
    }
}

async fn all(
    (wanted, work, first): (&Wanted, &mut Work, Archive),
    (master, own): (SocketAddr, Option<&Path>),
    (opened, telling): (&Opened, Telling),
    control: &mut Control,
) -> anyhow::Result<ExitCode> {
    let after = wanted.after(control).await?;
    let place = group::open(&wanted.name(), work.parts(), control).await?;
    opened.group.replace(Some(place.group.clone()));
    let counting = (&opened.handed_in, telling);
    let group = group::submit(wanted, work, (first, after), place, counting, control).await?;
    if own.is_none() {
        control.be_patient(AFTERWARDS);
    }
    let described = group::described(work, control).await?;
    match wanted.no_canary {
        true => telling.aside(described),
        false => canary(&group, &described, telling, control).await?,
    }
    let report = match group.is_whole() {
        true => group::follow(&group.place.group, telling, control).await?,
        false => group::at_rest(&group.place.group, control).await?,
    };
    let folder = match own {
        Some(root) if group.is_whole() => {
            let folder = root.join("results").join(&report.group);
            group::gathered(&report.group, control).await?;
            let name = &wanted.name();
            Some(bring(&folder, name).context("failed to leave what was made in results/")?)
        }
        Some(root) => rescue(root, &report.group, wanted),
        None => group::folder_here(&report.group, master),
    };
    let ended = GroupEnded::of(report, folder, own.is_none(), control).await?;
    Ok(code(telling.print(&ended)?))
}

/// Waits for the first part and tells what it printed first, or why it was not done.
async fn canary(
    group: &Group,
    described: &str,
    telling: Telling,
    control: &mut Control,
) -> anyhow::Result<()> {
    let Some(task) = group.tasks.first().copied() else {
        return Ok(());
    };
    let report = wait(task, telling, control).await?;
    let printed = fetch(task, control).await.ok();
    let text = |stream| {
        let text = printed.as_ref().map(|(_, zip)| Text::of(zip, stream));
        Some(text?.ok()?.bytes)
    };
    match report.state {
        TaskState::Done => {
            let took = took(&report);
            let line = text(Stream::Stdout).and_then(|text| first_line(&text));
            let line = line.map(|line| format!(": \"{line}\"")).unwrap_or_default();
            telling.aside(format_args!("canary ok ({took}{line}) · {described}"));
        }
        _ => {
            let why = report.reason.unwrap_or_default();
            for stream in Stream::ALL {
                let text = text(stream).unwrap_or_default();
                eprint!("{}", String::from_utf8_lossy(&text));
            }
            eprintln!("the canary failed: {why} · the others do not begin");
            if let Some(help) = helps_against(&why) {
                eprintln!("→ {help}");
            }
        }
    }
    Ok(())
}

fn took(report: &TaskReport) -> String {
    let took = report.took_ms.unwrap_or_default();
    format!("{}.{} s", took / 1000, took % 1000 / 100)
}

/// The first line with something in it, cut.
fn first_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let mut cut: String = line.chars().take(LINE_MAX).map(shown).collect();
    if line.chars().nth(LINE_MAX).is_some() {
        cut.push('…');
    }
    Some(cut)
}

/// Copies what our own master put together into a folder here that nobody has.
fn bring(from: &Path, name: &str) -> io::Result<PathBuf> {
    let results = Path::new("results");
    fs::create_dir_all(results)?;
    let stem = mutirao_actors::model::TaskName::tamed(name);
    let named = |number| results.join(format!("{}-{number}", stem.stem()));
    let mut number = free_number(|number| named(number).exists());
    let folder = loop {
        let folder = named(number);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => break made.map(|()| folder)?,
        }
    };
    for entry in fs::read_dir(from)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        // What is hidden was not complete.
        if !name.as_encoded_bytes().starts_with(b".") {
            fs::copy(path, folder.join(name))?;
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_canary_is_shown_cut_and_without_controls() {
        assert_eq!(first_line(b"\n \n a\tb \nc").as_deref(), Some("a b"));
        assert_eq!(first_line(b"\n"), None);
        let long = "x".repeat(100);
        let shown = first_line(long.as_bytes()).unwrap();
        assert_eq!(shown.chars().count(), LINE_MAX + 1);
    }
}
