//! The rows of the table: what is promised, and how it is read from the records.

use crate::record::{Record, Records};

/// One promise. `measured` and `yardstick` are medians; `ratio` is the median of the ratios of each round.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) target: &'static str,
    pub(crate) limit: f64,
    pub(crate) measured: Option<f64>,
    pub(crate) yardstick: Option<f64>,
    pub(crate) judged: Option<f64>,
    pub(crate) unit: &'static str,
    /// Calls of ours that were not answered rightly: a figure without them would be a lie.
    pub(crate) errors: u64,
    /// Whether more is better.
    pub(crate) is_floor: bool,
}

impl Row {
    pub(crate) fn is_met(&self) -> Option<bool> {
        if self.errors > 0 {
            return Some(false);
        }
        self.judged.map(|judged| if self.is_floor { judged >= self.limit } else { judged <= self.limit })
    }
}

type Figure = fn(&Record) -> f64;

const CPU: Figure = |record| record.cpu_us;
const TREE: Figure = |record| record.tree_cpu_us;
const P50: Figure = |record| record.p50_us;
const RATE: Figure = |record| record.rps;
const VALUE: Figure = |record| record.value;

/// Returns the rows in the order of the promises.
pub(crate) fn rows(records: &Records) -> Vec<Row> {
    let mut rows = Vec::new();
    for conns in [16, 256] {
        for era in ["legacy", "modern"] {
            let cell = format!("small, {era}");
            rows.push(ratio(records, &cell, conns, CPU, ("≤ 1.6 × nginx", 1.6)));
        }
    }
    for era in ["legacy", "modern"] {
        rows.push(rate(records, era));
    }
    for cell in ["small, legacy to modern", "small, modern to legacy"] {
        rows.push(ratio(records, cell, 16, CPU, ("≤ 2.5 × nginx", 2.5)));
    }
    for cell in ["observed, small, legacy", "observed, small, modern"] {
        rows.push(ratio(records, cell, 16, CPU, ("≤ 2.2 × nginx", 2.2)));
    }
    for size in ["64 KB result", "64 KB argument"] {
        for era in ["legacy", "modern"] {
            rows.push(ratio(records, &format!("{size}, {era}"), 16, CPU, ("≤ 1.3 × nginx", 1.3)));
        }
    }
    rows.push(Row {
        what: "stdio upstream with its server, 16 connections".into(),
        ..ratio(records, "stdio", 16, TREE, ("≤ 2.4 × nginx", 2.4))
    });
    rows.extend(["legacy", "modern"].map(|era| latency(records, era)));
    rows.push(ratio(records, "tools/list, 1,000 tools", 4, CPU, ("≤ 2 × nginx, static file", 2.0)));
    rows.push(value(records, "MiB idle, 10 upstreams", "≤ 25 MiB", 25.0, "MiB"));
    rows.push(value(records, "KiB per legacy session", "≤ 12 KiB", 12.0, "KiB"));
    rows.push(value(records, "ms to the first call", "≤ 50 ms", 50.0, "ms"));
    rows.push(scaling(records));
    rows.push(value(records, "ms, toolcrib --version", "≤ 10 ms", 10.0, "ms"));
    rows.push(value(records, "ms, toolcrib call", "≤ 15 ms", 15.0, "ms"));
    rows.retain(|row| row.errors > 0 || row.measured.is_some() || row.yardstick.is_some());
    rows
}

