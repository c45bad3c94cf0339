//! What was typed, once it is known what each word means.

use std::collections::HashSet;

use anyhow::ensure;
use mutirao_actors::wire::report::{GroupReport, Sought, TaskReport, TaskState};

use super::asked::{by_name, find, groups, of, one_by_one, parts, parts_of};
use super::words::{Numbers, Word};
use super::{Meant, NotFound, Only, Target};
use crate::cli::ask::group_status;
use crate::cli::work::counted;
use crate::control::{Control, ControlError};

/// What is named, and what of it is meant.
#[derive(Debug)]
pub struct Read {
    named: Vec<Named>,
    states: Vec<TaskState>,
    group: Option<String>,
    is_all: bool,
}

/// What goes by a name.
#[derive(Debug)]
enum Named {
    /// A task, or a group with all its parts.
    Whole(Meant),
    /// Some parts of a group.
    Parts(GroupReport, Numbers),
}

impl Read {
    pub(super) async fn of(
        words: &[String],
        only: &Only,
        control: &mut Control,
    ) -> anyhow::Result<Self> {
        let mut read = Self {
            named: Vec::new(),
            states: only.states(),
            group: only.group.clone(),
            is_all: false,
        };
        for what in words {
            read.word(what, control).await?;
        }
        ensure!(
            !read.is_all || read.named.is_empty(),
            "`all` is everything, whatever is named beside it: say it alone, or with a state or --group"
        );
        Ok(read)
    }

    /// What one more word means.
    async fn word(&mut self, what: &str, control: &mut Control) -> anyhow::Result<()> {
        let Some(word) = Word::of(what) else {
            self.named.push(Named::Whole(find(what, control).await?));
            return Ok(());
        };
        let namesake = by_name(what, control).await?;
        match (word, namesake) {
            (Word::Parts(numbers), namesake) if self.ends_with_group() => {
                if let Some(namesake) = namesake {
                    eprintln!(
                        "{what} is a part of the group before it here, and not {}",
                        in_full(&namesake)
                    );
                }
                self.only_parts(numbers);
            }
            (_, Some(namesake)) => {
                eprintln!(
                    "{what} is {} here, for it has that name",
                    in_full(&namesake)
                );
                self.named.push(Named::Whole(namesake));
            }
            (Word::State(state), None) => self.states.push(state),
            (Word::All, None) => self.is_all = true,
            (Word::Parts(numbers), None) => {
                let group = self.group_at_hand(control).await?;
                self.named.push(Named::Parts(group, numbers));
            }
        }
        Ok(())
    }

    fn ends_with_group(&self) -> bool {
        let last = self.named.last();
        matches!(last, Some(Named::Whole(Meant::Group(_)) | Named::Parts(..)))
    }

    /// Of the group that was named last only these parts, beside those that were said before.
    fn only_parts(&mut self, more: Numbers) {
        match self.named.pop() {
            Some(Named::Whole(Meant::Group(group))) => self.named.push(Named::Parts(group, more)),
            Some(Named::Parts(group, mut numbers)) => {
                numbers.and(more);
                self.named.push(Named::Parts(group, numbers));
            }
            other => self.named.extend(other),
        }
    }

    /// The group whose parts are meant where none is named before their numbers.
    async fn group_at_hand(&self, control: &mut Control) -> anyhow::Result<GroupReport> {
        if let Some(group) = &self.group {
            return Ok(group_status(group, control).await?);
        }
        match find("last", control).await? {
            Meant::Group(group) => Ok(group),
            Meant::Task(task) => Err(NotFound::NoGroup(task.task_name.to_string()).into()),
        }
    }

    /// The states that are meant; all if none is named.
    pub fn states(&self) -> &[TaskState] {
        &self.states
    }

    /// Whether it is everything that the master has, or all of it that stands so, whoever handed it in.
    pub fn is_everything(&self) -> bool {
        (self.is_all || !self.states.is_empty()) && self.named.is_empty() && self.group.is_none()
    }

    /// Whether something goes by a name that was typed.
    pub fn is_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// The group that was said.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// All that is meant, each once; by `all` what stands so.
    ///
    /// # Errors
    /// When the master cannot be reached, or nothing is like that.
    pub async fn found(
        &self,
        of_all: &[TaskState],
        control: &mut Control,
    ) -> anyhow::Result<Vec<Meant>> {
        let mut found = Vec::new();
        for target in self.targets_in(&[], of_all, control).await? {
            match target {
                Target::One(meant) => found.push(meant),
                Target::Some(sought) => found.extend(one_by_one(&sought, control).await?),
            }
        }
        let mut seen = HashSet::new();
        found.retain(|meant| seen.insert(meant.key()));
        match found.is_empty() {
            true => Err(NotFound::Empty.into()),
            false => Ok(found),
        }
    }

    /// The same for who changes it, without a look at each task: by `all`, and of a group that is said, these can be changed.
    ///
    /// # Errors
    /// When the master cannot be reached.
    pub async fn targets(
        &self,
        changeable: &[TaskState],
        control: &mut Control,
    ) -> anyhow::Result<Vec<Target>> {
        self.targets_in(changeable, changeable, control).await
    }

