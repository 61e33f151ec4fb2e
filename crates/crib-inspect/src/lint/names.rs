//! Names: what APIs take, and which cannot be told apart.

use std::collections::{BTreeMap, BTreeSet};

use crib_registry::pins::visible;
use serde_json::Value;
use unicode_security::confusable_detection::skeleton;

use super::{Report, Rule};

/// What OpenAI and Anthropic take.
const NAME_CHARS_MAX: usize = 64;

/// Checks one name.
pub(super) fn check(name: &str, report: &mut Report) {
    let odd: BTreeSet<char> = name.chars().filter(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).take(8).collect();
    if name.is_empty() {
        report.add(Rule::NameMissing, Some(name), "/name", "the name is empty");
    } else if !odd.is_empty() {
        let odd: Vec<String> = odd.into_iter().map(|c| format!("`{}`", visible(&c.to_string()))).collect();
        report.add(Rule::NameCharacters, Some(name), "/name", format!("models' APIs refuse {} in a name", odd.join(", ")));
    }
    let length = name.chars().count();
    if length > NAME_CHARS_MAX {
        report.add(Rule::NameLength, Some(name), "/name", format!("{length} characters; APIs take {NAME_CHARS_MAX}"));
    }
    if name.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        report.add(Rule::NameFirst, Some(name), "/name", "the name begins with a digit or `-`");
    }
}

/// Checks the names of a list against each other.
pub(super) fn check_list(what: &str, items: &[Value], report: &mut Report) {
    let names: Vec<&str> = items.iter().filter_map(|item| item.get("name").and_then(Value::as_str)).collect();
    let mut seen = BTreeSet::new();
    let mut looks: BTreeMap<String, &str> = BTreeMap::new();
    for name in &names {
        if !seen.insert(*name) {
            report.add(Rule::NameDuplicate, Some(name), "", format!("there are two {what} of this name"));
            continue;
        }
        // Models do not tell case and punctuation apart, people not letters that are drawn alike.
        let plain: String = skeleton(name).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        match looks.get(&plain) {
            Some(other) => report.add(Rule::NameConfusable, Some(name), "", format!("it looks like `{}`", visible(other))),
            None => drop(looks.insert(plain, name)),
        }
    }
    if what == "tools" {
        check_style(&names, report);
    }
}

fn check_style(names: &[&str], report: &mut Report) {
    let mut styles: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        if let Some(style) = style(name) {
            *styles.entry(style).or_default() += 1;
        }
    }
    if styles.len() > 1 {
        let told: Vec<String> = styles.iter().map(|(style, count)| format!("{count} in {style}")).collect();
        report.add(Rule::NameStyle, None, "", format!("tools are named in several styles: {}", told.join(", ")));
    }
}

/// Returns the style of a name of several words.
fn style(name: &str) -> Option<&'static str> {
    let has_upper = name.chars().skip(1).any(|c| c.is_ascii_uppercase());
    match (name.contains('_'), name.contains('-'), has_upper) {
        (true, false, false) => Some("snake_case"),
        (false, true, false) => Some("kebab-case"),
        (false, false, true) => Some("camelCase"),
        (false, false, false) => None,
        _ => Some("a mixture"),
    }
}
