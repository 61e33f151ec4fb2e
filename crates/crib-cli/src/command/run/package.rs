//! A server from a package: found, pulled where it is missing, granted what is asked for.

use std::path::PathBuf;

use crib_clients::Value;
use crib_market::{Missing, Recipe, Value as Told};
use crib_model::Code;
use crib_package::{Locked, Owner, Source};

use super::super::listed::{self, Choice};
use super::super::pull::{self, Wish};
use super::{Wanted, checked, grant, refuse_package_flags, taken};
use crate::args::Run;
use crate::failure::Failure;
use crate::output::Output;
use crate::shop::{self, Believed, Shop};

/// What a server is started with, as the configuration has it.
#[derive(Default)]
struct Own {
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// For a bundle's own settings.
    settings: Vec<(String, Told)>,
    /// Files and folders that were named.
    places: Vec<String>,
}

pub(super) async fn package<'a>(
    args: &Run,
    text: &str,
    known: &impl Fn(&str) -> Option<&'a Value>,
    output: &Output,
) -> Result<Wanted, Failure> {
    // What names something of this directory: the server starts elsewhere.
    let args = &Run { more: grant::arguments(&args.more), ..args.clone() };
    as_given(args, text, known, output).await
}

/// Does the same with the arguments as they are.
pub(super) async fn as_given<'a>(
    args: &Run,
    text: &str,
    known: &impl Fn(&str) -> Option<&'a Value>,
    output: &Output,
) -> Result<Wanted, Failure> {
    let shop = Shop::open(Believed::for_fetch(&args.fetch)?)?;
    let here = here(args, text, &shop, known)?;
    let text = here.as_deref().unwrap_or(text);
    let (wish, mut own) = match known(text).and_then(|entry| entry.member("run")?.as_text()) {
        // One of ours, by its name: as it is pinned, with what it was given before.
        Some(_) if args.fetch.kind.is_some() => {
            let failure = Failure::usage(format!("--kind goes with a name that a registry lists, and `{text}` is here already"));
            return Err(failure.hint(format!("another kind of it needs another name: --name NAME, or first: toolcrib rm {text}")));
        }
        Some(run) => {
            let locked = shop.lock()?.servers.remove(text);
            let mut with = locked.map(|locked| locked.with).unwrap_or_default();
            with.extend(args.fetch.with.iter().filter(|one| !with.contains(one)).cloned().collect::<Vec<_>>());
            let name = args.name.clone().unwrap_or_else(|| text.to_owned());
            (Wish { name, source: shop::source(run, &with)?, listing: None }, plain(args)?)
        }
        None => match listed_name(text)? {
            Some((name, version)) => {
                let version = version.or_else(|| locked_version(&shop, &name));
                let choice = listed::resolve(&name, version.as_deref(), &args.fetch, output).await?;
                let recipe = choice.recipe(args, output)?;
                if choice.is_remote()? {
                    return remote(args, &choice, &recipe, known);
                }
                let (source, listing) = choice.package()?;
                let name = args.name.clone().unwrap_or_else(|| choice.suggested_name());
                (Wish { name, source, listing: Some(listing) }, of_recipe(recipe))
            }
            None => (pull::wanted(&shop, text, args.name.as_deref(), &args.fetch, output).await?, plain(args)?),
        },
    };
    let Wish { name, source, .. } = &wish;
    // Before anything is downloaded.
    let is_same = |entry: &Value| entry.member("run").and_then(Value::as_text).is_some_and(|run| is_same_package(run, source));
    if let Some(entry) = known(name).filter(|entry| !is_same(entry)) {
        return Err(taken(name, entry));
    }
    let before = shop.locked(&Owner::Own, name, source)?;
    let is_first = before.is_none();
    let is_whole = |locked: &Locked| match shop.start(locked) {
        Ok(_) => true,
        Err(fault) => {
            if fault.code() == Code::PackageUnverified {
                let why = fault.causes().first().map_or_else(|| fault.message().to_owned(), Clone::clone);
                output.warn(&format!("the files of `{name}` were changed since they were locked, and are fetched anew: {why}"));
            }
            false
        }
    };
    let locked = match before.filter(|locked| is_built(locked, args) && is_whole(locked)) {
        Some(locked) => locked,
        None => Box::pin(pull::pull(&shop, &wish, output)).await?.locked,
    };
    set(&shop, &locked, &mut own, known(name), output)?;
    let kept = keep(args, &shop, &wish, &mut own, known(name))?;
    own.args.extend(args.more.iter().cloned());
    let has_own_grants = known(name).is_some_and(|entry| entry.member("sandbox").is_some());
    let places: Vec<String> = own.places.iter().chain(&args.more).cloned().collect();
    let hosts = grant::hosts(args.more.iter().chain(&args.env).chain(own.env.iter().map(|(_, value)| value)));
    let case = grant::Case { args, shop: &shop, name, places: &places, hosts: &hosts, kept, is_first, has_own_grants };
    let locked = grant::settle(&case, locked, output)?;
    let entry = entry(args, &locked, &own, known(name));
    Ok(Wanted { origin: shop::pinned(&locked), name: wish.name, entry })
}

