//! Where packages are kept: one folder per digest, there whole or not at all.
//!
//! `store/HEX/tree` is what was installed and what the digest is of, `store/HEX/made-HEX` what was made of it on this
//! machine, once for each interpreter that it was made for, and `store/HEX/root` the root directory of an image, which
//! has neither. Beside each lies the list of its files (`*.files`), and the stamps by which a start sees that nothing
//! was touched (`*.stamps`).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};

use crate::system;
use crate::tree::{Stamps, Tree, TreeError};
use crate::{Digest, Lock};

/// A half of a package's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half<'d> {
    Tree,
    /// By its digest: what one interpreter has made is of no use to another.
    Made(&'d Digest),
    Root,
}

/// What a folder is called that was made on this machine, without its digest.
const MADE: &str = "made";
/// Digits of the digest in its name.
const MADE_DIGITS: usize = 16;

impl Half<'_> {
    fn name(self) -> String {
        match self {
            Self::Tree => "tree".to_owned(),
            Self::Made(digest) => format!("{MADE}-{}", digest.hex().chars().take(MADE_DIGITS).collect::<String>()),
            Self::Root => "root".to_owned(),
        }
    }
}

/// The folder of packages.
#[derive(Clone, Debug)]
pub(crate) struct Store(PathBuf);

/// What a folder is called in which something is put together.
const BENCH: &str = ".new-";
/// So much must still fit when a package is whole.
const ROOM_BYTES: usize = 4 * 1024 * 1024;

/// Kept while something is put together, and until it is locked: nobody clears away meanwhile.
#[derive(Debug)]
pub struct Busy {
    _held: Option<File>,
}

/// A folder in which a package is put together. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Bench(PathBuf);

