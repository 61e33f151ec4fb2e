//! JSON with comments and commas at the end.

use super::{Place, Refusal, Spot};
use crate::text::{BOM, before_line_end, indent_at, is_first_on_line, line_end, line_start, line_stop, replaced, slice};
use crate::tree::{Key, Node, Span, Value as Kind};
use crate::value::Value;

/// How a file is written.
#[derive(Clone, Debug)]
struct Style {
    newline: &'static str,
    /// One step of indentation.
    unit: String,
}

pub(super) fn upsert(text: &str, root: &Node, spot: Spot<'_>, value: &Value) -> Result<String, Refusal> {
    let Place::Map(path) = spot.place else { return Err(refuse(root)) };
    let style = Style::of(text, root);
    if root.span.is_empty() {
        return Ok(document(text, &style, path, spot.name, value));
    }
    let mut node = root;
    let mut rest = path;
    while let Some((first, deeper)) = rest.split_first() {
        let Some(inner) = node.get(first) else { break };
        (node, rest) = (inner, deeper);
    }
    if matches!(node.value, Kind::Null) && !std::ptr::eq(node, root) {
        let whole = nested(rest, spot.name, value);
        return Ok(replaced(text, node.span.clone(), &style.render(&whole, indent_of_line(text, node.span.start))));
    }
    let Some(members) = node.as_map() else { return Err(refuse(node)) };
    let (name, value) = match rest.split_first() {
        Some((first, deeper)) => (*first, nested(deeper, spot.name, value)),
        None => (spot.name, value.clone()),
    };
    if let Some((key, old)) = members.iter().find(|(key, _)| key.name == name) {
        let rendered = if is_on_one_line(text, node) { compact(&value) } else { style.render(&value, indent_at(text, key.span.start)) };
        return Ok(replaced(text, old.span.clone(), &rendered));
    }
    Ok(insert(text, node, &style, name, &value))
}

pub(super) fn remove(text: &str, root: &Node, spot: Spot<'_>) -> Result<String, Refusal> {
    let node = super::descend(root, spot.place.path()).unwrap_or(root);
    let members = node.as_map().ok_or_else(|| refuse(node))?;
    let Some(at) = members.iter().position(|(key, _)| key.name == spot.name) else { return Ok(text.to_owned()) };
    let Some((key, value)) = members.get(at) else { return Ok(text.to_owned()) };
    let next = members.get(at + 1);
    let previous = at.checked_sub(1).and_then(|at| members.get(at));
    let own_comma = comma_after(text, value.span.end);
    let end = own_comma.map_or(value.span.end, |comma| comma + 1);
    let start = if is_first_on_line(text, key.span.start) { before_line_end(text, key.span.start) } else { key.span.start };
    Ok(match (previous, next) {
        (None, None) => {
            let inner = node.span.start + 1..node.span.end.saturating_sub(1);
            let left = [slice(text, inner.start..start), slice(text, end..inner.end)].concat();
            if left.trim().is_empty() { replaced(text, inner, "") } else { replaced(text, start..end, "") }
        }
        (_, Some((next, _))) => {
            let is_inline = start == key.span.start && slice(text, end..next.span.start).trim().is_empty();
            replaced(text, start..if is_inline { next.span.start } else { end }, "")
        }
        (Some(_), None) if own_comma.is_some() => {
            let start = if start == key.span.start { slice(text, 0..start).trim_end().len() } else { start };
            replaced(text, start..end, "")
        }
        (Some((_, previous)), None) => {
            let comma = comma_after(text, previous.span.end).unwrap_or(previous.span.end);
            let start = if start == key.span.start { slice(text, 0..start).trim_end_matches([' ', '\t']).len() } else { start };
            let between = slice(text, comma + 1..start).to_owned();
            replaced(text, comma..end, &between)
        }
    })
}

fn refuse(node: &Node) -> Refusal {
    Refusal::new(format!("expected a map of servers here, found {}", node.kind()), node.span.clone())
}

/// Wraps an entry in the containers that are not there yet.
fn nested(path: &[&str], name: &str, value: &Value) -> Value {
    let entry = Value::map([(name, value.clone())]);
    path.iter().rev().fold(entry, |inner, name| Value::map([(*name, inner)]))
}

/// A file without a value: only blanks, or only comments.
fn document(text: &str, style: &Style, path: &[&str], name: &str, value: &Value) -> String {
    let body = style.render(&nested(path, name, value), "");
    let newline = style.newline;
    let (mark, rest) = text.strip_prefix(BOM).map_or(("", text), |rest| ("\u{feff}", rest));
    if rest.trim().is_empty() {
        return [mark, &body, newline].concat();
    }
    let gap = if text.ends_with('\n') { "" } else { newline };
    [text, gap, &body, newline].concat()
}

