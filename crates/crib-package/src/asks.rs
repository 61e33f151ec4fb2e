//! What a version asks for in its own manifests: programs, engines, settings, variables, folders.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::{Entry, Locked, Setting, mcpb, pypi};

/// Longest text of a stranger that is shown.
const TEXT_CHARS_MAX: usize = 120;
/// Largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Returns what a package asks for; `tree` are its files. Nothing where that cannot be known.
pub(crate) fn of(tree: &Path, locked: &Locked) -> Option<BTreeSet<String>> {
    let asks: Vec<String> = match (&locked.entry, locked.source.split_once(':')) {
        (Entry::Image(image), _) => {
            let volumes = image.volumes.iter().map(|volume| format!("folder {}", volume.display()));
            let variables = image.env.keys().map(|name| format!("variable {name}"));
            let program = image.entrypoint.iter().chain(&image.command).map(String::as_str).collect::<Vec<_>>().join(" ");
            let user = image.user.map(|user| format!("user {user}"));
            volumes.chain(variables).chain([format!("program {program}")]).chain(user).collect()
        }
        (_, Some(("npm", name))) => of_npm(&json(&tree.join("node_modules").join(name).join("package.json"))?),
        (_, Some(("pypi", name))) => of_python(tree, name.split('[').next().unwrap_or(name))?,
        (_, Some(("cargo", _))) => {
            let programs = std::fs::read_dir(tree.join("bin")).ok()?.flatten();
            programs.filter_map(|entry| Some(format!("program {}", entry.file_name().to_str()?))).collect()
        }
        (_, Some(("mcpb", _))) => {
            let (manifest, _) = mcpb::of_folder(tree)?.ok()?;
            let settings = manifest.settings.iter().map(setting);
            let variables = locked.env.keys().map(|name| format!("variable {name}"));
            let arguments = locked.args.iter().map(|arg| format!("argument {arg}"));
            settings
                .chain(variables)
                .chain(arguments)
                .chain(engines(json(&tree.join("manifest.json"))?.pointer("/compatibility/runtimes")))
                .collect()
        }
        _ => return None,
    };
    Some(asks.iter().map(|text| plain(text)).collect())
}

/// What a stranger wrote, for one line of a terminal.
pub(crate) fn plain(text: &str) -> String {
    let text = text.chars().map(|letter| if letter.is_control() { '?' } else { letter });
    text.take(TEXT_CHARS_MAX).collect()
}

fn setting(setting: &Setting) -> String {
    let marks: Vec<&str> =
        [("required", setting.is_required), ("secret", setting.is_secret)].iter().filter(|(_, is)| *is).map(|(mark, _)| *mark).collect();
    let marks = if marks.is_empty() { String::new() } else { format!(", {}", marks.join(", ")) };
    format!("setting {} ({}{marks})", setting.name, setting.kind)
}

fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&crate::reach::read(path, MANIFEST_BYTES_MAX)?).ok()
}

/// `{ "node": ">=20" }`.
fn engines(engines: Option<&Value>) -> Vec<String> {
    let engines = engines.and_then(Value::as_object).into_iter().flatten();
    engines.filter_map(|(name, version)| Some(format!("engine {name} {}", version.as_str()?))).collect()
}

fn of_npm(manifest: &Value) -> Vec<String> {
    let programs = match manifest.get("bin") {
        Some(Value::Object(programs)) => programs.keys().map(|name| format!("program {name}")).collect(),
        _ => Vec::new(),
    };
    let systems = ["os", "cpu"].iter().filter_map(|key| manifest.get(key)?.as_array()).flatten().filter_map(Value::as_str);
    let systems = systems.map(|system| format!("system {system}"));
    programs.into_iter().chain(engines(manifest.get("engines"))).chain(systems).collect()
}

fn of_python(tree: &Path, package: &str) -> Option<Vec<String>> {
    let folder = pypi::info(tree, package)?;
    let read = |name: &str| crate::reach::read(&folder.join(name), MANIFEST_BYTES_MAX).unwrap_or_default();
    let metadata = read("METADATA");
    let python = String::from_utf8_lossy(&metadata)
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("Requires-Python:").map(|version| format!("engine python {}", version.trim())));
    let points = read("entry_points.txt");
    let points = String::from_utf8_lossy(&points).into_owned();
    let scripts =
        points.lines().map(str::trim).skip_while(|line| *line != "[console_scripts]").skip(1).take_while(|line| !line.starts_with('['));
    let programs = scripts.filter_map(|line| line.split_once('=')).map(|(name, _)| format!("program {}", name.trim()));
    Some(python.into_iter().chain(programs).collect())
}
