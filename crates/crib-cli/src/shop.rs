//! The packages of this user: the store, the lockfile, and who may change them at a time.

mod keys;
mod tools;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crib_control::CompiledServer;
use crib_model::{Code, Fault};
use crib_oci::Reference;
use crib_package::{
    Build, FindingKind, Grants, Listing, Lock, Locked, More, NetGrant, Owner, Packages, PackagesOptions, Policy, Progress, Provenance,
    Pulled, Required, Source, Start, Trust, Verdict,
};
use crib_transport::{ClientOptions, HttpClient};
use parking_lot::RwLock;

use crate::args::Fetch;
use crate::failure::Failure;
use crate::{config, places};
use keys::{no_key, read_keys};

/// The files from which this process has its servers.
static GUARDED: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

/// The store and the lockfile.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) data: PathBuf,
    pub(crate) packages: Packages,
}

/// Whom to believe, and what is done about what is found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Believed {
    policy: Policy,
    trust: Trust,
    build: Build,
}

impl Believed {
    /// Takes what the configuration says.
    pub(crate) fn of(packages: &crib_control::config::Packages) -> Result<Self, Fault> {
        let mut this = Self::default();
        let odd = |what: String| Fault::new(Code::ConfigInvalid, format!("`packages` in the configuration has {what}"));
        let (keys, image_keys) = read_keys(&packages.keys).map_err(|why| odd("a key that is none".to_owned()).because(why))?;
        (this.trust.keys, this.trust.image_keys) = (keys, image_keys);
        for signers in &packages.signers {
            let (keys, image_keys) = read_keys(&signers.keys).map_err(|why| odd("a key that is none".to_owned()).because(why))?;
            if signers.identities.is_empty() && signers.keys.is_empty() {
                return Err(odd(format!("nobody who may sign `{}`", signers.of.escape_debug())).hint("give `keys` or `identities`"));
            }
            this.trust.required.push(Required { of: signers.of.clone(), keys, image_keys, identities: signers.identities.clone() });
        }
        this.trust.root = Some(PathBuf::from(&packages.trusted_root)).filter(|path| !path.as_os_str().is_empty());
        for (name, verdict) in &packages.findings {
            let known = finding(name).ok_or_else(|| {
                odd(format!("a verdict on `{}`, which is no finding", name.escape_debug())).hint(format!("findings: {}", findings()))
            })?;
            let verdict = match verdict {
                crib_control::config::Verdict::Allow => Verdict::Allow,
                crib_control::config::Verdict::Warn => Verdict::Warn,
                crib_control::config::Verdict::Refuse => Verdict::Refuse,
            };
            this.policy = this.policy.with(known, verdict);
        }
        Ok(this)
    }

    /// Takes what the user's configuration and a command line say.
    pub(crate) fn for_fetch(fetch: &Fetch) -> Result<Self, Failure> {
        let mut this = Self::of(&config::own()?.packages)?;
        for name in &fetch.allow {
            let kind =
                finding(name).ok_or_else(|| Failure::usage(format!("`{name}` is no finding")).hint(format!("findings: {}", findings())))?;
            this.policy = this.policy.with(kind, Verdict::Allow);
        }
        if !fetch.key.is_empty() {
            let (keys, image_keys) = read_keys(&fetch.key).map_err(|why| no_key(&why))?;
            (this.trust.keys, this.trust.image_keys) = (keys, image_keys);
            this.trust.needs_key = true;
        }
        this.building(&fetch.build, &fetch.build_net)
    }

    /// Has packages be built that are named, with a way to these hosts.
    pub(crate) fn building(mut self, packages: &[String], hosts: &[String]) -> Result<Self, Failure> {
        if packages.is_empty() && !hosts.is_empty() {
            return Err(Failure::usage("--build-net goes with --build"));
        }
        let net = NetGrant::try_from(hosts.to_vec()).map_err(|why| Failure::usage(format!("--build-net: {why}")))?;
        self.build = Build { packages: packages.to_vec(), net };
        Ok(self)
    }
}