/// Gives a server that keeps what it learns a folder of its own, where it is told of no other.
fn keep(args: &Run, shop: &Shop, wish: &Wish, own: &mut Own, before: Option<&Value>) -> Result<Option<PathBuf>, Failure> {
    let Some((variable, file)) = wish.source.keeps() else { return Ok(None) };
    let is_said = args.env.iter().any(|text| text.split('=').next() == Some(variable)) || own.env.iter().any(|(name, _)| name == variable);
    if is_said || before.and_then(|entry| entry.member("env")?.member(variable)).is_some() {
        return Ok(None);
    }
    let folder = shop::kept(&shop.data).join(&wish.name);
    shop::private_folder(&folder)?;
    own.env.push((variable.to_owned(), folder.join(file).display().to_string()));
    Ok(Some(folder))
}

/// Whether what is to be built was.
fn is_built(locked: &Locked, args: &Run) -> bool {
    args.fetch.build.iter().all(|one| locked.build.packages.contains(one))
}

/// Tells what a registry lists from every other source.
fn listed_name(text: &str) -> Result<Option<(String, Option<String>)>, Failure> {
    let Source::Registry { name, version } = Source::parse(text)? else { return Ok(None) };
    Ok(name.contains('/').then_some((name, version)))
}

/// Finds a server that is here already by the name that its registry gives it, where nothing new is said of it.
fn here<'a>(args: &Run, text: &str, shop: &Shop, known: &impl Fn(&str) -> Option<&'a Value>) -> Result<Option<String>, Failure> {
    let is_plain = args.set.is_empty() && args.secret.is_empty() && args.env.is_empty() && args.fetch.kind.is_none() && args.name.is_none();
    if !is_plain || known(text).is_some() {
        return Ok(None);
    }
    let Ok(Source::Registry { name, version }) = Source::parse(text) else { return Ok(None) };
    let is_it = |locked: &Locked| {
        let listed = locked.listed.as_ref();
        listed.is_some_and(|listed| listed.name == name && version.as_ref().is_none_or(|version| *version == listed.version))
    };
    let here = shop.lock()?.servers.into_iter().find(|(server, locked)| is_it(locked) && known(server).is_some());
    Ok(here.map(|(server, _)| server))
}

/// Returns the version of a listed server that is on this machine.
fn locked_version(shop: &Shop, name: &str) -> Option<String> {
    let lock = shop.lock().ok()?;
    lock.servers.into_values().filter_map(|locked| locked.listed).find(|listed| listed.name == name).map(|listed| listed.version)
}

/// A server that runs elsewhere.
fn remote<'a>(args: &Run, choice: &Choice, recipe: &Recipe, known: &impl Fn(&str) -> Option<&'a Value>) -> Result<Wanted, Failure> {
    refuse_package_flags(&Run { env: Vec::new(), ..args.clone() }, &choice.suggested_name())?;
    let url = recipe.url.clone().unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| choice.suggested_name());
    let mut members = vec![("url".to_owned(), Value::text(url.replace("${", "$${")))];
    if recipe.is_sse {
        members.push(("transport".to_owned(), Value::text("sse")));
    }
    if !recipe.headers.is_empty() {
        let headers = recipe.headers.iter().map(|(name, value)| (name.clone(), Value::text(value.to_config())));
        members.push(("headers".to_owned(), Value::Map(headers.collect())));
    }
    checked(Wanted { name, entry: Value::Map(members), origin: url }, known)
}

/// What a listed server is started with.
fn of_recipe(recipe: Recipe) -> Own {
    // A variable that is only passed on is a grant.
    let env = recipe.env.into_iter().filter(|(name, value)| *value != Told::variable(name));
    Own {
        args: recipe.args.iter().map(Told::to_config).collect(),
        env: env.map(|(name, value)| (name, value.to_config())).collect(),
        settings: recipe.stray,
        places: recipe.places,
    }
}

/// What a package is started with that nobody lists.
fn plain(args: &Run) -> Result<Own, Failure> {
    let secrets = listed::named_secrets(args)?;
    let env = secrets.iter().map(|(name, secret)| (name.clone(), Told::secret(secret).to_config()));
    Ok(Own { env: env.collect(), settings: listed::sets(args)?, ..Own::default() })
}