impl Bench {
    /// Returns where the files go.
    pub(crate) fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }

    /// Returns a place for what is needed only while it is put together.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Refuses what was put together where no room is left: npm cuts files off there, and says that all is well.
    pub(crate) fn check_room(&self) -> Result<(), Fault> {
        let probe = self.beside("room");
        let written = fs::write(&probe, vec![1; ROOM_BYTES]).and_then(|()| fs::remove_file(&probe));
        written.map_err(|error| failed("there is no room for the package", error).hint("make room, and get it again"))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What cannot be removed is cleared away by the next one who is alone here.
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Store {
    pub(crate) fn new(data: &Path) -> Self {
        Self(data.join("store"))
    }

    /// Keeps others from clearing away. Whoever is alone here clears away what others left half-made.
    pub(crate) fn busy(&self) -> Busy {
        let Ok(file) = self.guard() else { return Busy { _held: None } };
        if file.try_lock().is_ok() {
            for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(BENCH) {
                    drop(fs::remove_dir_all(entry.path()));
                }
            }
            drop(file.unlock());
        }
        // Where nothing can be locked, nothing is cleared away either.
        let held = file.lock_shared().is_ok();
        Busy { _held: held.then_some(file) }
    }

    fn guard(&self) -> io::Result<File> {
        if let Some(data) = self.0.parent() {
            fs::create_dir_all(data)?;
        }
        File::options().create(true).truncate(false).write(true).read(true).open(self.0.with_extension("lock"))
    }

    /// Makes a place to put a package together, on the same file system as the store.
    pub(crate) fn bench(&self) -> Result<Bench, Fault> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| failed("no randomness", error))?;
        let folder = self.0.join(format!("{BENCH}{}", crate::digest::hex(&random)));
        fs::create_dir_all(folder.join("tree")).map_err(|error| failed("the store cannot be written", error))?;
        Ok(Bench(folder))
    }

    /// Takes a package in: hashes it, and moves it to the folder of its digest.
    pub(crate) fn take(&self, bench: &Bench) -> Result<(Digest, Tree), Fault> {
        self.take_in(bench, Half::Tree, Tree::of(&bench.tree()))
    }

    /// Takes in the root directory of an image.
    pub(crate) fn take_root(&self, bench: &Bench) -> Result<(Digest, Tree), Fault> {
        self.take_in(bench, Half::Root, Tree::of_root(&bench.tree()))
    }

    fn take_in(&self, bench: &Bench, half: Half<'_>, tree: Result<Tree, TreeError>) -> Result<(Digest, Tree), Fault> {
        let tree = tree.map_err(|error| unverified(&error))?;
        bench.check_room()?;
        let digest = tree.digest();
        let home = self.home(&digest);
        if home.exists() {
            if self.check(&digest, half, &digest).is_ok() {
                return Ok((digest, tree));
            }
            // What is there is not what it should be; nobody can want it.
            fs::remove_dir_all(&home).map_err(|error| failed("a broken package cannot be removed", error))?;
        }
        let moved = || -> io::Result<()> {
            let whole = bench.beside("whole");
            fs::create_dir(&whole)?;
            seal(&bench.tree())?;
            fs::rename(bench.tree(), whole.join(half.name()))?;
            write_lists(&whole, half, &tree)?;
            match fs::rename(&whole, &home) {
                // Somebody else has stored the same bytes in the meantime.
                Err(_) if home.exists() => Ok(()),
                renamed => renamed,
            }
        };
        moved().map_err(|error| failed("the package cannot be stored", error))?;
        Ok((digest, tree))
    }

    /// Takes in what was made of a package on this machine.
    pub(crate) fn take_made(&self, tree: &Digest, made: &Path) -> Result<Digest, Fault> {
        let home = self.home(tree);
        let files = Tree::of_made(made).map_err(|error| unverified(&error))?;
        let digest = files.digest();
        let half = Half::Made(&digest);
        let place = home.join(half.name());
        let moved = || -> io::Result<()> {
            // Two who pull the same make the same; what one has made is not taken from under the other.
            let guard = File::options().create(true).truncate(false).write(true).open(self.0.with_extension("made.lock"))?;
            guard.lock()?;
            if place.exists() {
                if self.check(tree, half, &digest).is_ok() {
                    return Ok(());
                }
                fs::remove_dir_all(&place)?;
            }
            fs::rename(made, &place)?;
            write_lists(&home, half, &files)
        };
        moved().map_err(|error| failed("the package cannot be stored", error))?;
        Ok(digest)
    }

    /// Checks that a half of a package is what was locked.
    pub(crate) fn check(&self, tree: &Digest, half: Half<'_>, wanted: &Digest) -> Result<(), TreeError> {
        let (home, name) = (self.home(tree), half.name());
        let part = home.join(&name);
        let list = home.join(format!("{name}.files"));
        let manifest = fs::read(&list).map_err(|error| TreeError::Io { path: list, error })?;
        if Digest::of(&manifest) != *wanted {
            return Err(TreeError::Manifest);
        }
        let stamps = fs::read(home.join(format!("{name}.stamps"))).map(|text| Stamps::read(&text)).unwrap_or_default();
        let files = Tree::read(&manifest).ok_or(TreeError::Manifest)?;
        match half {
            Half::Tree => files.check(&part, &stamps),
            Half::Made(_) => files.check_made(&part, &stamps),
            Half::Root => files.check_root(&part, &stamps),
        }
    }

    /// Returns the list of files of a package, if it is in the store.
    pub(crate) fn files(&self, tree: &Digest) -> Option<Tree> {
        let list = |half: Half<'_>| fs::read(self.home(tree).join(format!("{}.files", half.name())));
        Tree::read(&list(Half::Tree).or_else(|_none| list(Half::Root)).ok()?)
    }

    pub(crate) fn home(&self, tree: &Digest) -> PathBuf {
        self.0.join(tree.hex())
    }

    pub(crate) fn part(&self, tree: &Digest, half: Half<'_>) -> PathBuf {
        self.home(tree).join(half.name())
    }

    /// Returns what is in the store, by the names of the folders.
    pub(crate) fn names(&self) -> BTreeSet<OsString> {
        fs::read_dir(&self.0).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
    }

    /// Takes packages out that nobody wants after all, unless somebody has locked one of them meanwhile, or may be about to.
    /// Returns whether that could be told; else they stay, and are swept away some day.
    pub(crate) fn forget(&self, unwanted: &BTreeSet<Digest>, lock: impl FnOnce() -> Result<Lock, Fault>) -> Result<bool, Fault> {
        let guard = self.guard().map_err(|error| failed("the store cannot be read", error))?;
        // INVARIANT: whoever has taken in a package is busy until it is locked.
        if guard.try_lock().is_err() {
            return Ok(false);
        }
        let lock = lock()?;
        for tree in unwanted.iter().filter(|tree| !lock.all().any(|locked| locked.tree.as_ref() == Some(*tree))) {
            drop(fs::remove_dir_all(self.home(tree)));
        }
        Ok(true)
    }

    /// Removes packages that the lockfile does not name, and what was left half-made; returns how many. While something is
    /// being put together nothing is removed: the next one will.
    pub(crate) fn sweep(&self, lock: impl FnOnce() -> Result<Lock, Fault>) -> Result<usize, Fault> {
        let guard = self.guard().map_err(|error| failed("the store cannot be read", error))?;
        if guard.try_lock().is_err() {
            return Ok(0);
        }
        let lock = lock()?;
        let kept: Vec<String> = lock.all().filter_map(|locked| locked.tree.as_ref()).map(Digest::hex).collect();
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(failed("the store cannot be read", error)),
        };
        let mut removed = 0;
        for entry in entries.flatten().filter(|entry| !kept.iter().any(|kept| entry.file_name() == kept.as_str())) {
            fs::remove_dir_all(entry.path()).map_err(|error| failed("a package cannot be removed", error))?;
            removed += 1;
        }
        self.sweep_made(&lock);
        Ok(removed)
    }
}