fn finding(name: &str) -> Option<FindingKind> {
    FindingKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

fn findings() -> String {
    FindingKind::ALL.map(FindingKind::as_str).join(", ")
}

impl Shop {
    /// Opens the user's own.
    pub(crate) fn open(believed: Believed) -> Result<Self, Fault> {
        let data = data()?;
        private_folder(&data).map_err(|error| unusable(&data, &error))?;
        let options = PackagesOptions {
            data: data.clone(),
            env: std::env::vars_os().collect(),
            http: HttpClient::new(ClientOptions::default())?,
            policy: believed.policy,
            trust: believed.trust,
            build: believed.build,
            launcher: std::env::current_exe().ok(),
        };
        Ok(Self { packages: Packages::new(options)?, data })
    }

    /// Goes by another configuration from the next pull on.
    pub(crate) fn believe(&self, believed: Believed) {
        self.packages.believe(believed.policy, believed.trust);
    }

    /// Reads the lockfile.
    pub(crate) fn lock(&self) -> Result<Lock, Fault> {
        lock(&self.data)
    }

    /// Changes the lockfile while nobody else does.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Lock) -> T) -> Result<T, Fault> {
        let guard = self.data.join(".lock");
        let held = File::options().create(true).truncate(false).write(true).open(&guard).and_then(|file| file.lock().map(|()| file));
        let held = held.map_err(|error| unusable(&guard, &error))?;
        let mut lock = self.lock()?;
        let result = change(&mut lock);
        lock.save(&path(&self.data))?;
        drop(held);
        Ok(result)
    }

    /// Returns what is locked for a server, if it is what is wanted.
    pub(crate) fn locked(&self, owner: &Owner, name: &str, wanted: &Source) -> Result<Option<Locked>, Fault> {
        let lock = self.lock()?;
        let locked = known(&lock, owner, name, wanted);
        if let Some(locked) = locked.as_ref().filter(|_| lock.get(owner, name).is_none())
            && let Err(fault) = self.keep(owner, name, locked)
        {
            // It can be started all the same.
            tracing::warn!(server = name, "what it is locked to is not kept: {fault}");
        }
        Ok(locked.filter(|locked| is_of(locked, wanted)))
    }

    /// Returns what the user's own configuration has locked for the same package under the same name.
    pub(crate) fn own(&self, name: &str, wanted: &Source) -> Result<Option<Locked>, Fault> {
        Ok(self.lock()?.servers.remove(name).filter(|locked| is_same(locked, wanted)))
    }

    /// Gets a package and locks it, with what was granted to the version before.
    pub(crate) async fn pull(&self, name: &str, source: &Source, listing: Option<&Listing>, progress: &Progress) -> Result<Pulled, Fault> {
        self.pull_for(&Owner::Own, (name, source), listing, progress).await
    }

    /// Does the same for a server of somebody's.
    pub(crate) async fn pull_for(
        &self,
        owner: &Owner,
        wanted: (&str, &Source),
        listing: Option<&Listing>,
        progress: &Progress,
    ) -> Result<Pulled, Fault> {
        let pulled = self.pull_and_keep(owner, wanted, listing, progress).await;
        drop(self.packages.forget_refused(|| self.lock()));
        pulled
    }

    async fn pull_and_keep(
        &self,
        owner: &Owner,
        (name, source): (&str, &Source),
        listing: Option<&Listing>,
        progress: &Progress,
    ) -> Result<Pulled, Fault> {
        // Nobody takes it for what no server needs before it is locked.
        let _busy = self.packages.busy();
        let before = known(&self.lock()?, owner, name, source);
        let pulled = match listing {
            Some(listing) => Box::pin(self.packages.pull_listed(source, listing, before.as_ref(), progress)).await?,
            None => Box::pin(self.packages.pull(source, before.as_ref(), progress)).await?,
        };
        self.keep(owner, name, &pulled.locked)?;
        Ok(pulled)
    }

    /// Locks a server.
    pub(crate) fn keep(&self, owner: &Owner, name: &str, locked: &Locked) -> Result<(), Fault> {
        self.change(|lock| {
            lock.put(owner, name, locked.clone());
            lock.forget_gone();
        })
    }

    /// Checks the bytes and says how they are started.
    pub(crate) fn start(&self, locked: &Locked) -> Result<Start, Fault> {
        self.packages.start(locked)
    }
}

