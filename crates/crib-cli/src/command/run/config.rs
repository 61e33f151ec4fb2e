//! Our own configuration file, changed without touching a byte that is not about the server in question.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_clients::{Language, Places, Refusal, Spot, Value};
use crib_control::Problem;

use super::super::connect::file::{self, Before};
use super::super::connect::{OUR_SERVERS, verify};
use crate::failure::Failure;
use crate::places::{self, shown};
use crate::shop::private_folder;

/// What a file begins with that did not exist.
const EMPTY: &str = "version: 1\n";
/// Whoever changes the file holds this one.
const LOCK: &str = "config.lock";
/// Changing the file takes milliseconds, and many may come at once.
const LOCK_WAIT: Duration = Duration::from_secs(20);
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The user's configuration as it was found.
pub(crate) struct Configuration {
    places: Places,
    path: PathBuf,
    bytes: Option<Vec<u8>>,
    text: String,
    turn: Option<File>,
}

/// Makes room in the empty braces that the last server has left: what is put into them would stand on one line.
fn opened(text: &str) -> String {
    let open = |line: &str| match line.strip_prefix("servers: {}") {
        Some(end) if end.trim().is_empty() => format!("servers:{end}"),
        Some(_) | None => line.to_owned(),
    };
    text.split_inclusive('\n').map(open).collect()
}

impl Configuration {
    pub(crate) fn read() -> Result<Self, Failure> {
        let places = places::places()?;
        let path = places::own(&places).config;
        let found = file::read(&path, &places)?;
        if let Some(found) = &found {
            file::check_writable(found, &path, &places)?;
        }
        let bytes = found.map(|found| found.bytes);
        let text = match &bytes {
            Some(bytes) => crib_clients::decode(bytes).map(str::to_owned),
            None => Ok(EMPTY.to_owned()),
        };
        let text =
            text.map_err(|refusal| broken(&path, &places, &String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()), &refusal))?;
        Ok(Self { places, path, bytes, text, turn: None })
    }

    /// Returns the servers it has.
    pub(crate) fn servers(&self) -> Result<Vec<(String, Value)>, Failure> {
        crib_clients::entries(&self.text, Language::Yaml, OUR_SERVERS).map_err(|refusal| self.broken(&refusal))
    }

    /// Reads the file again and keeps other commands of ours from it; refused when it says something else of the server
    /// `name` now.
    pub(crate) async fn renewed(self, name: &str) -> Result<Self, Failure> {
        let turn = self.turn().await;
        let entry = |configuration: &Self| {
            let servers = configuration.servers()?;
            Ok::<_, Failure>(servers.into_iter().find(|(known, _)| known == name).map(|(_, entry)| entry))
        };
        let now = Self { turn, ..Self::read()? };
        if entry(&now)? == entry(&self)? {
            return Ok(now);
        }
        let message = format!("{} says something else of `{name}` than a moment ago", self.shown());
        Err(Failure::usage(message).hint("run it again"))
    }

    /// Lets other commands of ours change the file again.
    pub(crate) fn release(&mut self) {
        self.turn = None;
    }

    /// Waits until no other command of ours is changing the file. Whoever cannot lock goes on without: what was changed
    /// meanwhile is seen when the file is replaced.
    async fn turn(&self) -> Option<File> {
        let data = places::own(&self.places).data;
        private_folder(&data).ok()?;
        let lock = File::options().create(true).truncate(false).write(true).open(data.join(LOCK)).ok()?;
        let end = Instant::now() + LOCK_WAIT;
        while Instant::now() < end {
            match lock.try_lock() {
                Ok(()) => return Some(lock),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }

    /// Puts a server in, or changes the one that is there; returns whether anything is different.
    pub(crate) fn put(&mut self, name: &str, value: &Value) -> Result<bool, Failure> {
        let before = opened(&self.text);
        let after = crib_clients::upsert(&before, spot(name), value).map_err(|refusal| self.broken(&refusal))?.text;
        self.write(after)
    }

    /// Takes a server out; returns whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> Result<bool, Failure> {
        if !self.servers()?.iter().any(|(known, _)| known == name) {
            return Ok(false);
        }
        let after = crib_clients::remove(&self.text, spot(name), None).map_err(|refusal| self.broken(&refusal))?.text;
        self.write(after)
    }

    fn write(&mut self, after: String) -> Result<bool, Failure> {
        if after == self.text && self.bytes.is_some() {
            return Ok(false);
        }
        verify(&self.path, &after)?;
        let before = self.bytes.as_deref().map_or(Before::Absent, Before::Bytes);
        let replaced = file::replace(&self.path, before, after.as_bytes(), &self.places);
        replaced.map_err(|failure| failure.hint("choose another place: TOOLCRIB_HOME=DIR"))?;
        self.bytes = Some(after.clone().into_bytes());
        self.text = after;
        Ok(true)
    }

    /// Returns the path as people write it.
    pub(crate) fn shown(&self) -> String {
        shown(&self.path, &self.places)
    }

    fn broken(&self, refusal: &Refusal) -> Failure {
        broken(&self.path, &self.places, &self.text, refusal)
    }
}

fn spot(name: &str) -> Spot<'_> {
    Spot { language: Language::Yaml, place: OUR_SERVERS, name }
}

fn broken(path: &Path, places: &Places, text: &str, refusal: &Refusal) -> Failure {
    let file = crib_control::File { path: PathBuf::from(shown(path, places)), text: text.to_owned() };
    let problem = Problem::at(&Arc::new(file), refusal.span.clone(), refusal.message.clone());
    Failure::problems(&[problem.hint("nothing was changed; mend the file first")])
}
