//! A configuration that is being put together from several files.

mod listing;
mod own;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crib_model::{Code, Slug};
use crib_registry::pins::Policy;

use super::Compiled;
use super::check;
use super::env_file::{self, Trouble};
use super::server::{self, CompiledServer, Missing};
use crate::config::{Auth, Config, Key, Server, VERSION};
use crate::dialect;
use crate::inputs::{self, Asked, Input};
use crate::problem::{File, Problem};
use crate::tree::{self, Language, Node, Span, Value};
use crate::variables::{self, Reading, Spelling, Unset};
use crate::world::World;
use own::{expand_own, named, stray_secret, unset_problem};

/// Deepest chain of files that include each other.
const INCLUDE_DEPTH_MAX: usize = 8;

pub(super) struct Draft<'w> {
    world: &'w dyn World,
    /// The servers that are wanted; all that are not merely listed where empty.
    only: &'w [String],
    /// The names in catalogues.
    listed: Vec<String>,
    config: Config,
    servers: Vec<Entry>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    files: Vec<PathBuf>,
    /// The files that are being read, outermost first.
    open: Vec<PathBuf>,
    /// The file that was named, of those that are being read.
    named: PathBuf,
    /// What keys may use, for servers that are only known at the end.
    patterns: Vec<check::key::Pattern>,
    /// The file with the settings of the gateway, for what can only be checked at the end.
    gateway: Option<(Arc<File>, Node)>,
}

/// A server as a file has it.
struct Entry {
    name: String,
    server: Server,
    file: Arc<File>,
    /// The file that was named.
    named: PathBuf,
    /// Where the name stands.
    key: Span,
    node: Node,
    is_foreign: bool,
    /// What it needs and has no value here.
    missing: Option<Unset>,
    /// What a person is to be asked for.
    inputs: Vec<Input>,
}

impl<'w> Draft<'w> {
    pub(super) fn new(world: &'w dyn World, only: &'w [String]) -> Self {
        Self {
            world,
            only,
            listed: Vec::new(),
            config: Config::default(),
            servers: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            files: Vec::new(),
            open: Vec::new(),
            named: PathBuf::new(),
            patterns: Vec::new(),
            gateway: None,
        }
    }

    /// Reads one file; `shown` is the path as the user wrote it.
    pub(super) fn load(&mut self, path: &Path, shown: &Path) {
        if self.open.is_empty() {
            path.clone_into(&mut self.named);
        }
        let text = match self.world.read(path) {
            Ok(text) => text,
            Err(error) => {
                let problem = Problem::new(Code::ConfigUnreadable, format!("cannot read {}: {error}", shown.display()));
                return self.problems.push(problem.hint("check the path, and who may read the file"));
            }
        };
        self.files.push(path.to_owned());
        let file = Arc::new(File { path: shown.to_owned(), text });
        let language = Language::of(path, &file.text);
        let root = tree::parse(&file.text, language);
        if let Ok(root) = &root
            && let Some(kind) = dialect::listing::kind(root, language)
        {
            return self.listing(&file, path, root, kind);
        }
        match root {
            Ok(root) if dialect::is_ours(&root, language) => self.own(&file, path, root),
            Ok(root) => self.foreign(&file, path, &root),
            Err(error) => self.problems.push(Problem::syntax(&file, error)),
        }
    }

