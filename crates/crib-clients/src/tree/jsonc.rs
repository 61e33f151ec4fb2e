//! JSON as people write it: comments and commas at the end are fine, anything else is not.

use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::{Range, Ranged as _};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{Key, Node, Span, SyntaxError, Value};

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    // Editors on Windows like to put a byte order mark in front.
    let (body, shift) = text.strip_prefix('\u{feff}').map_or((text, 0), |body| (body, '\u{feff}'.len_utf8()));
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(body, &CollectOptions::default(), &options)
        .map_err(|error| SyntaxError { message: plain(&error.kind().to_string()), span: shifted(error.range(), shift) })?;
    match parsed.value {
        Some(value) => node(&value, shift),
        None => Ok(Node { value: Value::Null, span: 0..0 }),
    }
}

fn node(ast: &Ast<'_>, shift: usize) -> Result<Node, SyntaxError> {
    let span = shifted(ast.range(), shift);
    let value = match ast {
        Ast::NullKeyword(_) => Value::Null,
        Ast::BooleanLit(literal) => Value::Bool(literal.value),
        Ast::StringLit(literal) => Value::Text(literal.value.clone().into_owned()),
        Ast::NumberLit(literal) => match serde_json::from_str(literal.value) {
            Ok(number) => Value::Number(number),
            Err(_) => return Err(SyntaxError { message: format!("`{}` is not a number", literal.value), span }),
        },
        Ast::Array(array) => Value::List(array.elements.iter().map(|element| node(element, shift)).collect::<Result<_, _>>()?),
        Ast::Object(object) => {
            let mut members: Vec<(Key, Node)> = Vec::with_capacity(object.properties.len());
            for property in &object.properties {
                let name = match &property.name {
                    ObjectPropName::String(literal) => literal.value.clone().into_owned(),
                    ObjectPropName::Word(word) => word.value.to_owned(),
                };
                let span = shifted(property.name.range(), shift);
                if members.iter().any(|(key, _)| key.name == name) {
                    return Err(SyntaxError { message: format!("`{name}` stands here a second time"), span });
                }
                members.push((Key { name, span }, node(&property.value, shift)?));
            }
            Value::Map(members)
        }
    };
    Ok(Node { value, span })
}

fn shifted(range: Range, by: usize) -> Span {
    range.start + by..range.end + by
}

/// The parser's messages in the manner of ours: in lower case and naming the character.
fn plain(message: &str) -> String {
    match message {
        "Expected comma" => "expected `,` or the closing bracket".to_owned(),
        "Expected colon after the string or word in object property" => "expected `:` after the name".to_owned(),
        "Expected string for object property" => "expected a name in double quotes".to_owned(),
        "Unterminated object" => "this `{` is never closed".to_owned(),
        "Unterminated array" => "this `[` is never closed".to_owned(),
        other => {
            let mut chars = other.chars();
            chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
        }
    }
}
