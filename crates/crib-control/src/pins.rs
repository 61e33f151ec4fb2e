//! The pins of an instance, in a file of its data directory that all its programs share.

use std::path::Path;
use std::sync::Arc;

use crib_mcp::Json;
use crib_model::{Clock, Code, Fault, Slug};
use crib_registry::pins::{Approval, Book, BookError, ListedTools, Mode, Pins, Policies, Verdict};
use crib_store::{Document, StoreError};
use parking_lot::Mutex;

/// The name of the file in the data directory.
const FILE: &str = "pins.json";
/// What to do about a file that cannot be used.
const DAMAGED: &str = "if the file is damaged, bring it back from a backup, or move it away: every server is then trusted as it is at its next start\ntoolcrib explain TC0603";
/// Largest file: some thousand tools of every server there is.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why the pins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Book(#[from] BookError),
}

impl PinsError {
    /// Returns the refusal for people.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::new(Code::PinsUnusable, format!("the pinned tools cannot be used: {self}")).hint(DAMAGED)
    }
}

/// The file with the pins.
#[derive(Clone, Debug)]
pub struct PinFile(Document);

impl PinFile {
    /// Names the file of a data directory. Nothing is read yet.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        Self(Document::new(directory.join(FILE), "toolcrib-pins", BYTES_MAX))
    }

    /// Reads the book; an empty one where there is no file.
    ///
    /// # Errors
    /// The file cannot be read or is not a book.
    pub fn read(&self) -> Result<Book, PinsError> {
        parse(self.0.read()?)
    }

    /// Changes the book. What `change` returns beside its result says whether it has to be written.
    ///
    /// # Errors
    /// The file cannot be read, locked or written, or is not a book.
    pub fn update<T>(&self, change: impl FnOnce(&mut Book) -> (bool, T)) -> Result<(Book, T), PinsError> {
        self.0.update(|body| {
            let mut book = parse(body)?;
            let (has_changed, result) = change(&mut book);
            Ok((has_changed.then(|| book.to_bytes()), (book, result)))
        })
    }

    /// Approves definitions, each only if it is still the one that was looked at. Returns those that were approved.
    ///
    /// # Errors
    /// As for [`Self::update`].
    pub fn approve(&self, approvals: Vec<Approval>, now: u64) -> Result<Vec<Approval>, PinsError> {
        let approve = |book: &mut Book| {
            let is_done = |approval: &Approval| book.approve(approval, now);
            let done: Vec<Approval> = approvals.into_iter().filter(is_done).collect();
            (!done.is_empty(), done)
        };
        self.update(approve).map(|(_, done)| done)
    }
}

fn parse(body: Option<Vec<u8>>) -> Result<Book, PinsError> {
    Ok(body.map_or_else(|| Ok(Book::default()), |body| Book::parse(&body))?)
}

/// Pins kept in a file.
pub struct FilePins {
    file: PinFile,
    policies: Policies,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    book: Book,
    stamp: u64,
    edition: u64,
}

impl std::fmt::Debug for FilePins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilePins").field("file", &self.file).finish_non_exhaustive()
    }
}

impl FilePins {
    /// Reads the file.
    ///
    /// # Errors
    /// It is damaged: to go on would be to trust every server anew.
    pub fn open(file: PinFile, policies: Policies, clock: Arc<dyn Clock>) -> Result<Self, PinsError> {
        let stamp = file.0.stamp();
        let book = file.read()?;
        Ok(Self { file, policies, clock, state: Mutex::new(State { book, stamp, edition: 0 }) })
    }

    /// Takes over what another program wrote.
    fn renew(&self, state: &mut State) {
        let stamp = self.file.0.stamp();
        if stamp == state.stamp {
            return;
        }
        match self.file.read() {
            Ok(book) => {
                state.book = book;
                state.edition += 1;
            }
            Err(error) => tracing::error!("what is known of tools stays as it was: {error}"),
        }
        state.stamp = stamp;
    }
}

impl Pins for FilePins {
    fn judge(&self, slug: &Slug, kind: &str, tools: &[Json], instructions: Option<&str>) -> Verdict {
        let (policy, origin) = self.policies.of(slug);
        if policy.mode == Mode::Off {
            return Verdict::default();
        }
        let listed = ListedTools { slug: slug.as_str(), origin, kind, tools, instructions };
        let now = self.clock.unix().as_secs();
        let mut state = self.state.lock();
        self.renew(&mut state);
        let judged = state.book.judge(&listed, policy, now);
        if !judged.has_changed {
            return judged.verdict;
        }
        // Another program may have written in between: what it found counts, too.
        let written = self.file.update(|book| {
            let judged = book.judge(&listed, policy, now);
            (judged.has_changed, judged.verdict)
        });
        match written {
            Ok((book, verdict)) => {
                state.book = book;
                state.stamp = self.file.0.stamp();
                verdict
            }
            Err(error) => {
                tracing::error!(upstream = %slug, "what is known of tools is kept until the program ends only: {error}");
                judged.verdict
            }
        }
    }

    fn holds(&self, slug: &Slug) -> bool {
        self.policies.of(slug).0.mode == Mode::Hold
    }

    fn edition(&self) -> u64 {
        let mut state = self.state.lock();
        self.renew(&mut state);
        state.edition
    }
}
