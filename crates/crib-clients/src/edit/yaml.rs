//! YAML, in the shapes programs and people write settings in. What is written otherwise is refused, not guessed at.
//!
//! A new entry stands first below its section: there, no comment, empty line or block of text of another entry can be
//! torn apart, and nobody's indentation has to be guessed at the end of a block.

use super::{Place, Refusal, Spot, json};
use crate::text::{BOM, line_end, line_start, line_stop, next_line, replaced, slice};
use crate::tree::{Node, Span, Value as Kind};
use crate::value::Value;

pub(super) fn upsert(text: &str, root: &Node, spot: Spot<'_>, value: &Value) -> Result<String, Refusal> {
    let newline = line_end(text);
    let value = spot.element(value);
    let Some((first, deeper)) = spot.place.path().split_first() else { return Err(refuse(root.span.clone())) };
    if !deeper.is_empty() {
        return Err(refuse(root.span.clone()));
    }
    let member = root.as_map().and_then(|members| members.iter().find(|(key, _)| key.name == *first));
    let Some((key, node)) = member else {
        if !matches!(root.value, Kind::Null) && (root.as_map().is_none() || starts(text, root).starts_with('{')) {
            return Err(refuse(root.span.clone()));
        }
        return Ok(append(text, first, &entry(spot, &value, "  ", newline), newline));
    };
    if starts(text, root).starts_with('{') {
        return Err(refuse(root.span.clone()));
    }
    if is_flow(text, node) {
        return flow(text, node, spot, &value);
    }
    if let Some((own, indent)) = own_block(text, node, spot) {
        let lines = entry(spot, &value, &indent, newline);
        let lines = if slice(text, own.clone()).ends_with('\n') { lines.as_str() } else { lines.trim_end() };
        return Ok(replaced(text, own, lines));
    }
    let children: Vec<usize> = starts_of_children(node);
    let Some(child) = children.first() else {
        // Nothing stands behind the name, or a word for nothing.
        let colon =
            key.span.end + slice(text, key.span.end..line_stop(text, key.span.end)).find(':').ok_or_else(|| refuse(key.span.clone()))? + 1;
        let stop = line_stop(text, colon);
        let rest = slice(text, colon..stop).trim();
        let comment = if rest.starts_with('#') || rest.is_empty() { slice(text, colon..stop) } else { "" };
        if !matches!(rest, "" | "~" | "null" | "Null" | "NULL") && !rest.starts_with('#') {
            return Err(refuse(key.span.clone()));
        }
        let lines = entry(spot, &value, "  ", newline);
        let lines = if stop < text.len() { lines } else { lines.trim_end().to_owned() };
        let after = next_line(text, stop).max(stop);
        return Ok(replaced(text, colon..after, &[comment, newline, &lines].concat()));
    };
    let indent = block_indent(text, *child, spot).ok_or_else(|| refuse(node.span.clone()))?;
    let at = next_line(text, key.span.end);
    Ok(replaced(text, at..at, &entry(spot, &value, &indent, newline)))
}

pub(super) fn remove(text: &str, root: &Node, spot: Spot<'_>) -> Result<String, Refusal> {
    let node = super::descend(root, spot.place.path()).unwrap_or(root);
    let children = starts_of_children(node);
    if is_flow(text, node) {
        return remove_flow(text, node, spot).ok_or_else(|| refuse(node.span.clone()));
    }
    let (own, _) = own_block(text, node, spot).ok_or_else(|| refuse(node.span.clone()))?;
    if children.len() > 1 {
        return Ok(replaced(text, own, ""));
    }
    // A section that holds nothing says so: some programs do not take the bare name.
    let head = slice(text, 0..own.start);
    let colon = head.rfind(':').ok_or_else(|| refuse(node.span.clone()))?;
    let empty = if matches!(spot.place, Place::Map(_)) { " {}" } else { " []" };
    let out = replaced(text, own, "");
    Ok(replaced(&out, colon + 1..colon + 1, empty))
}

fn refuse(span: Span) -> Refusal {
    Refusal::new("this section is written in a way that cannot be changed safely", span)
}

fn append(text: &str, section: &str, lines: &str, newline: &str) -> String {
    let block = [section, ":", newline, lines].concat();
    if text.trim_start_matches(BOM).trim().is_empty() {
        return [if text.starts_with(BOM) { "\u{feff}" } else { "" }, &block].concat();
    }
    if text.ends_with('\n') { [text, &block].concat() } else { [text, newline, block.trim_end()].concat() }
}

/// Returns where the children of a section begin: their names, or their first members.
fn starts_of_children(node: &Node) -> Vec<usize> {
    match &node.value {
        Kind::Map(members) => members.iter().map(|(key, _)| key.span.start).collect(),
        Kind::List(elements) => elements.iter().map(first_of).collect(),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => Vec::new(),
    }
}

fn first_of(node: &Node) -> usize {
    node.as_map().and_then(|members| members.first()).map_or(node.span.start, |(key, _)| key.span.start)
}

