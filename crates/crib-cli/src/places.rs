//! Where files are on this machine: those of clients, and our own.

use std::path::{Path, PathBuf};

use crib_clients::{Os, Places};

use crate::failure::Failure;
use crate::world::variable;

/// Our own files.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// The configuration that is used where none is named.
    pub(crate) config: PathBuf,
    /// Backups and what was done.
    pub(crate) data: PathBuf,
}

/// Finds the places of clients.
pub(crate) fn places() -> Result<Places, Failure> {
    let os = if cfg!(windows) {
        Os::Windows
    } else if cfg!(target_os = "macos") {
        Os::Mac
    } else {
        Os::Linux
    };
    let home = directory("HOME").or_else(|| directory("USERPROFILE"));
    let home = home.ok_or_else(|| Failure::usage("there is no home directory").hint("set the variable HOME"))?;
    let mut places = Places::new(os, home, std::env::current_dir()?);
    for (place, name) in [(&mut places.config, "XDG_CONFIG_HOME"), (&mut places.roaming, "APPDATA"), (&mut places.local, "LOCALAPPDATA")] {
        if let Some(path) = directory(name) {
            *place = path;
        }
    }
    places.variables = Places::VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), variable(name)?))).collect();
    Ok(places)
}

/// Finds our own places.
pub(crate) fn own(places: &Places) -> Own {
    if let Some(home) = directory("TOOLCRIB_HOME") {
        return Own { config: home.join("config.yaml"), data: home.join("data") };
    }
    if places.os == Os::Windows {
        let base = places.roaming.join("toolcrib");
        return Own { config: base.join("config.yaml"), data: base.join("data") };
    }
    let data = directory("XDG_DATA_HOME").unwrap_or_else(|| places.home.join(".local").join("share"));
    Own { config: places.config.join("toolcrib").join("config.yaml"), data: data.join("toolcrib") }
}

/// Finds a program the way a shell does.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ".bat", ""] } else { &[""] };
    let candidates = std::env::split_paths(&path).filter(|directory| directory.is_absolute());
    let mut candidates = candidates.flat_map(|directory| endings.iter().map(move |ending| directory.join(format!("{name}{ending}"))));
    candidates.find(|candidate| is_executable(candidate))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Shortens a path for people.
pub(crate) fn shown(path: &Path, places: &Places) -> String {
    match path.strip_prefix(&places.home) {
        Ok(rest) if !rest.as_os_str().is_empty() => format!("~{}{}", std::path::MAIN_SEPARATOR, rest.display()),
        Ok(_) | Err(_) => match path.strip_prefix(&places.project) {
            Ok(rest) => rest.display().to_string(),
            Err(_) => path.display().to_string(),
        },
    }
}

/// A directory named by a variable. A relative one says nothing.
fn directory(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