    fn own(&mut self, file: &Arc<File>, path: &Path, mut root: Node) {
        if let Some(version) = root.get("version")
            && !matches!(&version.value, Value::Number(n) if n.as_u64() == Some(VERSION.into()))
        {
            let problem = Problem::at(file, version.span.clone(), format!("this program reads version {VERSION}"));
            return self.problems.push(problem);
        }
        let mut missing = match expand_own(&mut root, &file.text, self.world) {
            Ok(missing) => missing,
            Err(unset) => return self.problems.push(unset_problem(file, unset)),
        };
        if let Some(span) = stray_secret(&root) {
            let problem = Problem::at(file, span, "this is not the place for a secret");
            return self.problems.push(problem.hint("secrets go into `env` and `headers` of servers, and into `secret` of keys"));
        }
        let config: Config = match tree::read(&root) {
            Ok(config) => config,
            Err(error) => {
                // Where a value is missing, what is read there is wrong for that alone.
                let unset = missing.into_values().next().map(|unset| unset_problem(file, unset));
                return self.problems.push(unset.unwrap_or_else(|| Problem::read(file, error)));
            }
        };
        self.includes(file, path, &root, &config.include);
        for (name, server) in config.servers {
            let node = root.get("servers").and_then(|servers| servers.get(&name)).unwrap_or(&root).clone();
            let (key, missing) = (named(&root, &name), missing.remove(&name));
            let named = self.named.clone();
            let entry = Entry { key, name, server, file: Arc::clone(file), named, node, is_foreign: false, missing, inputs: Vec::new() };
            self.add_with_file(entry, self.world.directory());
        }
        if root.get("gateway").is_some() {
            self.config.gateway = config.gateway;
        }
        if root.get("observability").is_some() {
            self.config.observability = config.observability;
        }
        if root.get("cluster").is_some() {
            self.problems.extend(config.cluster.as_ref().and_then(|cluster| check::cluster::check(cluster, file, &root)));
            self.config.cluster = config.cluster;
        }
        if root.get("packages").is_some() {
            self.config.packages = config.packages;
            let root = &mut self.config.packages.trusted_root;
            if !root.is_empty() {
                *root = self.world.absolute(root.as_str().as_ref()).display().to_string();
            }
            // The text of a key stays as it is.
            let is_file = |key: &&mut String| !key.starts_with("RW") && !key.contains("BEGIN PUBLIC KEY");
            for key in self.config.packages.keys_mut().filter(is_file) {
                *key = self.world.absolute(key.as_str().as_ref()).display().to_string();
            }
        }
        self.keys(&check::key::Listed { file, root: &root }, config.keys);
        if root.get("gateway").is_some() || root.get("observability").is_some() || self.gateway.is_none() {
            self.gateway = Some((Arc::clone(file), root));
        }
    }

    fn keys(&mut self, listed: &check::key::Listed<'_>, keys: Vec<Key>) {
        for (at, key) in keys.into_iter().enumerate() {
            let wrong = listed.twice(&key, at, &self.config.keys).or_else(|| listed.key(&key, at));
            let (unreadable, patterns) = listed.patterns(&key, at);
            self.problems.extend(wrong.into_iter().chain(unreadable));
            self.patterns.extend(patterns);
            self.config.keys.push(key);
        }
    }

    /// Reads the files a file names, before what it says itself, which so wins.
    fn includes(&mut self, file: &Arc<File>, path: &Path, root: &Node, includes: &[String]) {
        for (at, include) in includes.iter().enumerate() {
            let place = root.locate(&["include", &at.to_string()]);
            let base = path.parent().unwrap_or_else(|| Path::new(""));
            let target = if include.starts_with('~') { self.world.absolute(Path::new(include)) } else { base.join(include) };
            if self.open.contains(&target) || target == path || self.open.len() >= INCLUDE_DEPTH_MAX {
                let label = "this file includes itself, or files include each other too deeply";
                self.problems.push(Problem::at(file, place, label));
                continue;
            }
            self.open.push(path.to_owned());
            let before = self.problems.len();
            self.load(&target, Path::new(include));
            self.open.pop();
            // A file that cannot be read is the fault of the line that names it.
            if let Some([problem]) = self.problems.get_mut(before..)
                && problem.code == Code::ConfigUnreadable
            {
                *problem = Problem::at(file, place, problem.message.clone());
            }
        }
    }

