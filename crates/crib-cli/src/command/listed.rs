//! A server of a registry: the entry, the way that is taken, and the values that it wants.

mod values;

use std::time::Duration;

use crib_market::{Entry, Recipe, Resolved, Status, Way, ago, beside, choose, plan};
use crib_model::{Clock as _, Code};
use crib_package::{Listed, Listing, Source, Standing};

use crate::args::{Fetch, Run};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::market;
use crate::output::Output;

pub(crate) use values::SETTING;
pub(super) use values::{Told, ask, named_secrets, sets, settings, told};

/// How long registries may take to say which servers have a short name.
const NEAR_WAIT: Duration = Duration::from_secs(5);

/// An entry, and which of its ways is wanted.
pub(super) struct Choice {
    entry: Entry,
    registry: String,
    kind: Option<String>,
}

/// Asks the registries for a server.
pub(super) async fn resolve(name: &str, version: Option<&str>, fetch: &Fetch, output: &Output) -> Result<Choice, Failure> {
    let Resolved { registry, entry, stale } = market::open(fetch.ask.registry.as_deref())?.resolve(name, version).await?;
    if let Some((at, fault)) = stale {
        let age = ago(Machine.unix().as_secs().saturating_sub(at));
        output.warn(&format!("what `{}` says of it is {age} old: {fault}", registry.name));
    }
    output.say(&format!(
        "listed   {} {}   by {} ({})",
        entry.server.name,
        crib_market::shown(&entry.server.version, 40),
        registry.name,
        registry.url
    ));
    Ok(Choice { entry, registry: registry.url, kind: fetch.kind.clone() })
}

/// Says that a name without a namespace is none, and which names there are.
pub(super) async fn nameless(short: &str, fetch: &Fetch) -> Failure {
    let failure = Failure::coded(Code::PackageMissing, format!("there is no server called `{short}` here"));
    let otherwise = format!("say where it is from: toolcrib run npm:{short}   or   toolcrib run pypi:{short}");
    let Ok(market) = market::open(fetch.ask.registry.as_deref()) else { return failure.hint(otherwise) };
    let hits = market.patient(NEAR_WAIT).candidates(short).await;
    if hits.is_empty() {
        return failure.hint(otherwise);
    }
    let names: Vec<String> = hits.iter().map(|hit| format!("toolcrib run {}", hit.entry.server.name)).collect();
    failure.hint(format!("registries list:\n{}\n{otherwise}", names.join("\n")))
}

/// What can be started without asking anybody.
fn can_run(kind: &str) -> bool {
    matches!(kind, "npm" | "pypi" | "mcpb" | "oci")
}

impl Choice {
    fn way(&self) -> Result<Way<'_>, Failure> {
        // What has to be allowed first, or cannot be started, is still what was meant where there is nothing else.
        let known = |kind: &str| matches!(kind, "npm" | "pypi" | "mcpb" | "oci" | "cargo");
        let chosen = choose(&self.entry.server, self.kind.as_deref(), &can_run);
        Ok(chosen.or_else(|_none| choose(&self.entry.server, self.kind.as_deref(), &known))?)
    }

    /// Returns the package, where that is its way.
    pub(super) fn package(&self) -> Result<(Source, Listing), Failure> {
        let Way::Package(package) = self.way()? else {
            let hint = format!("toolcrib run {}", self.entry.server.name);
            return Err(Failure::usage(format!("`{}` runs elsewhere, and there is nothing to pull", self.entry.server.name)).hint(hint));
        };
        let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let (version, sha256) = (text(&package.version), text(&package.file_sha256));
        let mut source = Source::of_package(&package.registry_type, &package.identifier, version.as_deref(), sha256.as_deref())?;
        if let Source::Npm { more, .. } | Source::Pypi { more, .. } = &mut source {
            let wanted = beside(package);
            more.with.extend(wanted.with);
            more.python = wanted.python;
        }
        let why = self.entry.status_message.clone();
        let listing = Listing {
            listed: Listed {
                name: self.entry.server.name.clone(),
                version: self.entry.server.version.clone(),
                registry: self.registry.clone(),
                asks: Some(asks(package)),
            },
            standing: match self.entry.status {
                Status::Active => Standing::Active,
                Status::Deprecated => Standing::Deprecated(why),
                Status::Deleted => Standing::Deleted(why),
            },
            sha256,
        };
        Ok((source, listing))
    }

    pub(super) fn is_remote(&self) -> Result<bool, Failure> {
        Ok(matches!(self.way()?, Way::Remote(_)))
    }

    /// Returns a short name for the server.
    pub(super) fn suggested_name(&self) -> String {
        Source::Registry { name: self.entry.server.name.clone(), version: None }.suggested_name()
    }

    /// Puts what the command line gives into its places; asks for what is missing where somebody can be asked.
    pub(super) fn recipe(&self, args: &Run, output: &Output) -> Result<Recipe, Failure> {
        let way = self.way()?;
        let (is_bundle, listed) = match way {
            Way::Package(package) => (package.registry_type == "mcpb", package.environment_variables.as_slice()),
            Way::Remote(_) => (false, &[][..]),
        };
        let is_remote = matches!(way, Way::Remote(_));
        // Other variables of a package are the user's own affair.
        let is_ours = |name: &str| is_remote || listed.iter().any(|variable| variable.name == name);
        let mut told = told(args, &is_ours)?;
        let mut recipe = plan(way, &told.given)?;
        while !recipe.missing.is_empty() {
            ask(&recipe.missing, &self.entry.server.name, &mut told, output)?;
            recipe = plan(way, &told.given)?;
        }
        for (name, value) in std::mem::take(&mut recipe.stray) {
            if told.secrets.contains(&name) && !is_remote {
                recipe.env.push((name, value));
            } else if is_bundle {
                recipe.stray.push((name, value));
            } else {
                return Err(recipe.no_place_for(&name).into());
            }
        }
        for text in &recipe.ignored {
            output.warn(&format!("its author wants `{text}` of the program that runs it, which is not done here"));
        }
        Ok(recipe)
    }
}

/// Says what a registry says that a package is to be told, one thing in a text.
fn asks(package: &crib_market::Package) -> Vec<String> {
    let marks = |input: &crib_market::Input| match (input.is_required, input.is_secret) {
        (true, true) => " (required, secret)",
        (true, false) => " (required)",
        (false, true) => " (secret)",
        (false, false) => "",
    };
    let argument = |what: &str, argument: &crib_market::Argument| {
        let name = [&argument.name, &argument.value_hint].into_iter().find(|name| !name.is_empty());
        let value = argument.input.value.as_deref().unwrap_or_default();
        let text = name.map_or(value, String::as_str);
        (!text.is_empty()).then(|| format!("{what} {text}{}", marks(&argument.input)))
    };
    let variables = package.environment_variables.iter().map(|one| format!("variable {}{}", one.name, marks(&one.input)));
    let arguments = package.package_arguments.iter().filter_map(|one| argument("argument", one));
    let runtime = package.runtime_arguments.iter().filter_map(|one| argument("runtime argument", one));
    let hint = (!package.runtime_hint.is_empty()).then(|| format!("runtime {}", package.runtime_hint));
    variables.chain(arguments).chain(runtime).chain(hint).collect()
}
