//! What a failure looks like, so that those of many tasks that look alike are one.

use crate::logic::fault::Fault;
use crate::logic::traceback::apart;
use crate::model::Ending;

/// What kind of failure it is, as far as that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// This module is missing.
    Module(String),
    /// A program is missing, or cannot be started.
    Program,
    /// There was not enough memory.
    Memory,
    /// The time limit passed.
    Time,
    /// The peer was lost with it.
    Lost,
    /// The peer said that it is in trouble itself.
    Trouble,
    /// It runs for longer than any other.
    Slow,
    /// The run failed by itself.
    Run,
}

impl Kind {
    /// Whether it may be the task's own doing, unless its peer fails what others pass.
    fn is_of_task(&self) -> bool {
        matches!(self, Self::Memory | Self::Time | Self::Run)
    }
}

/// A kind of failure, and what tells it from others of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symptom {
    /// Of which kind.
    pub kind: Kind,
    shape: String,
    /// Whether it was seen at a peer that fails what others pass, so that it counts against that one.
    pub is_of_peer: bool,
    /// Whether the task passed all the same, so that its row is none that fails.
    pub has_passed: bool,
}

impl Symptom {
    /// The only one of its kind.
    pub fn only(kind: Kind) -> Self {
        Self::shaped(kind, String::new())
    }

    fn shaped(kind: Kind, shape: String) -> Self {
        Self {
            kind,
            shape,
            is_of_peer: false,
            has_passed: false,
        }
    }

    /// The same as it is seen at a task that passed in the end, or has not.
    pub fn of_task_that(self, has_passed: bool) -> Self {
        Self { has_passed, ..self }
    }

    /// The same as it is seen at a peer that is sick, or is not.
    pub fn at(mut self, is_sick: bool) -> Self {
        self.is_of_peer = is_sick && self.kind.is_of_task();
        self
    }

    /// What a fault looks like; none if it was planned, or the master's own doing.
    pub fn of(fault: &Fault) -> Option<Self> {
        Some(match fault {
            Fault::Run(Ending::Raised { code, error }) => match missing_module(error) {
                Some(module) => Self::only(Kind::Module(module.to_owned())),
                None => Self::shaped(Kind::Run, format!("{code} {}", shape(error))),
            },
            Fault::Run(Ending::OutOfMemory) => Self::only(Kind::Memory),
            Fault::Run(Ending::TimeLimit) => Self::only(Kind::Time),
            Fault::Run(Ending::NotStarted(why)) if why.starts_with("failed to start") => {
                Self::shaped(Kind::Program, shape(why))
            }
            Fault::Run(Ending::PeerTrouble(why)) => Self::shaped(Kind::Trouble, shape(why)),
            Fault::Run(Ending::Exit(_) | Ending::Signal(_) | Ending::Unsaid) | Fault::GivenUp => {
                Self::shaped(Kind::Run, fault.to_string())
            }
            Fault::Run(Ending::NotStarted(why)) | Fault::BadResult(why) => {
                Self::shaped(Kind::Run, shape(why))
            }
            Fault::PeerLost(_) | Fault::Late => Self::only(Kind::Lost),
            Fault::Run(Ending::Cancelled)
            | Fault::HandedBack(_)
            | Fault::NotDelivered(_)
            | Fault::NotStored(_)
            | Fault::Forgiven(_) => return None,
        })
    }
}

