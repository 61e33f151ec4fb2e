//! The digest of a folder: of every file in it, its name, its bytes and whether it can be run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::Digest;
use crate::system::{self, Stamp};

/// Entries of one tree; beyond it the package is refused.
const ENTRIES_MAX: usize = 300_000;
/// Bytes of one tree; beyond it the package is refused.
const BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// How deep folders may be.
const DEPTH_MAX: usize = 64;

/// Every file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Node>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File {
        digest: Digest,
        size: u64,
        can_run: bool,
    },
    Link {
        target: PathBuf,
    },
    /// Of a root directory, where it matters which empty ones there are.
    Folder,
}

/// What is listed of a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Files,
    All,
}

/// Stamps of files that were hashed, one line each.
#[derive(Debug, Default)]
pub(crate) struct Stamps(BTreeMap<PathBuf, Stamp>);

/// Why a folder has no digest, or another one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("`{path}`: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("`{0}` is neither a file, a folder nor a link")]
    Special(PathBuf),
    #[error("the link `{0}` leads out of the package")]
    Escape(PathBuf),
    #[error("it has more than {ENTRIES_MAX} files, {BYTES_MAX} bytes or {DEPTH_MAX} levels")]
    TooLarge,
    #[error("`{0}` is not what was installed")]
    Changed(PathBuf),
    #[error("`{0}` is missing")]
    Missing(PathBuf),
    #[error("`{0}` was not installed")]
    Added(PathBuf),
    #[error("the list of files is not what was locked")]
    Manifest,
}

impl Tree {
    /// Hashes every file of a folder, of which no link may lead out.
    pub(crate) fn of(root: &Path) -> Result<Self, TreeError> {
        Self::of_made(root)?.closed()
    }

    /// Hashes every file of a folder that was made here, with links to interpreters.
    pub(crate) fn of_made(root: &Path) -> Result<Self, TreeError> {
        Self::with(root, &Stamps::default(), None, Scope::Files)
    }

    /// Hashes every file of a root directory, whose links lead wherever they lead inside.
    pub(crate) fn of_root(root: &Path) -> Result<Self, TreeError> {
        Self::with(root, &Stamps::default(), None, Scope::All)
    }

    fn closed(self) -> Result<Self, TreeError> {
        for (name, node) in &self.0 {
            if let Node::Link { target } = node
                && !stays_inside(name, target)
            {
                return Err(TreeError::Escape(name.clone()));
            }
        }
        Ok(self)
    }

    /// Hashes a folder; files whose stamps are known are taken from the tree that is known.
    fn with(root: &Path, stamps: &Stamps, known: Option<&Self>, scope: Scope) -> Result<Self, TreeError> {
        let mut found = BTreeMap::new();
        let mut bytes = 0_u64;
        let mut folders = vec![(root.to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let failed = |error| TreeError::Io { path: folder.clone(), error };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                let meta = fs::symlink_metadata(&path).map_err(failed)?;
                let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
                bytes = bytes.saturating_add(meta.len());
                if found.len() >= ENTRIES_MAX || bytes > BYTES_MAX || depth >= DEPTH_MAX {
                    return Err(TreeError::TooLarge);
                }
                if meta.is_dir() {
                    found.extend((scope == Scope::All).then_some((name, Node::Folder)));
                    folders.push((path, depth + 1));
                } else {
                    let seen = stamps.0.get(&name).is_some_and(|stamp| system::is_untouched(&meta, stamp));
                    let old = known.filter(|_| seen).and_then(|known| known.0.get(&name));
                    let node = old.map_or_else(|| Node::of(&path, &name, &meta), |node| Ok(node.clone()))?;
                    found.insert(name, node);
                }
            }
        }
        Ok(Self(found))
    }

