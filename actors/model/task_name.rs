//! Names under which tasks are handed out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use super::short::Short;
use super::{ModelError, TASK_STEM_MAX};

/// A name that may be handed out: `[A-Za-z0-9._-]{1,100}\.zip` and no leading dot, for others make folders of it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.zip$")]
pub struct TaskName(Short);

impl TaskName {
    fn new(text: &str) -> Self {
        Self(text.as_bytes().into())
    }

    /// The nearest name that may be handed out for a file's name: what is not allowed becomes `_`.
    pub fn tamed(file_name: &str) -> Self {
        let stem = file_name.strip_suffix(".zip").unwrap_or(file_name);
        let allowed = |c: char| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        };
        let stem: String = stem.chars().map(allowed).take(TASK_STEM_MAX).collect();
        let stem = stem.trim_start_matches('.');
        match stem {
            "" => Self::new("task.zip"),
            stem => Self::new(&format!("{stem}.zip")),
        }
    }

    /// The same name with a number before its ending, cut so that it stays a valid one: `exemplo.2.zip`.
    pub fn numbered(&self, number: u64) -> Self {
        let tail = format!(".{number}");
        let stem = &self.stem()[..self.stem().len().min(TASK_STEM_MAX - tail.len())];
        Self::new(&format!("{stem}{tail}.zip"))
    }

    /// The whole name, ending included.
    pub fn as_str(&self) -> &str {
        // It was made of text, so it is text.
        str::from_utf8(self.0.as_bytes()).unwrap_or_default()
    }

    /// The name without `.zip`.
    pub fn stem(&self) -> &str {
        self.as_str().strip_suffix(".zip").unwrap_or(self.as_str())
    }
}

impl FromStr for TaskName {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        if Self::tamed(text).as_str() == text {
            Ok(Self::new(text))
        } else {
            Err(ModelError::TaskName)
        }
    }
}

impl TryFrom<String> for TaskName {
    type Error = ModelError;

    fn try_from(text: String) -> Result<Self, ModelError> {
        text.parse()
    }
}

impl From<TaskName> for String {
    fn from(name: TaskName) -> Self {
        name.as_str().into()
    }
}

impl Serialize for TaskName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskName").field(&self.as_str()).finish()
    }
}