/// The module that is missing, by the words of the exception: of a package the package.
fn missing_module(error: &str) -> Option<&str> {
    let rest = error.strip_prefix("ModuleNotFoundError: No module named ")?;
    let name = rest.strip_prefix('\'')?.split('\'').next()?;
    // It stands in a command that somebody copies.
    let is_plain = |name: &&str| {
        let mut letters = name.bytes();
        !name.is_empty() && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    name.split('.').next().filter(is_plain)
}

/// The file that is missing, by the words of the exception, if it was looked for beside the script or below: there lies only what
/// was handed in.
pub(super) fn missing_file(error: &str) -> Option<&str> {
    let (_, rest) = error.split_once("FileNotFoundError: ")?;
    let (words, _) = apart(rest);
    let name = match words.split_once(": '") {
        Some((_, quoted)) => quoted.split('\'').next()?,
        // So says who opens it for numpy.
        None => words.strip_suffix(" not found.")?,
    };
    // It stands in an advice that somebody follows: what is no plain path is none that was typed.
    let is_plain = name
        .chars()
        .all(|char| char.is_alphanumeric() || "._-/ ".contains(char));
    let mut steps = name.split('/');
    let is_beside = is_plain && !name.is_empty() && steps.all(|step| !["", ".."].contains(&step));
    is_beside.then_some(name)
}

/// What is the same where the same went wrong over other data: the exception and its place; or the words without what is
/// quoted in them, and without numbers.
fn shape(error: &str) -> String {
    let (words, place) = apart(error);
    if let Some(place) = place {
        let exception = words.split(':').next().unwrap_or(words);
        return format!("{exception} {place}");
    }
    let mut shape = String::new();
    let mut quote = None;
    for char in words.chars() {
        match quote {
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if char == '\'' || char == '"' => {
                quote = Some(char);
                shape.push(char);
            }
            None if char.is_ascii_digit() => {
                if !shape.ends_with('#') {
                    shape.push('#');
                }
            }
            None => shape.push(char),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(error: &str) -> Symptom {
        let ending = Ending::Exit(1).saying(Some(error));
        Symptom::of(&Fault::Run(ending)).unwrap()
    }

    #[test]
    fn the_same_exception_at_the_same_place_is_alike_whatever_the_data() {
        let one = raised("ValueError: no number: 'x' (main.py:7)");
        assert_eq!(one, raised("ValueError: too long (main.py:7)"));
        assert_ne!(one, raised("ValueError: no number: 'x' (main.py:8)"));
        assert_ne!(one, raised("KeyError: 'x' (main.py:7)"));
    }

    #[test]
    fn words_without_a_place_are_alike_but_for_numbers_and_what_is_quoted() {
        let one = raised("row 12 of \"a.csv\" is bad");
        assert_eq!(one, raised("row 7 of \"it's.csv\" is bad"));
        assert_ne!(one, raised("row 7 is bad"));
    }

    #[test]
    fn a_missing_module_is_told_by_its_name_wherever_it_is_imported() {
        let kind = |error| raised(error).kind;
        let numpy = Kind::Module("numpy".into());
        assert_eq!(
            kind("ModuleNotFoundError: No module named 'numpy.linalg' (main.py:1)"),
            numpy
        );
        assert_eq!(kind("ModuleNotFoundError: No module named 'numpy'"), numpy);
        let forged = kind("ModuleNotFoundError: No module named 'x;curl a|sh'");
        assert_eq!(forged, Kind::Run);
        assert_eq!(kind("ModuleNotFoundError: odd (main.py:1)"), Kind::Run);
    }

    #[test]
    fn a_file_is_missing_beside_the_script_if_its_path_leads_nowhere_else() {
        let errno = "exit code 1: FileNotFoundError: [Errno 2] No such file or directory: ";
        for name in ["data.txt", "data/año 1.csv", "./data.txt"] {
            let error = format!("{errno}'{name}' (main.py:3)");
            assert_eq!(missing_file(&error), Some(name));
        }
        let numpy = "exit code 1: FileNotFoundError: data.txt not found. (main.py:3)";
        assert_eq!(missing_file(numpy), Some("data.txt"));
        for name in [
            "/home/ana/data.txt",
            "../data.txt",
            "~/data.txt",
            "C:\\data.txt",
            "",
            "a`b",
        ] {
            let error = format!("{errno}'{name}' (main.py:3)");
            assert_eq!(missing_file(&error), None, "{error}");
        }
        assert_eq!(missing_file("exit code 1: FileNotFoundError: gone"), None);
        assert_eq!(missing_file("exit code 1: KeyError: 'data.txt'"), None);
    }

    #[test]
    fn what_was_planned_looks_like_nothing() {
        for fault in [
            Fault::Run(Ending::Cancelled),
            Fault::HandedBack("it leaves".into()),
            Fault::NotStored("full".into()),
        ] {
            assert_eq!(Symptom::of(&fault), None);
        }
    }
}
