//! TOML.

use toml_parser::parser::{EventReceiver, parse_document};
use toml_parser::{ErrorSink, Source, decoder::Encoding};

use super::{Place, Refusal, Spot, json};
use crate::text::{before_line_end, line_end, line_start, line_stop, next_line, replaced, slice};
use crate::tree::{Node, Span, Value as Kind};
use crate::value::Value;

pub(super) fn upsert(text: &str, root: &Node, spot: Spot<'_>, value: &Value) -> Result<String, Refusal> {
    let headers = headers(text);
    if let Some(node) = super::descend(root, spot.place.path()).and_then(|node| spot.find(node)) {
        return update(text, node, &headers, spot, value);
    }
    match super::descend(root, spot.place.path()) {
        Some(node) if is_inline(text, node) => Ok(insert_inline(text, node, spot, value)),
        _ => Ok(append(text, spot, value)),
    }
}

pub(super) fn remove(text: &str, root: &Node, spot: Spot<'_>) -> Result<String, Refusal> {
    let headers = headers(text);
    let container = super::descend(root, spot.place.path()).unwrap_or(root);
    if is_inline(text, container) {
        return remove_inline(text, container, spot);
    }
    let mut blocks = blocks(text, &headers, spot, container);
    if blocks.is_empty() {
        return remove_line(text, container, spot);
    }
    let mut out = text.to_owned();
    blocks.reverse();
    for block in blocks {
        out = without_block(&out, block);
    }
    Ok(out)
}

/// A table's header.
#[derive(Debug, Default)]
struct Header {
    start: usize,
    is_array: bool,
    path: Vec<String>,
    /// Behind the last thing that belongs to the table.
    end: usize,
}

/// Collects the headers of a text.
struct Collector<'s> {
    source: Source<'s>,
    headers: Vec<Header>,
    is_open: bool,
}

impl Collector<'_> {
    fn open(&mut self, span: toml_parser::Span, is_array: bool) {
        self.is_open = true;
        self.headers.push(Header { start: span.start(), is_array, path: Vec::new(), end: span.end() });
    }

    fn close(&mut self, span: toml_parser::Span) {
        self.is_open = false;
        self.reach(span);
    }

    fn reach(&mut self, span: toml_parser::Span) {
        if let Some(header) = self.headers.last_mut() {
            header.end = span.end();
        }
    }
}

impl EventReceiver for Collector<'_> {
    fn std_table_open(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.open(span, false);
    }

    fn std_table_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn array_table_open(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.open(span, true);
    }

    fn array_table_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.close(span);
    }

    fn simple_key(&mut self, span: toml_parser::Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        if !self.is_open {
            return;
        }
        let mut name = std::borrow::Cow::Borrowed("");
        if let Some(raw) = self.source.get(span) {
            toml_parser::Raw::new_unchecked(raw.as_str(), encoding, span).decode_key(&mut name, error);
        }
        if let Some(header) = self.headers.last_mut() {
            header.path.push(name.into_owned());
        }
    }

    fn scalar(&mut self, span: toml_parser::Span, _: Option<Encoding>, _: &mut dyn ErrorSink) {
        self.reach(span);
    }

    fn array_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.reach(span);
    }

    fn inline_table_close(&mut self, span: toml_parser::Span, _: &mut dyn ErrorSink) {
        self.reach(span);
    }
}

fn headers(text: &str) -> Vec<Header> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut collector = Collector { source, headers: Vec::new(), is_open: false };
    // The text was read before: there is nothing to complain about.
    parse_document(&tokens, &mut collector, &mut ());
    collector.headers
}

