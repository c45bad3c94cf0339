//! Every subcommand has examples, and every example can be typed.

use clap::CommandFactory as _;

use super::*;
use crate::cli::Cli;

/// Every subcommand, as it is typed, and those below it.
fn all(command: &Command, above: &str) -> Vec<String> {
    let subs = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help");
    let named = subs.flat_map(|sub| {
        let path = format!("{above}{}", sub.get_name());
        let below = all(sub, &format!("{path} "));
        [path].into_iter().chain(below)
    });
    named.collect()
}

/// What a shell makes of it: words, some of them in quotes, up to where the output goes.
fn words(typed: &str) -> Vec<String> {
    let typed = typed.split(" > ").next().unwrap();
    let mut words = vec![String::new()];
    for (at, part) in typed.split('\'').enumerate() {
        let mut pieces = if at % 2 == 0 {
            part.split(' ').collect()
        } else {
            vec![part]
        }
        .into_iter();
        words.last_mut().unwrap().push_str(pieces.next().unwrap());
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_subcommand_has_examples_and_every_example_a_subcommand() {
    let mut known = all(&Cli::command(), "");
    let mut told: Vec<_> = EXAMPLES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    known.sort();
    told.sort();
    assert_eq!(told, known);
    assert!(EXAMPLES.iter().all(|(_, examples)| !examples.is_empty()));
}

#[test]
fn every_line_fits_where_the_rest_of_the_help_ends() {
    let mut program = with_examples(Cli::command());
    let mut commands = vec![&mut program];
    while let Some(command) = commands.pop() {
        let text = command.get_after_help().map(ToString::to_string);
        for line in text.unwrap_or_default().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        commands.extend(command.get_subcommands_mut());
    }
}

#[test]
fn every_example_can_be_typed() {
    for (name, examples) in EXAMPLES.iter().chain([&("", FIRST)]) {
        for (typed, _) in *examples {
            assert!(typed.starts_with(&format!("mutirao {name}")), "{typed}");
            let parsed = Cli::command().try_get_matches_from(words(typed));
            parsed.unwrap_or_else(|error| panic!("{typed}: {error}"));
        }
    }
}

#[test]
fn help_shows_the_examples_before_the_options() {
    let mut program = with_examples(Cli::command());
    program.build();
    for path in all(&Cli::command(), "") {
        let mut command = &mut program;
        for name in path.split(' ') {
            command = command.find_subcommand_mut(name).unwrap();
        }
        let help = command.render_help().to_string();
        let at = |text: &str| {
            help.find(text)
                .unwrap_or_else(|| panic!("{path}: no {text}: {help}"))
        };
        assert!(at("Examples:\n") < at("Usage: "), "{help}");
        assert!(at("Usage: ") < at("Options:"), "{help}");
    }
}
