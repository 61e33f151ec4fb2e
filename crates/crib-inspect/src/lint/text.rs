//! Texts and their weight: what they say to a model, and what they cost it.

use crib_mcp::Json;
use crib_registry::pins::{Confidence, scan_definition, scan_text};
use serde_json::Value;

use super::{Cost, Report, Rule};
use crate::overview::Overview;

/// Tokens of one tool that are many.
const TOOL_TOKENS_MANY: usize = 1000;
/// Tokens of a server that are many.
const SERVER_TOKENS_MANY: usize = 8000;
/// Tools that are named as the most expensive.
const LARGEST_SHOWN: usize = 10;

/// Estimates the tokens of a text: four bytes each, as English prose and JSON have on the average.
fn tokens(bytes: usize) -> usize {
    bytes.div_ceil(4)
}

pub(super) fn scan(about: &str, text: &str, report: &mut Report) {
    for finding in scan_text(text) {
        let rule = if finding.confidence == Confidence::High { Rule::Poison } else { Rule::Suspicious };
        report.add(rule, Some(about), "", format!("{}: {}", finding.rule.describe(), finding.excerpt));
    }
}

pub(super) fn check_resources(overview: &Overview, report: &mut Report) {
    for (items, uri) in [(&overview.resources, "uri"), (&overview.resource_templates, "uriTemplate")] {
        for item in items {
            let name = item.get("name").and_then(Value::as_str);
            if name.is_none() || item.get(uri).and_then(Value::as_str).is_none() {
                report.add(Rule::ResourceInvalid, name, "", format!("a resource without `name` or `{uri}`"));
            }
            scan_item(name, item, report);
        }
    }
}

pub(super) fn check_prompts(overview: &Overview, report: &mut Report) {
    for prompt in &overview.prompts {
        let name = prompt.get("name").and_then(Value::as_str);
        let mut arguments = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten();
        if name.is_none() || arguments.any(|argument| argument.get("name").and_then(Value::as_str).is_none()) {
            report.add(Rule::PromptInvalid, name, "", "a prompt or one of its arguments has no name");
        }
        scan_item(name, prompt, report);
    }
    for problem in &overview.problems {
        report.add(Rule::ListProblem, None, "", problem);
    }
}

fn scan_item(name: Option<&str>, item: &Value, report: &mut Report) {
    for finding in scan_definition(&Json::of(item)) {
        let rule = if finding.confidence == Confidence::High { Rule::Poison } else { Rule::Suspicious };
        report.add(rule, name, &finding.place, format!("{}: {}", finding.rule.describe(), finding.excerpt));
    }
}

/// Weighs what a client puts before a model: name, description and schema of every tool.
pub(super) fn weigh(overview: &Overview, report: &mut Report) {
    let mut each: Vec<(String, usize)> = Vec::with_capacity(overview.tools.len());
    let mut bytes = 0;
    for tool in &overview.tools {
        let size =
            ["name", "description", "inputSchema"].iter().filter_map(|member| tool.get(*member)).map(|value| value.to_string().len()).sum();
        bytes += size;
        let name = tool.get("name").and_then(Value::as_str).unwrap_or("(no name)");
        if tokens(size) > TOOL_TOKENS_MANY {
            report.add(Rule::TokensTool, Some(name), "", format!("about {} tokens", tokens(size)));
        }
        each.push((name.to_owned(), tokens(size)));
    }
    each.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    each.truncate(LARGEST_SHOWN);
    let total = tokens(bytes);
    if total > SERVER_TOKENS_MANY {
        report.add(Rule::TokensServer, None, "", format!("about {total} tokens for {} tools", overview.tools.len()));
    }
    let method = "bytes of names, descriptions and input schemas, divided by four";
    report.cost = Cost { bytes, tokens: total, method, largest: each };
}
