//! What a client would have its user asked for: kept as secrets, and named by them.

use std::collections::BTreeMap;

use crib_clients::{Imported, Value};
use crib_control::inputs::{self, Input, variable};
use crib_policy::{ExposeSecret as _, SecretString};
use crib_store::SecretName;

use super::super::Task;
use super::super::survey::Seen;
use super::{Fate, Found, Harvest};
use crate::command::inputs as asking;
use crate::failure::Failure;
use crate::output::Output;

/// Members of ours in which a secret may stand.
const KEEPERS: &[&str] = &["env", "headers"];

/// Reads the inputs that the file of a client declares.
pub(super) fn of(task: &Task<'_>, seen: &Seen) -> Vec<Input> {
    let found = seen.read(&task.places).ok().flatten();
    let text = found.and_then(|found| seen.text(&found, &task.places).ok());
    match (&seen.path, text) {
        (Some(path), Some(text)) => inputs::of_text(&text, path),
        _ => Vec::new(),
    }
}

/// Names secrets where the client has inputs, and returns these. One that the environment answers stays as it is.
///
/// # Errors
/// A password would have to stand where everybody can read it.
pub(super) fn take(imported: &mut Imported, declared: &[Input]) -> Result<Vec<Input>, String> {
    let mut needs: Vec<Input> = Vec::new();
    let Value::Map(members) = &mut imported.value else { return Ok(needs) };
    for (name, member) in members {
        let keeps_secrets = KEEPERS.contains(&name.as_str());
        let mut misplaced = None;
        each_text(member, &mut |text| {
            let ids: Vec<String> = inputs::named(text).map(str::to_owned).collect();
            for input in ids.iter().filter_map(|id| declared.iter().find(|input| input.id == *id)) {
                if crate::world::variable(&variable(&input.id)).is_some() {
                    continue;
                }
                if keeps_secrets {
                    *text = text.replace(&written(input), &format!("${{secret:{}}}", input.secret));
                } else if input.is_password {
                    misplaced = Some(input.title());
                }
                if !needs.contains(input) {
                    needs.push(input.clone());
                }
            }
        });
        if let Some(title) = misplaced {
            return Err(format!("the input {title} is a password, and everybody on this machine can read arguments and addresses"));
        }
    }
    if !needs.is_empty() {
        fill(&mut imported.value, &needs);
    }
    Ok(needs)
}

impl Harvest {
    /// Asks for what has no value, and leaves out the servers that do not get one.
    pub(super) fn settle_inputs(&mut self, task: &Task<'_>, output: &Output) -> Result<(), Failure> {
        if self.servers.iter().all(|found| found.needs.is_empty()) {
            return Ok(());
        }
        let can_ask = asking::can_ask(output) && !task.args.yes;
        let mut known = asking::kept();
        let mut left = Vec::new();
        for mut found in std::mem::take(&mut self.servers) {
            let refused = self.ask(&found, can_ask, &mut known, output)?;
            if let Some(input) = refused {
                self.failures.push(asking::refusal(&input, &found.imported.name));
                if let Some(row) = self.rows.get_mut(found.row) {
                    (row.done, row.words) = (Fate::Skipped, "an input has no value".to_owned());
                }
                continue;
            }
            fill(&mut found.imported.value, &found.needs);
            left.push(found);
        }
        self.servers = left;
        Ok(())
    }

    /// Asks for the inputs of one server; returns the first without an answer.
    fn ask(
        &self,
        found: &Found,
        can_ask: bool,
        known: &mut std::collections::BTreeSet<SecretName>,
        output: &Output,
    ) -> Result<Option<Input>, Failure> {
        for input in &found.needs {
            if known.contains(&input.secret) {
                continue;
            }
            if !can_ask || !asking::ask(input, &found.imported.name, output)? {
                return Ok(Some(input.clone()));
            }
            known.insert(input.secret.clone());
        }
        Ok(None)
    }
}

/// Puts what was answered where no secret may stand: it is no password, and is read by whoever reads the arguments.
fn fill(value: &mut Value, needs: &[Input]) {
    let values = values(needs);
    each_text(value, &mut |text| {
        for input in needs {
            if let Some(value) = values.get(&input.secret) {
                *text = text.replace(&written(input), &value.expose_secret().replace("${", "$${"));
            }
        }
    });
}

fn values(needs: &[Input]) -> BTreeMap<SecretName, SecretString> {
    let names = needs.iter().filter(|input| !input.is_password).map(|input| input.secret.clone());
    crate::pins::secrets().ok().and_then(|secrets| secrets.values(names).ok()).unwrap_or_default()
}

fn written(input: &Input) -> String {
    format!("${{input:{}}}", input.id)
}

/// Does something with every text of a value.
pub(super) fn each_text(value: &mut Value, deed: &mut impl FnMut(&mut String)) {
    match value {
        Value::Text(text) => deed(text),
        Value::List(elements) => elements.iter_mut().for_each(|element| each_text(element, deed)),
        Value::Map(members) => members.iter_mut().for_each(|(_, member)| each_text(member, deed)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