/// Returns the blocks of the entry: its own and those of the tables inside it.
fn blocks(text: &str, headers: &[Header], spot: Spot<'_>, container: &Node) -> Vec<Span> {
    let path = spot.place.path();
    let block = |header: &Header| header.start..line_stop(text, header.end);
    match spot.place {
        Place::Map(_) => {
            let is_ours =
                |header: &&Header| header.path.iter().map(String::as_str).take(path.len() + 1).eq(path.iter().copied().chain([spot.name]));
            headers.iter().filter(is_ours).map(block).collect()
        }
        Place::List(_) => {
            let elements = container.as_list().unwrap_or_default();
            let at = elements.iter().position(|node| node.get("name").and_then(Node::as_text) == Some(spot.name));
            let is_below = |header: &&Header| header.path.iter().map(String::as_str).take(path.len()).eq(path.iter().copied());
            let mut count = 0;
            let mut found = Vec::new();
            for header in headers.iter().filter(is_below) {
                count += usize::from(header.is_array && header.path.len() == path.len());
                if at.is_some_and(|at| count == at + 1) {
                    found.push(block(header));
                }
            }
            found
        }
    }
}

fn update(text: &str, node: &Node, headers: &[Header], spot: Spot<'_>, value: &Value) -> Result<String, Refusal> {
    if is_inline(text, node) {
        return Ok(replaced(text, node.span.clone(), &inline(&spot.element(value))));
    }
    let container = spot.place.path();
    let mut blocks = blocks_of_entry(text, headers, spot, node, container);
    let Some(own) = (!blocks.is_empty()).then(|| blocks.remove(0)) else {
        return Err(Refusal::new("this entry is written with dotted names", node.span.clone()));
    };
    // Tables inside the entry that are not about reaching the server stay where they are.
    let mut kept = Vec::new();
    let mut out = text.to_owned();
    for (name, block) in blocks.into_iter().rev() {
        if super::REACH.contains(&name.as_str()) || value.member(&name).is_none() {
            out = without_block(&out, block);
        } else {
            kept.push(name);
        }
    }
    let members = spot.element(value).members().iter().filter(|(name, _)| !kept.contains(name)).cloned().collect();
    let lines = lines(&Value::Map(members), line_end(text));
    let header = slice(text, own.1.start..line_stop(text, own.1.start));
    Ok(replaced(&out, own.1, &[header, line_end(text), &lines].concat()))
}

/// Returns the blocks of an entry with the name of the member each is for, its own first.
fn blocks_of_entry(text: &str, headers: &[Header], spot: Spot<'_>, node: &Node, path: &[&str]) -> Vec<(String, Span)> {
    // The list around the node is found by the node itself.
    let list = Node { value: Kind::List(vec![node.clone()]), span: node.span.clone() };
    let spans = match spot.place {
        Place::Map(_) => blocks(text, headers, spot, &list),
        Place::List(_) => {
            let own = headers.iter().position(|header| header.is_array && header.start <= node.span.start && node.span.start <= header.end);
            let Some(own) = own else { return Vec::new() };
            let inside = headers.iter().skip(own + 1).take_while(|header| header.path.len() > path.len());
            headers.get(own).into_iter().chain(inside).map(|header| header.start..line_stop(text, header.end)).collect()
        }
    };
    let name = |span: &Span| {
        let header = headers.iter().find(|header| header.start == span.start)?;
        header.path.get(path.len() + usize::from(matches!(spot.place, Place::Map(_)))).cloned()
    };
    spans.into_iter().map(|span| (name(&span).unwrap_or_default(), span)).collect()
}

fn append(text: &str, spot: Spot<'_>, value: &Value) -> String {
    let newline = line_end(text);
    let path = spot.place.path().join(".");
    let element = spot.element(value);
    let head = match spot.place {
        Place::Map(_) => format!("[{path}.{}]", key(spot.name)),
        Place::List(_) => format!("[[{path}]]"),
    };
    let block = [&head, newline, &lines(&element, newline)].concat();
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        let mark = if text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
        return [mark, &block, newline].concat();
    }
    if text.ends_with('\n') { [text, newline, &block, newline].concat() } else { [text, newline, newline, &block].concat() }
}

/// Takes out a block with the empty line before it.
fn without_block(text: &str, block: Span) -> String {
    let start = line_start(text, block.start);
    let is_last_line = next_line(text, block.end) >= text.len() && !text.ends_with('\n');
    if is_last_line {
        let before = before_line_end(text, start);
        return replaced(text, before_line_end(text, before)..text.len(), "");
    }
    let end = next_line(text, block.end);
    let before = before_line_end(text, start);
    let is_apart = before < start && (before == 0 || slice(text, 0..before).ends_with('\n'));
    replaced(text, if is_apart { before } else { start }..end, "")
}

