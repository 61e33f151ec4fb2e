//! What the author of an image wants of the engine that runs it: variables and folders are given, as far as they are
//! granted, and nothing else is.

use crib_model::Fault;

use super::input::{Inputs, Piece, Value};
use super::{Recipe, is_variable, put};
use crate::document::Argument;

/// What every engine is told, and what is so here anyway.
const IDLE: &[&str] = &["run", "-i", "--interactive", "--rm", "-q", "--quiet", "--init", "-it", "-t", "--tty"];
const TEXT_CHARS_MAX: usize = 100;

/// Puts the arguments of an engine where they belong.
pub(super) fn arguments(arguments: &[Argument], inputs: &mut Inputs<'_>, recipe: &mut Recipe) -> Result<(), Fault> {
    let mut words = Vec::new();
    for argument in arguments {
        let mut one = Recipe::default();
        put(argument, inputs, &mut one)?;
        words.append(&mut one.args);
    }
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let flag = word.head();
        if IDLE.contains(&flag.as_str()) {
            continue;
        }
        let (flag, joined) =
            word.split('=').filter(|(name, _)| name.starts_with("--")).map_or((flag, None), |(name, rest)| (name, Some(rest)));
        let value = joined.or_else(|| words.next_if(|next| !next.head().starts_with('-') && flag.starts_with('-')));
        let is_done = match (flag.as_str(), &value) {
            ("-e" | "--env", Some(value)) => variable(value, recipe),
            ("-v" | "--volume", Some(value)) => place(value.plain().as_deref().and_then(volume), recipe),
            ("--mount", Some(value)) => place(value.plain().as_deref().and_then(mount), recipe),
            _ => false,
        };
        if !is_done {
            let text = format!("{flag} {}", value.map(|value| value.to_config()).unwrap_or_default());
            recipe.ignored.push(crate::shown(text.trim(), TEXT_CHARS_MAX));
        }
    }
    Ok(())
}

/// `NAME=VALUE`, or `NAME` for what whoever starts it has.
fn variable(value: &Value, recipe: &mut Recipe) -> bool {
    let (name, value) = value.split('=').unwrap_or_else(|| (value.head(), Value::variable(&value.head())));
    let is_one = is_variable(&name);
    if is_one {
        recipe.env.push((name, value));
    }
    is_one
}

/// A folder that is at the same path inside can be granted; who grants it is asked.
fn place(bind: Option<(String, String)>, recipe: &mut Recipe) -> bool {
    let Some((from, _)) = bind.filter(|(from, to)| from.starts_with('/') && from.trim_end_matches('/') == to.trim_end_matches('/')) else {
        return false;
    };
    if !recipe.places.contains(&from) {
        recipe.places.push(from);
    }
    true
}

/// Reads `HOST:CONTAINER[:OPTIONS]`.
fn volume(text: &str) -> Option<(String, String)> {
    let mut parts = text.split(':');
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}

/// Reads `type=bind,src=HOST,dst=CONTAINER`.
fn mount(text: &str) -> Option<(String, String)> {
    let part = |names: &[&str]| text.split(',').filter_map(|part| part.split_once('=')).find(|(name, _)| names.contains(name));
    part(&["type"]).filter(|(_, kind)| *kind == "bind")?;
    let value = |names: &[&str]| part(names).map(|(_, value)| value.to_owned());
    Some((value(&["source", "src"])?, value(&["destination", "dst", "target"])?))
}

impl Value {
    /// Returns the text that it begins with.
    fn head(&self) -> String {
        if let Some(Piece::Text(text)) = self.pieces().first() { text.clone() } else { String::new() }
    }

    /// Takes it apart at the first mark, if that is in the text it begins with.
    fn split(&self, mark: char) -> Option<(String, Self)> {
        let (first, rest) = self.pieces().split_first()?;
        let Piece::Text(text) = first else { return None };
        let (name, value) = text.split_once(mark)?;
        Some((name.to_owned(), Self::of(std::iter::once(Piece::Text(value.to_owned())).chain(rest.iter().cloned()))))
    }
}
