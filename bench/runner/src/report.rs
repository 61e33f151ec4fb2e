//! The tables people read, and the line machines read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::machine::Machine;
use crate::record::{Record, Records};
use crate::targets::{self, Row, median};

const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

pub(crate) struct Report {
    text: String,
    ratio: Option<f64>,
}

impl Report {
    pub(crate) fn new(records: &Records, machine: &Machine, command: &str) -> Self {
        let rows = targets::rows(records);
        // The figure people quote: small calls at 16 connections, in the era where we are worse.
        let quoted = |row: &&Row| ["small, legacy, 16 connections", "small, modern, 16 connections"].contains(&row.what.as_str());
        let ratio = rows.iter().filter(quoted).filter_map(|row| row.judged).max_by(f64::total_cmp);
        let rounds = records.round + 1;
        let loads = records.all.iter().map(|record| record.load_average);
        let load = median(loads).unwrap_or(0.0);
        let mut text = format!(
            "`{command}`: medians of {rounds} rounds. {}, kernel {}; load average of the machine during the run {load:.1}.\n\n",
            machine.model, machine.kernel
        );
        promises(&mut text, &rows);
        details(&mut text, records);
        for note in &records.notes {
            let _ = writeln!(text, "\nNot measured: {note}");
        }
        Self { text, ratio }
    }

    pub(crate) fn markdown(&self) -> &str {
        &self.text
    }

    pub(crate) fn last_line(&self) -> String {
        match self.ratio {
            Some(ratio) => format!("cpu per call ratio to nginx: {ratio:.2}"),
            None => "cpu per call ratio to nginx: not measured".to_owned(),
        }
    }

    /// Replaces what stands between the two marks of a page.
    pub(crate) fn write_into(&self, page: &Path) -> Result<()> {
        let old = std::fs::read_to_string(page).with_context(|| format!("cannot read `{}`", page.display()))?;
        let (before, rest) = old.split_once(BEGIN).with_context(|| format!("`{}` has no `{BEGIN}`", page.display()))?;
        let (_, after) = rest.split_once(END).with_context(|| format!("`{}` has no `{END}`", page.display()))?;
        Ok(std::fs::write(page, format!("{before}{BEGIN}\n\n{}\n{END}{after}", self.text))?)
    }
}

fn promises(text: &mut String, rows: &[Row]) {
    text.push_str("| measured | target | toolcrib | nginx | × nginx | met |\n|---|---|---:|---:|---:|---|\n");
    for row in rows {
        let shown = |figure: Option<f64>| figure.map_or("–".to_owned(), |figure| number(figure, row.unit));
        let times = row.yardstick.and(row.judged).filter(|_| row.unit != "×").map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let met = match row.is_met() {
            Some(false) if row.errors > 0 => "**errors**",
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        let _ = writeln!(text, "| {} | {} | {} | {} | {times} | {met} |", row.what, row.target, shown(row.measured), shown(row.yardstick));
    }
}

fn number(figure: f64, unit: &str) -> String {
    match figure {
        figure if figure >= 1000.0 => format!("{figure:.0} {unit}"),
        figure if figure >= 100.0 => format!("{figure:.1} {unit}"),
        figure => format!("{figure:.2} {unit}"),
    }
}

fn details(text: &mut String, records: &Records) {
    let mut groups: BTreeMap<(String, usize, String), Vec<&Record>> = BTreeMap::new();
    for record in records.all.iter().filter(|record| record.ok > 0 || record.errors > 0) {
        groups.entry((record.cell.clone(), record.conns, record.peer.clone())).or_default().push(record);
    }
    if groups.is_empty() {
        return;
    }
    text.push_str(
        "\n| cell | connections | peer | calls/s | p50 µs | p99 µs | CPU µs/call | with children | gateway core | load core | errors |\n",
    );
    text.push_str("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for ((cell, conns, peer), records) in groups {
        let of = |figure: fn(&Record) -> f64| median(records.iter().map(|record| figure(record))).unwrap_or(0.0);
        let errors: u64 = records.iter().map(|record| record.errors).sum();
        let _ = writeln!(
            text,
            "| {cell} | {conns} | {peer} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {:.0} % | {:.0} % | {errors} |",
            of(|record| record.rps),
            of(|record| record.p50_us),
            of(|record| record.p99_us),
            of(|record| record.cpu_us),
            of(|record| record.tree_cpu_us),
            of(|record| record.busy * 100.0),
            of(|record| record.load_busy * 100.0),
        );
    }
    let failed: Vec<&Record> = records.all.iter().filter(|record| !record.error.is_empty()).collect();
    for record in failed.iter().take(8) {
        let _ = writeln!(text, "\nError in `{}`, {}: {}", record.cell, record.peer, record.error);
    }
}