fn insert(text: &str, object: &Node, style: &Style, name: &str, value: &Value) -> String {
    let members = object.as_map().unwrap_or_default();
    let name = quoted(name);
    let newline = style.newline;
    let outer = indent_of_line(text, object.span.start);
    let Some((_, last)) = members.last() else { return insert_first(text, object, style, &name, value) };
    let comma = comma_after(text, last.span.end);
    if is_on_one_line(text, object) {
        let rendered = compact(value);
        return match comma {
            None => replaced(text, last.span.end..last.span.end, &format!(", {name}: {rendered}")),
            Some(comma) => replaced(text, comma + 1..comma + 1, &format!(" {name}: {rendered},")),
        };
    }
    let indent = member_indent(text, members).unwrap_or_else(|| format!("{outer}{}", style.unit));
    let member = format!("{newline}{indent}{name}: {}", style.render(value, &indent));
    match comma {
        Some(comma) => {
            let at = rest_of_line(text, comma + 1, object.span.end);
            replaced(text, at..at, &format!("{member},"))
        }
        None => {
            let at = rest_of_line(text, last.span.end, object.span.end);
            let between = slice(text, last.span.end..at).to_owned();
            replaced(text, last.span.end..at, &format!(",{between}{member}"))
        }
    }
}

/// The first member of an empty map, below the comments that may stand there.
fn insert_first(text: &str, object: &Node, style: &Style, name: &str, value: &Value) -> String {
    let Span { start, end } = object.span.start + 1..object.span.end.saturating_sub(1);
    let outer = indent_of_line(text, object.span.start);
    let indent = format!("{outer}{}", style.unit);
    let newline = style.newline;
    let member = format!("{newline}{indent}{name}: {}", style.render(value, &indent));
    let inner = slice(text, start..end);
    let comments = inner.trim_end().len();
    if comments == 0 {
        return replaced(text, start..end, &format!("{member}{newline}{outer}"));
    }
    let at = start + comments;
    if slice(text, at..end).contains('\n') {
        return replaced(text, at..at, &member);
    }
    replaced(text, at..end, &format!("{member}{newline}{outer}"))
}

impl Style {
    fn of(text: &str, root: &Node) -> Self {
        let members = root.as_map().unwrap_or_default();
        let unit = member_indent(text, members).filter(|unit| !unit.is_empty()).unwrap_or_else(|| "  ".to_owned());
        Self { newline: line_end(text), unit }
    }

    /// Writes a value over several lines, as most clients do; lists of plain values stay on one.
    fn render(&self, value: &Value, indent: &str) -> String {
        let inner = format!("{indent}{}", self.unit);
        match value {
            Value::Map(members) if !members.is_empty() => {
                let line = |(name, value): &(String, Value)| format!("{inner}{}: {}", quoted(name), self.render(value, &inner));
                let lines: Vec<String> = members.iter().map(line).collect();
                let newline = self.newline;
                format!("{{{newline}{}{newline}{indent}}}", lines.join(&format!(",{newline}")))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => compact(value),
        }
    }
}

/// Writes a value on one line.
pub(super) fn compact(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => quoted(text),
        Value::List(elements) => format!("[{}]", elements.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Map(members) => {
            let members: Vec<String> = members.iter().map(|(name, value)| format!("{}: {}", quoted(name), compact(value))).collect();
            if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
        }
    }
}

/// A text as JSON writes it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn indent_of_line(text: &str, at: usize) -> &str {
    let start = line_start(text, at);
    let line = slice(text, start..line_stop(text, at));
    let rest = line.trim_start_matches([' ', '\t']);
    slice(line, 0..line.len() - rest.len())
}

/// Returns the indent of the first member that begins a line.
fn member_indent(text: &str, members: &[(Key, Node)]) -> Option<String> {
    let key = members.iter().map(|(key, _)| key.span.start).find(|at| is_first_on_line(text, *at))?;
    Some(indent_at(text, key).to_owned())
}

/// A map whose first member stands behind the bracket.
fn is_on_one_line(text: &str, object: &Node) -> bool {
    let first = object.as_map().and_then(|members| members.first()).map(|(key, _)| key.span.start);
    first.is_some_and(|first| !slice(text, object.span.start..first).contains('\n'))
}

/// Finds the comma behind a value.
fn comma_after(text: &str, at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        let rest = text.get(at..)?;
        let trimmed = rest.trim_start();
        let gap = rest.len() - trimmed.len();
        if trimmed.starts_with(',') {
            return Some(at + gap);
        }
        at += gap + comment(trimmed)?;
    }
}

/// Returns the length of the comment a text begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// Returns where what belongs to the line of a value ends: behind its comments, before the line end.
fn rest_of_line(text: &str, from: usize, close: usize) -> usize {
    let mut at = from;
    loop {
        let rest = slice(text, at..close);
        let trimmed = rest.trim_start_matches([' ', '\t']);
        let gap = rest.len() - trimmed.len();
        if trimmed.starts_with(['\n', '\r']) {
            return at + gap;
        }
        let Some(len) = comment(trimmed) else { return at };
        if slice(trimmed, 0..len).trim_end().contains('\n') {
            return at;
        }
        let len = slice(trimmed, 0..len).trim_end_matches('\r').len();
        at += gap + len;
    }
}