    /// Returns the list of files, in an order of its own; its digest is the tree's.
    pub(crate) fn manifest(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (path, node) in &self.0 {
            match node {
                Node::File { digest, size, can_run } => {
                    let kind = if *can_run { "x" } else { "f" };
                    text.extend_from_slice(format!("{kind} {} {size} ", digest.hex()).as_bytes());
                }
                Node::Link { target } => {
                    let target = system::bytes(target);
                    text.extend_from_slice(format!("l {} ", target.len()).as_bytes());
                    text.extend_from_slice(&target);
                    text.push(b' ');
                }
                Node::Folder => text.extend_from_slice(b"d "),
            }
            // The length keeps a name with a line break from being read as two.
            let path = system::bytes(path);
            text.extend_from_slice(format!("{} ", path.len()).as_bytes());
            text.extend_from_slice(&path);
            text.push(b'\n');
        }
        text
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.manifest())
    }

    pub(crate) fn files(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|node| if let Node::File { size, .. } = node { *size } else { 0 }).sum()
    }

    /// Returns the names of what is different in another tree: added, removed, changed.
    pub(crate) fn compare(&self, other: &Self) -> (Vec<PathBuf>, Vec<PathBuf>, Vec<PathBuf>) {
        let added = other.0.keys().filter(|path| !self.0.contains_key(*path)).cloned().collect();
        let removed = self.0.keys().filter(|path| !other.0.contains_key(*path)).cloned().collect();
        let changed = self.0.iter().filter(|(path, node)| other.0.get(*path).is_some_and(|now| now != *node));
        (added, removed, changed.map(|(path, _)| path.clone()).collect())
    }

    /// Reads a manifest back.
    pub(crate) fn read(manifest: &[u8]) -> Option<Self> {
        let mut rest = manifest;
        let mut found = BTreeMap::new();
        while !rest.is_empty() {
            let kind = word(&mut rest)?;
            let node = match kind.as_str() {
                "d" => Node::Folder,
                "l" => {
                    let length = word(&mut rest)?.parse().ok()?;
                    let target = take(&mut rest, length)?;
                    take(&mut rest, 1)?;
                    Node::Link { target }
                }
                "f" | "x" => {
                    let digest = word(&mut rest)?.parse().ok()?;
                    Node::File { digest, size: word(&mut rest)?.parse().ok()?, can_run: kind == "x" }
                }
                _ => return None,
            };
            let length = word(&mut rest)?.parse().ok()?;
            found.insert(take(&mut rest, length)?, node);
            take(&mut rest, 1)?;
        }
        Some(Self(found))
    }

    /// Checks that a folder is still this tree; files that were not touched since are not read again.
    pub(crate) fn check(&self, root: &Path, stamps: &Stamps) -> Result<(), TreeError> {
        self.check_made(root, stamps)?;
        self.clone().closed().map(drop)
    }

    /// The same for what was made here.
    pub(crate) fn check_made(&self, root: &Path, stamps: &Stamps) -> Result<(), TreeError> {
        self.same(&Self::with(root, stamps, Some(self), Scope::Files)?)
    }

    /// The same for a root directory.
    pub(crate) fn check_root(&self, root: &Path, stamps: &Stamps) -> Result<(), TreeError> {
        self.same(&Self::with(root, stamps, Some(self), Scope::All)?)
    }

    fn same(&self, now: &Self) -> Result<(), TreeError> {
        if now == self {
            return Ok(());
        }
        let (added, removed, changed) = self.compare(now);
        let first = |paths: Vec<PathBuf>| paths.into_iter().next();
        Err(first(changed)
            .map(TreeError::Changed)
            .or_else(|| first(removed).map(TreeError::Missing))
            .or_else(|| first(added).map(TreeError::Added))
            .unwrap_or(TreeError::Manifest))
    }
}

impl Node {
    fn of(path: &Path, name: &Path, meta: &fs::Metadata) -> Result<Self, TreeError> {
        let failed = |error| TreeError::Io { path: path.to_owned(), error };
        if meta.is_symlink() {
            let target = fs::read_link(path).map_err(failed)?;
            return Ok(Self::Link { target });
        }
        if !meta.is_file() {
            return Err(TreeError::Special(name.to_owned()));
        }
        let can_run = system::can_run(path, meta);
        Ok(Self::File { digest: Digest::of_file(path).map_err(failed)?, size: meta.len(), can_run })
    }
}

