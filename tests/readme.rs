//! The READMEs are true: what they say can be typed can be typed, and what they say is printed is printed.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::archives::text_in;
use common::desk::{Desk, err};
use zip::ZipArchive;

/// The pages that name commands.
const PAGES: [&str; 9] = [
    "README.md",
    "README.pt-BR.md",
    "docs/cookbook.md",
    "docs/groups.md",
    "docs/follow.md",
    "docs/operations.md",
    "docs/message-log.md",
    "docs/store.md",
    "clients/python/README.md",
];

/// What a newcomer types, and nothing else.
const FIRST_COMMANDS: &str = "```sh\ncargo run --release -- up --drain\ncargo xtask test\n```\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The insides of the fenced blocks of this kind that stand in no list.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let opening = format!("\n```{kind}\n");
    let after = page.split(&opening).skip(1);
    after
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The page without its fenced blocks.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What stands between single backticks.
fn spans(page: &str) -> Vec<String> {
    let prose = prose(page);
    let inside = prose.split('`').skip(1).step_by(2);
    inside
        .map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// What the page shows to be typed at a prompt, without comments.
fn typed(page: &str) -> Vec<String> {
    let lines = blocks(page, "console").into_iter().flat_map(str::lines);
    let commands = lines.filter_map(|line| line.strip_prefix("$ "));
    let without_comment = commands.map(|line| line.split(" #").next().unwrap().trim().to_owned());
    without_comment.collect()
}

/// Every call of the program that the page names.
fn calls(page: &str) -> Vec<String> {
    let all = typed(page).into_iter().chain(spans(page));
    let calls = all.filter_map(|line| {
        let ours = line
            .replace("cargo run --release --", "mutirao")
            .replace("cargo xtask", "");
        let ours = ours.split('|').next().unwrap().trim().to_owned();
        ours.starts_with("mutirao ").then_some(ours)
    });
    calls.collect()
}

