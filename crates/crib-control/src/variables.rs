//! `${env:NAME}` and its relatives, of every dialect, by one resolver.

use std::path::Path;

use crib_clients::Writing;
use crib_store::SecretName;

use crate::inputs::{self, Input};
use crate::secrets;
use crate::tree::{Node, Span, Value};
use crate::world::World;

/// Which spellings count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Files of programs that know no variables: none.
    Literal,
    /// Our own files, and those of programs that write like this: nothing but `${…}`.
    Braces,
    /// Files of other programs: also `{env:NAME}`, `{file:PATH}`, `${{ secrets.NAME }}`, and a text that is `$NAME` or
    /// `%NAME%` as a whole.
    Foreign,
    /// Files of programs that write like a shell: also `$NAME` anywhere in a text.
    Shell,
}

/// What texts are read with.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) spelling: Spelling,
    pub(crate) world: &'a dyn World,
    /// The folder that is meant by `${workspaceFolder}`.
    pub(crate) workspace: &'a Path,
    /// What the file has its user asked for.
    pub(crate) inputs: &'a [Input],
    /// Whether a secret may stand here.
    pub(crate) keeps_secrets: bool,
}

impl<'a> Reading<'a> {
    /// How our own files are read.
    pub(crate) fn own(world: &'a dyn World) -> Self {
        Self { spelling: Spelling::Braces, world, workspace: world.directory(), inputs: &[], keeps_secrets: true }
    }
}

impl From<Writing> for Spelling {
    fn from(writing: Writing) -> Self {
        match writing {
            Writing::Literal => Self::Literal,
            Writing::Braces => Self::Braces,
            Writing::Other => Self::Foreign,
            Writing::Shell => Self::Shell,
        }
    }
}

/// Members of a foreign server that become variables and headers, in which a secret may stand.
const KEEPERS: &[&str] = &["env", "envs", "environment", "headers", "http_headers", "requestOptions", "apiKey"];

