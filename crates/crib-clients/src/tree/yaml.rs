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
        SyntaxError { message: message.strip_prefix("error: ").unwrap_or(message).to_owned(), span }
    })?;
    Ok(node(tree))
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