    fn foreign(&mut self, file: &Arc<File>, path: &Path, root: &Node) {
        let found = match dialect::servers(root, self.world) {
            Ok(found) => found,
            Err(span) => {
                let hint = "known are this program's own format (`servers:`) and the files of MCP clients (`mcpServers`, `servers`, `mcp`, \
                            `context_servers`, `mcp_servers`, `extensions`)";
                return self.problems.push(Problem::at(file, span, "no MCP servers in this file").hint(hint));
            }
        };
        let origin = crib_clients::origin(path, self.world.home().as_deref());
        let project = origin.as_ref().and_then(|origin| origin.project.as_deref());
        let reading = Reading {
            spelling: origin.as_ref().map_or(Spelling::Foreign, |origin| origin.client.writing().into()),
            workspace: project.unwrap_or_else(|| self.world.directory()),
            inputs: &inputs::declared(root, path),
            ..Reading::own(self.world)
        };
        for dialect::Found { name, key, mut node } in found {
            if !dialect::is_enabled(&node) {
                continue;
            }
            let inputs = variables::wanted(&node, reading);
            let missing = match variables::expand_server(&mut node, &file.text, reading) {
                Ok(missing) => missing,
                Err(Unset { span, message, hint, .. }) => {
                    let mut problem = Problem::at(file, span, format!("`{name}` is left out: {message}"));
                    problem.hint = hint;
                    self.warnings.push(problem);
                    continue;
                }
            };
            match dialect::server(&node, self.world) {
                Ok(Some(mut server)) => {
                    self.house(&mut server, project);
                    let named = self.named.clone();
                    let entry = Entry { name, server, file: Arc::clone(file), named, key, node, is_foreign: true, missing, inputs };
                    self.add_with_file(entry, reading.workspace);
                }
                Ok(None) => {}
                Err((span, why)) => self.warnings.push(Problem::at(file, span, format!("`{name}` is left out: {why}"))),
            }
        }
    }

    /// Has what a project brings along start in its folder, wherever we are.
    fn house(&self, server: &mut Server, project: Option<&Path>) {
        let Some(project) = project.filter(|project| *project != self.world.directory()) else { return };
        if server.command.is_empty() || server.cwd.starts_with('~') {
            return;
        }
        let cwd = if server.cwd.is_empty() { project.to_owned() } else { project.join(&server.cwd) };
        server.cwd = cwd.display().to_string();
    }

    /// Adds a server with the variables of its file.
    fn add_with_file(&mut self, mut entry: Entry, base: &Path) {
        let path = env_file::place(&entry.server, base, self.world).filter(|_| entry.server.enabled && entry.server.url.is_empty());
        let Some(path) = path else { return self.add(entry) };
        // Also where it cannot be read: it may come.
        self.files.push(path.clone());
        match env_file::merge(&mut entry.server, &path, self.world) {
            Ok(()) => {}
            Err(Trouble::Unreadable(message)) => {
                let span = entry.node.locate(&["envFile"]);
                let hint = Some("check the path in `envFile`, and who may read the file".to_owned());
                entry.missing.get_or_insert(Unset { may_be_set: true, message, hint, span });
            }
            Err(Trouble::Wrong(problem)) if entry.is_foreign => {
                let label = format!("`{}` is left out: {}", entry.name, problem.summary());
                let mut warning = Problem::at(&entry.file, entry.node.locate(&["envFile"]), label);
                warning.hint = problem.hint;
                return self.warnings.push(warning);
            }
            Err(Trouble::Wrong(problem)) => self.problems.push(problem),
        }
        self.add(entry);
    }

    /// The same name again replaces the earlier server.
    fn add(&mut self, entry: Entry) {
        if let Some(earlier) = self.servers.iter_mut().find(|earlier| earlier.name == entry.name) {
            let label = format!("replaces `{}` of {}", entry.name, earlier.file.path.display());
            self.warnings.push(Problem::at(&entry.file, entry.key.clone(), label));
            *earlier = entry;
        } else {
            self.servers.push(entry);
        }
    }