/// Finds a reference to a secret below a node, but for the members that may hold one.
pub(crate) fn stray_secret(node: &Node, may: &[&str]) -> Option<Span> {
    match &node.value {
        Value::Text(text) => secrets::is_marked(text).then(|| node.span.clone()),
        Value::List(elements) => elements.iter().find_map(|element| stray_secret(element, may)),
        Value::Map(members) => {
            members.iter().filter(|(key, _)| !may.contains(&key.name.as_str())).find_map(|(_, member)| stray_secret(member, may))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A variable that has no value, and where it is used.
#[derive(Clone, Debug)]
pub(crate) struct Unset {
    /// What is written can be right: another environment has a value for it.
    pub(crate) may_be_set: bool,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) span: Span,
}

/// Puts values in the place of variables, in every text below the node.
pub(crate) fn expand(node: &mut Node, source: &str, reading: Reading<'_>) -> Result<(), Unset> {
    match &mut node.value {
        Value::Text(text) if secrets::is_marked(text) => {
            let message = "U+FDD0 or U+FDD1 is no character: this program has a use of its own for it".to_owned();
            Err(Unset { may_be_set: false, message, hint: None, span: node.span.clone() })
        }
        Value::Text(text) => {
            let expanded = expand_text(text, reading).map_err(|missing| missing.place(source, &node.span))?;
            *text = expanded;
            Ok(())
        }
        Value::List(elements) => elements.iter_mut().try_for_each(|element| expand(element, source, reading)),
        Value::Map(members) => members.iter_mut().try_for_each(|(_, member)| expand(member, source, reading)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// The same for one server of many: what has no value here becomes empty, and is returned.
///
/// # Errors
/// Something is written that has no value anywhere.
pub(crate) fn expand_server(node: &mut Node, source: &str, reading: Reading<'_>) -> Result<Option<Unset>, Unset> {
    let mut first = None;
    let Value::Map(members) = &mut node.value else { return Ok(None) };
    for (key, member) in members {
        let reading = Reading { keeps_secrets: KEEPERS.contains(&key.name.as_str()), ..reading };
        each_text(member, &mut |node| match expand(node, source, reading) {
            Err(unset) if unset.may_be_set => {
                node.value = Value::Text(String::new());
                first.get_or_insert(unset);
                Ok(())
            }
            other => other,
        })?;
    }
    Ok(first)
}

/// Finds the inputs a server uses that the environment does not answer: those an answer can be kept for.
pub(crate) fn wanted(node: &Node, reading: Reading<'_>) -> Vec<Input> {
    let mut found: Vec<Input> = Vec::new();
    for (key, member) in node.as_map().unwrap_or_default() {
        let keeps_secrets = KEEPERS.contains(&key.name.as_str());
        each_written(member, &mut |text| {
            let inputs = inputs::named(text).filter_map(|id| reading.inputs.iter().find(|input| input.id == id));
            for input in inputs.filter(|input| keeps_secrets || !input.is_password) {
                if !found.contains(input) && reading.world.variable(&inputs::variable(&input.id)).is_none() {
                    found.push(input.clone());
                }
            }
        });
    }
    found
}

/// Does something with every text below a node.
fn each_written(node: &Node, deed: &mut impl FnMut(&str)) {
    match &node.value {
        Value::Text(text) => deed(text),
        Value::List(elements) => elements.iter().for_each(|element| each_written(element, deed)),
        Value::Map(members) => members.iter().for_each(|(_, member)| each_written(member, deed)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Does something to every text below a node.
fn each_text(node: &mut Node, deed: &mut impl FnMut(&mut Node) -> Result<(), Unset>) -> Result<(), Unset> {
    match &mut node.value {
        Value::List(elements) => elements.iter_mut().try_for_each(|element| each_text(element, deed)),
        Value::Map(members) => members.iter_mut().try_for_each(|(_, member)| each_text(member, deed)),
        Value::Text(_) | Value::Null | Value::Bool(_) | Value::Number(_) => deed(node),
    }
}

#[derive(Debug)]
struct Missing {
    may_be_set: bool,
    /// The variable as written, `${env:NAME}`.
    written: String,
    message: String,
    hint: Option<String>,
}

impl Missing {
    /// Finds the variable itself inside the text's place.
    fn place(self, source: &str, span: &Span) -> Unset {
        let inside = source.get(span.clone()).and_then(|text| text.find(&self.written));
        let span = inside.map_or_else(|| span.clone(), |at| span.start + at..span.start + at + self.written.len());
        Unset { may_be_set: self.may_be_set, message: self.message, hint: self.hint, span }
    }
}

fn expand_text(text: &str, reading: Reading<'_>) -> Result<String, Missing> {
    let spelling = reading.spelling;
    if spelling == Spelling::Literal {
        return Ok(text.to_owned());
    }
    if matches!(spelling, Spelling::Foreign | Spelling::Shell)
        && let Some(name) = whole_variable(text)
    {
        return resolved(text, name, reading);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, written, inner, after)) = next_variable(rest, spelling) {
        out.push_str(before);
        // `$${x}` is how a literal `${x}` is written.
        if out.ends_with('$') && written.starts_with('$') {
            out.pop();
            out.push_str(written);
        } else {
            out.push_str(&resolved(written, inner, reading)?);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// `$NAME` or `%NAME%` and nothing else.
fn whole_variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("$env:").or_else(|| text.strip_prefix('$')).or_else(|| text.strip_prefix('%')?.strip_suffix('%'))?;
    is_name(name).then_some(name)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether the value of such a variable is nobody's business.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|end| name.ends_with(end))
}

/// Splits a text around its next variable: before, as written, what is inside the braces, after.
fn next_variable(text: &str, spelling: Spelling) -> Option<(&str, &str, &str, &str)> {
    let braced = next_braced(text, spelling);
    if spelling == Spelling::Shell
        && let Some(bare) = next_bare(text)
        && braced.is_none_or(|(before, ..)| bare.0.len() < before.len())
    {
        return Some(bare);
    }
    braced
}

/// Finds the next `$NAME`.
fn next_bare(text: &str) -> Option<(&str, &str, &str, &str)> {
    let mut from = 0;
    while let Some(start) = text.get(from..)?.find('$').map(|at| at + from) {
        let rest = text.get(start + 1..)?;
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest.get(..len)?;
        if is_name(name) {
            return Some((text.get(..start)?, text.get(start..=start + len)?, name, rest.get(len..)?));
        }
        from = start + 1;
    }
    None
}

/// Finds the next variable in braces.
fn next_braced(text: &str, spelling: Spelling) -> Option<(&str, &str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text.get(from..)?.find('{').map(|at| at + from) {
        let dollar = text.get(..open)?.ends_with('$');
        let close = text.get(open..)?.find('}')? + open;
        let inner = text.get(open + 1..close)?;
        // Continue: `${{ secrets.NAME }}`.
        if spelling == Spelling::Foreign
            && dollar
            && let Some(name) = inner.strip_prefix('{').and_then(|inner| inner.trim().strip_prefix("secrets."))
            && text.get(close + 1..)?.starts_with('}')
        {
            return Some((text.get(..open - 1)?, text.get(open - 1..=close + 1)?, name, text.get(close + 2..)?));
        }
        let is_bare = spelling == Spelling::Foreign && (inner.starts_with("env:") || inner.starts_with("file:"));
        if dollar || is_bare {
            let start = if dollar { open - 1 } else { open };
            return Some((text.get(..start)?, text.get(start..=close)?, inner, text.get(close + 1..)?));
        }
        from = open + 1;
    }
    None
}

/// Returns what stands for a variable. No value can pass for a reference to a secret.
fn resolved(written: &str, inner: &str, reading: Reading<'_>) -> Result<String, Missing> {
    let value = match inner.strip_prefix("input:") {
        Some(id) => answered(written, id, reading)?,
        None => Resolved { is_reference: inner.starts_with("secret:"), value: resolve(written, inner, reading)? },
    };
    let Resolved { value, is_reference } = value;
    if secrets::is_marked(&value) && !is_reference {
        let message = "the value holds U+FDD0 or U+FDD1, which is no character".to_owned();
        return Err(Missing { may_be_set: false, written: written.to_owned(), message, hint: None });
    }
    Ok(value)
}

/// What stands for a variable, and whether it is the name of a secret yet.
struct Resolved {
    value: String,
    is_reference: bool,
}

/// Answers an `${input:ID}`: by the environment, else by what was answered before.
fn answered(written: &str, id: &str, reading: Reading<'_>) -> Result<Resolved, Missing> {
    let missing = |message: String, hint: String| Missing { may_be_set: true, written: written.to_owned(), message, hint: Some(hint) };
    let variable = inputs::variable(id);
    if let Some(value) = reading.world.variable(&variable) {
        return Ok(Resolved { value, is_reference: false });
    }
    let Some(input) = reading.inputs.iter().find(|input| input.id == id) else {
        let known: Vec<&str> = reading.inputs.iter().map(|input| input.id.as_str()).collect();
        return Err(match crate::nearest(id, known.iter().copied()) {
            Some(near) => missing(format!("`{id}` is none of the file's inputs"), format!("did you mean `{near}`?")),
            None if known.is_empty() => missing(format!("the input `{id}` has no value"), format!("set the variable {variable}")),
            None => missing(format!("`{id}` is none of the file's inputs"), format!("its inputs: {}", known.join(", "))),
        });
    };
    if reading.keeps_secrets {
        return Ok(Resolved { value: secrets::reference(&input.secret), is_reference: true });
    }
    if input.is_password {
        let message = format!("the input {} is a password, and everybody on this machine can read arguments and addresses", input.title());
        return Err(missing(message, format!("give it by `env` or `headers`, or set the variable {variable}")));
    }
    match reading.world.answer(&input.secret) {
        Some(value) => Ok(Resolved { value, is_reference: false }),
        None => Err(missing(format!("the input {} has no value", input.title()), input.remedy())),
    }
}

fn resolve(written: &str, inner: &str, reading: Reading<'_>) -> Result<String, Missing> {
    let world = reading.world;
    let missing = |message: String, hint: Option<String>| Missing { may_be_set: true, written: written.to_owned(), message, hint };
    let (inner, default) = match inner.split_once(":-") {
        Some((inner, default)) => (inner, Some(default)),
        None => (inner, None),
    };
    let (kind, name) = inner.split_once(':').unwrap_or(("env", inner));
    match (kind, name) {
        ("env", "cwd") => return Ok(world.directory().display().to_string()),
        ("env", "workspaceFolder" | "workspace") => return Ok(reading.workspace.display().to_string()),
        ("env", "workspaceFolderBasename") => {
            return Ok(reading.workspace.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default());
        }
        ("env", "userHome") => return home(written, world),
        ("env", "pathSeparator" | "/") => return Ok(std::path::MAIN_SEPARATOR.to_string()),
        _ => {}
    }
    match kind {
        "env" if is_name(name) => match (world.variable(name), default) {
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (Some(value), _) => Ok(value),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => {
                // The default of a secret would stand in the file.
                let hint = if is_secret(name) {
                    format!("set it before: export {name}=…")
                } else {
                    format!("set it, or give a default: ${{{name}:-value}}")
                };
                Err(missing(format!("the environment variable `{name}` is not set"), Some(hint)))
            }
        },
        // The name stays; the value comes when the server is started.
        "secret" => match SecretName::parse(name) {
            Ok(name) => Ok(secrets::reference(&name)),
            Err(error) => {
                let hint = "write ${secret:NAME}, and give it a value: toolcrib secret set NAME".to_owned();
                Err(Missing { may_be_set: false, ..missing(error.to_string(), Some(hint)) })
            }
        },
        "file" => {
            let path = world.absolute(Path::new(name));
            let text = world.read(&path).map_err(|error| missing(format!("cannot read `{name}`: {error}"), None))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        _ => {
            let hint = "write ${NAME}, ${NAME:-default}, ${env:NAME}, ${secret:NAME} or ${file:PATH}; a literal ${ is $${".to_owned();
            Err(Missing { may_be_set: false, ..missing(format!("`{written}` is not a variable"), Some(hint)) })
        }
    }
}

fn home(written: &str, world: &dyn World) -> Result<String, Missing> {
    match world.home() {
        Some(home) => Ok(home.display().to_string()),
        None => Err(Missing {
            may_be_set: true,
            written: written.to_owned(),
            message: "there is no home directory".to_owned(),
            hint: Some("set HOME".to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Fixed;

    #[track_caller]
    fn check(text: &str, spelling: Spelling, expected: &str) {
        let world = Fixed::new("/srv/app").with("NAME", "value").with("EMPTY", "").with("TOOLCRIB_INPUT_API_KEY", "k");
        let reading = Reading { spelling, ..Reading::own(&world) };
        let found = expand_text(text, reading).unwrap_or_else(|missing| format!("! {}", missing.message));
        assert_eq!(found, expected);
    }

    #[test]
    fn every_spelling_of_a_variable_is_understood() {
        use Spelling::{Braces, Foreign, Literal, Shell};
        check("a ${env:NAME} b ${NAME}", Braces, "a value b value");
        check("${GONE:-x}${EMPTY:-y}", Braces, "xy");
        check("$${NAME} and $NAME", Braces, "${NAME} and $NAME");
        check("{env:NAME}", Braces, "{env:NAME}");
        check("{env:NAME}/{id}", Foreign, "value/{id}");
        check("$NAME", Foreign, "value");
        check("%NAME%", Foreign, "value");
        check("cost: $5", Foreign, "cost: $5");
        check("Bearer $NAME", Foreign, "Bearer $NAME");
        check("Bearer $NAME.${NAME} $5", Shell, "Bearer value.value $5");
        check("%NAME%", Shell, "value");
        check("Bearer ${{ secrets.NAME }}!", Foreign, "Bearer value!");
        check("${NAME} $NAME {env:NAME}", Literal, "${NAME} $NAME {env:NAME}");
        check("${workspaceFolder}/x", Foreign, "/srv/app/x");
        check("Bearer ${input:api-key}", Foreign, "Bearer k");
        check("${file:/token}", Braces, "! cannot read `/token`: entity not found");
        check("${GONE}", Braces, "! the environment variable `GONE` is not set");
        check("${what:is this}", Braces, "! `${what:is this}` is not a variable");
        check("${open", Braces, "${open");
    }
}