/// Returns whose server this is: its lock and its grants are that configuration's alone.
pub(crate) fn owner(server: &CompiledServer) -> Owner {
    let Some(file) = &server.file else { return Owner::Own };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_gone| path.to_owned());
    let is_own = places::places().is_ok_and(|places| real(&places::own(&places).config) == real(file));
    if is_own {
        return Owner::Own;
    }
    // The file itself may be a link that leads elsewhere with every change, as those of a ConfigMap are.
    let folder = file.parent().map(real).unwrap_or_default();
    let path = file.file_name().map_or_else(|| folder.clone(), |name| folder.join(name));
    Owner::File(PathBuf::from(path.to_string_lossy().into_owned()))
}

/// Returns what is locked for a server. Another configuration begins with our bytes of it, and with none of our grants.
fn known(lock: &Lock, owner: &Owner, name: &str, wanted: &Source) -> Option<Locked> {
    if let Some(locked) = lock.get(owner, name) {
        return Some(locked.clone());
    }
    let own = lock.servers.get(name).filter(|locked| is_of(locked, wanted))?;
    Some(Locked { grants: Grants { engine: own.grants.engine, ..Grants::default() }, build: Build::default(), ..own.clone() })
}

/// Returns our data directory.
pub(crate) fn data() -> Result<PathBuf, Fault> {
    let places = places::places().map_err(|failure| Fault::new(Code::LockInvalid, failure.one_line()))?;
    Ok(places::own(&places).data)
}

/// Remembers the files of a configuration: no server may write where they are.
pub(crate) fn guard(files: &[PathBuf]) {
    let mut guarded = GUARDED.write();
    for file in files {
        let file = file.canonicalize().unwrap_or_else(|_gone| file.clone());
        if !guarded.contains(&file) {
            guarded.push(file);
        }
    }
}

/// Refuses grants that reach our own folders: a server that writes there is confined no longer, and one that reads there
/// has the key of the secrets.
pub(crate) fn keep_apart(grants: &Grants) -> Result<(), Fault> {
    let places = places::places().map_err(|failure| Fault::new(Code::LockInvalid, failure.one_line()))?;
    let places::Own { config, data } = places::own(&places);
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_gone| path.to_owned());
    let own: Vec<PathBuf> = config.parent().into_iter().chain([data.as_path()]).map(real).collect();
    let kept = real(&kept(&data));
    for granted in &grants.write {
        let path = real(granted);
        if let Some(file) = GUARDED.read().iter().find(|file| file.starts_with(&path)) {
            let message = format!("`{}` cannot be granted for writing: `{}` is in it", granted.display(), file.display());
            return Err(Fault::new(Code::SandboxFailed, message)
                .because("a server that can change the configuration can have anything started, outside of its sandbox")
                .hint("keep that file elsewhere, or grant the folders that are needed, one by one"));
        }
    }
    for granted in grants.read.iter().chain(&grants.write) {
        let path = real(granted);
        // A server's own folder is nobody else's.
        if path != kept && path.starts_with(&kept) {
            continue;
        }
        if let Some(own) = own.iter().find(|own| own.starts_with(&path) || path.starts_with(own)) {
            let message =
                format!("`{}` cannot be granted: Toolcrib keeps its configuration and its keys in `{}`", granted.display(), own.display());
            return Err(Fault::new(Code::SandboxFailed, message)
                .hint("grant the folders that are needed, one by one: --allow-read DIR, --allow-write DIR"));
        }
    }
    Ok(())
}

/// Returns where servers have folders of their own, by their names. Nothing of ours is in there.
pub(crate) fn kept(data: &Path) -> PathBuf {
    data.join("servers")
}

/// Reads the lockfile of a data directory.
pub(crate) fn lock(data: &Path) -> Result<Lock, Fault> {
    Lock::load(&path(data))
}

fn path(data: &Path) -> PathBuf {
    data.join("toolcrib.lock")
}

/// Makes a folder that is this user's alone.
pub(crate) fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn unusable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::LockInvalid, format!("`{}` cannot be used", path.display())).because(error)
}

