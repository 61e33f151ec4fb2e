//! From a source to bytes in the store.

mod before;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crib_model::{Code, Fault};
use crib_transport::HttpClient;

use crate::digest::Digest;
use crate::signature::{ImageKey, Required, Roots};
use crate::start::{self, Start};
use crate::store::{Busy, Half, Store};
use crate::tool::Surroundings;
use crate::{
    Build, Changes, Finding, Key, Listing, Lock, Locked, NetGrant, Policy, Progress, Reach, Source, cargo, changes, listing, local, mcpb,
    names, npm, oci, pypi,
};
pub(crate) use before::order;

/// What the packages of this machine are kept and fetched with.
#[derive(Clone, Debug)]
pub struct PackagesOptions {
    /// The data directory; packages are kept in `store` below it.
    pub data: PathBuf,
    /// The environment in which `npm`, `uv` and `pip` find their settings: whoever asked, usually.
    pub env: Vec<(OsString, OsString)>,
    pub http: HttpClient,
    pub policy: Policy,
    pub trust: Trust,
    /// What is built of what is pulled, beside what was built of the version before.
    pub build: Build,
    /// The program that starts a sandbox, for builds: one that calls [`crib_sandbox::enter`]. Without it none is made.
    pub launcher: Option<PathBuf>,
}

/// Whom the user believes.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys of minisign, for bundles.
    pub keys: Vec<Key>,
    /// Keys of cosign, for images.
    pub image_keys: Vec<ImageKey>,
    /// Whether a bundle or an image must be signed by one of them.
    pub needs_key: bool,
    /// By whom packages of some names must be signed, whatever else is said.
    pub required: Vec<Required>,
    /// Sigstore's `trusted_root.json`; where none is named, the one that came with npm.
    pub root: Option<PathBuf>,
}

/// The packages of this machine.
#[derive(Debug)]
pub struct Packages {
    store: Store,
    surroundings: Surroundings,
    http: HttpClient,
    belief: RwLock<Arc<Belief>>,
    build: Build,
    launcher: Option<PathBuf>,
    /// Where interpreters of our own are.
    runtimes: PathBuf,
    /// What was taken in and then refused.
    unwanted: Mutex<BTreeSet<Digest>>,
}

/// What is done about findings, and whom to believe: as it was when something was begun.
#[derive(Debug)]
struct Belief {
    policy: Policy,
    trust: Trust,
}

/// A package that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// What goes into the lockfile. Arguments, variables and grants are those of the version before.
    pub locked: Locked,
    /// What should be said; nothing of it is to be refused by the policy.
    pub findings: Vec<Finding>,
    /// What is different from the version before.
    pub changes: Option<Changes>,
}

/// What one pull works with.
pub(crate) struct Job<'a> {
    pub(crate) store: &'a Store,
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) http: &'a HttpClient,
    pub(crate) policy: &'a Policy,
    pub(crate) progress: &'a Progress,
    pub(crate) trust: &'a Trust,
    pub(crate) roots: Option<&'a Roots>,
    /// Each of them must accept who signed it.
    pub(crate) required: &'a [Required],
    pub(crate) launcher: Option<&'a Path>,
    /// What is built beside what was built before.
    pub(crate) built: &'a Build,
    /// The digest that the package's own file must have.
    pub(crate) file_sha256: Option<Digest>,
    /// What the lockfile has for it.
    pub(crate) before: Option<&'a Locked>,
}

impl Packages {
    /// # Errors
    /// TC0504 when the data directory cannot be made.
    pub fn new(options: PackagesOptions) -> Result<Self, Fault> {
        let failed = |error| Fault::new(Code::PullFailed, format!("`{}` cannot be written", options.data.display())).because(error);
        std::fs::create_dir_all(&options.data).map_err(failed)?;
        // The real path: inside a sandbox there are no other names for it.
        let data = options.data.canonicalize().map_err(failed)?;
        let runtimes = data.join("runtimes");
        let surroundings = Surroundings::new(options.env).with(&runtimes);
        Ok(Self {
            store: Store::new(&data),
            surroundings,
            http: options.http,
            belief: RwLock::new(Arc::new(Belief { policy: options.policy, trust: options.trust })),
            build: options.build,
            launcher: options.launcher,
            runtimes,
            unwanted: Mutex::default(),
        })
    }

