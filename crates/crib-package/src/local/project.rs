//! What kind of project a folder is, and how its server is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crib_model::{Code, Fault};
use serde_json::Value;
use toml::Table;

use super::{PYTHON, asked};
use crate::tool::Surroundings;
use crate::{Entry, Runtime, mcpb};

/// A server found in a folder. Its paths are those within the folder, or whole ones.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) version: String,
    pub(super) entry: Entry,
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
}

impl Found {
    fn plain(version: &str, entry: Entry) -> Self {
        Self { version: version.to_owned(), entry, args: Vec::new(), env: BTreeMap::new() }
    }
}

/// Finds out what kind of project a folder is.
pub(super) fn recognise(surroundings: &Surroundings, folder: &Path) -> Result<Option<Found>, Fault> {
    if let Some(bundle) = mcpb::of_folder(folder) {
        let (manifest, plan) = bundle?;
        tracing::debug!(bundle = manifest.name, "a bundle that is not packed");
        return Ok(Some(Found { version: manifest.version, entry: plan.entry, args: plan.args, env: plan.env }));
    }
    if let Some(found) = node(folder)? {
        return Ok(Some(found));
    }
    if let Some(found) = pyproject(folder) {
        return Ok(Some(found));
    }
    if let Some(found) = cargo(surroundings, folder)? {
        return Ok(Some(found));
    }
    let script = ["server.py", "main.py"].into_iter().find(|name| folder.join(name).is_file());
    Ok(script.map(|name| Found::plain("", Entry::Script { file: name.into(), paths: Vec::new() })))
}

fn node(folder: &Path) -> Result<Option<Found>, Fault> {
    let Ok(text) = std::fs::read(folder.join("package.json")) else { return Ok(None) };
    let manifest: Value = serde_json::from_slice(&text).unwrap_or_default();
    let first = manifest.get("bin").and_then(|bin| bin.as_str().or_else(|| bin.as_object()?.values().next()?.as_str()));
    let Some(script) = first.or_else(|| manifest.get("main")?.as_str()) else { return Ok(None) };
    if !folder.join(script).is_file() {
        return Err(unbuilt(folder, script, "npm install && npm run build"));
    }
    let version = manifest.get("version").and_then(Value::as_str).unwrap_or_default();
    Ok(Some(Found::plain(version, Entry::Node { script: script.into() })))
}

/// A project whose first script is a function of one of its modules.
fn pyproject(folder: &Path) -> Option<Found> {
    let text = std::fs::read_to_string(folder.join("pyproject.toml")).ok()?;
    let table: Table = text.parse().ok()?;
    let project = table.get("project")?;
    let (_, target) = project.get("scripts")?.as_table()?.iter().next()?;
    let (module, _) = target.as_str()?.split_once(':')?;
    let path: PathBuf = module.split('.').collect();
    let file = ["src", ""].iter().map(|root| (root, Path::new(root).join(&path).with_extension("py")));
    let (root, file) = file.into_iter().find(|(_, file)| folder.join(file).is_file())?;
    let version = project.get("version").and_then(toml::Value::as_str).unwrap_or_default();
    Some(Found::plain(version, Entry::Script { file, paths: vec![folder.join(root)] }))
}

