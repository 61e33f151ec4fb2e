//! What it takes to run a listed server: which of its ways is taken, and what its arguments, variables and headers are.

mod beside;
mod engine;
mod input;

use crib_model::{Code, Fault};

use crate::document::{Argument, ArgumentKind, Package, Remote, ServerJson, TransportKind};
pub use beside::{Beside, beside};
use input::Inputs;
pub use input::{Given, Missing, Piece, Value};

/// One of the ways in which a server can be run.
#[derive(Clone, Copy, Debug)]
pub enum Way<'a> {
    Package(&'a Package),
    Remote(&'a Remote),
}

/// What to start, or where to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Arguments of the server itself.
    pub args: Vec<Value>,
    pub env: Vec<(String, Value)>,
    /// For a server that runs elsewhere.
    pub url: Option<String>,
    pub is_sse: bool,
    pub headers: Vec<(String, Value)>,
    /// Files and folders that the user named.
    pub places: Vec<String>,
    /// What still has to be told.
    pub missing: Vec<Missing>,
    /// What the author wants of the program that runs the package, and is not done.
    pub ignored: Vec<String>,
    /// What was given and has no place.
    pub stray: Vec<(String, Value)>,
    /// The names of everything that can be given.
    pub names: Vec<String>,
}

impl Recipe {
    /// Says that there is no place for something that was given.
    #[must_use]
    pub fn no_place_for(&self, name: &str) -> Fault {
        let fault = Fault::new(Code::InputInvalid, format!("the server takes no `{}`", crate::shown(name, 200)));
        if self.names.is_empty() {
            fault.hint("it takes nothing at all")
        } else {
            fault.hint(format!("it takes: {}", self.names.join(", ")))
        }
    }
}

/// Chooses a way: the first package that can be run, else the first server that runs elsewhere.
///
/// # Errors
/// TC0446 when there is none, or none of the kind that is asked for.
pub fn choose<'a>(server: &'a ServerJson, kind: Option<&str>, can_run: &dyn Fn(&str) -> bool) -> Result<Way<'a>, Fault> {
    let is_asked = |known: &str| kind.is_none_or(|kind| known.eq_ignore_ascii_case(kind));
    let packages = || server.packages.iter().filter(|package| is_asked(&package.registry_type));
    let local = packages().find(|package| package.transport.kind == TransportKind::Stdio && can_run(&package.registry_type));
    let remote = || server.remotes.iter().find(|remote| is_asked("remote") && remote.kind != TransportKind::Other);
    if let Some(way) = local.map(Way::Package).or_else(|| remote().map(Way::Remote)) {
        return Ok(way);
    }
    let name = &server.name;
    if let (Some(kind), true) = (kind, packages().next().is_none()) {
        let kinds = server.kinds().iter().map(|kind| crate::shown(kind, 40)).collect::<Vec<_>>().join(", ");
        return Err(unsupported(name)
            .because(format!("it is not listed as `{}`", crate::shown(kind, 40)))
            .hint(format!("it is listed as: {kinds}")));
    }
    Err(match packages().next() {
        None => unsupported(name).because("its entry names neither a package nor an address"),
        Some(package) if package.transport.kind != TransportKind::Stdio => unsupported(name)
            .because("its package is a server on HTTP of its own, and is spoken to by an address")
            .hint("start it yourself, and then: toolcrib run http://127.0.0.1:PORT/mcp"),
        Some(package) => {
            unsupported(name).because(format!("packages of the kind `{}` cannot be run here", crate::shown(&package.registry_type, 40)))
        }
    })
}

fn unsupported(name: &str) -> Fault {
    Fault::new(Code::ServerUnsupported, format!("`{name}` cannot be run here"))
}

/// Puts what was given into the places that the author named.
///
/// # Errors
/// TC0448 for a value that is not one of those the author allows.
pub fn plan(way: Way<'_>, given: &Given) -> Result<Recipe, Fault> {
    let mut inputs = Inputs::new(given);
    let mut recipe = Recipe::default();
    match way {
        Way::Package(package) => {
            for argument in &package.package_arguments {
                put(argument, &mut inputs, &mut recipe)?;
            }
            for variable in package.environment_variables.iter().filter(|variable| is_variable(&variable.name)) {
                let value = inputs.take(&variable.name, &variable.input, input::Flag::Env)?.pop();
                recipe.env.extend(value.map(|value| (variable.name.clone(), value)));
            }
            if package.registry_type == "oci" {
                engine::arguments(&package.runtime_arguments, &mut inputs, &mut recipe)?;
            } else {
                recipe.ignored = beside::ignored(package);
            }
        }
        Way::Remote(remote) => {
            let url = inputs.fill(&remote.url, &remote.variables)?;
            recipe.url =
                Some(url.plain().ok_or_else(|| {
                    Fault::new(Code::InputInvalid, "a secret does not belong into an address, which is shown and logged")
                })?);
            recipe.is_sse = remote.kind == TransportKind::Sse;
            for header in remote.headers.iter().filter(|header| !header.name.is_empty()) {
                let value = inputs.take(&header.name, &header.input, input::Flag::Set)?.pop();
                recipe.headers.extend(value.map(|value| (header.name.clone(), value)));
            }
        }
    }
    inputs.finish(&mut recipe);
    Ok(recipe)
}

/// Puts one argument onto the command line.
fn put(argument: &Argument, inputs: &mut Inputs<'_>, recipe: &mut Recipe) -> Result<(), Fault> {
    let at = recipe.args.len() + 1;
    let key = match argument.kind {
        ArgumentKind::Named => argument.name.trim_start_matches('-').to_owned(),
        ArgumentKind::Positional if argument.value_hint.is_empty() => format!("arg{at}"),
        ArgumentKind::Positional => argument.value_hint.clone(),
    };
    // A flag that takes nothing.
    if argument.kind == ArgumentKind::Named && !argument.input.has_value() && !inputs.has(&key) && !argument.input.is_required {
        recipe.args.push(Value::text(&argument.name));
        return Ok(());
    }
    let mut values = inputs.take(&key, &argument.input, input::Flag::Set)?;
    if !argument.is_repeated && values.len() > 1 {
        return Err(Fault::new(Code::InputInvalid, format!("`{}` is given once", crate::shown(&key, 80))));
    }
    for value in values.drain(..) {
        match (argument.kind, value.plain().as_deref()) {
            (ArgumentKind::Named, Some("false")) if argument.input.format == "boolean" => {}
            (ArgumentKind::Named, Some("true")) if argument.input.format == "boolean" => recipe.args.push(Value::text(&argument.name)),
            (ArgumentKind::Named, _) => recipe.args.extend([Value::text(&argument.name), value]),
            (ArgumentKind::Positional, _) => recipe.args.push(value),
        }
    }
    Ok(())
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
}

#[cfg(test)]
mod tests;
