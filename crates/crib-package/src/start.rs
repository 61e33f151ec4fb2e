//! What to start: the command of a locked package, and the sandbox it is started in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use crib_sandbox::{Net, Spec};

use crate::lock::Entry;
use crate::store::{Half, Store, unverified};
use crate::system::PythonStart;
use crate::tool::Surroundings;
use crate::{Locked, NetGrant, mcpb, oci, system};

/// A command whose bytes have just been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub program: PathBuf,
    pub args: Vec<String>,
    /// Variables that the package itself asks for.
    pub env: Vec<(String, String)>,
    pub cwd: Option<PathBuf>,
    /// Files and folders it has to read and run: interpreter, libraries, package.
    pub runtime: Vec<PathBuf>,
    /// The image in which it is started.
    pub image: Option<crib_sandbox::Image>,
    /// Arguments where none are given.
    pub usual: Vec<String>,
}

impl Start {
    /// Adds arguments; without any, the usual ones.
    #[must_use]
    pub fn with_args(mut self, more: &[String]) -> Self {
        let usual = std::mem::take(&mut self.usual);
        self.args.extend(if more.is_empty() { usual } else { more.to_vec() });
        // An image may leave it to its arguments what is started.
        if self.program.as_os_str().is_empty() && !self.args.is_empty() {
            self.program = self.args.remove(0).into();
        }
        self
    }

    /// Puts the values that a bundle asked for into its arguments and variables.
    ///
    /// # Errors
    /// TC0502 for a value that is missing.
    pub fn fill(&mut self, values: &BTreeMap<String, Vec<String>>) -> Result<(), Fault> {
        self.args = mcpb::fill_args(&self.args, values)?;
        for (_, value) in &mut self.env {
            *value = mcpb::fill(value, values)?;
        }
        Ok(())
    }

    /// Puts it into a sandbox with what was granted. `env` are the granted variables; `proxy` is the socket of the
    /// [`crib_sandbox::Egress`] that was started for the granted hosts.
    ///
    /// # Errors
    /// TC0509 when hosts are granted and there is no proxy for them.
    pub fn confine(&self, locked: &Locked, env: Vec<(String, String)>, proxy: Option<&Path>) -> Result<Spec, Fault> {
        let grants = &locked.grants;
        let net = match (&grants.net, proxy) {
            (NetGrant::None, _) => Net::None,
            (NetGrant::All, _) => Net::All,
            (NetGrant::Hosts(_), Some(socket)) => Net::Proxy(socket.to_owned()),
            (NetGrant::Hosts(_), None) => {
                return Err(Fault::new(Code::SandboxFailed, "single hosts are granted, and there is no proxy to reach them by"));
            }
        };
        let mut all = self.env.clone();
        all.extend(env);
        let mut spec = Spec::new(&self.program);
        spec.args.clone_from(&self.args);
        spec.env = all;
        spec.cwd.clone_from(&self.cwd);
        spec.runtime.clone_from(&self.runtime);
        spec.read.clone_from(&grants.read);
        spec.write.clone_from(&grants.write);
        spec.net = net;
        spec.image.clone_from(&self.image);
        spec.unconfined = grants.unconfined;
        Ok(spec)
    }
}

/// Checks the bytes of a package and says how they are started.
pub(crate) fn start(store: &Store, surroundings: &Surroundings, locked: &Locked) -> Result<Start, Fault> {
    let mut runtime = Vec::new();
    let mut base = PathBuf::new();
    if let Some(tree) = &locked.tree {
        let gone = || Fault::new(Code::PackageMissing, format!("`{}` {} is not on this machine", locked.source, locked.version));
        if !store.home(tree).is_dir() {
            return Err(gone().hint("get it with `toolcrib pull`"));
        }
        let half = if matches!(locked.entry, Entry::Image(_)) { Half::Root } else { Half::Tree };
        store.check(tree, half, tree).map_err(|error| changed(locked, &unverified(&error)))?;
        if let Entry::Image(image) = &locked.entry {
            return oci::start(surroundings, image, locked, store.part(tree, Half::Root));
        }
        if let Some(made) = &locked.made {
            store.check(tree, Half::Made(made), made).map_err(|error| changed(locked, &unverified(&error)))?;
        }
        base = store.part(tree, Half::Tree);
        runtime.push(store.home(tree));
    }
    if let Some(needed) = &locked.runtime {
        if !needed.path.is_file() {
            return Err(Fault::new(Code::RuntimeMissing, format!("`{}` is not at `{}` any more", needed.name, needed.path.display()))
                .hint(format!("install {} {} again, or pull the package again for the one that is there", needed.name, needed.version)));
        }
        runtime.push(needed.path.clone());
        // `/usr` is there for everyone; what is installed elsewhere has libraries of its own.
        runtime.extend((!needed.home.starts_with("/usr") && needed.home.is_dir()).then(|| needed.home.clone()));
    }
    let mut start = command(store, locked, &base)?;
    let expand = |text: &String| if locked.tree.is_some() { mcpb::expand(text, &base) } else { text.clone() };
    start.args.extend(locked.args.iter().map(expand));
    start.env.extend(locked.env.iter().map(|(name, value)| (name.clone(), expand(value))));
    runtime.append(&mut start.runtime);
    start.runtime = runtime;
    Ok(start)
}