/// Puts what was given into the settings of a bundle.
fn set(shop: &Shop, locked: &Locked, own: &mut Own, before: Option<&Value>, output: &Output) -> Result<(), Failure> {
    let settings = shop.packages.settings(locked);
    let names: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
    // A secret of a bundle came as a variable.
    let (for_bundle, env) = std::mem::take(&mut own.env).into_iter().partition(|(name, _)| names.contains(&name.as_str()));
    own.env = env;
    if let Some((name, _)) = own.settings.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        let failure = Failure::coded(Code::InputInvalid, format!("the server takes no `{}`", crib_market::shown(name, 100)));
        let what = if names.is_empty() {
            "it takes nothing by --set; arguments come after `--`".to_owned()
        } else {
            format!("it takes: {}", names.join(", "))
        };
        return Err(failure.hint(what));
    }
    let has = |name: &str| {
        let kept = format!("{}{name}", listed::SETTING);
        before.and_then(|entry| entry.member("env")?.member(&kept)).is_some()
    };
    let mut missing = Vec::new();
    for setting in &settings {
        let given: Vec<String> =
            own.settings.iter().filter(|(name, _)| *name == setting.name).filter_map(|(_, value)| value.plain()).collect();
        if setting.is_secret && !given.is_empty() {
            return Err(Failure::coded(
                Code::InputInvalid,
                format!("`{}` is a secret, and a command line is where others can read it", setting.name),
            )
            .hint(format!("toolcrib secret set {0}   and then   --secret {0}", setting.name)));
        }
        if matches!(setting.kind.as_str(), "file" | "directory") {
            own.places.extend(given);
        }
        let is_given = own.settings.iter().any(|(name, _)| *name == setting.name)
            || for_bundle.iter().any(|(name, _): &(String, String)| *name == setting.name);
        if setting.is_required && setting.default.is_empty() && !is_given && !has(&setting.name) {
            missing.push(Missing {
                name: setting.name.clone(),
                description: crib_market::shown(&setting.description, 200),
                is_secret: setting.is_secret,
                choices: Vec::new(),
                placeholder: None,
                flag: if setting.is_secret { format!("--secret {}", setting.name) } else { format!("--set {}=VALUE", setting.name) },
            });
        }
    }
    if !missing.is_empty() {
        let mut told = listed::Told::default();
        listed::ask(&missing, &locked.source, &mut told, output)?;
        own.settings.extend(told.given.into_pairs());
    }
    own.env.extend(listed::settings(&own.settings));
    own.env.extend(for_bundle.into_iter().map(|(name, value)| (format!("{}{name}", listed::SETTING), value)));
    Ok(())
}

/// Returns what stands in the configuration for a package.
/// What is not said again stays as it was.
fn entry(args: &Run, locked: &Locked, own: &Own, before: Option<&Value>) -> Value {
    let mut members = vec![("run".to_owned(), Value::text(shop::pinned(locked)))];
    if !locked.with.is_empty() {
        members.push(("with".to_owned(), Value::texts(locked.with.iter().cloned())));
    }
    if !own.args.is_empty() {
        members.push(("args".to_owned(), Value::texts(own.args.iter().cloned())));
    }
    let mut env: Vec<(String, Value)> = before.and_then(|entry| entry.member("env")).map(|env| env.members().to_vec()).unwrap_or_default();
    let said = args.env.iter().filter_map(|text| text.split_once('='));
    for (name, value) in own.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(said) {
        env.retain(|(known, _)| known != name);
        env.push((name.to_owned(), Value::text(value)));
    }
    if !env.is_empty() {
        members.push(("env".to_owned(), Value::Map(env)));
    }
    for (name, value) in before.map(Value::members).unwrap_or_default() {
        if members.iter().all(|(known, _)| known != name) {
            members.push((name.clone(), value.clone()));
        }
    }
    Value::Map(members)
}

/// Tells whether what the configuration runs is this package, in whatever version.
pub(in crate::command) fn is_same_package(run: &str, source: &Source) -> bool {
    let name = |source: &Source| match source {
        Source::Npm { name, .. } => format!("npm:{name}"),
        Source::Pypi { name, .. } => format!("pypi:{name}"),
        Source::Cargo { name, .. } => format!("cargo:{name}"),
        Source::Oci { image } => crib_oci::Reference::parse(image).map_or_else(|_odd| image.clone(), |name| name.name()),
        other @ (Source::Registry { .. } | Source::Mcpb { .. } | Source::Url(_) | Source::Folder(_) | Source::Command { .. }) => {
            other.to_string()
        }
    };
    Source::parse(run).is_ok_and(|known| name(&known) == name(source))
}
