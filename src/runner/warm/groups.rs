//! What is known of scripts: which of them come again, and what they import.
//!
//! Rule: what a script imports is known once, from the first of its tasks that ended by itself in a template, and a
//! preload that failed is never tried again for it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use mutirao_actors::model::Digest;

/// Groups that are remembered. A peer that meets more does many different things, and an older one is learned anew.
const GROUPS_MAX: usize = 1024;
/// Most modules that are preloaded for a group: large libraries have some hundreds.
const MODULES_MAX: usize = 4096;
/// Longest word of a script on what it imported, in bytes.
pub const REPORT_MAX: u64 = 256 << 10;
/// Prefixes of variables that an interpreter or its loader acts on while it starts, by speaking or by relative paths.
const OF_THE_START: [&str; 2] = ["PYTHON", "LD_"];

/// Tasks whose scripts may share a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// SHA-256 of `main.py`.
    pub code: Digest,
    /// What `task.toml` adds to the environment, without what a script can be told when it is forked.
    pub env: BTreeMap<String, String>,
}

/// Of which kind a template is: two of one kind are the same to every script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kind {
    /// As in [`Group`].
    pub env: BTreeMap<String, String>,
    /// What it has imported.
    pub modules: Vec<String>,
}

impl Group {
    /// Whether a template can stand for an interpreter that is started for it.
    pub fn is_warmable(&self) -> bool {
        let acts = |name: &String| OF_THE_START.iter().any(|prefix| name.starts_with(prefix));
        !self.env.keys().any(acts)
    }

    /// The kind that has imported nothing.
    pub fn plain(&self) -> Kind {
        Kind {
            env: self.env.clone(),
            modules: Vec::new(),
        }
    }
}

/// What a group imports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Imports {
    /// None of its scripts has told.
    #[default]
    Unknown,
    /// These, and importing them early is worth it.
    Known(Vec<String>),
    /// Nothing, or what cannot be imported early.
    NotToPreload,
}

/// All groups.
#[derive(Debug, Default)]
pub struct Groups {
    known: HashMap<Group, Imports>,
    /// In the order in which they were met.
    met: VecDeque<Group>,
}

impl Groups {
    /// Takes note of a task; whether its group had one before.
    pub fn meet(&mut self, group: &Group) -> bool {
        if self.known.contains_key(group) {
            return true;
        }
        if self.met.len() == GROUPS_MAX
            && let Some(oldest) = self.met.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(group.clone(), Imports::Unknown);
        self.met.push_back(group.clone());
        false
    }

    /// Whether a script of it is to tell what it imports.
    pub fn is_unknown(&self, group: &Group) -> bool {
        self.known
            .get(group)
            .is_none_or(|known| *known == Imports::Unknown)
    }

    /// The kind of template that is best for it.
    pub fn best(&self, group: &Group) -> Kind {
        let mut kind = group.plain();
        if let Some(Imports::Known(modules)) = self.known.get(group) {
            kind.modules.clone_from(modules);
        }
        kind
    }

    /// A script of it told what it had imported: one name a line, and not to be trusted.
    pub fn learn(&mut self, group: &Group, report: &str) {
        let modules: Vec<String> = report.lines().map(str::to_owned).collect();
        let is_sound = modules.len() <= MODULES_MAX && modules.iter().all(|name| is_name(name));
        let imports = if modules.is_empty() || !is_sound {
            Imports::NotToPreload
        } else {
            Imports::Known(modules)
        };
        if let Some(known) = self.known.get_mut(group) {
            *known = imports;
        }
    }

    /// What this kind imports cannot be imported early.
    pub fn give_up(&mut self, kind: &Kind) {
        for (group, imports) in &mut self.known {
            if group.env == kind.env && *imports == Imports::Known(kind.modules.clone()) {
                *imports = Imports::NotToPreload;
            }
        }
    }
}

/// Whether it is the dotted name of a module. Some have dashes, for they are named after the machine: `sysconfig` imports
/// `_sysconfigdata__linux_x86_64-linux-gnu`.
fn is_name(name: &str) -> bool {
    let is_of_name = |char: char| char.is_alphanumeric() || "_-".contains(char);
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_of_name);
    name.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(code: &str) -> Group {
        Group {
            code: Digest::of(code.as_bytes()),
            env: BTreeMap::new(),
        }
    }

    #[test]
    fn a_group_is_asked_once_and_then_preloaded_for() {
        let (mut groups, one) = (Groups::default(), group("one"));
        assert!(!groups.meet(&one) && groups.meet(&one));
        assert!(groups.is_unknown(&one) && groups.best(&one) == one.plain());
        groups.learn(&one, "csv\n_csv\nxml.dom\n_of_linux-gnu");
        let imported = ["csv", "_csv", "xml.dom", "_of_linux-gnu"];
        assert_eq!(groups.best(&one).modules, imported);
        assert!(!groups.is_unknown(&one));
    }

    #[test]
    fn what_is_no_name_of_a_module_is_not_imported() {
        for report in ["", "a b", "a\n\nb", "..", "a.", "os;import x", "a/b"] {
            let (mut groups, one) = (Groups::default(), group("one"));
            groups.meet(&one);
            groups.learn(&one, report);
            assert_eq!(groups.best(&one), one.plain(), "{report}");
            assert!(!groups.is_unknown(&one), "{report}");
        }
    }

    #[test]
    fn a_preload_that_failed_is_given_up_for_all_that_wanted_it() {
        let (mut groups, one, two) = (Groups::default(), group("one"), group("two"));
        for group in [&one, &two] {
            groups.meet(group);
        }
        groups.learn(&one, "numpy");
        groups.learn(&two, "csv");
        groups.give_up(&groups.best(&one));
        assert_eq!(groups.best(&one), one.plain());
        assert_eq!(groups.best(&two).modules, ["csv"]);
    }

    #[test]
    fn the_oldest_group_is_forgotten_first() {
        let mut groups = Groups::default();
        for number in 0..=GROUPS_MAX {
            groups.meet(&group(&number.to_string()));
        }
        assert!(groups.meet(&group("1")) && !groups.meet(&group("0")));
        assert_eq!(
            (groups.known.len(), groups.met.len()),
            (GROUPS_MAX, GROUPS_MAX)
        );
    }

    #[test]
    fn variables_that_an_interpreter_reads_while_it_starts_make_no_template() {
        for (name, expected) in [
            ("PYTHONHASHSEED", false),
            ("LD_PRELOAD", false),
            ("TZ", true),
        ] {
            let mut one = group("one");
            one.env.insert(name.into(), "1".into());
            assert_eq!(one.is_warmable(), expected, "{name}");
        }
    }
}
