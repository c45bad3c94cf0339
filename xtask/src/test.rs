//! `cargo xtask test`: every suite that can run here, and a plain word on what cannot.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::suites::{SUITES, Suite};
use crate::tools::Tool;

/// Run every suite: format, lints, tests, documentation
#[derive(Debug, Args)]
pub struct Test {
    /// Count a suite that cannot run here as failed
    #[arg(long, env = "MUTIRAO_REQUIRE_ALL", value_parser = FalseyValueParser::new())]
    require_all: bool,
}

/// How a suite went.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Passed(Duration),
    Failed(Duration),
    LeftOut(&'static str),
}

impl Test {
    /// Runs what can be run, also after a failure, and sums up.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut rows = Vec::new();
        for suite in &SUITES {
            println!("── {} ──", suite.name);
            let missing: Vec<_> = suite.parts.iter().map(|part| lacks(part.needs)).collect();
            let verdict = self.try_suite(suite)?;
            rows.push((suite.name, verdict));
            for (part, missing) in suite.parts.iter().zip(missing) {
                rows.push((part.name, missing.map_or(verdict, Verdict::LeftOut)));
            }
        }
        println!("── summary ──");
        for (name, verdict) in &rows {
            println!("{}", row(name, *verdict));
        }
        let is_bad = |verdict: &Verdict| match verdict {
            Verdict::Passed(_) => false,
            Verdict::Failed(_) => true,
            Verdict::LeftOut(_) => self.require_all,
        };
        Ok(if rows.iter().any(|(_, verdict)| is_bad(verdict)) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn try_suite(&self, suite: &Suite) -> anyhow::Result<Verdict> {
        if let Some(why) = lacks(suite.needs) {
            return Ok(Verdict::LeftOut(why));
        }
        let started = now();
        let passed = suite.command(self.require_all).status()?.success();
        let took = started.elapsed();
        Ok(if passed {
            Verdict::Passed(took)
        } else {
            Verdict::Failed(took)
        })
    }
}

/// The first thing that is missing and could not be installed, and what to do about it.
fn lacks(needs: &[Tool]) -> Option<&'static str> {
    needs.iter().find_map(|tool| tool.ensure().err())
}

fn row(name: &str, verdict: Verdict) -> String {
    match verdict {
        Verdict::Passed(took) => format!("passed    {name} ({} s)", took.as_secs()),
        Verdict::Failed(took) => format!("FAILED    {name} ({} s)", took.as_secs()),
        Verdict::LeftOut(why) => format!("left out  {name}: {why}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a stopwatch for people; nothing here is decided by the time"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
