//! `mutirao config`: what the settings are, who says so, and what is wrong with them.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::{USAGE, grammar};
use crate::config::{Setting, files, survey};
use crate::json;

/// Show each setting with its value and where that comes from
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Prints them; 2 if one of them would not be taken.
pub fn run(args: Config) -> anyhow::Result<ExitCode> {
    let settings = survey(grammar(), &files())?;
    let mut out = io::stdout().lock();
    if args.json {
        json::line(&mut out, &settings)?;
        return Ok(code(&settings));
    }
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["SETTING", "VALUE", "FROM", "OF"]);
    let all = settings.iter().map(|setting| setting.commands.len()).max();
    for setting in settings.clone() {
        let of_all = Some(setting.commands.len()) == all;
        table.add_row([
            setting.key,
            setting.value.unwrap_or_else(|| "-".to_owned()),
            setting.origin,
            if of_all {
                "all".to_owned()
            } else {
                setting.commands.join(", ")
            },
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(code(&settings))
}

/// Tells of each setting that would not be taken, and how the program ends after that.
fn code(settings: &[Setting]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for setting in settings {
        if let Some(wrong) = &setting.wrong {
            let (origin, commands) = (&setting.origin, setting.commands.join(", "));
            eprintln!("{origin}: {wrong}; mutirao {commands} would not start with it");
            code = ExitCode::from(USAGE);
        }
    }
    code
}
