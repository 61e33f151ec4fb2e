//! Definitions against what the protocol says, what models' APIs accept, and what a model can make sense of.
//!
//! The limits of the APIs are those their documents and refusals state (read in November 2026):
//! - names: OpenAI and Anthropic take `[A-Za-z0-9_-]` up to 64 characters; Gemini wants a letter or `_` first.
//! - OpenAI's strict mode: a root without `anyOf`, every property required, `additionalProperties: false`, ten levels,
//!   5000 properties, 1000 enum values, 120 000 characters of names and values, a subset of the keywords.
//! - Anthropic refuses `oneOf`, `allOf` and `anyOf` at the root.
//! - Gemini wants `items` for arrays and texts in an `enum`, and knows a subset of the keywords.

mod names;
mod rules;
mod schema;
mod text;
mod tool;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crib_registry::pins::visible;
use serde::Serialize;
use serde_json::Value;

pub use rules::{Rule, Severity};

use crate::overview::Overview;
use crate::words::{Speak, label, plainly};

/// Findings of one report; further ones are only counted.
const FINDINGS_MAX: usize = 2000;

/// Tools that are named beside a piece of advice.
const ADVISED_SHOWN: usize = 6;

/// A fault or a piece of advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub rule: Rule,
    pub severity: Severity,
    /// The tool, prompt or resource; absent for the server as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Where in the definition, as a JSON pointer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    pub message: String,
    pub fix: String,
}

/// What definitions cost a model that is told of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    pub bytes: usize,
    pub tokens: usize,
    /// How the tokens were counted.
    pub method: &'static str,
    /// The most expensive tools, most expensive first.
    pub largest: Vec<(String, usize)>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub server: String,
    pub tools: usize,
    pub errors: usize,
    pub warnings: usize,
    pub advice: usize,
    pub cost: Cost,
    pub findings: Vec<Finding>,
}

/// Lints what a server says of itself.
#[must_use]
pub fn lint(overview: &Overview) -> Report {
    let mut report = Report { server: overview.server.clone(), tools: overview.tools.len(), ..Report::default() };
    for tool in &overview.tools {
        tool::check(tool, &mut report);
    }
    names::check_list("tools", &overview.tools, &mut report);
    names::check_list("prompts", &overview.prompts, &mut report);
    text::check_resources(overview, &mut report);
    text::check_prompts(overview, &mut report);
    if let Some(instructions) = overview.hello.get("instructions").and_then(Value::as_str) {
        text::scan("(instructions)", instructions, &mut report);
    }
    text::weigh(overview, &mut report);
    report
        .findings
        .sort_by(|a, b| (a.severity, &a.about, a.rule.as_str(), &a.place).cmp(&(b.severity, &b.about, b.rule.as_str(), &b.place)));
    report
}

// === impl Report ===

impl Report {
    /// Counts a finding, and keeps it while there is room.
    fn add(&mut self, rule: Rule, about: Option<&str>, place: &str, message: impl Into<String>) {
        let severity = rule.severity();
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Advice => self.advice += 1,
        }
        if self.findings.len() < FINDINGS_MAX {
            let about = about.map(str::to_owned);
            let fix = rule.fix().to_owned();
            self.findings.push(Finding { rule, severity, about, place: place.to_owned(), message: message.into(), fix });
        }
    }

    /// Returns the findings of a rule.
    pub fn of(&self, rule: Rule) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.rule == rule)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(plainly))
    }
}

impl Report {
    /// Writes errors and warnings tool by tool; advice, which most tools share, rule by rule.
    #[must_use]
    pub fn told(&self, speak: Speak) -> String {
        let mut out = String::new();
        // A text takes everything.
        self.write(&mut out, speak).unwrap_or_default();
        out
    }

    fn write(&self, f: &mut String, speak: Speak) -> fmt::Result {
        let mut before: Option<&Option<String>> = None;
        for finding in self.findings.iter().filter(|finding| finding.severity != Severity::Advice) {
            if before != Some(&finding.about) {
                let about = finding.about.as_deref().map_or_else(|| speak("(the server)"), |about| visible(about).into());
                writeln!(f, "{}{about}", if before.is_some() { "\n" } else { "" })?;
                before = Some(&finding.about);
            }
            let place = if finding.place.is_empty() { String::new() } else { format!("  {}", finding.place) };
            let text = format!("{}{}", speak(&visible(&finding.message)), visible(&place));
            writeln!(f, "  {} {}  {text}", label(speak, finding.severity.as_str(), 8), finding.rule.as_str())?;
            writeln!(f, "           {}{}", speak("fix: "), speak(&finding.fix))?;
        }
        if before.is_some() {
            writeln!(f)?;
        }
        self.write_advice(f, speak)?;
        let Cost { bytes, tokens, method, .. } = &self.cost;
        writeln!(f, "{} ({})", speak(&format!("{} tools, {bytes} bytes, about {tokens} tokens", self.tools)), speak(method))?;
        for (name, tokens) in self.cost.largest.iter().take(3) {
            writeln!(f, "  {tokens:>6}  {}", visible(name))?;
        }
        let count =
            |number: usize, one: &str, more: &str| speak(&format!("{number} {}", if number == 1 { one } else { more })).into_owned();
        let counted = [
            count(self.errors, "error", "errors"),
            count(self.warnings, "warning", "warnings"),
            count(self.advice, "piece of advice", "pieces of advice"),
        ];
        writeln!(f, "{}", counted.join(&speak(", ")))
    }

    fn write_advice(&self, f: &mut String, speak: Speak) -> fmt::Result {
        let mut rules: BTreeMap<Rule, Vec<&Finding>> = BTreeMap::new();
        for finding in self.findings.iter().filter(|finding| finding.severity == Severity::Advice) {
            rules.entry(finding.rule).or_default().push(finding);
        }
        for (rule, findings) in &rules {
            let named: Vec<&str> = findings.iter().filter_map(|finding| finding.about.as_deref()).collect();
            let more = named.len().saturating_sub(ADVISED_SHOWN);
            let more = if more > 0 { speak(&format!(" and {more} more")).into_owned() } else { String::new() };
            let first = findings.first().map_or_else(String::new, |finding| visible(&finding.message));
            let who = if named.is_empty() {
                String::new()
            } else {
                format!("  ({}{more})", named.get(..ADVISED_SHOWN).unwrap_or(&named).join(", "))
            };
            writeln!(f, "{} {}  {}{}", label(speak, "advice", 8), rule.as_str(), speak(&first), visible(&who))?;
            writeln!(f, "         {}{}", speak("fix: "), speak(rule.fix()))?;
        }
        if rules.is_empty() { Ok(()) } else { writeln!(f) }
    }
}
