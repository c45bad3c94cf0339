//! `mutirao config`: what the settings are, and who says so.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::grammar;
use crate::config::{files, survey};

/// Show each setting with its value and where that comes from
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Prints them.
pub fn run(args: Config) -> anyhow::Result<ExitCode> {
    let settings = survey(grammar(), &files())?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&settings)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["SETTING", "VALUE", "FROM", "OF"]);
    let all = settings.iter().map(|setting| setting.commands.len()).max();
    for setting in settings {
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
    Ok(ExitCode::SUCCESS)
}
