//! What a server has to be told: by its user, by its author, or not at all.

use std::collections::BTreeMap;

use crib_model::{Code, Fault};

use super::Recipe;
use crate::document::Input;

const LETTERS_MAX: usize = 200;
/// Most names that are told to those who misspell one.
const NAMES_MAX: usize = 40;

/// A text whose secret parts are names only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// A secret, by its name.
    Secret(String),
    /// A variable of whoever starts the server, by its name.
    Variable(String),
}

impl Value {
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned())])
    }

    #[must_use]
    pub fn secret(name: &str) -> Self {
        Self(vec![Piece::Secret(name.to_owned())])
    }

    #[must_use]
    pub fn variable(name: &str) -> Self {
        Self(vec![Piece::Variable(name.to_owned())])
    }

    /// Returns the text, where there is nothing else in it.
    #[must_use]
    pub fn plain(&self) -> Option<String> {
        self.0.iter().map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None }).collect()
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    pub(super) fn of(pieces: impl Iterator<Item = Piece>) -> Self {
        let mut value = Self::default();
        pieces.filter(|piece| *piece != Piece::Text(String::new())).for_each(|piece| value.push(piece));
        value
    }

    /// Puts more behind it. Texts side by side become one, so that what is made of them is seen as a whole.
    fn push(&mut self, piece: Piece) {
        match (self.0.last_mut(), piece) {
            (Some(Piece::Text(last)), Piece::Text(more)) => last.push_str(&more),
            (_, piece) => self.0.push(piece),
        }
    }

    /// Writes it as a configuration has it. What an author wrote refers to nothing there.
    #[must_use]
    pub fn to_config(&self) -> String {
        let write = |piece: &Piece| match piece {
            Piece::Text(text) => text.replace("${", "$${"),
            Piece::Secret(name) => format!("${{secret:{name}}}"),
            Piece::Variable(name) => format!("${{env:{name}}}"),
        };
        self.0.iter().map(write).collect()
    }
}

/// What the user gave, by the names of inputs.
#[derive(Clone, Debug, Default)]
pub struct Given(Vec<(String, Value)>);

impl Given {
    pub fn add(&mut self, name: &str, value: Value) {
        self.0.push((name.to_owned(), value));
    }

    /// Returns everything that was given, by name.
    #[must_use]
    pub fn into_pairs(self) -> Vec<(String, Value)> {
        self.0
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, &'a Value)> {
        self.0.iter().enumerate().filter(|(_, (known, _))| is_same(known, name)).map(|(at, (_, value))| (at, value))
    }
}

/// Flags may be named with or without their dashes, and headers in any case.
fn is_same(one: &str, other: &str) -> bool {
    one.trim_start_matches('-').eq_ignore_ascii_case(other.trim_start_matches('-'))
}

/// Something that was not told and has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub name: String,
    /// In one line that hides nothing; may be empty.
    pub description: String,
    pub is_secret: bool,
    pub choices: Vec<String>,
    pub placeholder: Option<String>,
    /// The flag that gives it: `--set city=VALUE`.
    pub flag: String,
}

/// By which flag an input is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Env,
    Set,
}

impl Input {
    /// Tells an input with something to put in from the mere name of a flag.
    pub(super) fn has_value(&self) -> bool {
        let has_text = !self.description.is_empty() || !self.format.is_empty() || self.placeholder.is_some();
        self.value.is_some() || self.default.is_some() || has_text || !self.choices.is_empty() || !self.variables.is_empty()
    }
}

