//! Every setting with its value and where that comes from.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use serde::Serialize;
use toml::{Table, Value};

use super::{ConfigError, apply, read};

/// One setting, of one subcommand or of several that have it alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The long name of the option, and the key in a file.
    pub key: String,
    /// What it is; none where nothing is said.
    pub value: Option<String>,
    /// A file, a variable, or `default`.
    pub origin: String,
    /// The subcommands that have it so.
    pub commands: Vec<String>,
}

/// Where a value comes from, the weaker ones first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
}

/// What holds for options that are not typed: variables > the later file > the earlier one > what is built in.
///
/// # Errors
/// As [`apply`].
pub fn survey(command: Command, files: &[PathBuf]) -> Result<Vec<Setting>, ConfigError> {
    let mut tables = Vec::new();
    for file in files {
        if let Some(table) = read(file)? {
            tables.push((file.as_path(), table));
        }
    }
    let mut command = apply(command, files)?;
    command.build();
    let mut settings = BTreeMap::<_, Vec<String>>::new();
    let shown = |sub: &&Command| sub.get_name() != "help" && !sub.is_hide_set();
    for sub in command.get_subcommands().filter(shown) {
        for arg in sub.get_arguments() {
            // What only asks for something and ends is no setting.
            let Some(key) = arg.get_long().filter(|_| is_setting(arg)) else {
                continue;
            };
            let (value, origin) = standing(sub.get_name(), key, arg, &tables);
            let commands = settings.entry((key.to_owned(), value, origin));
            commands.or_default().push(sub.get_name().to_owned());
        }
    }
    let rows = settings.into_iter();
    Ok(rows
        .map(|((key, value, origin), commands)| Setting {
            key,
            value,
            origin: in_words(&origin),
            commands,
        })
        .collect())
}

fn is_setting(arg: &Arg) -> bool {
    let asks = ["help", "version", "json"];
    arg.get_long().is_some_and(|long| !asks.contains(&long))
}

fn standing(
    sub: &str,
    key: &str,
    arg: &Arg,
    tables: &[(&Path, Table)],
) -> (Option<String>, Origin) {
    let variable = arg
        .get_env()
        .map(|name| name.to_string_lossy().into_owned());
    if let Some(name) = variable
        && let Some(value) = env::var_os(&name)
    {
        let value = Some(value.to_string_lossy().into_owned());
        return (value, Origin::Variable(name));
    }
    let defaults = arg.get_default_values().iter();
    let values: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    let value = (!values.is_empty()).then(|| values.join(", "));
    let named = tables.iter().rev().find(|(_, table)| says(table, sub, key));
    let origin = named.map_or(Origin::Default, |(file, _)| {
        Origin::File(file.to_path_buf())
    });
    (value, origin)
}

/// Whether a file says something of this option of this subcommand.
fn says(table: &Table, sub: &str, key: &str) -> bool {
    let of_one = table.get(sub).and_then(Value::as_table);
    let special = of_one.is_some_and(|of_one| of_one.contains_key(key));
    special || table.get(key).is_some_and(|value| !value.is_table())
}

fn in_words(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::File(file) => file.display().to_string(),
        Origin::Variable(name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_setting_is_told_with_the_strongest_that_says_it() {
        let port = Arg::new("port").long("port").default_value("1");
        let path = Arg::new("path").long("path").env("PATH");
        let name = Arg::new("name").long("name");
        let command = Command::new("mutirao")
            .subcommand(Command::new("master").args([port.clone(), name]))
            .subcommand(Command::new("peer").args([port.clone(), path]))
            .subcommand(Command::new("up").arg(port));
        let folder = tempfile::tempdir().unwrap();
        let (far, near) = (folder.path().join("far"), folder.path().join("near"));
        fs::write(&far, "port = 2").unwrap();
        fs::write(&near, "[peer]\nport = 3").unwrap();
        let files = [far.clone(), near.clone()];
        let settings = survey(command, &files).unwrap();
        let told: Vec<_> = settings
            .iter()
            .map(|row| {
                (
                    row.key.as_str(),
                    row.value.as_deref(),
                    row.origin.as_str(),
                    row.commands.join(","),
                )
            })
            .collect();
        let path = env::var("PATH").unwrap();
        assert_eq!(
            told,
            [
                ("name", None, "default", "master".to_owned()),
                ("path", Some(path.as_str()), "PATH", "peer".to_owned()),
                (
                    "port",
                    Some("2"),
                    far.to_str().unwrap(),
                    "master,up".to_owned()
                ),
                ("port", Some("3"), near.to_str().unwrap(), "peer".to_owned()),
            ]
        );
    }
}
