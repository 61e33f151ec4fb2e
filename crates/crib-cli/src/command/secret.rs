//! `toolcrib secret`: values that servers need and nobody should see.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use crib_control::secrets::fault;
use crib_model::{Clock as _, Code};
use crib_policy::SecretString;
use crib_store::{KeySource, SecretName, StoreKind};
use serde::Serialize;

use crate::args::TEMPLATE;
use crate::asked;
use crate::config;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::market;
use crate::output::{Output, table};
use crate::pins::{PASSPHRASE, secrets, secrets_with};
use crate::tongue;

/// Largest value that is read.
const VALUE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE)]
pub(crate) struct Secret {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep a value, asked for without showing it or read from standard input
    Set(Set),
    /// List names, where each is kept and who uses it
    #[command(visible_alias = "list")]
    Ls(Ls),
    /// Forget a secret
    Rm(Rm),
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib secret set GITHUB_TOKEN                 asks for the value
  pass show github | toolcrib secret set GITHUB_TOKEN
  toolcrib secret set GITHUB_TOKEN --store file    not into the system's keyring

In the configuration:   env: { GITHUB_TOKEN: \"${secret:GITHUB_TOKEN}\" }
")]
struct Set {
    /// Name of the secret
    #[arg(value_name = "NAME")]
    name: String,
    /// A value does not belong here, where others can read it.
    #[arg(hide = true)]
    value: Vec<String>,
    /// Where to keep it [default: the keyring where there is one, else the file]
    #[arg(long, value_enum)]
    store: Option<Store>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Store {
    File,
    Keyring,
}

#[derive(Debug, Default, Args)]
struct Ls {
    /// File with servers, to say who uses what [default: your own configuration]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath, env = "TOOLCRIB_CONFIG")]
    config: Vec<PathBuf>,
    /// These servers of the files alone
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
}

#[derive(Debug, Args)]
struct Rm {
    /// Names of secrets
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// `null` where it is used and has no value.
    store: Option<StoreKind>,
    #[serde(rename = "usedBy")]
    used_by: Vec<String>,
}

#[derive(Serialize)]
struct Rows {
    secrets: Vec<Row>,
}

#[derive(Serialize)]
struct Removed {
    removed: Vec<String>,
}

#[derive(Serialize)]
struct Done {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreKind>,
}

pub(super) fn run(args: &Secret, output: &Output) -> Result<(), Failure> {
    match &args.command {
        Command::Set(args) => set(args, output),
        Command::Ls(args) => list(args, output),
        Command::Rm(args) => remove(args, output),
    }
}

fn set(args: &Set, output: &Output) -> Result<(), Failure> {
    let name = parse(&args.name)?;
    if !args.value.is_empty() {
        return Err(Failure::usage("a value does not belong on the command line, where others can read it")
            .hint(format!("toolcrib secret set {name}   asks for it; it may also come from standard input")));
    }
    let value = value(&name)?;
    let store = args.store.map(|store| match store {
        Store::File => StoreKind::File,
        Store::Keyring => StoreKind::Keyring,
    });
    let kept = opened()?.set(&name, &value, store, Machine.unix().as_secs()).map_err(|error| Failure::from(fault(&error)))?;
    if output.is_json {
        return output.document("secret", &Done { name: name.to_string(), store: Some(kept) });
    }
    output.say(&format!("kept     {name} in the {}", describe(kept)));
    output.say(&format!("use it   env: {{ {name}: \"${{secret:{name}}}\" }}"));
    Ok(())
}

/// Reads the value without showing it; one line break at the end does not belong to it.
fn value(name: &SecretName) -> Result<SecretString, Failure> {
    if io::stdin().is_terminal() {
        return Ok(SecretString::from(asked::hidden(&format!("value of {name}: "))?));
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(VALUE_BYTES_MAX + 2).read_to_string(&mut text);
    read.map_err(|_odd| Failure::usage("standard input is not text"))?;
    let mut value = SecretString::from(text);
    let text = crib_policy::ExposeSecret::expose_secret(&value);
    if let Some(line) = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')) {
        value = SecretString::from(line);
    }
    Ok(value)
}

fn list(args: &Ls, output: &Output) -> Result<(), Failure> {
    let kept = secrets()?.names().map_err(|error| Failure::from(fault(&error)))?;
    let used = users(args, output)?;
    let names: BTreeSet<&SecretName> = kept.keys().chain(used.keys()).collect();
    let row = |name: &SecretName| Row {
        name: name.to_string(),
        store: kept.get(name).map(|kept| kept.store),
        used_by: used.get(name).cloned().unwrap_or_default(),
    };
    let rows = Rows { secrets: names.into_iter().map(row).collect() };
    if output.is_json {
        return output.document("secrets", &rows);
    }
    if rows.secrets.is_empty() {
        output.say("no secrets   toolcrib secret set NAME");
        return Ok(());
    }
    let line =
        |row: &Row| vec![row.name.clone(), tongue::word("store", row.store.map_or("missing", word)).to_owned(), row.used_by.join(", ")];
    output.data(&table(&["NAME", "STORE", "USED BY"], &rows.secrets.iter().map(line).collect::<Vec<_>>()))
}

/// Returns which secrets are wanted, and by whom: in the files that are named, else in the user's own and by registries.
fn users(args: &Ls, output: &Output) -> Result<BTreeMap<SecretName, Vec<String>>, Failure> {
    if !args.config.is_empty() || !args.only.is_empty() {
        return Ok(config::load_only(&args.only, &args.config, output)?.secrets());
    }
    // What is wrong with the configuration is told where it is used.
    let mut used = config::own().map(|compiled| compiled.secrets()).unwrap_or_default();
    let registries = market::book().and_then(|book| Ok(book.list()?)).unwrap_or_default();
    for registry in registries {
        for name in registry.secrets() {
            used.entry(name).or_default().push(format!("registry {}", registry.name));
        }
    }
    Ok(used)
}

fn remove(args: &Rm, output: &Output) -> Result<(), Failure> {
    let secrets = opened()?;
    let used = users(&Ls::default(), output)?;
    let mut removed = Vec::new();
    for name in &args.names {
        let name = parse(name)?;
        if !secrets.remove(&name).map_err(|error| Failure::from(fault(&error)))? {
            return Err(Failure::coded(Code::SecretMissing, format!("there is no secret {name}")).hint("toolcrib secret ls"));
        }
        output.say(&format!("removed  {name}"));
        if let Some(users) = used.get(&name) {
            output.warn(&format!("{name} is missing now for {}", users.join(", ")));
        }
        removed.push(name.to_string());
    }
    if output.is_json { output.document("secrets-removed", &Removed { removed }) } else { Ok(()) }
}

/// The secrets, with a passphrase that is asked for where one is needed and somebody is there.
pub(super) fn opened() -> Result<crib_store::Secrets, Failure> {
    let secrets = secrets()?;
    let needs = secrets.key_source().map_err(|error| Failure::from(fault(&error)))? == KeySource::Passphrase;
    if needs && crate::world::variable(PASSPHRASE).is_none() && io::stdin().is_terminal() {
        let passphrase = asked::hidden("passphrase of the secrets: ")?;
        return secrets_with(Some(SecretString::from(passphrase)));
    }
    Ok(secrets)
}

/// Reads a name. What is none may be the value, so it is not repeated.
fn parse(name: &str) -> Result<SecretName, Failure> {
    SecretName::parse(name).map_err(|error| Failure::usage(error.to_string()))
}

const fn word(store: StoreKind) -> &'static str {
    match store {
        StoreKind::File => "file",
        StoreKind::Keyring => "keyring",
    }
}

const fn describe(store: StoreKind) -> &'static str {
    match store {
        StoreKind::File => "encrypted file",
        StoreKind::Keyring => "system's keyring",
    }
}
