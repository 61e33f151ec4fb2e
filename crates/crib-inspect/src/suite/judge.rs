//! From the checks that the suite prints to what they say of a server.

use serde::Deserialize;

use super::table::{Row, Setting};
use super::{Check, Outcome, Scenario};
use crate::overview::cut;

/// Checks of one kind that are kept of a scenario.
const KEPT_MAX: usize = 8;
const MESSAGE_CHARS_MAX: usize = 300;
/// How the suite begins when a check needs a tool that only its own fixture has.
const UNTESTABLE: &str = "Not testable";

/// A check as the suite prints it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Printed {
    #[serde(default)]
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    error_message: Option<String>,
}

/// Finds the checks in what the suite printed: a list over several lines, with other words around it.
pub(super) fn printed(lines: &[u8]) -> Option<Vec<Printed>> {
    let text = String::from_utf8_lossy(lines);
    let mut all = text.lines().skip_while(|line| !matches!(*line, "[" | "[]"));
    let mut list = String::new();
    for line in all.by_ref() {
        list.push_str(line);
        list.push('\n');
        if matches!(line, "]" | "[]") {
            return serde_json::from_str(&list).ok();
        }
    }
    None
}

/// Returns a scenario that was not run.
pub(super) fn unrun(row: &Row, setting: &Setting, outcome: Outcome, why: String) -> Scenario {
    Scenario {
        name: row.name.to_owned(),
        revision: setting.revision.to_string(),
        outcome,
        why: Some(why),
        passed: 0,
        failed: 0,
        failures: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Counts what is about this server.
pub(super) fn judged(row: &Row, setting: &Setting, checks: Vec<Printed>) -> Scenario {
    let mut scenario = unrun(row, setting, Outcome::NotApplicable, String::new());
    let mut idle = None;
    for check in checks {
        let is_untestable = check.error_message.as_deref().is_some_and(|message| message.starts_with(UNTESTABLE));
        if !setting.has(&check.id) || is_untestable {
            idle = idle.or(check.error_message);
            continue;
        }
        match check.status.as_str() {
            "FAILURE" => {
                scenario.failed += 1;
                keep(&mut scenario.failures, check);
            }
            "WARNING" => {
                scenario.passed += 1;
                keep(&mut scenario.warnings, check);
            }
            "SUCCESS" => scenario.passed += 1,
            _ => idle = idle.or(check.error_message),
        }
    }
    (scenario.outcome, scenario.why) = match (scenario.passed, scenario.failed) {
        (0, 0) => {
            (Outcome::NotApplicable, Some(idle.map_or_else(|| "it found nothing to check".to_owned(), |why| cut(&why, MESSAGE_CHARS_MAX))))
        }
        (_, 0) => (Outcome::Passed, None),
        _ => (Outcome::Failed, None),
    };
    scenario
}

fn keep(kept: &mut Vec<Check>, check: Printed) {
    if kept.len() < KEPT_MAX {
        let message = check.error_message.unwrap_or(check.description);
        kept.push(Check { id: cut(&check.id, MESSAGE_CHARS_MAX), message: cut(&message, MESSAGE_CHARS_MAX) });
    }
}