/// The newest program that Cargo has built of the first binary.
fn cargo(surroundings: &Surroundings, folder: &Path) -> Result<Option<Found>, Fault> {
    let Some(table) = std::fs::read_to_string(folder.join("Cargo.toml")).ok().and_then(|text| text.parse::<Table>().ok()) else {
        return Ok(None);
    };
    let Some(package) = table.get("package") else { return Ok(None) };
    let text = |value: &toml::Value, key: &str| value.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let binary = table.get("bin").and_then(|bins| text(bins.as_array()?.first()?, "name"));
    let Some(name) = binary.or_else(|| text(package, "name")) else { return Ok(None) };
    let target = surroundings.var("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), |target| folder.join(target));
    let built = |path: PathBuf| Some((path.metadata().ok()?.modified().unwrap_or(SystemTime::UNIX_EPOCH), path));
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let newest = ["release", "debug"].iter().filter_map(|profile| built(target.join(profile).join(&file))).max();
    let Some((_, program)) = newest else { return Err(unbuilt(folder, &file, "cargo build --release")) };
    Ok(Some(Found::plain(&text(package, "version").unwrap_or_default(), Entry::Binary { program })))
}

fn unbuilt(folder: &Path, file: &str, command: &str) -> Fault {
    Fault::new(Code::PackageMissing, format!("`{}` is not built: there is no `{file}`", folder.display()))
        .hint(format!("in its folder: {command}"))
}

/// Returns the Python of the folder's own virtual environment.
pub(super) fn environment(folder: &Path) -> Option<PathBuf> {
    ["bin/python", "Scripts/python.exe"].iter().map(|python| folder.join(".venv").join(python)).find(|python| python.is_file())
}

/// Asks the Python of a virtual environment what it is, and adds the environment's modules to a script's.
pub(super) async fn python(surroundings: &Surroundings, python: &Path, entry: &mut Entry) -> Result<Runtime, Fault> {
    let runtime = asked(surroundings, "python", python, ["-c", PYTHON]).await?;
    let mut numbers = runtime.version.split('.');
    let minor = [numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()].join(".");
    let root = python.parent().and_then(Path::parent).unwrap_or(python);
    let candidates = [root.join("lib").join(format!("python{minor}")).join("site-packages"), root.join("Lib").join("site-packages")];
    if let (Entry::Script { paths, .. }, Some(modules)) = (entry, candidates.iter().find(|path| path.is_dir())) {
        // By its true path: an environment may be a link to another place.
        paths.push(modules.canonicalize().unwrap_or_else(|_| modules.clone()));
    }
    Ok(runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn found(files: &[(&str, &str)]) -> Result<Option<Found>, Fault> {
        recognise(&Surroundings::new([]), folder(files).path())
    }

    #[test]
    fn a_project_of_node_is_its_first_program() {
        let manifest = ("package.json", r#"{"version":"1.2.3","bin":{"a":"dist/main.js"}}"#);
        let found = found(&[manifest, ("dist/main.js", "")]).unwrap().unwrap();
        assert_eq!((found.version.as_str(), found.entry), ("1.2.3", Entry::Node { script: "dist/main.js".into() }));
    }

    #[test]
    fn a_project_that_is_not_built_says_how() {
        let fault = found(&[("package.json", r#"{"bin":"dist/main.js"}"#)]).unwrap_err();
        assert_eq!((fault.code(), fault.remedy()), (Code::PackageMissing, Some("in its folder: npm install && npm run build")));
        let fault = found(&[("Cargo.toml", "[package]\nname = \"a\"\n")]).unwrap_err();
        assert_eq!(fault.remedy(), Some("in its folder: cargo build --release"));
    }

    #[test]
    fn a_project_of_python_is_the_module_of_its_first_script() {
        let manifest = ("pyproject.toml", "[project]\nversion = \"1\"\n[project.scripts]\na = \"pack.server:main\"\n");
        for (file, root) in [("src/pack/server.py", "src"), ("pack/server.py", "")] {
            let folder = folder(&[manifest, (file, "")]);
            let found = recognise(&Surroundings::new([]), folder.path()).unwrap().unwrap();
            assert_eq!(found.entry, Entry::Script { file: file.into(), paths: vec![folder.path().join(root)] });
        }
        assert!(found(&[manifest]).unwrap().is_none(), "no such module");
    }

    #[test]
    fn a_project_of_cargo_is_the_program_built_last() {
        let manifest = ("Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\n[[bin]]\nname = \"b\"\n");
        let folder = folder(&[manifest, ("target/debug/b", "")]);
        let found = recognise(&Surroundings::new([]), folder.path()).unwrap().unwrap();
        assert_eq!(found.entry, Entry::Binary { program: folder.path().join("target/debug/b") });
        let elsewhere = Surroundings::new([("CARGO_TARGET_DIR".into(), "elsewhere".into())]);
        assert!(recognise(&elsewhere, folder.path()).is_err());
    }

    #[test]
    fn a_script_alone_is_enough() {
        let found = found(&[("server.py", "")]).unwrap().unwrap();
        assert_eq!(found.entry, Entry::Script { file: "server.py".into(), paths: Vec::new() });
        assert!(recognise(&Surroundings::new([]), folder(&[]).path()).unwrap().is_none());
    }
}
