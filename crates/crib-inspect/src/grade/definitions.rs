//! Definitions: what lint finds, what is described and annotated, and what it costs.

use serde_json::Value;

use super::{Part, Subject};
use crate::lint::{Report, Rule, Severity};

pub(super) fn measure(subject: &Subject<'_>) -> Part {
    let mut part = Part::new("Definitions", 20.0);
    let (tools, lint) = (&subject.overview.tools, subject.lint);
    if tools.is_empty() {
        part.unknown(20.0, "tools", "it has none");
        return part;
    }
    let count = number(tools.len());
    part.earned(9.0, 1.0 - number(lint.errors) / count, "lint errors", told(lint, Severity::Error));
    part.earned(4.0, 1.0 - number(lint.warnings) / (2.0 * count), "lint warnings", told(lint, Severity::Warning));
    let bare = lint.of(Rule::DescriptionMissing).count() + lint.of(Rule::DescriptionShort).count();
    let undescribed = lint.of(Rule::ParameterDescription).count();
    let share = 1.0 - (number(bare) + number(undescribed) / 2.0) / count;
    part.earned(3.0, share, "descriptions", format!("{bare} tools say little, {undescribed} have parameters that say nothing"));
    let clashes = lint.of(Rule::NameDuplicate).count() + lint.of(Rule::NameConfusable).count();
    part.earned(1.0, if clashes == 0 { 1.0 } else { 0.0 }, "names", format!("{clashes} that cannot be told apart"));
    let annotated = tools.iter().filter(|tool| has(tool, "annotations", Some("readOnlyHint"))).count();
    part.earned(
        3.0,
        number(annotated) / count,
        "annotations",
        format!("{annotated} of {} tools say whether they change anything", tools.len()),
    );
    let outputs = tools.iter().filter(|tool| has(tool, "outputSchema", None)).count();
    part.earned(2.0, number(outputs) / count, "output schemas", format!("{outputs} of {} tools", tools.len()));
    let is_same = same(subject.first, tools);
    let found = if is_same { "the same in two runs" } else { "others in another run" };
    part.earned(2.0, if is_same { 1.0 } else { 0.0 }, "stable", found);
    let tokens = lint.cost.tokens;
    let share = super::steps(number(tokens), [1500.0, 4000.0, 8000.0, 16_000.0]);
    part.earned(3.0, share, "tokens", format!("about {tokens} ({})", lint.cost.method));
    part
}

/// Compares the tools of two runs, whatever their order.
fn same(first: &[Value], second: &[Value]) -> bool {
    first.len() == second.len() && second.iter().all(|tool| first.contains(tool))
}

fn has(tool: &Value, member: &str, inside: Option<&str>) -> bool {
    let found = tool.get(member).filter(|value| !value.is_null());
    match inside {
        Some(inside) => found.is_some_and(|value| value.get(inside).is_some_and(Value::is_boolean)),
        None => found.is_some(),
    }
}

fn told(lint: &Report, severity: Severity) -> String {
    let mut rules: Vec<&str> =
        lint.findings.iter().filter(|finding| finding.severity == severity).map(|finding| finding.rule.as_str()).collect();
    let count = rules.len();
    rules.sort_unstable();
    rules.dedup();
    if rules.is_empty() { "none".to_owned() } else { format!("{count}: {}", rules.join(", ")) }
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