/// Returns a source without its version, as the lockfile names it, and the version, where it is an exact one.
fn bare(source: &Source) -> (String, Option<String>) {
    let (bare, version) = match source.clone() {
        Source::Npm { name, version, .. } => (Source::Npm { name, version: None, more: More::default() }, version),
        Source::Pypi { name, version, .. } => (Source::Pypi { name, version: None, more: More::default() }, version),
        Source::Cargo { name, version } => (Source::Cargo { name, version: None }, version),
        Source::Mcpb { place, .. } => (Source::Mcpb { place, sha256: None }, None),
        it @ (Source::Registry { .. } | Source::Oci { .. } | Source::Url(_) | Source::Folder(_) | Source::Command { .. }) => (it, None),
    };
    let is_exact = |version: &String| {
        version.starts_with(|letter: char| letter.is_ascii_digit())
            && version.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-+_!".contains(letter))
    };
    (bare.to_string(), version.filter(is_exact))
}

/// Returns whether what is locked is the package that is asked for, in whatever version.
pub(crate) fn is_same(locked: &Locked, wanted: &Source) -> bool {
    let Source::Oci { image } = wanted else { return locked.source == bare(wanted).0 };
    Reference::parse(image).is_ok_and(|name| locked.source == format!("oci:{}", name.name()))
}

/// Returns whether what is locked is what is asked for.
pub(crate) fn is_of(locked: &Locked, wanted: &Source) -> bool {
    if let Source::Oci { image } = wanted {
        return Reference::parse(image).is_ok_and(|name| is_image(locked, &name));
    }
    let (name, version) = bare(wanted);
    let has_all = match wanted {
        Source::Npm { more, .. } | Source::Pypi { more, .. } => {
            more.with.iter().all(|one| locked.with.contains(one)) && more.program == locked.program && more.python == locked.python
        }
        Source::Registry { .. }
        | Source::Oci { .. }
        | Source::Cargo { .. }
        | Source::Mcpb { .. }
        | Source::Url(_)
        | Source::Folder(_)
        | Source::Command { .. } => true,
    };
    locked.source == name && has_all && version.is_none_or(|version| version == locked.version)
}

/// Tells whether an image that is locked is the one that is named: by its digest, or by its tag, whatever that stands
/// for elsewhere by now.
fn is_image(locked: &Locked, name: &Reference) -> bool {
    let Provenance { integrity, index, .. } = &locked.provenance;
    let is_it = |digest: &str| [integrity, index].into_iter().flatten().any(|known| known == digest);
    locked.source == format!("oci:{}", name.name())
        && name.tag().is_none_or(|tag| tag == locked.version)
        && name.digest().is_none_or(|digest| is_it(digest.as_str()))
}

/// Returns the name by which a newer version of what is locked is found.
pub(crate) fn followed(locked: &Locked) -> String {
    // A package has a newest version, and an image only what its tag stands for.
    let is_tagged = locked.source.starts_with("oci:") && !locked.version.starts_with("sha256:");
    if is_tagged { format!("{}:{}", locked.source, locked.version) } else { format!("{}{}", locked.source, locked.marks()) }
}

/// Returns how the configuration names what is locked.
pub(crate) fn pinned(locked: &Locked) -> String {
    if let Some(digest) = locked.provenance.integrity.as_ref().filter(|_| locked.source.starts_with("oci:")) {
        return format!("{}@{digest}", followed(locked));
    }
    let is_registry = ["npm:", "pypi:", "cargo:"].iter().any(|kind| locked.source.starts_with(kind));
    if is_registry { format!("{}@{}{}", locked.source, locked.version, locked.marks()) } else { locked.source.clone() }
}

/// Reads what somebody typed; further packages and requirements go to a package.
pub(crate) fn source(text: &str, more: &[String]) -> Result<Source, Failure> {
    let mut source = Source::parse(text)?;
    if let Source::Npm { more: own, .. } | Source::Pypi { more: own, .. } = &mut source {
        own.with.extend(more.iter().cloned());
    } else if !more.is_empty() {
        return Err(Failure::usage("--with goes with packages of npm and PyPI"));
    }
    if let Source::Folder(path) = &mut source {
        *path = std::path::absolute(&*path)?;
    }
    if let Source::Mcpb { place, .. } = &mut source
        && !place.contains("://")
    {
        *place = std::path::absolute(&*place)?.display().to_string();
    }
    Ok(source)
}