fn position(node: &Node, spot: Spot<'_>) -> Option<usize> {
    match &node.value {
        Kind::Map(members) => members.iter().position(|(key, _)| key.name == spot.name),
        Kind::List(elements) => elements.iter().position(|node| node.get("name").and_then(Node::as_text) == Some(spot.name)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => None,
    }
}

/// Returns the lines of the entry and its indent.
fn own_block(text: &str, node: &Node, spot: Spot<'_>) -> Option<(Span, String)> {
    let at = position(node, spot)?;
    let start = *starts_of_children(node).get(at)?;
    let indent = block_indent(text, start, spot)?;
    let start = line_start(text, start);
    // The block ends where a line with words stands no deeper than its name.
    let depth = indent.len();
    let mut end = next_line(text, start);
    let mut line = end;
    while line < text.len() {
        let stop = line_stop(text, line);
        let words = slice(text, line..stop).trim_start_matches(' ');
        let column = stop - line - words.len();
        if !words.trim().is_empty() && column <= depth {
            break;
        }
        line = next_line(text, line);
        // Empty lines before the next entry are not this one's.
        if !words.trim().is_empty() {
            end = line;
        }
    }
    Some((start..end, indent))
}

/// Returns the indent of the children of a section, `None` if they do not begin their lines.
fn block_indent(text: &str, child: usize, spot: Spot<'_>) -> Option<String> {
    let before = slice(text, line_start(text, child)..child);
    let before = match spot.place {
        Place::Map(_) => before,
        Place::List(_) => before.trim_end_matches(' ').strip_suffix('-')?,
    };
    before.bytes().all(|b| b == b' ').then(|| before.to_owned())
}

fn starts<'t>(text: &'t str, node: &Node) -> &'t str {
    slice(text, node.span.start..text.len()).trim_start_matches(BOM)
}

fn is_flow(text: &str, node: &Node) -> bool {
    let bracket = match node.value {
        Kind::Map(_) => '{',
        Kind::List(_) => '[',
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => return false,
    };
    starts(text, node).starts_with(bracket)
}

/// A section on one line, `{ a: { .. } }`.
fn flow(text: &str, node: &Node, spot: Spot<'_>, value: &Value) -> Result<String, Refusal> {
    let rendered = json::compact(value);
    let member = match spot.place {
        Place::Map(_) => format!("{}: {rendered}", scalar(spot.name)),
        Place::List(_) => rendered.clone(),
    };
    if let Some(own) = spot.find(node) {
        let end = flow_end(text, own.span.start).ok_or_else(|| refuse(own.span.clone()))?;
        return Ok(replaced(text, own.span.start..end, &rendered));
    }
    let at = node.span.start + 1;
    let children = starts_of_children(node);
    let gap = if slice(text, at..at + 1) == " " { " " } else { "" };
    Ok(replaced(text, at..at, &if children.is_empty() { format!(" {member} ") } else { format!("{gap}{member},") }))
}

fn remove_flow(text: &str, node: &Node, spot: Spot<'_>) -> Option<String> {
    let starts: Vec<usize> = match &node.value {
        Kind::List(elements) => elements.iter().map(|element| element.span.start).collect(),
        Kind::Map(_) | Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => starts_of_children(node),
    };
    let at = position(node, spot)?;
    let close = flow_end(text, node.span.start)? - 1;
    let own = *starts.get(at)?;
    Some(match starts.get(at + 1) {
        Some(next) => replaced(text, own..*next, ""),
        None if at == 0 => replaced(text, node.span.start + 1..close, ""),
        None => {
            let before = slice(text, 0..own).trim_end().trim_end_matches(',').len();
            let end = flow_end(text, spot.find(node)?.span.start)?;
            replaced(text, before..end, "")
        }
    })
}

/// Returns where a value in brackets ends.
fn flow_end(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut is_escaped = false;
    for (at, c) in slice(text, start..text.len()).char_indices() {
        match (quote, c) {
            (Some('"'), '\\') if !is_escaped => {
                is_escaped = true;
                continue;
            }
            (Some(open), c) if c == open && !is_escaped => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(start + at + 1);
                }
            }
            // A comment may hold anything.
            (None, '#') => return None,
            (None, _) => {}
        }
        is_escaped = false;
    }
    None
}

/// The lines of an entry.
fn entry(spot: Spot<'_>, value: &Value, indent: &str, newline: &str) -> String {
    match spot.place {
        Place::Map(_) => {
            let inner = format!("{indent}  ");
            [indent, &scalar(spot.name), ":", newline, &block(value, &inner, newline)].concat()
        }
        Place::List(_) => {
            let inner = format!("{indent}  ");
            let lines = block(value, &inner, newline);
            [indent, "- ", lines.strip_prefix(inner.as_str()).unwrap_or(&lines)].concat()
        }
    }
}

fn block(value: &Value, indent: &str, newline: &str) -> String {
    let line = |(name, value): &(String, Value)| match value {
        Value::Map(members) if !members.is_empty() => {
            let inner = format!("{indent}  ");
            [indent, &scalar(name), ":", newline, &block(value, &inner, newline)].concat()
        }
        Value::List(elements) => {
            let elements: Vec<String> = elements.iter().map(in_flow).collect();
            [indent, &scalar(name), ": [", &elements.join(", "), "]", newline].concat()
        }
        Value::Text(text) => [indent, &scalar(name), ": ", &scalar(text), newline].concat(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Map(_) => {
            [indent, &scalar(name), ": ", &json::compact(value), newline].concat()
        }
    };
    value.members().iter().map(line).collect()
}

fn in_flow(value: &Value) -> String {
    match value {
        Value::Text(text) if !text.contains([',', '[', ']', '{', '}']) => scalar(text),
        Value::Text(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_) => json::compact(value),
    }
}

/// A text, plain where that is beyond doubt.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '_'))
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':' | b'+' | b'=' | b'@' | b' ' | b'$'))
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !is_word(text);
    // INVARIANT: every JSON string is a YAML double-quoted one.
    if is_plain { text.to_owned() } else { json::quoted(text) }
}

/// Words that some reader of YAML takes for something else than a text.
fn is_word(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    matches!(word.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n") || word.parse::<f64>().is_ok()
}