fn ratio(records: &Records, cell: &str, conns: usize, figure: Figure, target: (&'static str, f64)) -> Row {
    let ours = figures(records, cell, conns, "toolcrib", figure);
    let theirs = figures(records, cell, conns, "nginx", figure);
    let row = compare(format!("{cell}, {conns} connections"), &ours, &theirs, target);
    Row { errors: errors(records, cell, conns), ..row }
}

/// What each adds to the time of a call that goes straight to the server.
fn latency(records: &Records, era: &str) -> Row {
    let cell = format!("small, {era}");
    let direct = figures(records, &cell, 1, "direct", P50);
    let added = |peer| -> Vec<(usize, f64)> {
        let all = figures(records, &cell, 1, peer, P50).into_iter();
        all.filter_map(|(round, time)| Some((round, time - at(&direct, round)?))).collect()
    };
    let what = format!("added latency, p50, {era}, 1 connection");
    let row = compare(what, &added("toolcrib"), &added("nginx"), ("≤ 1.3 × nginx", 1.3));
    Row { errors: errors(records, &cell, 1), ..row }
}

fn at(figures: &[(usize, f64)], round: usize) -> Option<f64> {
    figures.iter().find(|(other, _)| *other == round).map(|(_, figure)| *figure)
}

fn compare(what: String, ours: &[(usize, f64)], theirs: &[(usize, f64)], (target, limit): (&'static str, f64)) -> Row {
    let ratios = ours.iter().filter_map(|(round, ours)| Some(ours / at(theirs, *round)?));
    let middle = |figures: &[(usize, f64)]| median(figures.iter().map(|(_, figure)| *figure));
    Row {
        what,
        target,
        limit,
        measured: middle(ours),
        yardstick: middle(theirs),
        judged: median(ratios),
        unit: "µs",
        errors: 0,
        is_floor: false,
    }
}

/// Promised where nginx takes 11 µs a call, which is 91,000 calls a second: what another machine can do is a share of
/// what its nginx can.
fn rate(records: &Records, era: &str) -> Row {
    let cell = format!("small, {era}");
    let [ours, theirs] = ["toolcrib", "nginx"].map(|peer| figures(records, &cell, 16, peer, RATE));
    let what = format!("calls per second on one core, {era}, 16 connections");
    Row { unit: "/s", is_floor: true, ..compare(what, &ours, &theirs, ("≥ 0.55 × nginx (50,000 of 91,000)", 0.55)) }
}

fn value(records: &Records, cell: &str, target: &'static str, limit: f64, unit: &'static str) -> Row {
    let measured = median(figures(records, cell, 0, "toolcrib", VALUE).into_iter().map(|(_, figure)| figure));
    Row { what: cell.to_owned(), target, limit, measured, yardstick: None, judged: measured, unit, errors: 0, is_floor: false }
}

fn scaling(records: &Records) -> Row {
    let gains = |peer| {
        let cost = |cores: &str| figures(records, &format!("{cores}, small, modern"), 64, peer, CPU);
        let two = cost("two cores");
        median(cost("one core").into_iter().filter_map(|(round, one)| Some(2.0 * one / at(&two, round)?)))
    };
    let gain = gains("toolcrib");
    Row {
        what: "calls per second on two cores against one (by CPU time per call)".into(),
        target: "≥ 1.8 ×",
        limit: 1.8,
        measured: gain,
        yardstick: gains("nginx"),
        judged: gain,
        unit: "×",
        errors: errors(records, "two cores, small, modern", 64),
        is_floor: true,
    }
}

fn errors(records: &Records, cell: &str, conns: usize) -> u64 {
    let ours = records.all.iter().filter(|record| record.cell == cell && record.conns == conns && record.peer == "toolcrib");
    ours.map(|record| record.errors).sum()
}

/// Returns a figure of every round in which all was well.
fn figures(records: &Records, cell: &str, conns: usize, peer: &str, figure: Figure) -> Vec<(usize, f64)> {
    let of_cell = records.all.iter().filter(|record| record.cell == cell && record.conns == conns && record.peer == peer);
    of_cell.filter(|record| record.errors == 0).map(|record| (record.round, figure(record))).collect()
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_leaves_out_what_is_no_number() {
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([1.0, 2.0].into_iter()), Some(1.5));
        assert_eq!(median([f64::NAN].into_iter()), None);
    }
}
