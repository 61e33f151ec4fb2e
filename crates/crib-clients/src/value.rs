//! A value without a place: what is written into a file, and what two readings of a file are compared by.

use crate::tree::{self, Node};

/// A value of a file of settings.
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    /// The number as written in JSON.
    Number(serde_json::Number),
    Text(String),
    List(Vec<Self>),
    /// Members in the order in which they are written.
    Map(Vec<(String, Self)>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Returns a list of texts.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// Returns a map of members in this order.
    #[must_use]
    pub fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        if let Self::Map(members) = self { members } else { &[] }
    }

    /// Returns the truth this says: as such, or in the words of YAML 1.1.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) => tree::truth(text),
            Self::Null | Self::Number(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(elements) => elements.is_empty(),
            Self::Map(members) => members.is_empty(),
            Self::Bool(_) | Self::Number(_) | Self::Text(_) => false,
        }
    }
}

/// The order of members says nothing.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a.len() == b.len() && a.iter().all(|(name, value)| other.member(name) == Some(value)),
            (Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) | Self::Map(_), _) => false,
        }
    }
}

impl From<&Node> for Value {
    fn from(node: &Node) -> Self {
        match &node.value {
            tree::Value::Null => Self::Null,
            tree::Value::Bool(value) => Self::Bool(*value),
            tree::Value::Number(number) => Self::Number(number.clone()),
            tree::Value::Text(text) => Self::Text(text.clone()),
            tree::Value::List(elements) => Self::List(elements.iter().map(Self::from).collect()),
            tree::Value::Map(members) => Self::Map(members.iter().map(|(key, node)| (key.name.clone(), Self::from(node))).collect()),
        }
    }
}
