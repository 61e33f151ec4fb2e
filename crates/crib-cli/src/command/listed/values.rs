//! Values for a server, from the command line or from somebody who can be asked.

use std::io::IsTerminal as _;

use crib_control::secrets::fault;
use crib_market::{Given, Missing, Value};
use crib_model::{Clock as _, Code};
use crib_policy::SecretString;
use crib_store::SecretName;

use crate::args::Run;
use crate::asked;
use crate::command::run::grant;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::output::Output;
use crate::pins::secrets;

/// What a bundle's own settings are called among the variables of a configuration.
pub(crate) const SETTING: &str = "user_config.";

/// What was given.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) given: Given,
    /// The names of what was given as a secret.
    pub(crate) secrets: Vec<String>,
}

/// Reads the flags; `is_ours` tells the variables that the server lists.
pub(crate) fn told(args: &Run, is_ours: &dyn Fn(&str) -> bool) -> Result<Told, Failure> {
    let mut told = Told::default();
    for text in &args.env {
        match text.split_once('=') {
            Some((name, value)) if is_ours(name) => told.given.add(name, value_of(value)),
            None if is_ours(text) => told.given.add(text, Value::variable(text)),
            Some(_) | None => {}
        }
    }
    for (name, value) in sets(args)? {
        told.given.add(&name, value);
    }
    for (name, secret) in named_secrets(args)? {
        told.given.add(&name, Value::secret(&secret));
        told.secrets.push(name);
    }
    Ok(told)
}

/// Returns the settings of a bundle, as the configuration has them.
pub(crate) fn settings(stray: &[(String, Value)]) -> Vec<(String, String)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in stray {
        match found.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value.to_config()),
            None => found.push((name.clone(), vec![value.to_config()])),
        }
    }
    let text = |values: Vec<String>| match values.as_slice() {
        [one] if !one.starts_with('[') => one.clone(),
        // Several values are one text in a configuration.
        many => serde_json::to_string(many).unwrap_or_default(),
    };
    found.into_iter().map(|(name, values)| (format!("{SETTING}{name}"), text(values))).collect()
}

/// Reads `--set`; what is a place of this directory becomes absolute.
pub(crate) fn sets(args: &Run) -> Result<Vec<(String, Value)>, Failure> {
    let pair = |text: &String| {
        let shape = || Failure::usage("what a server wants to be told is written NAME=VALUE").hint("--set city=Shanghai");
        let (name, value) = text.split_once('=').ok_or_else(shape)?;
        let value = grant::arguments(&[value.to_owned()]).pop().unwrap_or_default();
        Ok((name.to_owned(), value_of(&value)))
    };
    args.set.iter().map(pair).collect()
}

/// Reads `--secret`: what each goes into, and its name among the secrets.
pub(crate) fn named_secrets(args: &Run) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for text in &args.secret {
        let (secret, name) = text.split_once('=').unwrap_or((text, text));
        // What is no name may be the value, so it is not repeated.
        let secret = SecretName::parse(secret).map_err(|error| Failure::usage(error.to_string()))?;
        let kept = secrets()?.names().map_err(|error| Failure::from(fault(&error)))?;
        if !kept.contains_key(&secret) {
            return Err(
                Failure::coded(Code::SecretMissing, format!("there is no secret {secret}")).hint(format!("toolcrib secret set {secret}"))
            );
        }
        found.push((name.to_owned(), secret.to_string()));
    }
    Ok(found)
}

/// A value may be a reference as a whole; anything else is text.
fn value_of(text: &str) -> Value {
    let inner = |start: &str| text.strip_prefix(start)?.strip_suffix('}').filter(|name| SecretName::parse(name).is_ok());
    match (inner("${secret:"), inner("${env:")) {
        (Some(name), _) => Value::secret(name),
        (None, Some(name)) => Value::variable(name),
        (None, None) => Value::text(text),
    }
}

/// Asks for what is missing, where somebody can be asked.
pub(crate) fn ask(missing: &[Missing], server: &str, told: &mut Told, output: &Output) -> Result<(), Failure> {
    if !output.can_ask() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(needs(missing, server));
    }
    for one in missing {
        let about = if one.description.is_empty() { String::new() } else { format!(" ({})", one.description) };
        if one.is_secret {
            let name = kept(one, &about, output)?;
            told.given.add(&one.name, Value::secret(&name));
            continue;
        }
        let choices = if one.choices.is_empty() { String::new() } else { format!(" [{}]", one.choices.join(", ")) };
        output.ask(&format!("{}{about}{choices}: ", one.name));
        let answer = asked::line()?;
        let answer = answer.trim();
        if answer.is_empty() {
            return Err(needs(missing, server));
        }
        told.given.add(&one.name, value_of(answer));
    }
    Ok(())
}

/// Returns the name of a secret that was kept for it, or may be used for it.
fn kept(one: &Missing, about: &str, output: &Output) -> Result<String, Failure> {
    let plain: String = one.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = SecretName::parse(&plain).map_err(|error| Failure::usage(error.to_string()))?;
    let store = secrets()?;
    if store.names().map_err(|error| Failure::from(fault(&error)))?.contains_key(&name) {
        output.ask(&format!("{}{about}: may it have your secret {name}? [y/N] ", one.name));
        let answer = asked::line()?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "j" | "ja" | "是" | "好") {
            return Ok(name.to_string());
        }
        return Err(
            Failure::coded(Code::SecretMissing, format!("`{}` needs a secret", one.name)).hint(format!("--secret NAME={}", one.name))
        );
    }
    let value = SecretString::from(asked::hidden(&format!("{}{about}: ", one.name))?);
    store.set(&name, &value, None, Machine.unix().as_secs()).map_err(|error| Failure::from(fault(&error)))?;
    output.say(&format!("kept     {name} among the secrets"));
    Ok(name.to_string())
}

/// Says what is missing, and which flags give it.
fn needs(missing: &[Missing], server: &str) -> Failure {
    let names: Vec<String> = missing.iter().map(|one| format!("`{}`", one.name)).collect();
    let is_secret = missing.iter().all(|one| one.is_secret);
    let code = if is_secret { Code::SecretMissing } else { Code::InputMissing };
    let what = if is_secret { "needs" } else { "has to be told" };
    let mut failure = Failure::coded(code, format!("`{server}` {what} {}", names.join(", ")));
    for one in missing {
        let example = one.placeholder.as_ref().map(|text| format!(", such as {text}")).unwrap_or_default();
        if !one.description.is_empty() || !example.is_empty() {
            failure = failure.because(format!("{}: {}{example}", one.name, one.description));
        }
    }
    let flags: Vec<&str> = missing.iter().map(|one| one.flag.as_str()).collect();
    let keep: String = missing.iter().filter(|one| one.is_secret).map(|one| format!("toolcrib secret set {}\n", one.name)).collect();
    failure.hint(format!("{keep}toolcrib run {server} {}", flags.join(" ")))
}
