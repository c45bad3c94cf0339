//! What was measured, for a reader or a program.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::figure::Figure;

/// A table of one bench.
pub fn table(bench: &str, figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header([bench, "median", "range", "target", ""]);
    for figure in figures {
        let (low, high) = figure.range();
        table.add_row([
            figure.name.clone(),
            figure.unit.show(figure.median()),
            format!("{} … {}", figure.unit.show(low), figure.unit.show(high)),
            figure
                .target
                .map(|target| target.to_string())
                .unwrap_or_default(),
            verdict(figure).to_owned(),
        ]);
    }
    for column in [1, 2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// The same for programs.
pub fn json(bench: &str, figures: &[Figure]) -> Value {
    let figures = figures.iter().map(|figure| {
        let (low, high) = figure.range();
        json!({
            "name": figure.name, "unit": figure.unit, "median": figure.median(), "min": low, "max": high,
            "values": figure.values, "target": figure.target, "met": figure.is_met(),
        })
    });
    json!({"bench": bench, "figures": figures.collect::<Vec<_>>()})
}

fn verdict(figure: &Figure) -> &'static str {
    match figure.is_met() {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    }
}