fn command(store: &Store, locked: &Locked, base: &Path) -> Result<Start, Fault> {
    let interpreter = || {
        let path = locked.runtime.as_ref().map(|runtime| runtime.path.clone());
        path.ok_or_else(|| Fault::new(Code::LockInvalid, format!("`{}` is locked without the program that runs it", locked.source)))
    };
    let text = |path: PathBuf| path.display().to_string();
    let (program, args, cwd) = match &locked.entry {
        Entry::Node { script } => (interpreter()?, vec![text(base.join(script))], None),
        Entry::Script { file, paths } => {
            let folders: Vec<String> = paths.iter().map(|path| text(base.join(path))).filter(|path| Path::new(path).is_dir()).collect();
            (interpreter()?, script_args(&text(base.join(file)), &folders), None)
        }
        Entry::Python { module, function, script } => {
            let files = locked.tree.as_ref().zip(locked.made.as_ref());
            let (tree, made) = files.ok_or_else(|| Fault::new(Code::LockInvalid, "a Python package is locked without its files"))?;
            let made = store.part(tree, Half::Made(made));
            let python = system::python(&interpreter()?, &made, base);
            let args = module_args(&python, &made.join("cache"), [module, function, script]);
            (python.program, args, None)
        }
        Entry::Binary { program } => (base.join(program), Vec::new(), None),
        Entry::Command { program, cwd } => (PathBuf::from(program), Vec::new(), cwd.clone()),
        Entry::Url { url } => {
            return Err(Fault::new(Code::SourceInvalid, format!("`{url}` runs elsewhere and is not started")));
        }
        Entry::Image(_) => return Err(Fault::new(Code::LockInvalid, "an image is locked without its files")),
    };
    let mut runtime = Vec::new();
    if locked.tree.is_none() {
        let own = own_folder(locked);
        let others = modules(&locked.entry).into_iter().chain(program.canonicalize().ok()).chain([program.clone()]);
        // What is in the folder comes with it, and nothing can be put in there.
        runtime.extend(others.filter(|path| own.as_ref().is_none_or(|own| !path.starts_with(own))));
        runtime.extend(own);
    }
    Ok(Start { program, args, env: Vec::new(), cwd, runtime, image: None, usual: Vec::new() })
}

/// Returns the folder of what is run from where it is: the whole project; a command has none of its own.
fn own_folder(locked: &Locked) -> Option<PathBuf> {
    let file = match &locked.entry {
        Entry::Node { script: file } | Entry::Script { file, .. } | Entry::Binary { program: file } => file,
        Entry::Python { .. } | Entry::Command { .. } | Entry::Url { .. } | Entry::Image(_) => return None,
    };
    let project = Path::new(&locked.source);
    if project.is_absolute() && file.starts_with(project) && project.is_dir() {
        return Some(project.to_owned());
    }
    file.parent().filter(|folder| folder.is_absolute()).map(Path::to_owned)
}

/// Returns the folders of modules, which may be elsewhere.
fn modules(entry: &Entry) -> Vec<PathBuf> {
    match entry {
        Entry::Script { paths, .. } => paths.iter().filter(|path| path.is_absolute() && path.is_dir()).cloned().collect(),
        Entry::Node { .. } | Entry::Binary { .. } | Entry::Python { .. } | Entry::Command { .. } | Entry::Url { .. } | Entry::Image(_) => {
            Vec::new()
        }
    }
}

/// `-I` leaves out the folder it starts in, the user's modules and what the environment says.
fn module_args(python: &PythonStart, cache: &Path, [module, function, script]: [&str; 3]) -> Vec<String> {
    let head = function.split('.').next().unwrap_or(function);
    let prelude = &python.prelude;
    let code = format!("{prelude}import sys; sys.argv[0] = {script:?}; from {module} import {head}; sys.exit({function}())");
    let cache = format!("pycache_prefix={}", cache.display());
    let first = ["-I", "-B"].iter().chain(python.flags).map(|flag| (*flag).to_owned());
    first.chain(["-X", &cache, "-c", &code].map(str::to_owned)).collect()
}

/// Runs a file as `__main__` with folders in front of the modules it finds.
fn script_args(file: &str, folders: &[String]) -> Vec<String> {
    let quoted: Vec<String> = folders.iter().map(|folder| format!("{folder:?}")).collect();
    let code = format!(
        "import os, runpy, sys; f = {file:?}; sys.argv[0] = f; sys.path[:0] = [os.path.dirname(f), {}]; runpy.run_path(f, run_name='__main__')",
        quoted.join(", ")
    );
    ["-I", "-B", "-c", &code].map(str::to_owned).into()
}

fn changed(locked: &Locked, why: &Fault) -> Fault {
    let mut fault =
        Fault::new(Code::PackageUnverified, format!("`{}` {} was changed after it was installed", locked.source, locked.version));
    for cause in why.causes() {
        fault = fault.because(cause);
    }
    fault.hint("it is not started; get it again with `toolcrib pull`")
}
