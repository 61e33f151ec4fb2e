//! The table of clients.
//!
//! Paths are templates of [`Places`]; where a client has several files, the one that exists is taken, else the first.

mod rows;
mod shapes;

use std::path::{Path, PathBuf};

use crate::edit::{Place, Refusal};
use crate::places::{Os, Places};
use crate::shape::{Local, Remote, Shape, Variables};
use crate::tree::Language;
use crate::value::Value;

/// A program that calls MCP servers.
#[derive(Clone, Debug)]
pub struct Client {
    /// What the user types.
    pub id: &'static str,
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub support: Support,
    pub language: Language,
    /// Where entries stand.
    pub place: Place,
    /// Where they stand in files of another layout, which is kept when it is found.
    pub other_place: Option<Place>,
    pub(crate) user: Paths,
    pub(crate) project: &'static [&'static str],
    signs: Signs,
    /// Directories that are signs on one system and not on the others.
    own_signs: Paths,
    /// Whether its file is another program's as well, and says nothing of whether the client is here.
    is_guest: bool,
    /// Where the user's file has servers of single directories: under this name, the directory, and that name.
    by_directory: Option<(&'static str, &'static str)>,
    shape: Shape,
    variables: Variables,
    /// How the client itself tells whether it is connected.
    pub checker: Option<Checker>,
    /// What is left to do for the user, after a change.
    pub note: &'static str,
}

/// What is done for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Entries are read, written and taken out.
    Full,
    /// Servers are read; the entry is printed, to be put in by hand.
    Import,
    /// The entry is printed; there is no file.
    Print,
}

/// For whom an entry holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    User,
    /// Everybody who works in this directory.
    Project,
}

/// A command of the client that tells how its servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checker {
    pub program: &'static str,
    pub args: &'static [&'static str],
    /// Whether it connects, or only reads its file.
    pub connects: bool,
}

/// Files of each system, the preferred one first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths {
    linux: &'static [&'static str],
    mac: &'static [&'static str],
    windows: &'static [&'static str],
}

/// What shows that a client is installed.
#[derive(Clone, Copy, Debug)]
struct Signs {
    directories: &'static [&'static str],
    programs: &'static [&'static str],
}

/// Returns every client, in the order of the table.
pub fn clients() -> impl Iterator<Item = &'static Client> {
    rows::GROUPS.into_iter().flatten()
}

/// Finds a client by its id or one of its other names.
#[must_use]
pub fn find(name: &str) -> Option<&'static Client> {
    let name = name.to_ascii_lowercase().replace([' ', '_'], "-");
    clients().find(|client| client.id == name || client.aliases.contains(&name.as_str()))
}

impl Client {
    /// Returns the files a scope can have, the preferred one first; none where the client has no such scope.
    #[must_use]
    pub fn files(&self, scope: Scope, places: &Places) -> Vec<PathBuf> {
        let templates = match scope {
            Scope::User => self.user.of(places.os),
            Scope::Project => self.project,
        };
        templates.iter().map(|template| places.resolve(template)).collect()
    }

    /// Returns the directories that are there when the client is.
    #[must_use]
    pub fn directories(&self, places: &Places) -> Vec<PathBuf> {
        self.signs.directories.iter().chain(self.own_signs.of(places.os)).map(|template| places.resolve(template)).collect()
    }

    /// Returns the programs that are there when the client is.
    #[must_use]
    pub fn programs(&self) -> &'static [&'static str] {
        self.signs.programs
    }

    /// Returns whether one of its files shows that the client is here.
    #[must_use]
    pub const fn is_shown_by_its_file(&self) -> bool {
        !self.is_guest
    }

    /// Returns the servers that the user's file has for one directory alone.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entries_of_directory(&self, text: &str, directory: &Path) -> Result<Vec<(String, Value)>, Refusal> {
        let Some((outer, inner)) = self.by_directory else { return Ok(Vec::new()) };
        let root = crate::edit::parse(text, self.language)?;
        let directory = directory.display().to_string();
        let servers = root.get(outer).and_then(|all| all.get(&directory)?.get(inner)?.as_map());
        Ok(servers.unwrap_or_default().iter().map(|(key, node)| (key.name.clone(), Value::from(node))).collect())
    }

    /// Returns whether the client reaches servers by URL.
    #[must_use]
    pub fn takes_urls(&self) -> bool {
        self.shape.url.is_some()
    }

    /// Returns how texts of the file name variables.
    pub(crate) fn variables(&self) -> Variables {
        self.variables
    }

    /// Writes the entry of a URL in the client's words; `None` where the client has no URLs, or would have to keep the
    /// key itself in its file.
    #[must_use]
    pub fn remote(&self, remote: &Remote<'_>, name: &str) -> Option<Value> {
        self.shape.remote(remote, name, self.variables)
    }

    /// Writes the entry of a program in the client's words.
    #[must_use]
    pub fn local(&self, local: &Local<'_>, name: &str) -> Value {
        self.shape.local(local, name)
    }

    /// Returns where entries stand in this file: some clients have two layouts.
    #[must_use]
    pub fn place_in(&self, text: &str) -> Place {
        let Some(other) = self.other_place else { return self.place };
        let Ok(root) = crate::edit::parse(text, self.language) else { return self.place };
        let is_other = other.path().iter().try_fold(&root, |node, name| node.get(name)).is_some_and(|node| {
            // A server of that name is no layout.
            node.as_map().is_some_and(|members| members.iter().all(|(_, inner)| inner.as_map().is_some()))
        });
        if is_other { other } else { self.place }
    }
}

impl Paths {
    const fn everywhere(paths: &'static [&'static str]) -> Self {
        Self { linux: paths, mac: paths, windows: paths }
    }

    const NONE: Self = Self::everywhere(&[]);

    pub(crate) fn of(self, os: Os) -> &'static [&'static str] {
        match os {
            Os::Linux => self.linux,
            Os::Mac => self.mac,
            Os::Windows => self.windows,
        }
    }
}

#[cfg(test)]
mod tests;
