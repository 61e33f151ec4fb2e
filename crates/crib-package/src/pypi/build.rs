//! Python packages without a wheel for this machine, made into one where somebody wants that: the source is fetched and
//! checked, what its build needs is installed from wheels, and only the build itself runs code of it, in a sandbox.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use crib_sandbox::Spec;
use serde_json::Value;

use super::resolve::normal;
use super::{Python, Wanted, failed, index};
use crate::store::Bench;
use crate::tool::Said;
use crate::{Build, Digest, Finding, FindingKind, confined, web};

/// Calls the build as its standard (PEP 517) has it; first asks what it needs besides.
const SCRIPT: &str = r#"
import importlib, json, os, sys
step, env, out, backend, paths = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], json.loads(sys.argv[5])
sys.path[:0] = paths + [env]
os.environ["PYTHONPATH"] = os.pathsep.join(paths + [env])
module, _, inner = backend.partition(":")
hooks = importlib.import_module(module)
for name in filter(None, inner.split(".")):
    hooks = getattr(hooks, name)
if step == "needs":
    needs = getattr(hooks, "get_requires_for_build_wheel", lambda: [])()
    with open(os.path.join(out, "needs.json"), "w") as file:
        json.dump(list(needs), file)
else:
    hooks.build_wheel(out)
"#;
/// What a project is built by that does not say.
const USUAL: (&str, &str) = ("setuptools>=61", "setuptools.build_meta:__legacy__");
const REQUIREMENTS_MAX: usize = 64;
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Wheels that were built here.
pub(super) struct Built {
    /// The folder they are in.
    pub(super) wheels: PathBuf,
    sources: Vec<Source>,
}

/// The source of one package.
struct Source {
    name: String,
    version: String,
    url: String,
    sum: Digest,
}

impl Built {
    /// Returns the digest of the source that a package was built from.
    pub(super) fn source(&self, name: &str) -> Option<&Digest> {
        self.sources.iter().find(|source| normal(&source.name) == normal(name)).map(|source| &source.sum)
    }
}

/// Builds the packages that are named; nothing where none is.
pub(super) async fn run(
    python: &Python<'_>,
    bench: &Bench,
    wanted: &Wanted<'_>,
    build: &Build,
    findings: &mut Vec<Finding>,
) -> Result<Option<Built>, Fault> {
    if build.is_empty() {
        return Ok(None);
    }
    let mut sources = Vec::new();
    for asked in &build.packages {
        let (name, version) = asked.split_once("==").map_or((asked.as_str(), None), |(name, version)| (name, Some(version)));
        let is_itself = normal(name) == normal(wanted.name.split('[').next().unwrap_or(wanted.name));
        let version = version.or_else(|| wanted.version.filter(|_| is_itself));
        let source = find(python, name, version).await?;
        let net = confined::net(&build.net);
        let label = format!("{}=={}", normal(&source.name), source.version);
        findings.push(Finding::new(FindingKind::Built, format!("`{label}` is built on this machine, in a sandbox {net}")));
        sources.push(source);
    }
    python.job.judge(findings)?;
    let wheels = bench.beside("wheels");
    fs::create_dir_all(&wheels).map_err(failed)?;
    for (at, source) in sources.iter().enumerate() {
        let yard = Yard { python, bench, build, source, folder: bench.beside(&format!("source-{at}")) };
        yard.build(&wheels).await?;
    }
    Ok(Some(Built { wheels, sources }))
}

/// Finds the source of a package in the index: of that version, or of the newest.
async fn find(python: &Python<'_>, name: &str, version: Option<&str>) -> Result<Source, Fault> {
    let page = format!("{}/{}/", python.index().trim_end_matches('/'), normal(name));
    let missing = || Fault::new(Code::PackageMissing, format!("the source of `{name}` is not in the index"));
    let files = match web::document(python.job.http, &page, index::SIMPLE).await? {
        Some(document) => listed(&document),
        // An index of the older form.
        None => linked(&web::text(python.job.http, &page, PAGE_BYTES_MAX).await?.ok_or_else(missing)?),
    };
    let source = |(file, url, sum): (String, String, String)| {
        let (known, version) = file.strip_suffix(".tar.gz")?.rsplit_once('-')?;
        let source = Source { name: name.to_owned(), version: version.to_owned(), url: joined(&page, &url)?, sum: sum.parse().ok()? };
        (normal(known) == normal(name)).then_some(source)
    };
    let mut found: Vec<Source> = files.into_iter().filter_map(source).collect();
    let is_final = |source: &Source| source.version.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    match version {
        Some(version) => found.retain(|source| source.version == version),
        None if found.iter().any(is_final) => found.retain(is_final),
        None => {}
    }
    found.sort_by(|one, other| crate::pull::order(&one.version, &other.version));
    found.pop().ok_or_else(missing)
}

