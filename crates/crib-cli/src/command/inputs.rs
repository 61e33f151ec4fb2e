//! What a file of VS Code has its user asked for: asked once, and kept as a secret.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;

use crib_control::Compiled;
use crib_control::inputs::{Asked, Input};
use crib_control::secrets::fault;
use crib_model::{Clock as _, Code};
use crib_policy::SecretString;
use crib_store::SecretName;

use super::secret::opened;
use crate::asked;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::output::Output;
use crate::pins::secrets;

/// Tells whether somebody sits here who may be asked.
pub(super) fn can_ask(output: &Output) -> bool {
    output.can_ask() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Returns the secrets that have a value.
pub(super) fn kept() -> BTreeSet<SecretName> {
    secrets().ok().and_then(|secrets| secrets.names().ok()).map(|names| names.into_keys().collect()).unwrap_or_default()
}

/// Asks for every input without a value, once each.
pub(super) fn ask_all(asked: &[Asked], output: &Output) -> Result<(), Failure> {
    if asked.is_empty() {
        return Ok(());
    }
    let mut known = kept();
    for Asked { input, server } in asked {
        if known.insert(input.secret.clone()) {
            ask(input, server, output)?;
        }
    }
    Ok(())
}

/// Asks for one input; returns whether there was an answer.
pub(super) fn ask(input: &Input, server: &str, output: &Output) -> Result<bool, Failure> {
    let question = format!("`{server}` asks for {}", input.title());
    let answer = if !input.choices.is_empty() {
        choose(input, &question, output)?
    } else if input.is_password || input.command.is_some() {
        asked::hidden(&format!("{question}: "))?
    } else {
        let default = input.default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
        output.ask(&format!("{question}{default}: "));
        let answer = line()?;
        if answer.is_empty() { input.default.clone().unwrap_or_default() } else { answer }
    };
    if answer.is_empty() {
        return Ok(false);
    }
    let store = opened()?;
    store.set(&input.secret, &SecretString::from(answer), None, Machine.unix().as_secs()).map_err(|error| Failure::from(fault(&error)))?;
    output.say(&format!("kept     {} among the secrets; another answer: toolcrib secret set {}", input.secret, input.secret));
    Ok(true)
}

/// Says of every input that has no value still what it is for, and what gives it one.
pub(super) fn warn(compiled: &Compiled, output: &Output) {
    if compiled.inputs.is_empty() {
        return;
    }
    let known = kept();
    for Asked { input, server } in compiled.inputs.iter().filter(|asked| !known.contains(&asked.input.secret)) {
        output.warn(&format!("`{server}` needs the input {}: {}", input.title(), input.remedy()));
    }
}

/// The refusal of a server whose input has no value.
pub(super) fn refusal(input: &Input, server: &str) -> Failure {
    Failure::coded(Code::SecretMissing, format!("`{server}` needs the input {}", input.title())).hint(input.remedy())
}

/// Has one of several answers chosen, by its number or its name.
fn choose(input: &Input, question: &str, output: &Output) -> Result<String, Failure> {
    let choices = &input.choices;
    let number = |value: &String| choices.iter().position(|choice| choice.value == *value).map(|at| format!(" [{}]", at + 1));
    let default = input.default.as_ref().and_then(number).unwrap_or_default();
    let list: Vec<String> = choices.iter().enumerate().map(|(at, choice)| format!("  {}  {}\n", at + 1, choice.label)).collect();
    loop {
        output.ask(&format!("{question}:\n{}choose 1 to {}{default}: ", list.concat(), choices.len()));
        let answer = line()?;
        if answer.is_empty() {
            return Ok(input.default.clone().filter(|_| !default.is_empty()).unwrap_or_default());
        }
        let by_number = answer.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
        let found = by_number.or_else(|| choices.iter().find(|choice| choice.label == answer || choice.value == answer));
        if let Some(choice) = found {
            return Ok(choice.value.clone());
        }
    }
}

fn line() -> Result<String, Failure> {
    Ok(asked::line()?.trim().to_owned())
}
