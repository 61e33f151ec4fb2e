//! The official conformance suite: each of its scenarios is a line among those of the protocol.

use super::Part;
use crate::suite::{Outcome, Report, Scenario};

/// What each scenario weighs, beside some thirty of our own lines together.
const WEIGHT: f64 = 3.0;
/// Failures that are told in a line.
const TOLD_MAX: usize = 3;

/// Notes what the suite found.
pub(super) fn tell(parts: &mut [Part], report: &Report) {
    let Some(part) = parts.iter_mut().find(|part| part.name == "Protocol") else { return };
    if report.scenarios.is_empty() {
        part.unknown(WEIGHT, "suite", "it has no scenarios for what this server speaks");
    }
    for scenario in &report.scenarios {
        let what = format!("suite {}", scenario.name);
        let found = format!("{}: {}", scenario.revision, told(scenario));
        match share(scenario) {
            Some(share) => part.earned(WEIGHT, share, &what, found),
            None => part.unknown(WEIGHT, &what, found),
        }
    }
}

/// Returns the share of the checks that passed.
fn share(scenario: &Scenario) -> Option<f64> {
    let count = |checks: usize| u32::try_from(checks).map_or(f64::MAX, f64::from);
    match scenario.outcome {
        Outcome::Passed | Outcome::Failed => Some(count(scenario.passed) / count(scenario.passed + scenario.failed)),
        Outcome::NotApplicable | Outcome::Unknown => None,
    }
}

fn told(scenario: &Scenario) -> String {
    let all = scenario.passed + scenario.failed;
    let why = scenario.why.as_deref().unwrap_or_default();
    match scenario.outcome {
        Outcome::NotApplicable => format!("does not apply: {why}"),
        Outcome::Unknown => format!("no result: {why}"),
        Outcome::Passed => match scenario.warnings.first() {
            None => format!("{all} checks passed"),
            Some(first) => format!("{all} checks passed, but {}: {}", first.id, first.message),
        },
        Outcome::Failed => {
            let failures: Vec<String> =
                scenario.failures.iter().take(TOLD_MAX).map(|check| format!("{}: {}", check.id, check.message)).collect();
            format!("{} of {all} checks failed: {}", scenario.failed, failures.join("; "))
        }
    }
}
