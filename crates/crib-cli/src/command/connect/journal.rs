//! What was changed, and the bytes that were there before. Written before the first file is touched.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crib_clients::Splice;
use crib_model::Clock as _;
use serde::{Deserialize, Serialize};

use super::file;
use crate::failure::{Exit, Failure};
use crate::machine::Machine;
use crate::shop::private_folder;

const FILE: &str = "journal.json";

/// One run that changed files.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Journal {
    schema: String,
    pub(super) changes: Vec<Change>,
}

/// One file of one run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Change {
    pub(super) client: String,
    pub(super) path: PathBuf,
    /// The name of the entry.
    pub(super) entry: String,
    /// The bytes before, in a file beside the journal; absent when there was no file.
    pub(super) backup: Option<String>,
    /// Digests of the bytes before and after.
    before: Option<String>,
    after: Option<String>,
    /// The change itself, for taking it out of a file that has changed elsewhere since.
    splice: Option<Made>,
    /// The permissions of the file before, where the system has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<u32>,
    /// Directories that were made for the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) directories: Vec<PathBuf>,
    #[serde(default)]
    pub(super) is_restored: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Made {
    at: usize,
    removed: String,
    inserted: String,
}

/// A change that is about to be made.
#[derive(Debug)]
pub(super) struct Intent<'a> {
    pub(super) client: &'a str,
    pub(super) path: &'a Path,
    pub(super) entry: &'a str,
    pub(super) before: Option<&'a [u8]>,
    /// None where the file goes.
    pub(super) after: Option<&'a str>,
    pub(super) splice: Option<&'a Splice>,
}

/// What a file is now, seen from a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As the change left it.
    AsWritten,
    /// As it was before the change.
    AsBefore,
    Changed,
}

/// The directory with a folder for each run.
#[derive(Debug)]
pub(super) struct Shelf {
    directory: PathBuf,
    /// Held while files are changed: one run at a time.
    _lock: File,
}

/// A journal and the folder it is in.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) journal: Journal,
}