    /// Resolves, verifies and installs a source. `before` is what the lockfile has for it.
    ///
    /// # Errors
    /// TC0502 for what cannot be pulled, TC0503 for what is not there, TC0504 for what cannot be installed, TC0505 for
    /// bytes that are not what they should be, TC0506 for what the policy refuses, TC0507 for a missing interpreter.
    pub async fn pull(&self, source: &Source, before: Option<&Locked>, progress: &Progress) -> Result<Pulled, Fault> {
        self.get(source, None, before, progress).await
    }

    /// Does the same with what a registry of servers says of it: its digest is checked, and whether the package says
    /// itself that it is that server.
    ///
    /// # Errors
    /// As for [`Self::pull`].
    pub async fn pull_listed(
        &self,
        source: &Source,
        listing: &Listing,
        before: Option<&Locked>,
        progress: &Progress,
    ) -> Result<Pulled, Fault> {
        self.get(source, Some(listing), before, progress).await
    }

    async fn get(&self, source: &Source, listing: Option<&Listing>, before: Option<&Locked>, progress: &Progress) -> Result<Pulled, Fault> {
        let file_sha256 = listing.and_then(|listing| listing.sha256.as_deref()).filter(|sum| !sum.is_empty());
        let file_sha256 = file_sha256.map(|sum| {
            let odd =
                |error| Fault::new(Code::PackageUnverified, format!("`{source}` is listed with a digest that is none")).because(error);
            sum.parse().map_err(odd)
        });
        let _busy = self.busy();
        let belief = self.belief();
        let roots = Roots::find(belief.trust.root.as_deref(), &self.surroundings)?;
        let mut trust = belief.trust.clone();
        // Whoever signed the version before may sign the next one; `--key` asks for another one on purpose.
        if let Some(key) = before.and_then(Locked::minisign_key).filter(|_| !trust.needs_key) {
            trust.keys.push(key);
        }
        let signer = before.and_then(|before| before.provenance.signer.as_ref());
        trust.image_keys.extend(signer.and_then(ImageKey::of).filter(|_| !trust.needs_key));
        let required: Vec<Required> = trust.required.iter().filter(|required| required.covers(source)).cloned().collect();
        for one in &required {
            trust.keys.extend(one.keys.iter().cloned());
            trust.image_keys.extend(one.image_keys.iter().cloned());
        }
        let file_sha256 = file_sha256.transpose()?;
        let job = Job { trust: &trust, roots: roots.as_ref(), required: &required, file_sha256, before, ..self.job(&belief, progress) };
        let mut findings: Vec<Finding> = names::look(source).into_iter().collect();
        findings.extend(listing.and_then(Listing::finding));
        job.judge(&findings)?;
        let known = self.store.names();
        let (mut locked, more) = fetch(&job, source).await?;
        findings.extend(more);
        if let Some(listing) = listing {
            let tree = locked.tree.as_ref().map(|tree| self.store.part(tree, Half::Tree));
            findings.extend(tree.and_then(|tree| listing::claim(&listing.listed, &locked, &tree)));
            locked.listed = Some(listing.listed.clone());
        }
        if let Some(before) = before.filter(|before| before.source == locked.source) {
            findings.extend(before::compare(before, &locked));
            locked.args = if locked.args.is_empty() { before.args.clone() } else { locked.args };
            locked.env.extend(before.env.clone());
            locked.grants = before.grants.clone();
            locked.listed = locked.listed.or_else(|| before.listed.clone());
        }
        let signed = required.iter().try_for_each(|one| one.check(&locked.source, locked.provenance.signer.as_ref()));
        signed.and_then(|()| job.judge(&findings)).inspect_err(|_refused| self.unwant(&known, locked.tree.as_ref()))?;
        findings.retain(|finding| belief.policy.verdict(finding.kind) != crate::Verdict::Allow);
        let (store, old, new) = (self.store.clone(), before.cloned(), locked.clone());
        // Much is read, which would hold up calls where a gateway pulls.
        let compared = tokio::task::spawn_blocking(move || {
            let changes = old.map(|old| Changes::between(&store, &old, &new));
            // Kept for those who ask.
            drop(changes::reach(&store, &new));
            changes
        });
        let changes = compared.await.unwrap_or_default();
        Ok(Pulled { locked, findings, changes })
    }

