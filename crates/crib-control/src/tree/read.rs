//! From a tree to a type, so that every complaint knows its place.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{Key, Node, Span, Value};

/// Why a tree is not the type, and where.
#[derive(Clone, Debug)]
pub(crate) struct ReadError {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The innermost place that is known.
    pub(crate) span: Option<Span>,
}

/// Reads a type from a tree.
pub(crate) fn read<T: DeserializeOwned>(node: &Node) -> Result<T, ReadError> {
    T::deserialize(Reader(node)).map_err(|error| error.at(&node.span))
}

impl ReadError {
    fn at(mut self, span: &Span) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }

    /// "did you mean" where a name comes close, else the names there are.
    fn choices(wrong: &str, names: &'static [&'static str]) -> Option<String> {
        match crate::nearest(wrong, names.iter().copied()) {
            Some(name) => Some(format!("did you mean `{name}`?")),
            None if names.is_empty() => None,
            None => Some(format!("known here: {}", names.join(", "))),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), hint: None, span: None }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "what a tree never holds is said in serde's words")]
        let found = match unexpected {
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("the number {value}"),
            Unexpected::Signed(value) => format!("the number {value}"),
            Unexpected::Float(value) => format!("the number {value}"),
            Unexpected::Str(text) => format!("the text `{text}`"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a map".to_owned(),
            Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
            other => other.to_string(),
        };
        Self::custom(format!("expected {}, found {found}", plain(&expected.to_string())))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        if let Unexpected::Unsigned(value) = unexpected {
            Self::custom(format!("{value} is too large"))
        } else if let Unexpected::Signed(value @ ..0) = unexpected {
            Self::custom(format!("{value} is less than nothing"))
        } else {
            Self::invalid_type(unexpected, expected)
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self { message: format!("unknown field `{field}`"), hint: Self::choices(field, expected), span: None }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self { message: format!("`{variant}` is not one of {}", expected.join(", ")), hint: Self::choices(variant, expected), span: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is missing"))
    }
}

/// What serde calls things, in the words of a file of settings.
fn plain(expected: &str) -> String {
    match expected {
        "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "u16" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        other if other.starts_with("struct ") => "a map".to_owned(),
        other => other.to_owned(),
    }
}

struct Reader<'a>(&'a Node);

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let result = match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            Value::Text(text) => visitor.visit_str(text),
            Value::List(elements) => visitor.visit_seq(Elements(elements.iter())),
            Value::Map(members) => visitor.visit_map(Entries { members: members.iter(), value: None }),
        };
        result.map_err(|error: ReadError| error.at(&self.0.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if matches!(self.0.value, Value::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    /// A number or truth value where a text is wanted is a text: `PORT: 8080` and `DEBUG: true` in `env`.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.value {
            Value::Number(number) => visitor.visit_string(number.to_string()).map_err(|error: ReadError| error.at(&self.0.span)),
            Value::Bool(value) => visitor.visit_string(value.to_string()).map_err(|error: ReadError| error.at(&self.0.span)),
            Value::Null | Value::Text(_) | Value::List(_) | Value::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        // A variable gives a text where the setting is a number.
        match self.0.as_text().and_then(|text| text.parse().ok()) {
            Some(number) => visitor.visit_u64(number).map_err(|error: ReadError| error.at(&self.0.span)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.as_bool() {
            Some(value) => visitor.visit_bool(value),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let Some(text) = self.0.as_text() else {
            return Err(ReadError::custom(format!("expected one of {}, found {}", variants.join(", "), self.0.kind())).at(&self.0.span));
        };
        let text: StrDeserializer<'_, ReadError> = StrDeserializer::new(text);
        text.deserialize_enum(name, variants, visitor).map_err(|error| error.at(&self.0.span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    /// A section that is named and left empty has its defaults.
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.value {
            Value::Null => {
                visitor.visit_map(Entries { members: [].iter(), value: None }).map_err(|error: ReadError| error.at(&self.0.span))
            }
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0.value {
            Value::Null => visitor.visit_seq(Elements([].iter())).map_err(|error: ReadError| error.at(&self.0.span)),
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Elements<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(node)).map(Some).map_err(|error| error.at(&node.span))
    }
}

struct Entries<'a> {
    members: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, node)) = self.members.next() else { return Ok(None) };
        self.value = Some(node);
        let name: StrDeserializer<'_, ReadError> = StrDeserializer::new(&key.name);
        seed.deserialize(name).map(Some).map_err(|error| error.at(&key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(node) = self.value.take() else { return Err(ReadError::custom("a value without a name")) };
        seed.deserialize(Reader(node)).map_err(|error| error.at(&node.span))
    }
}
