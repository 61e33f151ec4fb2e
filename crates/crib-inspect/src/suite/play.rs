//! Runs scenarios, one after the other, each in a process of its own that is given a time and so many bytes.

use std::time::{Duration, Instant};

use crib_model::{Fault, limits};
use crib_transport::Child;

use super::judge::{judged, printed, unrun};
use super::table::{ROWS, Row, Setting};
use super::{Errand, Outcome, Scenario, Suite};
use crate::overview::cut;

/// Longest time for one scenario; the suite itself waits for an answer for two thirds of it.
const SCENARIO_TIME_MAX: Duration = Duration::from_secs(90);
/// Most bytes of what the suite prints of one scenario.
const OUTPUT_BYTES_MAX: usize = 8 * 1024 * 1024;
const LINE_BYTES_MAX: usize = 1024 * 1024;
const WORDS_MAX: usize = 200;

/// Runs every scenario of the revision against a URL.
pub(super) async fn all(
    suite: &Suite,
    (url, headers): (&str, &[(String, String)]),
    setting: &Setting,
    until: Instant,
) -> Result<Vec<Scenario>, Fault> {
    let mut scenarios = Vec::new();
    for row in ROWS.iter().filter(|row| row.is_of(setting.revision)) {
        let scenario = match row.idle(setting) {
            Some(why) => unrun(row, setting, Outcome::NotApplicable, why),
            None if Instant::now() >= until => unrun(row, setting, Outcome::Unknown, "the scenarios before it took too long".to_owned()),
            None => one(suite, &Errand { url, headers, scenario: row.name, revision: setting.revision }, (row, setting)).await?,
        };
        scenarios.push(scenario);
    }
    Ok(scenarios)
}

async fn one(suite: &Suite, errand: &Errand<'_>, (row, setting): (&Row, &Setting)) -> Result<Scenario, Fault> {
    let begun = suite.starter.start(errand)?;
    let child = Child::spawn(&begun.command, &suite.name, LINE_BYTES_MAX)?;
    let (input, mut output, handle) = child.split();
    drop(input);
    let mut text = Vec::new();
    let reading = async {
        while let Some(line) = output.recv().await {
            let Ok(line) = line else { return false };
            if text.len() + line.len() > OUTPUT_BYTES_MAX {
                return false;
            }
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        true
    };
    let ended = tokio::time::timeout(SCENARIO_TIME_MAX, reading).await;
    handle.stop(limits::STOP_GRACE).await;
    drop(begun.keep);
    let found = match ended {
        Err(_late) => Err(format!("it came to no result within {} seconds", SCENARIO_TIME_MAX.as_secs())),
        Ok(false) => Err("the suite printed more than is read".to_owned()),
        Ok(true) => printed(&text).ok_or_else(|| last_words(&text, &handle.stderr_tail())),
    };
    Ok(match found {
        Ok(checks) => judged(row, setting, checks),
        Err(why) => unrun(row, setting, Outcome::Unknown, why),
    })
}

/// Returns what the suite said where it came to no result.
fn last_words(text: &[u8], stderr: &[String]) -> String {
    let text = String::from_utf8_lossy(text);
    let said = stderr.iter().rev().map(String::as_str).chain(text.lines().rev());
    // The way to an error is longer than the error, and says less.
    let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("at ") && !line.starts_with("Node.js ");
    let last = said.into_iter().find(is_said).unwrap_or("nothing");
    format!("the suite ended without a result: {}", cut(last.trim(), WORDS_MAX))
}