fn help_of(words: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mutirao"));
    let output = program.args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "mutirao {words:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

/// What the page says takes the words for tasks and groups, and what does.
#[test]
fn the_page_of_the_words_names_every_command_that_takes_as_many_as_one_likes() {
    let page = page("docs/follow.md");
    let mut lines = page.lines();
    let named = lines
        .find(|line| line.contains("take as many of these as you like"))
        .unwrap();
    let named: BTreeSet<_> = spans(named).into_iter().collect();
    let takes = |command: &String| {
        let help = help_of(&[command]);
        let mut lines = help.lines();
        lines.any(|line| line.starts_with("Usage:") && line.ends_with("[WHAT]..."))
    };
    let takers: BTreeSet<_> = commands_in(&help_of(&[]))
        .into_iter()
        .filter(takes)
        .collect();
    assert_eq!(named, takers);
}

/// The long flags that a help text lists.
fn flags_in(help: &str) -> BTreeSet<String> {
    let is_flag = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = help.split(|c| !is_flag(c));
    words
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(str::to_owned)
        .collect()
}

/// What can be typed next.
fn commands_in(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

/// The subcommands, each with its flags and those of what it does.
fn subcommands() -> BTreeMap<String, BTreeSet<String>> {
    let help = help_of(&[]);
    let flags = |name: &str| {
        let help = help_of(&[name]);
        let inner = commands_in(&help)
            .iter()
            .flat_map(|inner| flags_in(&help_of(&[name, inner])))
            .collect();
        flags_in(&help).union(&inner).cloned().collect()
    };
    let found: BTreeMap<_, BTreeSet<_>> = commands_in(&help)
        .into_iter()
        .map(|name| (name.clone(), flags(&name)))
        .collect();
    assert!(found.contains_key("master"), "{help}");
    found
}

#[test]
fn every_command_that_a_page_names_exists_with_its_flags() {
    let known = subcommands();
    let anywhere: BTreeSet<_> = known.values().flatten().cloned().collect();
    for name in PAGES {
        let page = page(name);
        let calls = calls(&page);
        assert!(!calls.is_empty(), "{name} names no command");
        for call in calls {
            let mut words = call.split_whitespace().skip(1);
            let first = words.next().unwrap();
            if first == "--version" {
                continue;
            }
            let flags = known.get(first);
            let flags = flags.unwrap_or_else(|| panic!("{name}: `{call}`: no command {first}"));
            // What follows a bare `--` is the script's.
            let words = words.take_while(|word| *word != "--");
            for flag in words.filter(|word| word.starts_with("--")) {
                let flag = flag.split('=').next().unwrap();
                assert!(flags.contains(flag), "{name}: `{call}` has no {flag}");
            }
        }
        for span in spans(&page).iter().filter(|span| span.starts_with("--")) {
            let flag = span.split([' ', '=']).next().unwrap();
            assert!(anywhere.contains(flag), "{name}: no command has {flag}");
        }
    }
}

#[test]
fn a_newcomer_types_two_commands() {
    for name in ["README.md", "README.pt-BR.md"] {
        let page = page(name);
        assert_eq!(blocks(&page, "sh").len(), 1, "{name}");
        assert!(page.contains(FIRST_COMMANDS), "{name}");
    }
}

#[test]
fn both_languages_show_the_same_commands() {
    let (english, portuguese) = (page("README.md"), page("README.pt-BR.md"));
    assert_eq!(typed(&english), typed(&portuguese));
    let toml = |page| {
        let text = blocks(page, "toml").concat();
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap().trim().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(toml(&english), toml(&portuguese));
    let headings = |page: &str| {
        prose(page)
            .lines()
            .filter(|line| line.starts_with("## "))
            .count()
    };
    assert_eq!(headings(&english), headings(&portuguese));
}

#[test]
fn every_link_leads_to_a_file() {
    for name in PAGES
        .into_iter()
        .chain(["CHANGELOG.md", "docs/decisions/README.md"])
    {
        let folder = root().join(name).parent().unwrap().to_owned();
        for link in page(name).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let is_file =
                target.is_empty() || target.contains("://") || folder.join(target).exists();
            assert!(is_file, "{name} links to {target}");
        }
    }
}

/// The words of a line that are the same on every machine and every day.
fn fixed(line: &str) -> String {
    let varies = |word: &&str| !word.contains(|c: char| c == '=' || c.is_ascii_digit() || c == '"');
    line.split_whitespace()
        .filter(varies)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_recorded_session_is_what_the_program_prints() {
    // Away from the port of a master that runs here, and from peers that look for one.
    let desk = Desk::new();
    let port = desk.discovery().to_string();
    let tasks = desk.path("tasks");
    fs::create_dir(&tasks).unwrap();
    for file in ["example.zip", ".stay"] {
        fs::copy(root().join("tasks").join(file), tasks.join(file)).unwrap();
    }
    let up = ["up", "--drain", "--name", "lab", "--discovery-port", &port];
    let output = desk.output(&up);
    let told = err(&output);
    assert!(output.status.success(), "{told}");
    // The page shows the usual port, which a peer that joins need not be told.
    let usual = told.replace(
        &format!("mutirao peer --discovery-port {port}"),
        "mutirao peer",
    );
    assert_ne!(usual, told, "a peer is not told the unusual port");
    let printed = text_in(&desk.path("results/example.zip"), "stdout.txt");

    for name in ["README.md", "README.pt-BR.md"] {
        let page = page(name);
        let session = blocks(&page, "console")[0];
        let (log, output) = session.split_once("$ unzip").unwrap();
        // Lines of master and peer may change places.
        let now: Vec<_> = usual.lines().map(fixed).collect();
        for line in log.lines().skip(1) {
            assert!(
                now.contains(&fixed(line)),
                "{name}: not told: {line}\n{told}"
            );
        }
        for line in output.lines().skip(1).filter(|line| *line != "…") {
            assert!(
                printed.lines().any(|now| now == line),
                "{name}: not printed: {line}"
            );
        }
    }
}

#[test]
fn the_shipped_task_is_packed_from_its_source() {
    let zip = File::open(root().join("tasks/example.zip")).unwrap();
    let mut zip = ZipArchive::new(zip).unwrap();
    let mut packed = BTreeMap::new();
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        packed.insert(PathBuf::from(entry.name().unwrap().as_ref()), bytes);
    }
    let source = fs::read_dir(root().join("examples/weather")).unwrap();
    let source = source.map(|entry| entry.unwrap().path());
    let source: BTreeMap<_, _> = source
        .filter(|path| path.is_file())
        .map(|path| {
            (
                PathBuf::from(path.file_name().unwrap()),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    assert!(packed == source, "pack it again: cargo xtask example");
}