    /// Remembers a package that is wanted by nobody after all, unless it was there before.
    fn unwant(&self, known: &BTreeSet<OsString>, tree: Option<&Digest>) {
        let new = tree.filter(|tree| !known.contains(OsStr::new(&tree.hex()))).cloned();
        self.unwanted.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
    }

    /// Removes what was pulled and refused, unless somebody else has locked the same bytes meanwhile, or still pulls.
    ///
    /// # Errors
    /// Those of reading the lockfile, which is read when nobody pulls any more.
    pub fn forget_refused(&self, lock: impl FnOnce() -> Result<Lock, Fault>) -> Result<(), Fault> {
        let unwanted = self.unwanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !unwanted.is_empty() && self.store.forget(&unwanted, lock)? {
            self.unwanted.lock().unwrap_or_else(PoisonError::into_inner).retain(|tree| !unwanted.contains(tree));
        }
        Ok(())
    }

    /// Goes by another policy and trust from now on. What is being pulled is judged by those it was begun with.
    pub fn believe(&self, policy: Policy, trust: Trust) {
        *self.belief.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Belief { policy, trust });
    }

    fn belief(&self) -> Arc<Belief> {
        Arc::clone(&self.belief.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn job<'a>(&'a self, belief: &'a Belief, progress: &'a Progress) -> Job<'a> {
        Job {
            store: &self.store,
            surroundings: &self.surroundings,
            http: &self.http,
            policy: &belief.policy,
            progress,
            trust: &belief.trust,
            roots: None,
            required: &[],
            built: &self.build,
            launcher: self.launcher.as_deref(),
            file_sha256: None,
            before: None,
        }
    }

    /// Returns which interpreter a source needs that is not on this machine.
    #[must_use]
    pub fn lacks(&self, source: &Source) -> Option<&'static str> {
        let has = |name: &str| self.surroundings.find(name).is_some();
        match source {
            Source::Npm { .. } => (!has("node") || !has("npm")).then_some("node"),
            Source::Pypi { .. } => (!has("python3") && !has("python") && !has("uv")).then_some("python"),
            Source::Registry { .. }
            | Source::Oci { .. }
            | Source::Cargo { .. }
            | Source::Mcpb { .. }
            | Source::Url(_)
            | Source::Folder(_)
            | Source::Command { .. } => None,
        }
    }

    /// Installs an interpreter into our own store: the newest Node.js with its npm, or a Python by `uv`. Returns its
    /// version and what should be said of it. Packages that are opened after that find it before those of the machine.
    ///
    /// # Errors
    /// TC0507 where there is none to be had, TC0505 for bytes that are not what they should be, TC0506 for what the
    /// policy refuses.
    pub async fn install_runtime(&self, name: &str, progress: &Progress) -> Result<(String, Vec<Finding>), Fault> {
        let _busy = self.busy();
        let mut findings = Vec::new();
        let belief = self.belief();
        let job = self.job(&belief, progress);
        let version = match name {
            "node" => npm::install_node(&job, &self.runtimes, &mut findings).await?,
            "python" => pypi::install_python(&job, &self.runtimes).await?,
            other => return Err(Fault::new(Code::RuntimeMissing, format!("`{other}` is not on this machine"))),
        };
        findings.retain(|finding| belief.policy.verdict(finding.kind) != crate::Verdict::Allow);
        Ok((version, findings))
    }

    /// Returns the packages of npm with install scripts, and what those run.
    #[must_use]
    pub fn install_scripts(&self, locked: &Locked) -> Vec<(String, String)> {
        let tree = locked.tree.as_ref().filter(|_| locked.source.starts_with("npm:")).map(|tree| self.store.part(tree, Half::Tree));
        tree.map(|tree| npm::scripts(&tree, locked)).unwrap_or_default()
    }

    /// Checks that the bytes are what was locked, and says how they are started. Needs no network.
    ///
    /// # Errors
    /// TC0503 when they are not here, TC0505 when they are others, TC0507 without the interpreter.
    pub fn start(&self, locked: &Locked) -> Result<Start, Fault> {
        start::start(&self.store, &self.surroundings, locked)
    }

    /// Returns what a bundle wants to be told, for [`Start::fill`].
    #[must_use]
    pub fn settings(&self, locked: &Locked) -> Vec<mcpb::Setting> {
        let folder = locked.tree.as_ref().map_or_else(|| PathBuf::from(&locked.source), |tree| self.store.part(tree, Half::Tree));
        mcpb::of_folder(&folder).and_then(Result::ok).map(|(manifest, _)| manifest.settings).unwrap_or_default()
    }

    /// Returns what the code of a package mentions; nothing where it is not in the store, or no text.
    #[must_use]
    pub fn reach(&self, locked: &Locked) -> Option<Reach> {
        changes::reach(&self.store, locked)
    }

    /// Compares two versions.
    #[must_use]
    pub fn changes(&self, old: &Locked, new: &Locked) -> Changes {
        Changes::between(&self.store, old, new)
    }

    /// Keeps others from removing what is pulled, until it is in the lockfile; removes what others left half-made.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.store.busy()
    }

    /// Removes every package that the lockfile does not name, unless something is being pulled; returns how many. The
    /// lockfile is read when nobody pulls any more.
    ///
    /// # Errors
    /// TC0504 when one cannot be removed; those of reading the lockfile.
    pub fn sweep(&self, lock: impl FnOnce() -> Result<Lock, Fault>) -> Result<usize, Fault> {
        self.store.sweep(lock)
    }

    /// Returns where a package's files are.
    #[must_use]
    pub fn folder(&self, locked: &Locked) -> Option<PathBuf> {
        locked.tree.as_ref().map(|tree| self.store.home(tree))
    }
}