/// Reads the files of an index: the name, the address and the hash of each that was not taken back.
fn listed(page: &Value) -> Vec<(String, String, String)> {
    let files = page.get("files").and_then(Value::as_array).into_iter().flatten();
    let file = |file: &Value| {
        let text = |pointer: &str| file.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let is_yanked = file.get("yanked").is_some_and(|yanked| yanked.as_bool() != Some(false));
        Some((text("/filename")?, text("/url")?, text("/hashes/sha256")?)).filter(|_| !is_yanked)
    };
    files.filter_map(file).collect()
}

/// Reads the same from a page for people.
fn linked(page: &str) -> Vec<(String, String, String)> {
    let link = |link: &str| {
        let (attributes, _) = link.split_once('>')?;
        let (address, rest) = attributes.split_once("href=\"")?.1.split_once('"')?;
        let (address, sum) = address.split_once("#sha256=")?;
        let is_yanked = rest.contains("data-yanked");
        let sum: String = sum.chars().take_while(char::is_ascii_hexdigit).collect();
        Some((address.rsplit('/').next()?.to_owned(), address.replace("&amp;", "&"), sum)).filter(|_| !is_yanked)
    };
    page.split("<a ").skip(1).filter_map(link).collect()
}

/// Resolves an address that stands on a page.
fn joined(page: &str, address: &str) -> Option<String> {
    if address.starts_with("https://") || (address.starts_with("http://") && page.starts_with("http://")) {
        return Some(address.to_owned());
    }
    let (scheme, rest) = page.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    if address.contains(':') || address.starts_with("//") {
        return None;
    }
    let mut parts: Vec<&str> = if address.starts_with('/') { Vec::new() } else { path.trim_end_matches('/').split('/').collect() };
    for part in address.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." { parts.truncate(parts.len().saturating_sub(1)) } else { parts.push(part) }
    }
    Some(format!("{scheme}://{host}/{}", parts.join("/")))
}

/// Where one package is built.
struct Yard<'a> {
    python: &'a Python<'a>,
    bench: &'a Bench,
    build: &'a Build,
    source: &'a Source,
    folder: PathBuf,
}

impl Yard<'_> {
    async fn build(&self, wheels: &Path) -> Result<(), Fault> {
        let job = self.python.job;
        let archive = self.folder.with_extension("tar.gz");
        web::download(job.http, &self.source.url, &archive, job.progress).await?;
        let digest = Digest::of_file(&archive).map_err(failed)?;
        if digest != self.source.sum {
            return Err(Fault::new(
                Code::PackageUnverified,
                format!("the source of `{}` is not what the index promised", self.source.name),
            )
            .because(format!("its digest is {digest}, and not {}", self.source.sum)));
        }
        confined::unpack(job, &self.label(), &archive, &self.folder).await?;
        let root = fs::read_dir(&self.folder).map_err(failed)?.flatten().map(|entry| entry.path()).find(|path| path.is_dir());
        let root = root.ok_or_else(|| self.odd("its source is empty"))?;
        let system = System::read(&root).ok_or_else(|| self.odd("its pyproject.toml cannot be read"))?;
        self.install(&system.requires).await?;
        let out = self.folder.with_extension("out");
        fs::create_dir_all(&out).map_err(failed)?;
        self.call("needs", &root, &out, &system).await?;
        let needs = fs::read(out.join("needs.json")).ok().and_then(|text| serde_json::from_slice::<Vec<String>>(&text).ok());
        self.install(&needs.unwrap_or_default()).await?;
        self.call("build", &root, &out, &system).await?;
        let files = fs::read_dir(&out).map_err(failed)?.flatten().map(|entry| entry.path());
        let wheel = files.filter(|path| path.extension() == Some(OsStr::new("whl"))).find(|path| path.is_file());
        let wheel = wheel.ok_or_else(|| self.odd("its build made no wheel"))?;
        let name = wheel.file_name().unwrap_or_default();
        fs::rename(&wheel, wheels.join(name)).map_err(failed)
    }

    /// Installs what the build needs, from wheels.
    async fn install(&self, asked: &[String]) -> Result<(), Fault> {
        let is_plain = |one: &String| one.starts_with(|first: char| first.is_ascii_alphanumeric()) && !one.contains(['@', '\n', '\\']);
        if asked.len() > REQUIREMENTS_MAX || !asked.iter().all(is_plain) {
            return Err(self.odd("its build wants something else than packages of the index"));
        }
        if asked.is_empty() {
            return Ok(());
        }
        let pins = self.python.pins(self.bench, asked, None).await?;
        self.python.install_to(self.bench, &self.env(), &pins, (&self.label(), None)).await
    }

    async fn call(&self, step: &str, root: &Path, out: &Path, system: &System) -> Result<Said, Fault> {
        let runtime = &self.python.runtime;
        let text = |path: &Path| path.display().to_string();
        let paths: Vec<String> = system.paths.iter().map(|path| text(&root.join(path))).collect();
        let paths = serde_json::to_string(&paths).map_err(failed)?;
        let env = self.env();
        fs::create_dir_all(&env).map_err(failed)?;
        let mut spec = Spec::new(&runtime.path);
        spec.args = ["-P", "-B", "-c", SCRIPT, step].map(str::to_owned).to_vec();
        if self.python.series_number() < (3, 11) {
            spec.args.remove(0);
        }
        spec.args.extend([text(&env), text(out), system.backend.clone(), paths]);
        let bin = runtime.path.parent().unwrap_or_else(|| Path::new("/usr/bin"));
        spec.env = vec![("PATH".to_owned(), format!("{}:{}:/usr/bin:/bin", env.join("bin").display(), bin.display()))];
        spec.cwd = Some(root.to_owned());
        let headers = bin.parent().unwrap_or_else(|| Path::new("/usr")).join("include");
        let others = [runtime.home.clone(), headers].into_iter().filter(|path| path.is_dir() && !path.starts_with("/usr"));
        spec.runtime.extend(others.chain([env]));
        spec.write = vec![root.to_owned(), out.to_owned()];
        spec.limits = confined::limits();
        let said = confined::run(self.python.job, &self.label(), spec, &self.build.net).await?;
        if said.is_success {
            return Ok(said);
        }
        let fault = said.explain(Fault::new(Code::PullFailed, format!("`{}` cannot be built", self.label())));
        Err(fault.hint("in its sandbox it has a compiler where the machine has one, and reaches what is granted: --build-net HOST"))
    }

    fn env(&self) -> PathBuf {
        self.folder.with_extension("env")
    }

    fn label(&self) -> String {
        format!("pypi:{}=={}", self.source.name, self.source.version)
    }

    fn odd(&self, why: &str) -> Fault {
        Fault::new(Code::PullFailed, format!("`{}` cannot be built", self.label())).because(why)
    }
}

