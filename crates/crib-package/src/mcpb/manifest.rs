//! `manifest.json` of a bundle, versions 0.1 to 0.4.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crib_model::{Code, Fault};
use serde_json::Value;

use super::Setting;
use crate::Entry;

const VERSIONS: &[&str] = &["0.1", "0.2", "0.3", "0.4"];
const DIRNAME: &str = "${__dirname}";

/// What a bundle says of itself.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) author: Option<String>,
    pub(crate) settings: Vec<Setting>,
    server: Value,
}

/// How a bundle is started, with `${__dirname}` for its folder, wherever the store is.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) entry: Entry,
    pub(crate) args: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn read(folder: &Path) -> Result<Self, Fault> {
        let text = std::fs::read(folder.join("manifest.json")).map_err(|error| bad(format!("manifest.json: {error}")))?;
        let value: Value = serde_json::from_slice(&text).map_err(|error| bad(format!("manifest.json: {error}")))?;
        let field = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let form = field("/manifest_version").or_else(|| field("/dxt_version")).unwrap_or_default();
        if !VERSIONS.contains(&form.as_str()) {
            return Err(bad(format!("`manifest_version` is `{form}`; known are {}", VERSIONS.join(", "))));
        }
        let needed = |pointer: &str| field(pointer).ok_or_else(|| bad(format!("`{pointer}` is missing")));
        Ok(Self {
            name: needed("/name")?,
            version: needed("/version")?,
            author: field("/author/name"),
            settings: super::setting::read(&value),
            server: value.get("server").cloned().ok_or_else(|| bad("`server` is missing"))?,
        })
    }

    /// Says how it is started on this system.
    pub(crate) fn plan(&self, folder: &Path) -> Result<Plan, Fault> {
        let field = |pointer: &str| self.server.pointer(pointer).and_then(Value::as_str);
        let point = field("/entry_point").ok_or_else(|| bad("`server.entry_point` is missing"))?;
        let file = inside(point)?;
        if !folder.join(&file).is_file() {
            return Err(bad(format!("`server.entry_point` is `{point}`, which is not in it")));
        }
        let system = format!("/mcp_config/platform_overrides/{}", system());
        let setting = |name: &str| {
            let over = self.server.pointer(&format!("{system}/{name}"));
            over.or_else(|| self.server.pointer(&format!("/mcp_config/{name}"))).cloned().unwrap_or_default()
        };
        let args: Vec<String> = setting("args").as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let given = setting("env");
        let env = given.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let env: BTreeMap<String, String> = env.collect();
        let entry = match field("/type") {
            Some("node") => Entry::Node { script: file },
            Some("python") => Entry::Script { file, paths: python_paths(&env) },
            Some("binary") => Entry::Binary { program: file },
            Some("uv") => {
                return Err(bad("it wants to be installed by uv when it is started, which needs the network; use its PyPI package"));
            }
            other => return Err(bad(format!("`server.type` is `{}`", other.unwrap_or_default()))),
        };
        // The usual arguments name the interpreter's script first, which the entry does already.
        let is_point = |arg: &String| {
            inside(arg.trim_start_matches(DIRNAME).trim_start_matches('/')).is_ok_and(|path| Some(path) == inside(point).ok())
        };
        let args = args.into_iter().skip_while(|arg| is_point(arg)).collect();
        let env = env.into_iter().filter(|(name, _)| name != "PYTHONPATH").collect();
        Ok(Plan { entry, args, env })
    }
}

/// Puts the folder of the bundle into a text.
pub(crate) fn expand(text: &str, folder: &Path) -> String {
    text.replace(DIRNAME, &folder.display().to_string()).replace("${/}", "/")
}

/// Folders of modules, inside of the bundle.
fn python_paths(env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let named = env.get("PYTHONPATH").map(String::as_str).unwrap_or_default();
    let named = named.split(':').filter_map(|path| inside(path.strip_prefix(DIRNAME)?.trim_start_matches('/')).ok());
    named.chain(["server/lib", "lib"].map(PathBuf::from)).collect()
}

fn inside(path: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(path.strip_prefix("./").unwrap_or(path));
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if is_plain { Ok(path) } else { Err(bad(format!("`{}` leads out of it", path.display()))) }
}

const fn system() -> &'static str {
    if cfg!(target_os = "macos") {
        "darwin"
    } else if cfg!(windows) {
        "win32"
    } else {
        "linux"
    }
}

fn bad(why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PackageUnverified, "the bundle cannot be started").because(why)
}
