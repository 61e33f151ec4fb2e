//! Entries in the words of each client.

use crate::value::Value;

/// A server that is reached by URL.
#[derive(Clone, Debug)]
pub struct Remote<'a> {
    pub url: &'a str,
    /// The environment variable that holds the key, where one is needed.
    pub key: Option<&'a str>,
}

/// A server that the client starts.
#[derive(Clone, Debug)]
pub struct Local<'a> {
    pub command: &'a str,
    pub args: &'a [&'a str],
}

/// How a file refers to a variable of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variables {
    /// Not at all.
    None,
    /// `${NAME}`.
    Braces,
    /// `${env:NAME}`.
    Env,
    /// `{env:NAME}`.
    BareEnv,
    /// `${NAME}` and `$NAME`, anywhere in a text.
    Shell,
    /// By members that take the name.
    Named,
    /// `${{ secrets.NAME }}`, out of a store of the client's own.
    Secrets,
}

impl Variables {
    fn bearer(self, name: &str) -> String {
        match self {
            Self::None | Self::Named | Self::Secrets => String::new(),
            Self::Braces | Self::Shell => format!("Bearer ${{{name}}}"),
            Self::Env => format!("Bearer ${{env:{name}}}"),
            Self::BareEnv => format!("Bearer {{env:{name}}}"),
        }
    }
}

/// The words of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Members of every entry, before the others.
    pub(crate) always: &'static [(&'static str, Fixed)],
    /// `None` for clients that only start servers.
    pub(crate) url: Option<UrlWords>,
    pub(crate) start: StartWords,
}

/// A member that does not depend on the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fixed {
    True,
    Text(&'static str),
    Number(u32),
    /// A list of one text.
    Only(&'static str),
    /// The name of the entry.
    Name,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct UrlWords {
    /// The name of the URL.
    pub(crate) url: &'static str,
    /// What says that it is Streamable HTTP.
    pub(crate) kind: Option<(&'static str, &'static str)>,
    /// Where the headers are.
    pub(crate) headers: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct StartWords {
    pub(crate) command: &'static str,
    /// `None` where program and arguments are one list.
    pub(crate) args: Option<&'static str>,
    /// What says that it is started.
    pub(crate) kind: Option<(&'static str, &'static str)>,
}

impl Shape {
    /// Writes the entry of a URL; `None` where the client has none, or cannot keep the key out of its file.
    pub(crate) fn remote(&self, remote: &Remote<'_>, name: &str, variables: Variables) -> Option<Value> {
        let words = self.url?;
        let mut members = self.head(name, words.kind);
        members.push((words.url.to_owned(), Value::text(remote.url)));
        match (remote.key, variables) {
            (None, _) => {}
            (Some(_), Variables::None | Variables::Secrets) => return None,
            (Some(key), Variables::Named) => members.push(("bearer_token_env_var".to_owned(), Value::text(key))),
            (Some(key), _) => {
                let headers = Value::map([("Authorization", Value::text(variables.bearer(key)))]);
                let mut path = words.headers.iter().rev();
                let innermost = path.next().copied().unwrap_or("headers");
                let (name, value) = path.fold((innermost, headers), |(name, value), outer| (*outer, Value::map([(name, value)])));
                members.push((name.to_owned(), value));
            }
        }
        Some(Value::Map(members))
    }

    /// Writes the entry of a program.
    pub(crate) fn local(&self, local: &Local<'_>, name: &str) -> Value {
        let words = self.start;
        let mut members = self.head(name, words.kind);
        match words.args {
            Some(args) => {
                members.push((words.command.to_owned(), Value::text(local.command)));
                members.push((args.to_owned(), Value::texts(local.args.iter().copied())));
            }
            None => {
                let line = std::iter::once(local.command).chain(local.args.iter().copied());
                members.push((words.command.to_owned(), Value::texts(line)));
            }
        }
        Value::Map(members)
    }

    fn head(&self, name: &str, kind: Option<(&str, &str)>) -> Vec<(String, Value)> {
        let kind = kind.map(|(member, value)| (member.to_owned(), Value::text(value)));
        let fixed = self.always.iter().map(|(member, fixed)| {
            let value = match fixed {
                Fixed::True => Value::Bool(true),
                Fixed::Text(text) => Value::text(*text),
                Fixed::Number(number) => Value::Number((*number).into()),
                Fixed::Only(text) => Value::texts([*text]),
                Fixed::Name => Value::text(name),
            };
            ((*member).to_owned(), value)
        });
        kind.into_iter().chain(fixed).collect()
    }
}
