//! TOML.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Key, Node, SyntaxError, Value};

pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let table = DeTable::parse(text)
        .map_err(|error| SyntaxError { message: error.message().to_owned(), span: error.span().unwrap_or_default() })?;
    let span = table.span();
    Ok(Node { value: map(table.get_ref())?, span })
}

fn map(table: &DeTable<'_>) -> Result<Value, SyntaxError> {
    let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        Ok((Key { name: name.clone().into_owned(), span: key.span() }, node(value)?))
    };
    let mut members = table.iter().map(member).collect::<Result<Vec<_>, SyntaxError>>()?;
    members.sort_by_key(|(key, _)| key.span.start);
    Ok(Value::Map(members))
}

fn node(spanned: &Spanned<DeValue<'_>>) -> Result<Node, SyntaxError> {
    let span = spanned.span();
    let number = |text: &str| {
        let refused = |_| SyntaxError { message: format!("`{text}` is not a number a setting can have"), span: span.clone() };
        serde_json::from_str(text).map(Value::Number).map_err(refused)
    };
    let value = match spanned.get_ref() {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Integer(integer) if integer.radix() == 10 => number(integer.as_str().trim_start_matches('+'))?,
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) => Value::Number(value.into()),
            Err(error) => return Err(SyntaxError { message: error.to_string(), span }),
        },
        DeValue::Float(float) => number(float.as_str().trim_start_matches('+'))?,
        DeValue::Datetime(datetime) => Value::Text(datetime.to_string()),
        DeValue::Array(array) => Value::List(array.iter().map(node).collect::<Result<_, _>>()?),
        DeValue::Table(table) => map(table)?,
    };
    Ok(Node { value, span })
}