    pub(super) fn finish(mut self) -> Result<Compiled, Vec<Problem>> {
        let mut entries = std::mem::take(&mut self.servers);
        let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        self.problems.extend(self.unknown(&names));
        entries.retain(|entry| self.only.is_empty() || self.only.contains(&entry.name));
        // A server that is switched off or left out is a server still.
        let mut known: Vec<String> = entries.iter().map(|entry| Slug::from_name(&entry.name).to_string()).collect();
        let mut servers: Vec<CompiledServer> = Vec::with_capacity(entries.len());
        for entry in entries.into_iter().filter(|entry| entry.server.enabled) {
            match server::source(&entry.server, self.world) {
                Ok(source) => {
                    if let Some(unset) = entry.missing.clone() {
                        self.warnings.push(unset_problem(&entry.file, unset));
                    }
                    let slug = self.slug(&entry, &servers);
                    servers.push(self.server(entry, slug, source));
                }
                // Something else than an address, say, because a value is missing in it.
                Err(_) if entry.missing.is_some() => {
                    let left_out = |unset: Unset| Unset { message: format!("`{}` is left out: {}", entry.name, unset.message), ..unset };
                    self.warnings.extend(entry.missing.map(left_out).map(|unset| unset_problem(&entry.file, unset)));
                }
                Err(complaint) => {
                    let path: Vec<&str> = complaint.path.iter().map(String::as_str).collect();
                    let span = if path.is_empty() { entry.key.clone() } else { entry.node.locate(&path) };
                    let mut problem = Problem::at(&entry.file, span, complaint.message);
                    problem.hint = complaint.hint.map(Cow::into_owned);
                    if entry.is_foreign { self.warnings.push(problem) } else { self.problems.push(problem) }
                }
            }
        }
        known.extend(servers.iter().map(|server| server.slug.to_string()));
        self.warnings.extend(self.patterns.iter().filter_map(|pattern| pattern.stray(&known)));
        if let Some((file, root)) = &self.gateway {
            self.problems.extend(check::gateway(&self.config, servers.len(), file, root));
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let auth = self.config.gateway.auth;
        let asked = |server: &CompiledServer| {
            let asked = |input: &Input| Asked { input: input.clone(), server: server.name.clone() };
            server.inputs.iter().map(asked).collect::<Vec<_>>()
        };
        let mut compiled = Compiled::of(self.config);
        compiled.needs_key = auth == Auth::Keys || (auth == Auth::Auto && !compiled.keys.is_empty());
        compiled.listen_at = self.gateway.as_ref().and_then(|(file, root)| {
            root.get("gateway")?.get("listen")?;
            Problem::at(file, root.locate(&["gateway", "listen"]), "the address is named here").place
        });
        compiled.inputs = servers.iter().flat_map(asked).collect();
        compiled.servers = servers;
        compiled.warnings = self.warnings;
        compiled.files = self.files;
        Ok(compiled)
    }

    fn server(&self, entry: Entry, slug: Slug, source: server::Source) -> CompiledServer {
        let gateway = &self.config.gateway;
        let Entry { name, named, server, missing, inputs, .. } = entry;
        let pins = match source {
            // Part of this program, which nobody else can change.
            server::Source::Builtin(_) => Policy::off(),
            server::Source::Command { .. } | server::Source::Url { .. } | server::Source::Package(_) => server.pins.policy(gateway.pins),
        };
        CompiledServer {
            slug,
            name,
            file: Some(named),
            source,
            timeout: server.timeout.unwrap_or(gateway.call_timeout).0,
            start_timeout: server.start_timeout.unwrap_or(gateway.start_timeout).0,
            input_timeout: gateway.input_timeout.0,
            era_ttl: gateway.era_ttl.0,
            keep_alive: server.keep_alive.unwrap_or(gateway.keep_alive).limit(),
            processes: usize::try_from(server.processes.max(1)).unwrap_or(1),
            tools: server.tools,
            pins,
            describe: server.describe,
            missing: missing.map(|unset| Missing { message: unset.message, hint: unset.hint }),
            inputs,
            wishes: server.wishes,
        }
    }

    /// Makes the name fit for tool names, and different from the others whatever the case.
    fn slug(&mut self, entry: &Entry, taken: &[CompiledServer]) -> Slug {
        let owner = |slug: &Slug| taken.iter().find(|other| other.slug.as_str().eq_ignore_ascii_case(slug.as_str()));
        let wanted = Slug::parse(&entry.name).unwrap_or_else(|| Slug::from_name(&entry.name));
        let Some(other) = owner(&wanted) else {
            if wanted.as_str() != entry.name {
                let label = format!("served as `{wanted}`: names have letters, digits, `-` and single `_`, at most {}", Slug::LEN_MAX);
                self.warnings.push(Problem::at(&entry.file, entry.key.clone(), label));
            }
            return wanted;
        };
        let stem: String = wanted.as_str().chars().take(Slug::LEN_MAX - 4).collect();
        let free = (2..1000).map(|n| Slug::from_name(&format!("{stem}-{n}"))).find(|slug| owner(slug).is_none()).unwrap_or(wanted);
        let label = format!("served as `{free}`: `{}` has the name already", other.name);
        self.warnings.push(Problem::at(&entry.file, entry.key.clone(), label));
        free
    }
}