impl Job<'_> {
    /// Returns what of this source is built: what was wanted of the version before, and what is wanted now.
    pub(crate) fn build(&self, source: &str) -> Build {
        let mut build = self.before.filter(|before| before.source == source).map(|before| before.build.clone()).unwrap_or_default();
        if self.built.is_empty() {
            return build;
        }
        build.packages.extend(self.built.packages.iter().filter(|name| !build.packages.contains(name)).cloned().collect::<Vec<_>>());
        build.packages.sort();
        if self.built.net != NetGrant::None {
            build.net.clone_from(&self.built.net);
        }
        build
    }

    /// Refuses to go on with what the policy does not want.
    pub(crate) fn judge(&self, findings: &[Finding]) -> Result<(), Fault> {
        let Some(finding) = self.policy.refused(findings) else { return Ok(()) };
        Err(Fault::new(Code::PackageRefused, finding.message.clone())
            .because(format!("the policy refuses what is `{}`", finding.kind))
            .hint(format!("if you know better, allow it: --allow {}", finding.kind)))
    }
}

async fn fetch(job: &Job<'_>, source: &Source) -> Result<(Locked, Vec<Finding>), Fault> {
    match source {
        Source::Npm { name, version, more } => Box::pin(npm::pull(job, &npm::Wanted { name, version: version.as_deref(), more })).await,
        Source::Pypi { name, version, more } => pypi::pull(job, &pypi::Wanted { name, version: version.as_deref(), more }).await,
        Source::Mcpb { place, sha256 } => mcpb::pull(job, place, sha256.as_deref()).await,
        Source::Folder(folder) => local::folder(job.surroundings, Path::new(folder)).await,
        Source::Command { program, args } => local::command(job.surroundings, program, args),
        Source::Url(url) => Ok(local::url(url)),
        Source::Registry { name, .. } => Err(unsupported(source, format!("look `{name}` up in a registry first: toolcrib search {name}"))),
        Source::Oci { image } => Box::pin(oci::pull(job, image)).await,
        Source::Cargo { name, version } => Box::pin(cargo::pull(job, name, version.as_deref())).await,
    }
}

fn unsupported(source: &Source, hint: String) -> Fault {
    Fault::new(Code::SourceInvalid, format!("`{source}` cannot be pulled")).hint(hint)
}

/// Returns the system and processor of this machine.
pub(crate) fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