/// The inputs of one server while they are filled in.
pub(super) struct Inputs<'a> {
    given: &'a Given,
    used: Vec<usize>,
    /// Every name there is, for those who misspell one.
    names: Vec<String>,
    missing: Vec<Missing>,
    places: Vec<String>,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(given: &'a Given) -> Self {
        Self { given, used: Vec::new(), names: Vec::new(), missing: Vec::new(), places: Vec::new() }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.given.of(name).next().is_some()
    }

    /// Returns the values of an input; none where it may be left out.
    pub(super) fn take(&mut self, name: &str, input: &Input, flag: Flag) -> Result<Vec<Value>, Fault> {
        self.names.push(name.to_owned());
        let given: Vec<(usize, Value)> = self.given.of(name).map(|(at, value)| (at, value.clone())).collect();
        if !given.is_empty() {
            let mut values = Vec::new();
            for (at, value) in given {
                self.used.push(at);
                values.push(self.checked(name, input, value)?);
            }
            return Ok(values);
        }
        if let Some(template) = &input.value {
            let before = self.missing.len();
            let value = self.fill(template, &input.variables)?;
            let is_whole = self.missing.len() == before;
            if !is_whole && !input.is_required {
                // Without its parts it may be left out as a whole.
                self.missing.truncate(before);
                return Ok(Vec::new());
            }
            return Ok(if is_whole { vec![value] } else { Vec::new() });
        }
        if let Some(default) = input.default.as_ref().filter(|default| !default.is_empty()) {
            return Ok(vec![Value::text(default)]);
        }
        if input.is_required {
            self.missing.push(missing(name, input, flag));
        }
        Ok(Vec::new())
    }

    /// Fills `{curly}` parts; those that nobody knows stay as they are.
    pub(super) fn fill(&mut self, template: &str, variables: &BTreeMap<String, Input>) -> Result<Value, Fault> {
        let mut filled = Value::default();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let known = after.split_once('}').and_then(|(name, after)| Some((name, variables.get(name)?, after)));
            filled.push(Piece::Text(before.to_owned()));
            let Some((name, input, after)) = known else {
                filled.push(Piece::Text("{".to_owned()));
                rest = after;
                continue;
            };
            let flat = Input { variables: BTreeMap::new(), ..input.clone() };
            let value = self.take(name, &flat, Flag::Set)?.pop();
            value.into_iter().flat_map(|Value(pieces)| pieces).for_each(|piece| filled.push(piece));
            rest = after;
        }
        filled.push(Piece::Text(rest.to_owned()));
        Ok(filled)
    }

    fn checked(&mut self, name: &str, input: &Input, value: Value) -> Result<Value, Fault> {
        let name = crate::shown(name, LETTERS_MAX);
        let wrong = |why: String| Fault::new(Code::InputInvalid, format!("the value of `{name}` is not one that it takes")).because(why);
        let Some(text) = value.plain() else { return Ok(value) };
        if input.is_secret {
            // Not repeated: it stands on a command line already.
            return Err(Fault::new(Code::InputInvalid, format!("`{name}` is a secret, and a command line is where others can read it"))
                .hint(format!("toolcrib secret set {name}   and then   --secret {name}")));
        }
        if text.contains('\0') {
            return Err(wrong("it has a zero in it".to_owned()));
        }
        if !input.choices.is_empty() && !input.choices.contains(&text) {
            let choices: Vec<String> = input.choices.iter().take(20).map(|choice| crate::shown(choice, 60)).collect();
            return Err(wrong(format!("it is one of: {}", choices.join(", "))));
        }
        match input.format.as_str() {
            "number" if text.parse::<f64>().is_err() => return Err(wrong("it is a number".to_owned())),
            "boolean" if !matches!(text.as_str(), "true" | "false") => return Err(wrong("it is `true` or `false`".to_owned())),
            _ => {}
        }
        if input.format == "filepath" || text.starts_with('/') {
            self.places.push(text);
        }
        Ok(value)
    }

    /// Writes down what is missing, and what was given and has no place.
    pub(super) fn finish(mut self, recipe: &mut Recipe) {
        let stray = self.given.0.iter().enumerate().filter(|(at, _)| !self.used.contains(at));
        recipe.stray = stray.map(|(_, given)| given.clone()).collect();
        self.names.sort();
        self.names.dedup();
        recipe.names = self.names.iter().take(NAMES_MAX).map(|name| crate::shown(name, 80)).collect();
        for one in self.missing {
            if !recipe.missing.iter().any(|known| known.name == one.name) {
                recipe.missing.push(one);
            }
        }
        for place in self.places {
            if !recipe.places.contains(&place) {
                recipe.places.push(place);
            }
        }
    }
}

fn missing(name: &str, input: &Input, flag: Flag) -> Missing {
    let name = crate::shown(name, LETTERS_MAX);
    let choices: Vec<String> = input.choices.iter().take(20).map(|choice| crate::shown(choice, 60)).collect();
    let value = if choices.is_empty() { "VALUE".to_owned() } else { choices.join("|") };
    let flag = match (input.is_secret, flag) {
        (true, _) => format!("--secret {name}"),
        (false, Flag::Env) => format!("-e {name}={value}"),
        (false, Flag::Set) => format!("--set {name}={value}"),
    };
    Missing {
        description: crate::shown(&input.description, LETTERS_MAX),
        is_secret: input.is_secret,
        placeholder: input.placeholder.as_ref().map(|text| crate::shown(text, 80)),
        choices,
        flag,
        name,
    }
}
