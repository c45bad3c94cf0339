//! Warm starts: resident interpreters, forked for each task, so that a task costs a fork and not a start.
//!
//! Rule: a script cannot tell, and whatever goes wrong before it begins ends in a cold start.

#[cfg(procfs)]
mod child;
mod groups;
#[cfg_attr(not(procfs), expect(dead_code, reason = "nobody is there to hear it"))]
mod packet;
#[cfg(procfs)]
mod socket;
#[cfg(procfs)]
mod template;
#[cfg(not(procfs))]
#[expect(dead_code, reason = "nothing is made of it")]
#[path = "no_template.rs"]
mod template;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::Start;
use groups::Groups;
use template::Template;

pub use groups::{Group, Kind, REPORT_MAX};
pub use packet::Order;
pub use template::{Child, Start as Begun};

/// Templates at a time. Each holds an interpreter and what it has imported, from ten megabytes up; few groups are at work at
/// once.
const TEMPLATES_MAX: usize = 4;
/// The file that lies below every script.
const BOTTOM: &str = "importlib_bootstrap.py";
/// What makes a template of an interpreter, by name.
const SOURCES: [(&str, &str); 4] = [
    (BOTTOM, include_str!("python/importlib_bootstrap.py")),
    ("task.py", include_str!("python/task.py")),
    ("ending.py", include_str!("python/ending.py")),
    ("template.py", include_str!("python/template.py")),
];

/// Of what a template is made.
#[cfg_attr(not(procfs), expect(dead_code, reason = "nothing is made of it"))]
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// The interpreter.
    pub program: &'a Path,
    /// The script that makes a template of it.
    pub script: &'a Path,
    /// Its environment, which is that of its tasks.
    pub env: &'a [(OsString, OsString)],
    /// What it imports.
    pub modules: &'a [String],
}

/// All templates of a peer.
#[derive(Debug)]
pub struct Warmth {
    program: PathBuf,
    bottom: PathBuf,
    start: Start,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    groups: Groups,
    /// The least recently used first.
    templates: Vec<Held>,
    /// The interpreter can be no template at all.
    is_hopeless: bool,
}

#[derive(Debug, Clone)]
struct Held {
    kind: Kind,
    template: Cell,
}

/// Empty while it starts; `None` in it if it failed to.
type Cell = Arc<OnceCell<Option<Arc<Template>>>>;

/// What a task may be forked from.
#[derive(Debug)]
pub struct Fork {
    /// Ready when it was chosen.
    pub template: Arc<Template>,
    /// Whether its script is to tell what it imports.
    pub is_to_tell: bool,
}

impl Warmth {
    /// Nothing is started before it is needed; `folder` is made for what starts them.
    ///
    /// # Errors
    /// When the folder cannot be filled.
    pub fn open(program: &Path, folder: &Path, start: Start) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // An interpreter runs in another folder, so what it is told must not depend on ours.
        let folder = folder.canonicalize()?;
        for (name, source) in SOURCES {
            fs::write(folder.join(name), source)?;
        }
        Ok(Self {
            program: program.to_owned(),
            bottom: folder.join(BOTTOM),
            start,
            book: Mutex::default(),
        })
    }

    /// What the task is to be forked from; `None` for a cold start. `env` is what a template of it is started with.
    pub async fn fork(
        self: &Arc<Self>,
        group: &Group,
        env: &[(OsString, OsString)],
    ) -> Option<Fork> {
        if self.start == Start::Cold || !group.is_warmable() {
            return None;
        }
        let (best, was_met, is_to_tell) = {
            let mut book = self.book();
            if book.is_hopeless {
                return None;
            }
            let was_met = book.groups.meet(group);
            (
                book.groups.best(group),
                was_met,
                book.groups.is_unknown(group),
            )
        };
        let plain = group.plain();
        let waits = self.start == Start::Warm;
        // A template of its own is for those that come again.
        let mut template = None;
        if best != plain || group.env.is_empty() || was_met || waits {
            template = self.template(&best, env, waits).await;
        }
        if template.is_none() && best != plain {
            template = self.template(&plain, env, waits).await;
        }
        Some(Fork {
            template: template?,
            is_to_tell,
        })
    }

    /// A script of the group told what it had imported.
    pub fn learn(&self, group: &Group, report: &str) {
        self.book().groups.learn(group, report);
    }

    /// Starts the template that most tasks need, if there is none.
    pub fn prepare(self: &Arc<Self>, env: Vec<(OsString, OsString)>) {
        if self.start == Start::Cold {
            return;
        }
        let (warmth, kind) = (self.clone(), Kind::default());
        tokio::spawn(async move { warmth.template(&kind, &env, true).await });
    }

    /// One of this kind: waits for it, or has it started behind and takes what is there.
    async fn template(
        self: &Arc<Self>,
        kind: &Kind,
        env: &[(OsString, OsString)],
        waits: bool,
    ) -> Option<Arc<Template>> {
        let cell = self.cell(kind);
        if let Some(found) = cell.get() {
            return found.clone();
        }
        let (warmth, kind, env) = (self.clone(), kind.clone(), env.to_vec());
        let started = cell.clone();
        let starting = async move {
            let start = || warmth.start(&kind, &env);
            started.get_or_init(start).await.clone()
        };
        if waits {
            starting.await
        } else {
            tokio::spawn(starting);
            None
        }
    }

    /// Its place, which becomes the most recently used.
    fn cell(&self, kind: &Kind) -> Cell {
        let mut book = self.book();
        let is_over =
            |held: &Held| matches!(held.template.get(), Some(Some(found)) if found.is_over());
        book.templates.retain(|held| !is_over(held));
        let at = book.templates.iter().position(|held| held.kind == *kind);
        let held = match at {
            Some(at) => book.templates.remove(at),
            None => Held {
                kind: kind.clone(),
                template: Cell::default(),
            },
        };
        let cell = held.template.clone();
        if book.templates.len() == TEMPLATES_MAX {
            // Those that run scripts are held by them until they end.
            book.templates.remove(0);
        }
        book.templates.push(held);
        cell
    }

    async fn start(&self, kind: &Kind, env: &[(OsString, OsString)]) -> Option<Arc<Template>> {
        let recipe = Recipe {
            program: &self.program,
            script: &self.bottom,
            env,
            modules: &kind.modules,
        };
        match Template::start(recipe).await {
            Ok(template) => Some(Arc::new(template)),
            Err(why) => {
                self.fail(kind, &why);
                None
            }
        }
    }

    fn fail(&self, kind: &Kind, why: &str) {
        let mut book = self.book();
        book.templates.retain(|held| held.kind != *kind);
        if !kind.modules.is_empty() {
            tracing::debug!("nothing is preloaded for a group of tasks: {why}");
            book.groups.give_up(kind);
        } else if !std::mem::replace(&mut book.is_hopeless, kind.env.is_empty()) {
            if self.start == Start::Warm {
                tracing::warn!("scripts are started cold, although warm starts are wanted: {why}");
            } else {
                tracing::debug!("scripts are started cold: {why}");
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