    async fn targets_in(
        &self,
        of_group: &[TaskState],
        of_all: &[TaskState],
        control: &mut Control,
    ) -> anyhow::Result<Vec<Target>> {
        Ok(match (self.named.is_empty(), &self.group) {
            (false, _) => self.named(&self.states, control).await?,
            (true, Some(group)) if self.states.is_empty() => {
                whole(group, of_group, control).await?
            }
            (true, None) if self.states.is_empty() => everything(of_all, control).await?,
            (true, group) => vec![Target::Some(sought(group.clone(), &self.states))],
        })
    }

    /// What goes by the names that were typed, however it stands.
    ///
    /// # Errors
    /// When the master cannot be reached.
    pub async fn found_by_name(&self, control: &mut Control) -> anyhow::Result<Vec<Meant>> {
        let one = |target| match target {
            Target::One(meant) => Some(meant),
            Target::Some(_) => None,
        };
        let named = self.named(&[], control).await?.into_iter();
        Ok(named.filter_map(one).collect())
    }

    /// What goes by the names that were typed, each once, in these states, and of the group if one was said.
    async fn named(
        &self,
        states: &[TaskState],
        control: &mut Control,
    ) -> anyhow::Result<Vec<Target>> {
        let mut found = Vec::new();
        let is_wanted = |state: TaskState| states.is_empty() || states.contains(&state);
        for named in &self.named {
            match named {
                Named::Whole(Meant::Group(report)) if !states.is_empty() => {
                    let sought = sought(Some(report.group.clone()), states);
                    found.push(Target::Some(sought));
                }
                Named::Whole(Meant::Task(task)) if !is_wanted(task.state) => {}
                Named::Whole(meant) => found.push(Target::One(meant.clone())),
                Named::Parts(group, numbers) => {
                    let some = some(group, numbers, control).await?.into_iter();
                    let wanted = some.filter(|part| is_wanted(part.state));
                    found.extend(wanted.map(Meant::Task).map(Target::One));
                }
            }
        }
        let mut seen = HashSet::new();
        found.retain(|target| match target {
            Target::One(meant) => seen.insert(meant.key()),
            Target::Some(_) => true,
        });
        if let Some(group) = &self.group {
            // A report of a task names its group only if it is a part.
            let listed = one_by_one(&of(group), control).await?;
            let listed: HashSet<_> = listed.iter().map(Meant::key).collect();
            found.retain(|target| match target {
                Target::Some(sought) => sought.group.as_ref() == Some(group),
                Target::One(Meant::Group(report)) => report.group == *group,
                Target::One(meant @ Meant::Task(_)) => listed.contains(&meant.key()),
            });
        }
        Ok(found)
    }
}

/// The parts with these numbers, in their order.
async fn some(
    group: &GroupReport,
    numbers: &Numbers,
    control: &mut Control,
) -> anyhow::Result<Vec<TaskReport>> {
    let number = numbers.highest();
    if number >= group.parts {
        let (group, parts) = (group.group.clone(), group.parts);
        return Err(NotFound::NoPart {
            group,
            number,
            parts,
        }
        .into());
    }
    let mut known = parts(group, control).await?;
    known.retain(|number, _| numbers.has(*number));
    let wanted = (0..group.parts).filter(|number| numbers.has(*number));
    let missing = wanted.count().saturating_sub(known.len());
    if missing > 0 {
        let missing = counted(missing as u64, "part", "parts");
        let group = &group.group;
        eprintln!("{missing} of {group} were not handed in yet, or are forgotten");
    }
    Ok(known.into_values().collect())
}

/// All that is of a group: its tasks that are no parts and stand so, and its parts as a whole.
async fn whole(
    group: &str,
    states: &[TaskState],
    control: &mut Control,
) -> Result<Vec<Target>, ControlError> {
    let parts = parts_of(group, control).await?;
    let others = Sought {
        single: parts.is_some(),
        ..sought(Some(group.to_owned()), states)
    };
    // The others go first: whoever takes back the whole would take them back too.
    let mut found = vec![Target::Some(others)];
    found.extend(parts.map(Meant::Group).map(Target::One));
    Ok(found)
}

/// All tasks that are parts of nothing and stand so, and the groups that have such parts.
async fn everything(
    states: &[TaskState],
    control: &mut Control,
) -> Result<Vec<Target>, ControlError> {
    let single = Sought {
        single: true,
        ..sought(None, states)
    };
    let (groups, _) = groups(usize::MAX, control).await?;
    let has_any = |group: &GroupReport| {
        states.is_empty() || states.iter().any(|state| count(group, *state) > 0)
    };
    let groups = groups.into_iter().filter(has_any).map(Meant::Group);
    let single = std::iter::once(Target::Some(single));
    Ok(single.chain(groups.map(Target::One)).collect())
}

fn sought(group: Option<String>, states: &[TaskState]) -> Sought {
    Sought {
        states: states.to_vec(),
        group,
        single: false,
    }
}

/// How many parts of a group stand so.
fn count(group: &GroupReport, state: TaskState) -> u64 {
    match state {
        TaskState::Queued => group.waiting,
        TaskState::Leased => group.running,
        TaskState::Done => group.done,
        TaskState::Failed => group.failed,
        TaskState::Cancelled => group.cancelled,
    }
}

/// What it is, with a name that means nothing else.
fn in_full(meant: &Meant) -> String {
    match meant {
        Meant::Task(task) => format!("the task {}", task.task_name),
        Meant::Group(group) => format!("the group that --group {} names", group.group),
    }
}
