//! Settings from files: `./mutirao.toml`, then the user's own, as defaults of the options that are typed.
//!
//! Rule: flags > `MUTIRAO_*` > `./mutirao.toml` > the user's file > what is built in. A key is the long
//! name of an option, at the top for every subcommand that has it, or in a table named after one:
//!
//! ```toml
//! discovery-port = [50005, 9999]
//! [peer]
//! slots = 4
//! ```

mod survey;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use etcetera::BaseStrategy as _;
use toml::{Table, Value};

pub use survey::{Setting, refused_setting, said_by, survey};

/// The file in the folder in which the program is started.
const HERE: &str = "mutirao.toml";
/// The user's own, below the folder for configurations.
const OWN: &str = "mutirao/config.toml";

/// Why a file's settings were not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is there but cannot be read.
    #[error("failed to read {}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is no TOML.
    #[error("{} is not TOML: {error}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        error: toml::de::Error,
    },
    /// No subcommand has such an option.
    #[error("{}: no subcommand has an option `{key}`; `mutirao SUBCOMMAND --help` lists them", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
    },
    /// An option takes no such value.
    #[error("{origin}: {said}")]
    Value {
        /// The file or the variable that says it.
        origin: String,
        /// What is wrong with it, in the words for what is typed.
        said: String,
    },
    /// An option takes a string, a number, true or false, or a list of these.
    #[error("{}: `{key}` must be a string, a number, true or false, or a list of these", file.display())]
    Kind {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
    },
}

/// The files that are read, the weaker first.
pub fn files() -> Vec<PathBuf> {
    let own = etcetera::choose_base_strategy().map(|base| base.config_dir().join(OWN));
    own.into_iter().chain([PathBuf::from(HERE)]).collect()
}

/// Makes the settings of these files the defaults of the options that they name; a missing file says nothing.
///
/// # Errors
/// [`ConfigError`], with the file and the key.
pub fn apply(mut command: Command, files: &[PathBuf]) -> Result<Command, ConfigError> {
    for file in files {
        if let Some(settings) = read(file)? {
            command = apply_table(command, file, &settings)?;
        }
    }
    Ok(command)
}

fn read(file: &Path) -> Result<Option<Table>, ConfigError> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(ConfigError::Read {
                file: file.into(),
                error,
            });
        }
    };
    let parsed = text.parse().map_err(|error| ConfigError::Syntax {
        file: file.into(),
        error,
    });
    parsed.map(Some)
}

fn apply_table(command: Command, file: &Path, settings: &Table) -> Result<Command, ConfigError> {
    let mut unknown: BTreeSet<String> = settings
        .iter()
        .flat_map(|(key, value)| keys(key, value))
        .collect();
    let mut odd = None;
    let mut set = |name: &str, arg: Arg| {
        let Some(key) = arg.get_long().map(str::to_owned) else {
            return arg;
        };
        let of_one = settings.get(name).and_then(Value::as_table);
        let special = of_one.and_then(|table| table.get(&key));
        let general = settings.get(&key).filter(|value| !value.is_table());
        unknown.remove(&key);
        unknown.remove(&format!("{name}.{key}"));
        match special.or(general).map(texts) {
            Some(Some(values)) => arg.default_values(values),
            Some(None) => {
                odd = Some(key);
                arg
            }
            None => arg,
        }
    };
    let program = command.get_name().to_owned();
    // The program's own options are those that every subcommand has.
    let command = command
        .mut_args(|arg| set(&program, arg))
        .mut_subcommands(|sub| {
            let name = sub.get_name().to_owned();
            sub.mut_args(|arg| set(&name, arg))
        });
    let file = file.to_path_buf();
    match (unknown.pop_first(), odd) {
        (Some(key), _) => Err(ConfigError::Unknown { file, key }),
        (None, Some(key)) => Err(ConfigError::Kind { file, key }),
        (None, None) => Ok(command),
    }
}

