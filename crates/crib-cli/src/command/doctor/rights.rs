//! Who else on this machine may read or change what is this user's alone.

use std::path::Path;

use crib_control::Compiled;

use super::Finding;
#[cfg(unix)]
use super::Health;
#[cfg(unix)]
use super::mend::Mend;
use crate::pins;
use crate::places::Own;

/// What nobody but the owner may do.
#[derive(Clone, Copy)]
enum Alone {
    /// Read or change it.
    Reads,
    /// Change it.
    Writes,
}

/// Looks at the secrets, the configuration and the data directory.
pub(super) fn look(own: &Own, compiled: Option<&Compiled>, shown: &dyn Fn(&Path) -> String) -> Vec<Finding> {
    // A key in the file is for whoever may call, not for whoever may log in.
    let config = if compiled.is_some_and(|compiled| !compiled.keys.is_empty()) { Alone::Reads } else { Alone::Writes };
    let mut places = vec![(own.config.clone(), config), (own.data.clone(), Alone::Writes)];
    places.extend(pins::secrets().ok().map(|secrets| (secrets.path().to_owned(), Alone::Reads)));
    places.iter().filter_map(|(path, alone)| finding(path, *alone, shown)).collect()
}

#[cfg(unix)]
fn finding(path: &Path, alone: Alone, shown: &dyn Fn(&Path) -> String) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path.metadata().ok()?.permissions().mode() & 0o7777;
    let (others, words) = match alone {
        Alone::Reads => (0o077, "can be read by others on this machine"),
        Alone::Writes => (0o022, "can be changed by others on this machine"),
    };
    if mode & others == 0 {
        return None;
    }
    let mode = mode & !others;
    let fix = format!("chmod {mode:o} {}", shown(path));
    let finding = Finding::new("files", Health::Bad, format!("{} {words}", shown(path)));
    Some(finding.fix(fix).mended_by(Mend::Mode { path: path.to_owned(), mode }))
}

#[cfg(not(unix))]
fn finding(_: &Path, _: Alone, _: &dyn Fn(&Path) -> String) -> Option<Finding> {
    None
}

/// Takes the rights of others from a file.
#[cfg(unix)]
pub(super) fn close(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(super) fn close(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}
