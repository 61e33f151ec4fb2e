//! YAML.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::{Key, Node, Span, SyntaxError, Value};

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node { value: Value::Null, span: 0..0 });
    }
    // `off` is a word here, and the name of a mode; where a truth is wanted it is taken for one later.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let tree: Spanned<Tree> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let span = error.location().map_or(0..0, |location| span(&location));
        let message = error.to_string();
        // The parser appends its own idea of the place.
        let message = message.split(" at line ").next().unwrap_or(&message).trim_end_matches(':');
        SyntaxError { message: plain(message.strip_prefix("error: ").unwrap_or(message), text, &span), span }
    })?;
    Ok(node(tree))
}

/// The parser's messages in our words: it speaks to whoever calls it, not to whoever wrote the file.
fn plain(message: &str, text: &str, span: &Span) -> String {
    if message.starts_with("duplicate mapping key") {
        let name = text.get(span.clone()).unwrap_or_default().trim().trim_matches(['"', '\'']);
        return match first_line(text, span, name) {
            Some(line) => format!("`{name}` stands here a second time; the first is in line {line}"),
            None => format!("`{name}` stands here a second time"),
        };
    }
    let known = [
        ("multiple YAML documents detected", "a second document begins here, and a file of settings is one"),
        ("budget breached", "this is too large, or too deep, to be read as settings"),
        ("alias replay", "its aliases make too much of this"),
        ("alias expansion", "its aliases make too much of this"),
        ("alias references unknown anchor", "nothing above has this name: no `&` with it"),
        ("cannot deserialize null into string", "expected a name, found nothing"),
        ("recursive references", "this refers to itself"),
    ];
    known.iter().find(|(theirs, _)| message.starts_with(theirs)).map_or(message, |(_, ours)| ours).to_owned()
}

/// Finds the line, counted from 1, in which a name of a block stands for the first time.
fn first_line(text: &str, span: &Span, name: &str) -> Option<usize> {
    let before = text.get(..span.start)?;
    let margin = before.rsplit('\n').next()?;
    if !margin.chars().all(|c| matches!(c, ' ' | '-')) {
        return None;
    }
    let mut found = None;
    for (at, line) in before.lines().enumerate().collect::<Vec<_>>().into_iter().rev() {
        let plain = line.trim_start_matches([' ', '-']);
        if plain.is_empty() || plain.starts_with('#') {
            continue;
        }
        let column = line.len() - plain.len();
        let (key, _) = plain.split_once(':').unwrap_or((plain, ""));
        if column == margin.len() && key.trim().trim_matches(['"', '\'']) == name {
            found = Some(at + 1);
        }
        // The block begins here, or ended before.
        if column < margin.len() || line.trim_start().starts_with('-') {
            break;
        }
    }
    found
}

/// A value with places, as the parser gives them.
enum Tree {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Name>, Spanned<Self>)>),
}

/// A key: `8080: x` is as good as `"8080": x`.
struct Name(String);

fn node(tree: Spanned<Tree>) -> Node {
    let start = span(&tree.referenced);
    let (value, end) = match tree.value {
        Tree::Scalar(value) => (value, start.end),
        Tree::List(elements) => {
            let elements: Vec<Node> = elements.into_iter().map(node).collect();
            let end = elements.last().map_or(start.end, |last| last.span.end);
            (Value::List(elements), end)
        }
        Tree::Map(members) => {
            let member = |(key, value): (Spanned<Name>, _)| (Key { span: span(&key.referenced), name: key.value.0 }, node(value));
            let members: Vec<(Key, Node)> = members.into_iter().map(member).collect();
            let end = members.last().map_or(start.end, |(_, last)| last.span.end);
            (Value::Map(members), end)
        }
    };
    Node { value, span: start.start..end.max(start.start) }
}

fn span(location: &Location) -> Span {
    let span = location.span();
    let start = span.byte_offset().unwrap_or_else(|| span.offset());
    let len = span.byte_len().unwrap_or_else(|| span.len());
    let bounded = |n: u64| usize::try_from(n).unwrap_or_default();
    bounded(start)..bounded(start + len)
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Number(value.into())))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Tree, E> {
        let number = serde_json::Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Tree::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Text(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Tree::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        parse(text).map_or_else(|error| error.message, |_| "fine".to_owned())
    }

    #[test]
    fn what_the_parser_says_is_said_in_our_words() {
        assert_eq!(said("a: 1\n# b: 0\nb:\n  a: 2\n'a': 3\n"), "`a` stands here a second time; the first is in line 1");
        assert_eq!(said("l:\n  - n: 0\n  - n: 1\n    x: 2\n    n: 3\n"), "`n` stands here a second time; the first is in line 3");
        assert_eq!(said("{ a: 1, a: 2 }"), "`a` stands here a second time");
        assert_eq!(said("a: *gone\n"), "nothing above has this name: no `&` with it");
        for text in ["a: 1\n---\nb: 2\n", "~: 1\n", "a: &a [*a]\n"] {
            let said = said(text);
            assert!(!said.contains("Options") && !said.contains("Option<") && !said.contains("serde"), "{said}");
        }
    }
}
