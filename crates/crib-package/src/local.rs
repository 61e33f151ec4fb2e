//! Servers of this machine: folders and commands, run from where they are.

mod project;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};

use crate::tool::{Surroundings, args};
use crate::{Entry, Finding, FindingKind, Locked, Provenance, Runtime, mcpb};

/// Prints the version, the program and the folder of its libraries, which is the program itself where there is none.
const NODE: &str = "const p = require('path'), e = process.execPath, d = p.resolve(e, '../..'); \
    const own = require('fs').existsSync(p.join(d, 'include/node')); \
    process.stdout.write([process.version.slice(1), e, own ? p.join(d, 'lib') : e].join('\\n'))";
pub(crate) const PYTHON: &str = "import os, sys; v = sys.version_info; \
    print('%d.%d.%d' % v[:3], os.path.realpath(sys.executable), os.path.join(sys.base_prefix, 'lib'), sep='\\n')";

/// Returns the program that runs an entry, where it needs one.
pub(crate) async fn runtime(surroundings: &Surroundings, entry: &Entry) -> Result<Option<Runtime>, Fault> {
    let (name, programs, flag, script): (_, &[&str], _, _) = match entry {
        Entry::Node { .. } => ("node", &["node"], "-e", NODE),
        Entry::Python { .. } | Entry::Script { .. } => ("python", &["python3", "python"], "-c", PYTHON),
        Entry::Binary { .. } | Entry::Command { .. } | Entry::Url { .. } | Entry::Image(_) => return Ok(None),
    };
    let missing = || Fault::new(Code::RuntimeMissing, format!("`{name}` is not on this machine"));
    let program = programs.iter().find_map(|name| surroundings.find(name)).ok_or_else(missing)?;
    asked(surroundings, name, &program, [flag, script]).await.map(Some)
}

/// Asks a program that runs others which version it is and where.
async fn asked(surroundings: &Surroundings, name: &str, program: &Path, [flag, script]: [&str; 2]) -> Result<Runtime, Fault> {
    let said = surroundings.run(program, &args![flag, script], Path::new("/"), "").await?;
    let mut lines = said.stdout.lines();
    let (Some(version), Some(path), Some(home)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(said.explain(Fault::new(Code::RuntimeMissing, format!("`{name}` is not on this machine"))));
    };
    Ok(Runtime { name: name.to_owned(), version: version.to_owned(), path: path.into(), home: home.into() })
}

pub(crate) async fn folder(surroundings: &Surroundings, folder: &Path) -> Result<(Locked, Vec<Finding>), Fault> {
    let missing = |error| Fault::new(Code::PackageMissing, format!("`{}` is not a folder with a server", folder.display())).because(error);
    let folder = folder.canonicalize().map_err(missing)?;
    let Some(found) = project::recognise(surroundings, &folder)? else {
        let hint =
            "it needs a package.json with `bin`, a pyproject.toml with scripts, a Cargo.toml, a manifest.json, a server.py or a main.py";
        return Err(Fault::new(Code::PackageMissing, format!("`{}` is not a folder with a server", folder.display())).hint(hint));
    };
    let mut locked = plain(folder.display().to_string(), found.version, absolute(found.entry, &folder));
    locked.runtime = match project::environment(&folder).filter(|_| matches!(locked.entry, Entry::Script { .. })) {
        Some(python) => Some(project::python(surroundings, &python, &mut locked.entry).await?),
        None => runtime(surroundings, &locked.entry).await?,
    };
    locked.args = found.args.iter().map(|arg| mcpb::expand(arg, &folder)).collect();
    locked.env = found.env.into_iter().map(|(name, value)| (name, mcpb::expand(&value, &folder))).collect();
    let finding = Finding::new(FindingKind::Unpinned, format!("`{}` is run as it is, whatever is in it", folder.display()));
    Ok((locked, vec![finding]))
}

pub(crate) fn command(surroundings: &Surroundings, program: &str, args: &[String]) -> Result<(Locked, Vec<Finding>), Fault> {
    let path = if program.contains('/') {
        PathBuf::from(program)
    } else {
        surroundings.find(program).ok_or_else(|| Fault::new(Code::RuntimeMissing, format!("`{program}` is not in the search path")))?
    };
    let shown = format!("-- {program} {}", args.join(" ")).trim_end().to_owned();
    let mut locked = plain(shown, String::new(), Entry::Command { program: path.display().to_string(), cwd: None });
    locked.args = args.to_vec();
    Ok((locked, vec![Finding::new(FindingKind::Unpinned, format!("`{program}` is a command of this machine, run as it is"))]))
}

pub(crate) fn url(url: &str) -> (Locked, Vec<Finding>) {
    (plain(url.to_owned(), String::new(), Entry::Url { url: url.to_owned() }), Vec::new())
}

fn plain(source: String, version: String, entry: Entry) -> Locked {
    Locked {
        source,
        version,
        with: Vec::new(),
        program: None,
        python: None,
        platform: None,
        tree: None,
        made: None,
        runtime: None,
        entry,
        args: Vec::new(),
        env: BTreeMap::new(),
        grants: crate::Grants::default(),
        build: crate::Build::default(),
        provenance: Provenance::default(),
        listed: None,
        packages: BTreeMap::new(),
    }
}

/// A folder is not in the store: its entry says where it is.
fn absolute(entry: Entry, folder: &Path) -> Entry {
    match entry {
        Entry::Node { script } => Entry::Node { script: folder.join(script) },
        Entry::Script { file, paths } => {
            Entry::Script { file: folder.join(file), paths: paths.into_iter().map(|path| folder.join(path)).collect() }
        }
        Entry::Binary { program } => Entry::Binary { program: folder.join(program) },
        other @ (Entry::Python { .. } | Entry::Command { .. } | Entry::Url { .. } | Entry::Image(_)) => other,
    }
}
