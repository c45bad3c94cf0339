//! Examples for `--help`, which shows them first, and for the manual pages: one table for all subcommands.
//!
//! Rule: every subcommand has an entry, and every line of one can be typed; the tests below hold both.

use clap::Command;

/// What is typed, and what it is for.
type Example = (&'static str, &'static str);

/// Examples before usage and options: whoever looks for help mostly wants to type something like them.
const TEMPLATE: &str = "\
{before-help}{about}{after-help}

{usage-heading} {usage}

{all-args}";

/// Of the program itself.
const FIRST: &[Example] = &[
    (
        "mutirao master",
        "on one machine: hands out what lies in tasks/",
    ),
    (
        "mutirao peer",
        "on the others: find the master and work for it",
    ),
    (
        "mutirao run main.py input.csv",
        "run a script somewhere and print what it printed",
    ),
    (
        "mutirao run main.py input.csv --rows 1000",
        "cut it, run the parts on all peers, put it together",
    ),
    (
        "mutirao up --drain",
        "master and peer in one: do what lies in tasks/ and end",
    ),
];

/// Of each subcommand, by its name and those above it.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "up",
        &[
            ("mutirao up", "serve and work here, until Ctrl-C"),
            ("mutirao up --drain", "do what lies in tasks/ and end"),
            (
                "mutirao up --slots 2 --time-limit 10m",
                "two scripts at a time, ten minutes each",
            ),
        ],
    ),
    (
        "master",
        &[
            (
                "mutirao master",
                "hand out what lies in tasks/; peers find it by themselves",
            ),
            (
                "mutirao master --name lab --scheduler priority",
                "under this name, urgent tasks first",
            ),
            (
                "mutirao master --open-api",
                "take tasks over HTTP from other machines too",
            ),
        ],
    ),
    (
        "peer",
        &[
            (
                "mutirao peer",
                "find a master and run its tasks, as many as there are CPUs",
            ),
            (
                "mutirao peer --slots 2 --python .venv/bin/python",
                "two at a time, with this Python",
            ),
            (
                "mutirao peer --discover 10.0.7.3",
                "ask this host too, for a master that broadcasts do not reach",
            ),
            (
                "mutirao peer --master lab-pc:50020",
                "work for this master and no other",
            ),
        ],
    ),
    (
        "run",
        &[
            (
                "mutirao run main.py input.csv",
                "run it somewhere; here if there is no master",
            ),
            (
                "mutirao run simulation/",
                "a folder that holds a main.py, with all that lies in it",
            ),
            (
                "mutirao run main.py input.csv --rows 1000",
                "1000 rows a task, on all peers, put together again",
            ),
            (
                "mutirao run main.py --each 'photos/*.txt'",
                "a task for each file",
            ),
            (
                "mutirao run sim.py --param rate=0.1,0.2 --param seed=1..5 -- --rate {rate}",
                "a task for each combination",
            ),
            (
                "mutirao run main.py input.csv --rows 1000 --dry-run",
                "say what would be made, and make nothing",
            ),
            (
                "mutirao run main.py input.csv --json -q",
                "how it went and what it printed, for a program",
            ),
        ],
    ),
    (
        "submit",
        &[
            ("mutirao submit main.py input.csv", "hand it in and go on"),
            (
                "mutirao submit main.py input.csv --rows 1000 --max-fails 5%",
                "give up when more than a twentieth failed",
            ),
            (
                "mutirao submit plot.py --after last",
                "begin when that is done which was handed in before",
            ),
            (
                "mutirao submit night.zip --priority -1 --time-limit 8h",
                "behind the others, and no longer than eight hours",
            ),
        ],
    ),
    (
        "wait",
        &[
            (
                "mutirao wait last",
                "wait for what was handed in last from here, and show how it went",
            ),
            (
                "mutirao wait main-7 sim",
                "wait for this group and for this task",
            ),
            (
                "mutirao wait main-7 sim --json",
                "print how each of them ended, for a program",
            ),
        ],
    ),
    (
        "list",
        &[
            ("mutirao list", "groups and tasks, the newest first"),
            ("mutirao list failed", "what failed, parts of groups too"),
            ("mutirao list main-7 1-5", "these parts of a group"),
            (
                "mutirao list --group main-7 --running",
                "which parts of a group run",
            ),
        ],
    ),
    (
        "info",
        &[
            (
                "mutirao info last",
                "all that is known of what was handed in last from here",
            ),
            (
                "mutirao info main-7 sim --json",
                "of a group and a task, for a program",
            ),
        ],
    ),
    (
        "cat",
        &[
            ("mutirao cat last", "what it printed"),
            (
                "mutirao cat main-7",
                "what the parts of a group printed, in their order",
            ),
            ("mutirao cat main-7 0-4 12", "only these parts of it"),
            (
                "mutirao cat --failed --stderr",
                "the errors of all that failed",
            ),
            ("mutirao cat main-7 --json", "each part's, for a program"),
        ],
    ),
    (
        "fetch",
        &[
            (
                "mutirao fetch main-7",
                "what the group made, into results/main-7/ here",
            ),
            (
                "mutirao fetch last --into here",
                "what was handed in last from this folder, into here/",
            ),
            (
                "mutirao fetch main-7 --force",
                "again, in place of what was brought before",
            ),
            ("mutirao fetch main-7 2", "the result of one part, as a ZIP"),
        ],
    ),
    (
        "tail",
        &[
            (
                "mutirao tail -f",
                "what was handed in last from here, until it ends",
            ),
            (
                "mutirao tail -f main-7",
                "the parts of a group that run, and those that begin later",
            ),
            (
                "mutirao tail -n 100 sim --stderr",
                "the last hundred lines of its errors so far",
            ),
        ],
    ),
    (
        "cancel",
        &[
            (
                "mutirao cancel last",
                "take back what was handed in last from here",
            ),
            (
                "mutirao cancel main-7 --waiting",
                "of a group what has not begun",
            ),
            (
                "mutirao cancel main-7 --reason 'wrong input'",
                "and tell those who ask why",
            ),
            (
                "mutirao cancel last --json",
                "say for a program what came of it",
            ),
        ],
    ),
    (
        "retry",
        &[
            (
                "mutirao retry main-7",
                "of a group what failed or was cancelled",
            ),
            ("mutirao retry last --failed", "only what failed"),
            ("mutirao retry main-7 3", "only this part of it"),
            (
                "mutirao retry failed --yes",
                "all that failed, whoever handed it in",
            ),
            (
                "mutirao retry last --json",
                "say for a program what came of it",
            ),
        ],
    ),
    (
        "status",
        &[
            ("mutirao status", "what waits, runs and failed"),
            (
                "mutirao status --master lab-pc:50020 --json",
                "of this master, for a program",
            ),
        ],
    ),
    (
        "peers",
        &[
            (
                "mutirao peers",
                "who is here, how each fares and what it did",
            ),
            ("mutirao peers --json", "for a program"),
        ],
    ),
    (
        "drain",
        &[
            (
                "mutirao drain 3f2a",
                "before a machine is switched off: it gets nothing more",
            ),
            ("mutirao drain 3f2a --undo", "it gets tasks again"),
        ],
    ),
    (
        "top",
        &[
            (
                "mutirao top",
                "how far the groups are, what runs where, what failed",
            ),
            ("mutirao top --master lab-pc:50020", "of this master"),
            (
                "mutirao top --json",
                "a JSON object each second, for a program",
            ),
        ],
    ),
    (
        "why",
        &[
            (
                "mutirao why",
                "of what was handed in last: why it waits, runs or failed",
            ),
            (
                "mutirao why main-7 failed",
                "what failed of a group, and what is to blame: code, row or machine",
            ),
            (
                "mutirao why main-7 12",
                "one part: its tries, and the end of its traceback",
            ),
            (
                "mutirao why failed",
                "all that failed lately, group by group",
            ),
            (
                "mutirao why main-7 --at 14:05",
                "how it stood then, in the folder of its master",
            ),
            ("mutirao why 3f2a", "how the peer fares whose id begins so"),
        ],
    ),
    (
        "doctor",
        &[
            (
                "mutirao doctor",
                "look for a master as a peer does, and at this machine",
            ),
            (
                "mutirao doctor --discover 10.0.7.3",
                "ask that host too, behind a router or a VPN",
            ),
            (
                "mutirao doctor --master lab-pc:50020",
                "only whether that one can be reached",
            ),
        ],
    ),
    (
        "masters",
        &[
            (
                "mutirao masters",
                "who answers on this network, and whom a peer would choose",
            ),
            (
                "mutirao masters --wait 10 --discover 10.0.7.3",
                "listen longer, and ask this host too",
            ),
        ],
    ),
    (
        "trace",
        &[
            (
                "mutirao trace --task example.zip --ascii",
                "the way of a task through all actors, drawn",
            ),
            (
                "mutirao trace --since 10m --peer 3f2a",
                "what was said about a peer in the last ten minutes",
            ),
            (
                "mutirao trace --master lab-pc:50020 --task sim",
                "of a running master elsewhere, as far as it remembers",
            ),
            (
                "mutirao trace --follow --actor scheduler",
                "what is said to the scheduler and by it, as it happens",
            ),
        ],
    ),
    (
        "store",
        &[
            (
                "mutirao store check",
                "look whether all that the master wrote down is whole",
            ),
            ("mutirao store export", "print it, one JSON object a task"),
        ],
    ),
    (
        "store check",
        &[
            (
                "mutirao store check",
                "look at every record, and at every file of which one tells",
            ),
            (
                "mutirao store check --repair",
                "mend the database as a start of the master does",
            ),
        ],
    ),
    (
        "store export",
        &[(
            "mutirao store export",
            "all tasks with their tries, one JSON object a line",
        )],
    ),
    (
        "config",
        &[
            (
                "mutirao config",
                "each setting, its value, and where that comes from",
            ),
            ("mutirao config --json", "for a program"),
        ],
    ),
    (
        "completions",
        &[
            (
                "mutirao completions bash > ~/.local/share/bash-completion/completions/mutirao",
                "for bash",
            ),
            (
                "mutirao completions fish > ~/.config/fish/completions/mutirao.fish",
                "for fish",
            ),
        ],
    ),
    (
        "man",
        &[
            (
                "mutirao man > ~/.local/share/man/man1/mutirao.1",
                "the page of the program",
            ),
            (
                "mutirao man store check > ~/.local/share/man/man1/mutirao-store-check.1",
                "of a subcommand",
            ),
        ],
    ),
];

