//! The program of a Python package: a console script.

use std::path::Path;

use crib_model::{Code, Fault};

use super::resolve::normal;
use crate::Entry;

/// Returns the function that the package's console script calls: the one that is wanted, of its name, or the only one.
pub(super) fn entry(tree: &Path, package: &str, wanted: Option<&str>) -> Result<Entry, Fault> {
    let bad = |why: String| Fault::new(Code::PullFailed, format!("`pypi:{package}` cannot be started")).because(why);
    let folder = std::fs::read_dir(tree)
        .map_err(|error| bad(error.to_string()))?
        .flatten()
        .find(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.strip_suffix(".dist-info").and_then(|rest| rest.split_once('-')).is_some_and(|(name, _)| normal(name) == normal(package))
        })
        .ok_or_else(|| bad("it was not installed".to_owned()))?;
    let text = std::fs::read_to_string(folder.path().join("entry_points.txt")).unwrap_or_default();
    let scripts = console_scripts(&text);
    let name = normal(wanted.unwrap_or(package));
    let named = scripts.iter().find(|(script, ..)| normal(script) == name);
    let only = scripts.first().filter(|_| scripts.len() == 1 && wanted.is_none());
    let (script, module, function) = named.or(only).ok_or_else(|| {
        let names: Vec<&str> = scripts.iter().map(|(script, ..)| script.as_str()).collect();
        let has = format!("it has: {}", names.join(", "));
        match wanted {
            _ if names.is_empty() => bad("it has no console script".to_owned()),
            Some(wanted) => bad(format!("it has no program `{wanted}`")).because(has),
            None => bad("it has several programs, none of which has its name".to_owned())
                .because(has)
                .hint(format!("name one: toolcrib run pypi:{package}#PROGRAM")),
        }
    })?;
    Ok(Entry::Python { module: module.clone(), function: function.clone(), script: script.clone() })
}

/// Reads the part `[console_scripts]`: the name, the module and the function of each.
fn console_scripts(text: &str) -> Vec<(String, String, String)> {
    let part =
        text.lines().map(str::trim).skip_while(|line| *line != "[console_scripts]").skip(1).take_while(|line| !line.starts_with('['));
    let scripts = part.filter_map(|line| {
        let (script, target) = line.split_once('=')?;
        let (module, function) = target.split('[').next()?.trim().split_once(':')?;
        let (module, function) = (module.trim(), function.trim());
        let is_path = |path: &str| path.split('.').all(is_identifier);
        (is_path(module) && is_path(function)).then(|| (script.trim().to_owned(), module.to_owned(), function.to_owned()))
    });
    scripts.collect()
}

/// The names end up in a line of Python.
fn is_identifier(text: &str) -> bool {
    text.chars().next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && text.chars().all(|letter| letter == '_' || letter.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_scripts_are_names_and_nothing_else() {
        let text = "[other]\na = b:c\n[console_scripts]\nmcp-server-time = mcp_server_time:main\nx = os;evil:f\ny = a.b:C.run [extra]\n[gui_scripts]\nz = a:b\n";
        let names: Vec<String> =
            console_scripts(text).into_iter().map(|(script, module, function)| format!("{script} {module} {function}")).collect();
        assert_eq!(names, ["mcp-server-time mcp_server_time main", "y a.b C.run"]);
    }
}
