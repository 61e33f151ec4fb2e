//! The crates that a program was built of, where they were fetched: what was built of them is machine code, of which
//! nothing can be read.

use std::fs;
use std::path::{Path, PathBuf};

use super::Kind;

/// Largest manifest that is read.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// Crates that are looked at.
const CRATES_MAX: usize = 5000;

/// A crate, and the folder of all that it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crates<'a> {
    pub(crate) own: &'a Path,
    pub(crate) needed: &'a Path,
}

/// One crate.
pub(super) struct Crate {
    pub(super) folder: PathBuf,
    pub(super) name: String,
    pub(super) version: String,
}

impl Crates<'_> {
    /// Returns the crate itself, and those that it needs by their names.
    pub(super) fn all(&self) -> Vec<Crate> {
        let mut needed: Vec<PathBuf> = fs::read_dir(self.needed).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        needed.sort();
        std::iter::once(self.own.to_owned()).chain(needed).take(CRATES_MAX).filter_map(Crate::of).collect()
    }
}

impl Crate {
    fn of(folder: PathBuf) -> Option<Self> {
        let text = super::read(&folder.join("Cargo.toml"), MANIFEST_BYTES_MAX)?;
        let manifest: toml::Table = std::str::from_utf8(&text).ok()?.parse().ok()?;
        let package = manifest.get("package")?;
        let field = |name: &str| package.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        Some(Self { folder, name: field("name")?, version: field("version").unwrap_or_default() })
    }
}

pub(super) fn kind_of(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()? {
        "rs" => Some(Kind::Rust),
        // Libraries in C that are compiled with it, and what was compiled before.
        "c" | "cc" | "cpp" | "cxx" | "S" | "asm" | "so" | "dylib" | "dll" => Some(Kind::Native),
        _ => None,
    }
}

/// Tells what becomes part of the program from what is for tests, and from what ran in the sandbox of the build.
pub(super) fn is_of_program(path: &Path) -> bool {
    let first = path.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
    !matches!(first, "tests" | "examples" | "benches" | "build.rs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Means, Reach};

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    #[test]
    fn a_crate_and_all_that_it_needs_are_read_and_their_tests_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (own, needed) = (folder.path().join("source"), folder.path().join("vendor"));
        let manifest = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\n");
        write(&own, "Cargo.toml", &manifest("my-server"));
        write(&own, "src/main.rs", "fn main() { std::env::var(\"MY_KEY\"); std::fs::write(a, b); }");
        write(&own, "build.rs", "fn main() { std::process::Command::new(\"cc\"); std::env::var(\"OUT_DIR\"); }");
        write(&own, "tests/all.rs", "use std::process::Command;");
        write(&needed, "client/Cargo.toml", &manifest("client"));
        write(&needed, "client/src/lib.rs", "pub use std::net::TcpStream;");
        write(&needed, "zip-0.1.0/Cargo.toml", &manifest("zip"));
        write(&needed, "zip-0.1.0/src/zip.c", "int main;");
        write(&needed, "stray/readme.md", "TcpStream");
        let reach = Reach::of_crates(&Crates { own: &own, needed: &needed });
        assert!(reach.is_whole);
        let of = |means: Means| reach.of_means(means).collect::<Vec<_>>();
        assert_eq!(of(Means::Files), [("my-server", "src/main.rs")]);
        assert_eq!(of(Means::Network), [("client", "src/lib.rs")]);
        assert_eq!(of(Means::Native), [("zip", "src/zip.c")]);
        assert_eq!(of(Means::Processes), []);
        let own = reach.packages.get("my-server").expect("it is there");
        assert_eq!((own.version.as_str(), own.variables.keys().map(String::as_str).collect::<Vec<_>>()), ("1.2.3", vec!["MY_KEY"]));
    }
}
