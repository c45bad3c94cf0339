//! What was typed, once it is known what each word means.

use std::collections::HashSet;

use anyhow::ensure;
use mutirao_actors::wire::report::{GroupReport, Sought, TaskReport, TaskState};

use super::asked::{
    Found, Unknown, by_name, find, groups, is_of, one_by_one, parts_of, some_parts,
};
use super::words::{Numbers, Word};
use super::{Meant, NotFound, Only, Target};
use crate::cli::ask::group_status;
use crate::cli::work::counted;
use crate::control::{Control, ControlError};

/// What is named, and what of it is meant.
#[derive(Debug)]
pub struct Read {
    pub(super) named: Vec<Named>,
    pub(super) states: Vec<TaskState>,
    pub(super) group: Option<String>,
    /// Whether `all` was typed.
    says_all: bool,
}

/// What goes by a name.
#[derive(Debug)]
pub(super) enum Named {
    /// A task, or a group with all its parts.
    Whole(Meant),
    /// Some parts of a group.
    Parts(GroupReport, Numbers),
}

impl Read {
    /// And the names by which no task and no group goes: whoever knows other things may know one of these. The numbers of
    /// parts behind one are of nothing.
    pub(super) async fn of(
        words: &[String],
        only: &Only,
        control: &mut Control,
    ) -> anyhow::Result<(Self, Vec<Unknown>)> {
        let mut read = Self {
            named: Vec::new(),
            states: only.states(),
            group: only.group.clone(),
            says_all: false,
        };
        let (mut unknown, mut is_behind_unknown) = (Vec::new(), false);
        for what in words {
            if is_behind_unknown
                && matches!(Word::of(what), Some(Word::Parts(_)))
                && let Some(unknown) = unknown.pop()
            {
                return Err(Unknown::refused(unknown, control).await?.into());
            }
            let strange = read.word(what, control).await?;
            is_behind_unknown = strange.is_some();
            unknown.extend(strange);
        }
        ensure!(
            !read.says_all || read.named.is_empty(),
            "`all` is everything, whatever is named beside it: say it alone, or with a state or --group"
        );
        Ok((read, unknown))
    }

    /// What one more word means; itself if nothing goes by it.
    async fn word(&mut self, what: &str, control: &mut Control) -> anyhow::Result<Option<Unknown>> {
        let Some(word) = Word::of(what) else {
            match find(what, control).await? {
                Found::Known(meant) => self.named.push(Named::Whole(meant)),
                Found::Unknown(unknown) => return Ok(Some(unknown)),
            }
            return Ok(None);
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
            (Word::All, None) => self.says_all = true,
            (Word::Parts(numbers), None) => {
                let group = self.group_at_hand(control).await?;
                self.named.push(Named::Parts(group, numbers));
            }
        }
        Ok(None)
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
            Found::Known(Meant::Group(group)) => Ok(group),
            Found::Known(Meant::Task(task)) => {
                Err(NotFound::NoGroup(task.task_name.to_string()).into())
            }
            Found::Unknown(unknown) => Err(unknown.refused(control).await?.into()),
        }
    }

    /// The states that are meant; all if none is named.
    pub fn states(&self) -> &[TaskState] {
        &self.states
    }

    /// Whether it was said that everything is meant, or all that stands so, whoever handed it in.
    pub fn is_of_everybody(&self) -> bool {
        (self.says_all || !self.states.is_empty()) && self.named.is_empty() && self.group.is_none()
    }

    /// The error that nothing is like what was meant: see [`nothing_in_words`](Self::nothing_in_words).
    pub fn nothing(&self, among: &[TaskState]) -> NotFound {
        NotFound::Empty(self.nothing_in_words(among))
    }

    /// That nothing is like what was meant: `nothing of main-7 has failed`. Where no state was said it is none of these, or not
    /// there at all.
    pub fn nothing_in_words(&self, among: &[TaskState]) -> String {
        let states = match self.states.is_empty() {
            true => among,
            false => &self.states,
        };
        let of = match (&self.group, self.named.as_slice()) {
            // What is left out by the one stands in some way all the same.
            (Some(_), [_, ..]) => None,
            (Some(group), []) => Some(format!(" of {group}")),
            (None, []) => Some(String::new()),
            (None, [Named::Whole(Meant::Group(group))]) => Some(format!(" of {}", group.group)),
            (None, _) => Some(" that is named".to_owned()),
        };
        match of {
            Some(of) if !states.is_empty() => format!("nothing{of} {}", stands(states)),
            _ => "no such task is there".to_owned(),
        }
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
            true => {
                let among = match self.is_of_everybody() {
                    true => of_all,
                    false => &[],
                };
                Err(self.nothing(among).into())
            }
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
            if !self.is_of_group(named, control).await? {
                continue;
            }
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
                    found.extend(wanted.map(Meant::task).map(Target::One));
                }
            }
        }
        let mut seen = HashSet::new();
        found.retain(|target| match target {
            Target::One(meant) => seen.insert(meant.key()),
            Target::Some(_) => true,
        });
        Ok(found)
    }

    /// Whether it is of the group that was said, if one was.
    pub(super) async fn is_of_group(
        &self,
        named: &Named,
        control: &mut Control,
    ) -> Result<bool, ControlError> {
        match (&self.group, named) {
            (None, _) => Ok(true),
            (Some(group), Named::Whole(Meant::Task(task))) => {
                is_of(task.task_id, group, control).await
            }
            (Some(group), Named::Whole(Meant::Group(report)) | Named::Parts(report, _)) => {
                Ok(report.group == *group)
            }
        }
    }
}

/// How what is in one of these states stands, in the words of a sentence: `has failed or was cancelled`.
pub fn stands(states: &[TaskState]) -> String {
    let mut words: Vec<_> = Vec::new();
    for state in states {
        let word = match state {
            TaskState::Queued => "waits",
            TaskState::Leased => "runs",
            TaskState::Done => "is done",
            TaskState::Failed => "has failed",
            TaskState::Cancelled => "was cancelled",
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" or ")
}

/// The numbers are those of parts that the group is to have.
pub(super) fn check(group: &GroupReport, numbers: &Numbers) -> Result<(), NotFound> {
    let number = numbers.highest();
    let (group, parts) = (&group.group, group.parts);
    match number < parts {
        true => Ok(()),
        false => Err(NotFound::NoPart {
            group: group.clone(),
            number,
            parts,
        }),
    }
}

/// The parts with these numbers, in their order.
async fn some(
    group: &GroupReport,
    numbers: &Numbers,
    control: &mut Control,
) -> anyhow::Result<Vec<TaskReport>> {
    check(group, numbers)?;
    let known = some_parts(group, |number| numbers.has(number), control).await?;
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
    let groups = groups(None, usize::MAX, |group| has_any(group, states), control).await?;
    let groups = groups.groups.into_iter().map(Meant::Group);
    let single = std::iter::once(Target::Some(single));
    Ok(single.chain(groups.map(Target::One)).collect())
}

/// Whether any part of a group stands so.
pub(super) fn has_any(group: &GroupReport, states: &[TaskState]) -> bool {
    states.is_empty() || states.iter().any(|state| count(group, *state) > 0)
}

pub(super) fn sought(group: Option<String>, states: &[TaskState]) -> Sought {
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