/// Returns whether a link at `name` leads to a place in the same tree.
pub(crate) fn stays_inside(name: &Path, target: &Path) -> bool {
    let mut depth = name.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

impl Stamps {
    /// Takes the stamps of a tree that was just hashed.
    pub(crate) fn take(root: &Path, tree: &Tree) -> io::Result<Self> {
        let stamps = tree.0.keys().map(|name| Ok((name.clone(), system::stamp(&fs::symlink_metadata(root.join(name))?))));
        stamps.collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (path, stamp) in &self.0 {
            let path = system::bytes(path);
            let Stamp { inode, size, modified, changed } = stamp;
            let line = format!("{inode} {size} {} {} {} {} {} ", modified.0, modified.1, changed.0, changed.1, path.len());
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(&path);
            text.push(b'\n');
        }
        text
    }

    /// Reads stamps back; what cannot be read is hashed again.
    pub(crate) fn read(text: &[u8]) -> Self {
        let mut rest = text;
        let mut all = BTreeMap::new();
        while let Some((path, stamp)) = read_stamp(&mut rest) {
            all.insert(path, stamp);
        }
        Self(all)
    }
}

fn read_stamp(rest: &mut &[u8]) -> Option<(PathBuf, Stamp)> {
    let mut number = || word(rest)?.parse::<i64>().ok();
    let (inode, size) = (number()?, number()?);
    let (modified, changed) = ((number()?, number()?), (number()?, number()?));
    let length = number()?;
    let path = take(rest, usize::try_from(length).ok()?)?;
    take(rest, 1)?;
    Some((path, Stamp { inode: inode.cast_unsigned(), size: size.cast_unsigned(), modified, changed }))
}

/// Takes the next word, up to a blank.
fn word(rest: &mut &[u8]) -> Option<String> {
    let at = rest.iter().position(|byte| *byte == b' ')?;
    let (word, after) = rest.split_at_checked(at)?;
    *rest = after.get(1..)?;
    String::from_utf8(word.to_vec()).ok()
}

fn take(rest: &mut &[u8], length: usize) -> Option<PathBuf> {
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(system::path(bytes))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("a")).expect("a folder");
        fs::write(folder.path().join("a/one\nf"), "1").expect("a file");
        fs::write(folder.path().join("two words"), "2").expect("a file");
        std::os::unix::fs::symlink("a/one\nf", folder.path().join("link")).expect("a link");
        folder
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let folder = folder();
        let tree = Tree::of(folder.path()).expect("a tree");
        assert_eq!(Tree::read(&tree.manifest()), Some(tree.clone()));
        let stamps = Stamps::take(folder.path(), &tree).expect("stamps");
        assert_eq!(Stamps::read(&stamps.write()).0, stamps.0);
    }

    #[test]
    fn every_change_of_a_folder_is_found() {
        type Change = fn(&Path) -> io::Result<()>;
        let changes: [(&str, Change); 5] = [
            ("not what was installed", |root| fs::write(root.join("two words"), "3")),
            ("missing", |root| fs::remove_file(root.join("two words"))),
            ("was not installed", |root| fs::write(root.join("a/new"), "")),
            ("not what was installed", |root| fs::set_permissions(root.join("two words"), fs::Permissions::from_mode(0o755))),
            ("not what was installed", |root| {
                fs::remove_file(root.join("link"))?;
                std::os::unix::fs::symlink("../../etc/passwd", root.join("link"))
            }),
        ];
        for (said, change) in changes {
            let folder = folder();
            let tree = Tree::of(folder.path()).expect("a tree");
            let stamps = Stamps::take(folder.path(), &tree).expect("stamps");
            tree.check(folder.path(), &stamps).expect("nothing changed");
            change(folder.path()).expect("a change");
            let error = tree.check(folder.path(), &stamps).expect_err("a change is found").to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn links_stay_in_their_tree() {
        assert!(stays_inside(Path::new("a/b/link"), Path::new("../../c")));
        assert!(!stays_inside(Path::new("a/b/link"), Path::new("../../../c")));
        assert!(!stays_inside(Path::new("link"), Path::new("/etc")));
        assert!(!stays_inside(Path::new("link"), Path::new("a/../../b")));
    }
}