/// A setting's key, or those in its table as `table.key`.
fn keys(key: &str, value: &Value) -> Vec<String> {
    match value.as_table() {
        Some(table) => table.keys().map(|inner| format!("{key}.{inner}")).collect(),
        None => vec![key.to_owned()],
    }
}

/// What would be typed for this value; none for what cannot be typed.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Float(number) => Some(vec![number.to_string()]),
        Value::Boolean(truth) => Some(vec![truth.to_string()]),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(texts).collect();
            items.map(|items| items.concat())
        }
        Value::Datetime(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn command() -> Command {
        let port = Arg::new("port")
            .long("port")
            .default_value("1")
            .env("MUTIRAO_TEST_NO_SUCH_VARIABLE");
        let ports = Arg::new("ports").long("ports").action(ArgAction::Append);
        let keep = Arg::new("keep").long("keep").action(ArgAction::SetTrue);
        Command::new("mutirao")
            .arg(Arg::new("format").long("format").global(true))
            .subcommand(Command::new("master").arg(port.clone()))
            .subcommand(Command::new("peer").args([port, ports, keep]))
    }

    fn with(files: &[&str], typed: &[&str]) -> Result<clap::ArgMatches, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let written = files.iter().enumerate().map(|(number, text)| {
            let file = folder.path().join(number.to_string());
            fs::write(&file, text).unwrap();
            file
        });
        let written: Vec<_> = written.chain([folder.path().join("missing")]).collect();
        Ok(apply(command(), &written)?.get_matches_from(typed))
    }

    fn port(matches: &clap::ArgMatches) -> &str {
        matches
            .subcommand()
            .unwrap()
            .1
            .get_one::<String>("port")
            .unwrap()
    }

    #[test]
    fn what_is_typed_beats_the_nearer_file_which_beats_the_farther_which_beats_the_default() {
        let (far, near) = ("port = 2", "port = 3");
        assert_eq!(port(&with(&[], &["mutirao", "master"]).unwrap()), "1");
        assert_eq!(port(&with(&[far], &["mutirao", "master"]).unwrap()), "2");
        assert_eq!(
            port(&with(&[far, near], &["mutirao", "master"]).unwrap()),
            "3"
        );
        assert_eq!(
            port(&with(&[far, near], &["mutirao", "master", "--port", "4"]).unwrap()),
            "4"
        );
    }

    #[test]
    fn a_table_is_for_its_subcommand_alone() {
        let file = "port = 2\n[peer]\nport = 3\nports = [5, \"6\"]\nkeep = true";
        let peer = with(&[file], &["mutirao", "peer"]).unwrap();
        assert_eq!(port(&peer), "3");
        let (_, args) = peer.subcommand().unwrap();
        assert_eq!(
            args.get_many::<String>("ports")
                .unwrap()
                .collect::<Vec<_>>(),
            ["5", "6"]
        );
        assert!(args.get_flag("keep"));
        assert_eq!(port(&with(&[file], &["mutirao", "master"]).unwrap()), "2");
    }

    #[test]
    fn an_option_that_every_subcommand_has_is_set_for_all_of_them() {
        for typed in [["mutirao", "master"], ["mutirao", "peer"]] {
            let matches = with(&["format = \"json\""], &typed).unwrap();
            let (_, args) = matches.subcommand().unwrap();
            assert_eq!(args.get_one::<String>("format").unwrap(), "json");
        }
        let typed = ["mutirao", "master", "--format", "text"];
        let matches = with(&["format = \"json\""], &typed).unwrap();
        assert_eq!(matches.get_one::<String>("format").unwrap(), "text");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_key() {
        let refused = |text| {
            with(&[text], &["mutirao", "master"])
                .unwrap_err()
                .to_string()
        };
        assert!(refused("prot = 2").contains("`prot`"));
        assert!(refused("[master]\nkeep = true").contains("`master.keep`"));
        assert!(refused("[port]\na = 1").contains("`port.a`"));
        assert!(refused("port = 1979-05-27").contains("`port`"));
        assert!(refused("port").contains("is not TOML"));
    }
}