/// The program with its examples.
pub fn with_examples(program: Command) -> Command {
    let program = described(program, FIRST);
    with_those_of(program, "")
}

/// Gives each subcommand its examples.
fn with_those_of(mut command: Command, above: &str) -> Command {
    let names: Vec<_> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        let path = format!("{above}{name}");
        command = command.mut_subcommand(name, |sub| {
            let of_it = EXAMPLES.iter().find(|(name, _)| *name == path);
            let sub = with_those_of(sub, &format!("{path} "));
            described(sub, of_it.map_or(&[], |(_, examples)| examples))
        });
    }
    command
}

fn described(command: Command, examples: &[Example]) -> Command {
    let width = |typed: &str| typed.chars().count();
    let widest = examples
        .iter()
        .map(|(typed, _)| width(typed))
        .filter(|width| *width < WIDE)
        .max();
    let pad = widest.unwrap_or_default();
    let mut text = "Examples:".to_owned();
    for (typed, told) in examples {
        match width(typed) < WIDE {
            true => text.push_str(&format!("\n  {typed:pad$}  {told}")),
            // It stands on a line of its own, and what it is for below.
            false => text.push_str(&format!("\n  {typed}\n  {:pad$}  {told}", "")),
        }
    }
    command.help_template(TEMPLATE).after_help(text)
}

/// An example of so many characters leaves no room beside it.
const WIDE: usize = 45;

#[cfg(test)]
mod tests;
