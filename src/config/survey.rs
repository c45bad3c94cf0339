//! Every setting with its value and where that comes from.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
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
    /// Why these subcommands would not take it, if they would not.
    pub wrong: Option<String>,
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
            let (values, origin) = standing(sub.get_name(), key, arg, &tables);
            let wrong = wrong(arg, &values);
            let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
            let value = (!values.is_empty()).then(|| values.join(", "));
            let commands = settings.entry((key.to_owned(), value, origin, wrong));
            commands.or_default().push(sub.get_name().to_owned());
        }
    }
    let rows = settings.into_iter();
    Ok(rows
        .map(|((key, value, origin, wrong), commands)| Setting {
            key,
            value,
            origin: in_words(&origin),
            commands,
            wrong,
        })
        .collect())
}

/// The setting for which a command line was refused: none if what was typed is wrong by itself. `command` is all that may be typed,
/// without the settings, and `typed` what was.
pub fn refused_setting(
    refused: &clap::Error,
    (command, typed): (Command, Vec<OsString>),
    files: &[PathBuf],
) -> Option<ConfigError> {
    let is_of_value = |kind| matches!(kind, ErrorKind::ValueValidation | ErrorKind::InvalidValue);
    if !is_of_value(refused.kind()) {
        return None;
    }
    let bare = |command: Command| command.mut_args(|arg| arg.env(Resettable::Reset));
    let alone = bare(command.clone()).mut_subcommands(bare);
    let alone = alone.try_get_matches_from(&typed);
    if alone.is_err_and(|error| is_of_value(error.kind())) {
        return None;
    }
    let said = in_short(refused);
    let sub = subcommand(bare(command.clone()), typed);
    // Another subcommand may be told something else that is wrong in the same words.
    let is_refused = |setting: &Setting| {
        let is_of_it = |sub: &String| setting.commands.contains(sub);
        setting.wrong.as_deref() == said.lines().next() && sub.as_ref().is_none_or(is_of_it)
    };
    let setting = survey(command, files).ok()?.into_iter().find(is_refused)?;
    let origin = setting.origin;
    Some(ConfigError::Value { origin, said })
}

/// The subcommand that was typed, if it is one, whatever is wrong behind it.
fn subcommand(command: Command, typed: Vec<OsString>) -> Option<String> {
    let matches = command.ignore_errors(true).try_get_matches_from(typed);
    matches.ok()?.subcommand_name().map(str::to_owned)
}