impl Shelf {
    /// Opens the shelf, or fails when another run has it.
    pub(super) fn open(data: &Path) -> Result<Self, Failure> {
        let directory = data.join("backups");
        let failed = |error: &io::Error| {
            let failure = Failure::new(Exit::Unexpected, "no_backup", format!("cannot keep backups in {}", directory.display()));
            failure.because(error.to_string()).hint("set TOOLCRIB_HOME to a directory you can write to")
        };
        make_private(&directory).map_err(|error| failed(&error))?;
        let lock = File::options().create(true).truncate(false).write(true).open(directory.join("lock"));
        let lock = lock.map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory, _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(Failure::new(Exit::Unexpected, "busy", "another `toolcrib connect` is changing files").hint("try again in a moment"))
            }
            Err(fs::TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// Keeps the bytes of all files and says what will be done, before anything is.
    pub(super) fn begin(&self, intents: &[Intent<'_>]) -> Result<Run, Failure> {
        let folder = self.folder()?;
        let mut changes = Vec::new();
        for (number, intent) in (1..).zip(intents) {
            let name = intent.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let backup = intent.before.map(|_| format!("{number}-{}-{name}", intent.client));
            if let (Some(backup), Some(before)) = (&backup, intent.before) {
                write(&folder.join(backup), before)?;
            }
            changes.push(Change {
                client: intent.client.to_owned(),
                path: intent.path.to_owned(),
                entry: intent.entry.to_owned(),
                backup,
                before: intent.before.map(digest),
                after: intent.after.map(|after| digest(after.as_bytes())),
                splice: intent.splice.map(|splice| Made {
                    at: splice.at,
                    removed: splice.removed.clone(),
                    inserted: splice.inserted.clone(),
                }),
                mode: intent.before.and_then(|_| file::mode(intent.path)),
                directories: Vec::new(),
                is_restored: false,
            });
        }
        let run = Run { folder, journal: Journal { schema: "toolcrib/v1/journal".to_owned(), changes } };
        run.save()?;
        Ok(run)
    }

    /// A folder named by the time, as nobody has one yet.
    fn folder(&self) -> Result<PathBuf, Failure> {
        let stamp = stamp(Machine.unix().as_secs());
        for number in 1..100 {
            let name = if number == 1 { stamp.clone() } else { format!("{stamp}-{number}") };
            let folder = self.directory.join(name);
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(folder),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::new(Exit::Unexpected, "no_backup", "too many changes within a second"))
    }
}

/// Reads what was done, the newest first. What cannot be read is passed over: it is somebody else's.
pub(super) fn runs(data: &Path) -> Vec<Run> {
    let Ok(folders) = fs::read_dir(data.join("backups")) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = folders.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort_by_key(|folder| folder.file_name().map(order));
    folders.reverse();
    let read = |folder: PathBuf| {
        let journal = serde_json::from_slice(&fs::read(folder.join(FILE)).ok()?).ok()?;
        Some(Run { folder, journal })
    };
    folders.into_iter().filter_map(read).collect()
}

/// `2026-11-21T06-10-00-2` is later than the same without a number, and `-10` than `-9`.
fn order(name: &std::ffi::OsStr) -> (String, u32) {
    let name = name.to_string_lossy();
    let (stamp, number) = name.split_at_checked(STAMP_LEN).unwrap_or((&name, ""));
    (stamp.to_owned(), number.trim_start_matches('-').parse().unwrap_or(1))
}

impl Run {
    pub(super) fn save(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.journal).unwrap_or_default();
        let temporary = self.folder.join(".journal");
        drop(fs::remove_file(&temporary));
        write(&temporary, &text)?;
        Ok(fs::rename(&temporary, self.folder.join(FILE))?)
    }

    /// Returns the bytes before a change.
    pub(super) fn backup(&self, change: &Change) -> Result<Option<Vec<u8>>, Failure> {
        let Some(backup) = &change.backup else { return Ok(None) };
        let path = self.folder.join(backup);
        let lost = |why: String| Failure::new(Exit::Unexpected, "no_backup", format!("the backup {} is lost", path.display())).because(why);
        let bytes = fs::read(&path).map_err(|error| lost(error.to_string()))?;
        if change.before.as_deref() == Some(digest(&bytes).as_str()) {
            Ok(Some(bytes))
        } else {
            Err(lost("it has been changed".to_owned()))
        }
    }
}

impl Change {
    /// Compares a file with what the change made of it.
    pub(super) fn standing(&self, bytes: Option<&[u8]>) -> Standing {
        let now = bytes.map(digest);
        if now == self.after {
            Standing::AsWritten
        } else if now == self.before {
            Standing::AsBefore
        } else {
            Standing::Changed
        }
    }

    /// Returns whether there was no file.
    pub(super) fn was_absent(&self) -> bool {
        self.before.is_none()
    }

    pub(super) fn splice(&self) -> Option<Splice> {
        let made = self.splice.clone()?;
        Some(Splice { at: made.at, removed: made.removed, inserted: made.inserted })
    }
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = file::private(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn make_private(directory: &Path) -> io::Result<()> {
    private_folder(directory)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

const STAMP_LEN: usize = "2026-11-21T06-10-00".len();

/// Writes a time as a name of a folder, in UTC.
fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the leap day comes last.
    let z = days + 719_468;
    let (era, day) = (z / 146_097, z % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + carry;
    format!("{year:04}-{month:02}-{date:02}T{:02}-{:02}-{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00-00-00"),
            (951_782_400, "2000-02-29T00-00-00"),
            (1_795_241_400, "2026-11-21T06-10-00"),
            (4_102_444_799, "2099-12-31T23-59-59"),
        ] {
            assert_eq!(stamp(seconds), text);
        }
    }

    #[test]
    fn the_tenth_of_a_second_is_later_than_the_ninth() {
        let names = ["2026-11-21T06-10-00", "2026-11-21T06-10-00-2", "2026-11-21T06-10-00-10", "2026-11-21T06-10-01"];
        let mut sorted = names;
        sorted.sort_by_key(|name| order(name.as_ref()));
        assert_eq!(sorted, names);
    }
}