impl Store {
    /// Removes what was made for interpreters that no server is locked with any more.
    fn sweep_made(&self, lock: &Lock) {
        let kept: BTreeSet<String> = lock.all().filter_map(|locked| locked.made.as_ref()).map(|made| Half::Made(made).name()).collect();
        for tree in lock.all().filter_map(|locked| locked.tree.as_ref()) {
            for entry in fs::read_dir(self.home(tree)).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let half = name.split('.').next().unwrap_or(&name);
                if half.split('-').next() != Some(MADE) || kept.contains(half) {
                    continue;
                }
                // What cannot be removed is in nobody's way.
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                drop(if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) });
            }
        }
    }
}

fn write_lists(home: &Path, half: Half<'_>, files: &Tree) -> io::Result<()> {
    let half = half.name();
    fs::write(home.join(format!("{half}.files")), files.manifest())?;
    fs::write(home.join(format!("{half}.stamps")), Stamps::take(&home.join(&half), files)?.write())
}

/// Takes the right to write from every file, against accidents; what keeps servers away is the sandbox.
fn seal(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_dir() {
            seal(&path)?;
        } else if meta.is_file() {
            system::seal(&path, &meta)?;
        }
    }
    Ok(())
}

fn failed(what: &'static str, error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PullFailed, what).because(error)
}

pub(crate) fn unverified(error: &TreeError) -> Fault {
    Fault::new(Code::PackageUnverified, "the files of the package are not what they should be").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_together(store: &Store) -> Bench {
        let bench = store.bench().expect("a bench");
        fs::write(bench.tree().join("index.js"), "1").expect("written");
        bench
    }

    #[test]
    fn two_who_take_in_the_same_at_once_both_have_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::new(folder.path());
        let both = std::sync::Barrier::new(2);
        for round in 0..20 {
            let take = || {
                let bench = put_together(&store);
                fs::create_dir_all(bench.beside("made")).expect("written");
                fs::write(bench.beside("made").join("cache"), "made").expect("written");
                both.wait();
                let (tree, _) = store.take(&bench).expect("it is taken in");
                let made = store.take_made(&tree, &bench.beside("made")).expect("it is taken in");
                store.check(&tree, Half::Tree, &tree).expect("it is whole");
                store.check(&tree, Half::Made(&made), &made).expect("it is whole");
                tree
            };
            let tree = std::thread::scope(|scope| {
                let one = scope.spawn(take);
                let other = scope.spawn(take);
                assert_eq!(one.join().expect("it ends"), other.join().expect("it ends"), "round {round}");
                take_out(&store)
            });
            assert!(!tree.is_empty());
        }
    }

    #[test]
    fn what_two_interpreters_make_of_the_same_package_is_there_for_both() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::new(folder.path());
        let make = |with: &str| {
            let bench = put_together(&store);
            fs::create_dir_all(bench.beside("made")).expect("written");
            fs::write(bench.beside("made").join("pyvenv.cfg"), with).expect("written");
            let (tree, _) = store.take(&bench).expect("it is taken in");
            let made = store.take_made(&tree, &bench.beside("made")).expect("it is taken in");
            (tree, made)
        };
        let ((tree, old), (same, new)) = (make("version = 3.11.7"), make("version = 3.12.4"));
        assert!(tree == same && old != new);
        for made in [&old, &new] {
            store.check(&tree, Half::Made(made), made).expect("it is whole");
        }
        // What no server is locked with any more goes, and nothing else.
        let text = format!(
            "version = 1\n[servers.a]\nsource = \"pypi:a\"\nversion = \"1\"\ntree = \"{tree}\"\nmade = \"{new}\"\n[servers.a.entry]\nkind = \"python\"\nmodule = \"a\"\nfunction = \"main\"\nscript = \"a\"\n"
        );
        let lock = toml::from_str(&text).expect("a lockfile");
        assert_eq!(store.sweep(|| Ok(lock)).expect("nobody is busy"), 0);
        store.check(&tree, Half::Made(&new), &new).expect("it is whole");
        assert!(store.check(&tree, Half::Made(&old), &old).is_err());
    }

    /// Makes the store empty again.
    fn take_out(store: &Store) -> BTreeSet<OsString> {
        let names = store.names();
        store.sweep(|| Ok(Lock::default())).expect("nobody is busy");
        names
    }
}