/// How a project says that it is built.
struct System {
    requires: Vec<String>,
    backend: String,
    paths: Vec<PathBuf>,
}

impl System {
    fn read(root: &Path) -> Option<Self> {
        let text = match fs::read_to_string(root.join("pyproject.toml")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(_) => return None,
        };
        let project: toml::Table = text.parse().ok()?;
        let system = project.get("build-system").and_then(toml::Value::as_table);
        let list = |name: &str| {
            let list = system.and_then(|system| system.get(name)).and_then(toml::Value::as_array);
            list.map(|list| list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect::<Vec<_>>())
        };
        let backend = system.and_then(|system| system.get("build-backend")).and_then(toml::Value::as_str);
        let is_inside =
            |path: &PathBuf| path.is_relative() && !path.components().any(|part| matches!(part, std::path::Component::ParentDir));
        let paths: Vec<PathBuf> = list("backend-path").unwrap_or_default().into_iter().map(PathBuf::from).collect();
        let requires = list("requires").unwrap_or_else(|| vec![USUAL.0.to_owned(), "wheel".to_owned()]);
        paths.iter().all(is_inside).then(|| Self { requires, backend: backend.unwrap_or(USUAL.1).to_owned(), paths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_on_pages_of_both_forms() {
        let sum = "0".repeat(64);
        let page = format!(
            "<html><a href=\"../../files/x-1.0.tar.gz#sha256={sum}\" data-requires-python=\"&gt;=2\">x-1.0.tar.gz</a>\n\
             <a href=\"https://files.example/x-2.0.tar.gz#sha256={sum}\" data-yanked=\"\">x-2.0.tar.gz</a><a href=\"/none\">none</a>"
        );
        let found = linked(&page);
        assert_eq!(found, [("x-1.0.tar.gz".to_owned(), "../../files/x-1.0.tar.gz".to_owned(), sum.clone())]);
        let absolute = |address: &str| joined("https://index.example/simple/x/", address);
        assert_eq!(absolute("../../files/x.tar.gz").as_deref(), Some("https://index.example/files/x.tar.gz"));
        assert_eq!(absolute("/files/x.tar.gz").as_deref(), Some("https://index.example/files/x.tar.gz"));
        assert_eq!((absolute("http://files.example/x"), absolute("file:///etc/passwd"), absolute("//files.example/x")), (None, None, None));
        let document = serde_json::json!({ "files": [
            { "filename": "x-1.0.tar.gz", "url": "u", "hashes": { "sha256": sum } },
            { "filename": "x-2.0.tar.gz", "url": "u", "hashes": { "sha256": sum }, "yanked": "broken" }
        ] });
        assert_eq!(listed(&document).len(), 1);
    }
}