/// The file or the variable that says the value of an option; none if it was typed, or is built in. `command` is all that may be
/// typed, without the settings, and `typed` what was.
pub fn said_by(
    (command, typed): (Command, Vec<OsString>),
    key: &str,
    files: &[PathBuf],
) -> Option<String> {
    let set = apply(command.clone(), files).ok()?;
    let matches = set.try_get_matches_from(typed).ok()?;
    let (sub, matches) = matches.subcommand()?;
    let is_typed = {
        let mut options = command.find_subcommand(sub)?.get_arguments();
        let option = options.find(|arg| arg.get_long() == Some(key))?;
        matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    if is_typed {
        return None;
    }
    let is_said = |setting: &Setting| {
        let is_of_it = setting.key == key && setting.commands.iter().any(|of| of == sub);
        is_of_it && setting.origin != in_words(&Origin::Default)
    };
    let setting = survey(command, files).ok()?.into_iter().find(is_said)?;
    Some(setting.origin)
}

/// What is wrong, without how to go on.
fn in_short(refused: &clap::Error) -> String {
    let told = refused.to_string();
    let said = told.split("\n\n").next().unwrap_or_default();
    said.trim_start_matches("error: ").to_owned()
}

fn is_setting(arg: &Arg) -> bool {
    let asks = ["help", "version", "json"];
    arg.get_long().is_some_and(|long| !asks.contains(&long))
}

fn standing(sub: &str, key: &str, arg: &Arg, tables: &[(&Path, Table)]) -> (Vec<OsString>, Origin) {
    let variable = arg
        .get_env()
        .map(|name| name.to_string_lossy().into_owned());
    if let Some(name) = variable
        && let Some(value) = env::var_os(&name)
    {
        return (vec![value], Origin::Variable(name));
    }
    let defaults = arg.get_default_values().iter();
    let values = defaults.map(|value| value.to_os_string()).collect();
    let named = tables.iter().rev().find(|(_, table)| says(table, sub, key));
    let origin = named.map_or(Origin::Default, |(file, _)| {
        Origin::File(file.to_path_buf())
    });
    (values, origin)
}

/// Why the option takes no such values, in the words that its subcommand would say.
fn wrong(arg: &Arg, values: &[OsString]) -> Option<String> {
    // Alone, for what it needs beside it, or is in the way of, is not typed here.
    let mut alone = Arg::new(arg.get_id().clone())
        .long(arg.get_long()?.to_owned())
        .action(arg.get_action().clone())
        .value_parser(arg.get_value_parser().clone())
        .default_values(values.iter().cloned());
    if let Some(delimiter) = arg.get_value_delimiter() {
        alone = alone.value_delimiter(delimiter);
    }
    if let (true, Some([name, ..])) = (arg.get_action().takes_values(), arg.get_value_names()) {
        alone = alone.value_name(name.to_string());
    }
    let command = Command::new("mutirao").no_binary_name(true).arg(alone);
    let refused = command.try_get_matches_from([""; 0]).err()?;
    in_short(&refused).lines().next().map(str::to_owned)
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
    fn a_value_that_its_subcommand_would_not_take_is_told_with_why() {
        let slots = Arg::new("slots")
            .long("slots")
            .value_name("N")
            .value_parser(clap::value_parser!(u32).range(1..=8))
            .requires("name");
        let ports = Arg::new("ports")
            .long("ports")
            .value_delimiter(',')
            .value_parser(clap::value_parser!(u16));
        let keep = Arg::new("keep")
            .long("keep")
            .action(clap::ArgAction::SetTrue);
        let name = Arg::new("name").long("name");
        let peer = Command::new("peer").args([slots, ports, keep, name]);
        let folder = tempfile::tempdir().unwrap();
        let wrong = |text: &str| -> Vec<String> {
            let file = folder.path().join("mutirao.toml");
            fs::write(&file, text).unwrap();
            let command = Command::new("mutirao").subcommand(peer.clone());
            let settings = survey(command, &[file]).unwrap().into_iter();
            settings.filter_map(|setting| setting.wrong).collect()
        };
        assert_eq!(
            wrong("slots = 8\nports = [1, 2]\nkeep = true\nname = 'x'"),
            [""; 0]
        );
        assert_eq!(wrong("ports = '1,2'"), [""; 0]);
        assert_eq!(
            wrong("slots = 9\nports = ['1', 'x']\nkeep = 'maybe'"),
            [
                "invalid value 'maybe' for '--keep'",
                "invalid value 'x' for '--ports <ports>': invalid digit found in string",
                "invalid value '9' for '--slots <N>': 9 is not in 1..=8",
            ]
        );
    }

    #[test]
    fn a_value_that_was_not_typed_is_refused_with_what_says_it() {
        let slots = Arg::new("slots")
            .long("slots")
            .value_name("N")
            .value_parser(clap::value_parser!(u32).range(1..=8));
        // Whoever runs this has it, and it is no number.
        let path = Arg::new("path")
            .long("path")
            .env("PATH")
            .value_parser(clap::value_parser!(u32));
        let look = Arg::new("look")
            .long("look")
            .global(true)
            .value_parser(["json", "text"]);
        let needed = Arg::new("needed").required(true);
        let command = Command::new("mutirao")
            .arg(look)
            .subcommand(Command::new("peer").args([slots]))
            .subcommand(Command::new("up").args([path, needed]));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mutirao.toml");
        let refused = |text: &str, typed: &str| {
            fs::write(&file, text).unwrap();
            let files = [file.clone()];
            let typed: Vec<OsString> = typed.split(' ').map(Into::into).collect();
            let all = apply(command.clone(), &files).unwrap();
            let error = all.try_get_matches_from(&typed).unwrap_err();
            let refused = refused_setting(&error, (command.clone(), typed), &files);
            refused.map(|refused| refused.to_string())
        };
        let shown = file.display();
        assert_eq!(
            refused("[peer]\nslots = 9", "mutirao peer").unwrap(),
            format!("{shown}: invalid value '9' for '--slots <N>': 9 is not in 1..=8")
        );
        assert_eq!(
            refused("look = 'xml'", "mutirao peer").unwrap(),
            format!(
                "{shown}: invalid value 'xml' for '--look <look>'\n  [possible values: json, text]"
            )
        );
        let path = refused("", "mutirao up x").unwrap();
        assert!(path.starts_with("PATH: invalid value '"), "{path}");
        for (text, typed) in [
            ("slots = 9", "mutirao peer --slots 10"),
            ("slots = 9", "mutirao peer --slots 9"),
            ("", "mutirao peer --look xml"),
            ("", "mutirao peer --slost 3"),
        ] {
            assert_eq!(refused(text, typed), None, "{typed}");
        }
    }

    #[test]
    fn of_two_files_with_the_same_mistake_that_one_is_told_which_the_subcommand_hears() {
        let slots = Arg::new("slots")
            .long("slots")
            .value_parser(clap::value_parser!(u32).range(1..=8));
        let command = Command::new("mutirao")
            .subcommand(Command::new("peer").arg(slots.clone()))
            .subcommand(Command::new("up").arg(slots));
        let folder = tempfile::tempdir().unwrap();
        let (far, near) = (folder.path().join("far"), folder.path().join("near"));
        fs::write(&far, "slots = 9").unwrap();
        fs::write(&near, "[peer]\nslots = 9").unwrap();
        let files = [far.clone(), near.clone()];
        for (sub, file) in [("up", far), ("peer", near)] {
            let typed: Vec<OsString> = ["mutirao", sub].map(Into::into).to_vec();
            let all = apply(command.clone(), &files).unwrap();
            let error = all.try_get_matches_from(&typed).unwrap_err();
            let refused = refused_setting(&error, (command.clone(), typed), &files).unwrap();
            let told = refused.to_string();
            assert!(told.starts_with(&file.display().to_string()), "{told}");
        }
    }

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
        let settings = survey(command.clone(), &files).unwrap();
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
        for (typed, key, origin) in [
            ("mutirao peer", "port", near.to_str()),
            ("mutirao up", "port", far.to_str()),
            ("mutirao peer", "path", Some("PATH")),
            ("mutirao peer --port 3", "port", None),
            ("mutirao up --port 2", "port", None),
            ("mutirao master", "name", None),
        ] {
            let words = typed.split(' ').map(Into::into).collect();
            let said = said_by((command.clone(), words), key, &files);
            assert_eq!(said.as_deref(), origin, "{typed}: {key}");
        }
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