/// Takes out `NAME = { .. }` below `[mcp_servers]`.
fn remove_line(text: &str, container: &Node, spot: Spot<'_>) -> Result<String, Refusal> {
    let refused = || Refusal::new("this entry is written with dotted names", container.span.clone());
    let members = container.as_map().ok_or_else(refused)?;
    let (key, node) = members.iter().find(|(key, _)| key.name == spot.name).ok_or_else(refused)?;
    if !is_inline(text, node) {
        return Err(refused());
    }
    Ok(replaced(text, line_start(text, key.span.start)..next_line(text, node.span.end), ""))
}

fn is_inline(text: &str, node: &Node) -> bool {
    let start = slice(text, node.span.clone());
    match node.value {
        Kind::Map(_) => start.starts_with('{'),
        Kind::List(_) => start.starts_with('[') && !start.starts_with("[["),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => false,
    }
}

/// Puts the entry in front of the others, where no comma can be wrong.
fn insert_inline(text: &str, container: &Node, spot: Spot<'_>, value: &Value) -> String {
    let at = container.span.start + 1;
    let entry = match spot.place {
        Place::Map(_) => format!("{} = {}", key(spot.name), inline(value)),
        Place::List(_) => inline(&spot.element(value)),
    };
    let is_empty = container.as_map().is_none_or(<[_]>::is_empty) && container.as_list().is_none_or(<[_]>::is_empty);
    let space = if matches!(spot.place, Place::Map(_)) { " " } else { "" };
    replaced(text, at..at, &if is_empty { format!("{space}{entry}{space}") } else { format!("{space}{entry},") })
}

fn remove_inline(text: &str, container: &Node, spot: Spot<'_>) -> Result<String, Refusal> {
    let spans: Vec<Span> = match &container.value {
        Kind::Map(members) => members.iter().map(|(key, node)| key.span.start..node.span.end).collect(),
        Kind::List(elements) => elements.iter().map(|node| node.span.clone()).collect(),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => Vec::new(),
    };
    let at = match &container.value {
        Kind::Map(members) => members.iter().position(|(key, _)| key.name == spot.name),
        Kind::List(elements) => elements.iter().position(|node| node.get("name").and_then(Node::as_text) == Some(spot.name)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => None,
    };
    let own = at.and_then(|at| spans.get(at)).ok_or_else(|| Refusal::new("the entry is not here", container.span.clone()))?;
    let next = spans.iter().map(|span| span.start).filter(|start| *start > own.start).min();
    let previous = spans.iter().map(|span| span.end).filter(|end| *end <= own.start).max();
    Ok(match (previous, next) {
        // The blank in front of the entry becomes the blank in front of the next one.
        (_, Some(next)) => replaced(text, own.start..next, ""),
        (Some(previous), None) => replaced(text, previous..own.end, ""),
        (None, None) => replaced(text, container.span.start + 1..container.span.end - 1, ""),
    })
}

/// `name = value` lines.
fn lines(value: &Value, newline: &str) -> String {
    let line = |(name, value): &(String, Value)| format!("{} = {}", key(name), inline(value));
    value.members().iter().filter(|(_, value)| !matches!(value, Value::Null)).map(line).collect::<Vec<_>>().join(newline)
}

fn inline(value: &Value) -> String {
    match value {
        Value::Map(members) => {
            let members = members.iter().filter(|(_, value)| !matches!(value, Value::Null));
            let members: Vec<String> = members.map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
        }
        Value::List(elements) => format!("[{}]", elements.iter().map(inline).collect::<Vec<_>>().join(", ")),
        // INVARIANT: every JSON string is a TOML basic string, but for the one control character JSON does not escape.
        Value::Text(text) => json::quoted(text).replace('\u{7f}', "\\u007f"),
        Value::Null | Value::Bool(_) | Value::Number(_) => json::compact(value),
    }
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if is_bare { name.to_owned() } else { json::quoted(name) }
}
