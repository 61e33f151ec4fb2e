//! Where the tests find things: the binary under test, caches, the specification.

use std::path::{Path, PathBuf};

/// Returns an environment variable, where it is set and not empty.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the harness is configured by the runner's environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the root of the checkout.
#[must_use]
pub fn checkout() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

/// Returns the folder under `target` the running test or fixture was built into.
#[must_use]
pub fn build_dir() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let dir = exe.parent().unwrap_or_else(|| Path::new("."));
    if dir.ends_with("deps") { dir.parent().unwrap_or(dir).to_owned() } else { dir.to_owned() }
}

/// Returns the gateway under test: `TOOLCRIB_BIN`, or the binary beside the tests.
#[must_use]
pub fn gateway_binary() -> PathBuf {
    variable("TOOLCRIB_BIN").map_or_else(|| build_dir().join("toolcrib"), PathBuf::from)
}

/// Returns the path of a fixture server of this crate.
#[must_use]
pub fn fixture_binary(name: &str) -> PathBuf {
    build_dir().join(name)
}

/// Returns the folder installed packages are cached in.
#[must_use]
pub fn cache_dir() -> PathBuf {
    variable("TOOLCRIB_CACHE").map_or_else(|| checkout().join(".cache"), PathBuf::from)
}
