//! From a name to an unpacked image.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crib_model::{BoxFuture, Code, Fault};
use crib_transport::SendError;
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_RANGE;

use crate::digest::Hasher;
use crate::layer::{self, Layer};
use crate::manifest::{self, Descriptor, Document, Manifest, broken};
use crate::registry::{Ask, Session};
use crate::rootfs::{Budget, RootError, Rootfs};
use crate::{Config, Digest, Platform, Reference, Registry};

/// Largest manifest, index or configuration.
const DOCUMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Layers of one image together, as they are downloaded.
const DOWNLOAD_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// What an image may be unpacked.
const UNPACKED: Budget = Budget { entries: 250_000, bytes: 8 * 1024 * 1024 * 1024 };
/// One layer unpacked, with the heads and ends of its entries.
const LAYER_BYTES_MAX: u64 = 9 * 1024 * 1024 * 1024;
/// How long nothing may come of a download.
const STALL: Duration = Duration::from_secs(30);
/// Layers that are downloaded at once.
const DOWNLOADS_MAX: usize = 3;
/// How often a download that was broken off goes on.
const RESUMES_MAX: u32 = 4;

/// An image that was found: what it is, to the last byte.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub reference: Reference,
    /// The digest of the manifest for this machine; it stands for every byte of the image.
    pub digest: Digest,
    /// The digest of the index that led to it, where there is one.
    pub index: Option<Digest>,
    /// What it has to be downloaded.
    pub bytes: u64,
    manifest: Manifest,
    platform: Platform,
}

/// An image that was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    pub config: Config,
    /// The number of the user it wants to run as, where that is not root.
    pub user: Option<u32>,
}

/// What a pull is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Downloading { done: u64, total: u64 },
    Unpacking { layers: usize },
}

impl Registry {
    /// Finds the image for a platform.
    ///
    /// # Errors
    /// TC0502 for what is not an image, TC0503 for what is not there, TC0504 where the registry cannot be reached,
    /// TC0505 for a document that is not what was promised.
    pub async fn resolve(&self, reference: &Reference, platform: &Platform) -> Result<Resolved, Fault> {
        let session = self.session(reference).await?;
        let (digest, document) = fetch(&session, reference.wanted(), reference.digest()).await?;
        let (digest, index, manifest) = match document {
            Document::Manifest(manifest) => (digest, None, manifest),
            Document::Index(entries) => {
                let entry = manifest::choose(&entries, platform)?;
                let (_, document) = fetch(&session, entry.digest.as_str(), Some(&entry.digest)).await?;
                let Document::Manifest(manifest) = document else { return Err(broken("its index leads to another index")) };
                (entry.digest.clone(), Some(digest), manifest)
            }
        };
        let bytes = manifest.layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size));
        if bytes > DOWNLOAD_BYTES_MAX {
            return Err(broken(format!("it has {bytes} bytes; {DOWNLOAD_BYTES_MAX} is the most")));
        }
        Ok(Resolved { reference: reference.clone(), digest, index, bytes, manifest, platform: platform.clone() })
    }

    /// Downloads an image that was found, and unpacks it into `root`, an empty folder. `beside` is a folder for what is
    /// needed in between.
    ///
    /// # Errors
    /// TC0504 for what cannot be downloaded or written, TC0505 for bytes that are not what they should be.
    pub async fn pull(&self, found: &Resolved, root: &Path, beside: &Path, tell: &(dyn Fn(Step) + Sync)) -> Result<Pulled, Fault> {
        let session = self.session(&found.reference).await?;
        let config = blob(&session, &found.manifest.config).await?;
        let (config, contents) = Config::read(&config, &found.platform)?;
        let layers = &found.manifest.layers;
        if layers.len() != contents.len() {
            return Err(broken(format!("it has {} layers, and names the content of {}", layers.len(), contents.len())));
        }
        std::fs::create_dir_all(beside).map_err(unwritable)?;
        let done = AtomicU64::new(0);
        let told = |more: u64| {
            // A layer that begins again takes back what it had.
            let done = done.fetch_add(more, Ordering::Relaxed).wrapping_add(more);
            tell(Step::Downloading { done, total: found.bytes });
        };
        let mut jobs: Vec<BoxFuture<'_, Result<(), Fault>>> = Vec::new();
        for (at, layer) in layers.iter().enumerate() {
            let file = beside.join(format!("layer-{at}"));
            let (session, told) = (&session, &told);
            jobs.push(Box::pin(async move { download(session, layer, &file, told).await }));
        }
        let mut jobs = stream::iter(jobs).buffer_unordered(DOWNLOADS_MAX);
        while let Some(downloaded) = jobs.next().await {
            downloaded?;
        }
        tell(Step::Unpacking { layers: layers.len() });
        Unpacking { root: root.to_owned(), beside: beside.to_owned(), contents, config }.run().await
    }
}

/// Gets a document of images, checked against the digest it was asked by.
async fn fetch(session: &Session<'_>, wanted: &str, promised: Option<&Digest>) -> Result<(Digest, Document), Fault> {
    let path = format!("manifests/{wanted}");
    let ask = Ask { path: &path, accept: manifest::ACCEPT, from: 0 };
    let (bytes, kind) = session.document(ask, usize::try_from(DOCUMENT_BYTES_MAX).unwrap_or(usize::MAX)).await?;
    let digest = Digest::of(&bytes);
    if promised.is_some_and(|promised| *promised != digest) {
        return Err(broken(format!("its manifest has {digest}, and not what was asked for: {wanted}")));
    }
    Ok((digest, Document::read(&bytes, &kind)?))
}

/// Gets a small blob.
async fn blob(session: &Session<'_>, of: &Descriptor) -> Result<Vec<u8>, Fault> {
    if of.size > DOCUMENT_BYTES_MAX {
        return Err(broken(format!("its configuration has {} bytes; {DOCUMENT_BYTES_MAX} is the most", of.size)));
    }
    let path = format!("blobs/{}", of.digest);
    let ask = Ask { path: &path, accept: "*/*", from: 0 };
    let (bytes, _) = session.document(ask, usize::try_from(of.size).unwrap_or(usize::MAX)).await?;
    if bytes.len() as u64 != of.size || Digest::of(&bytes) != of.digest {
        return Err(other(&of.digest, &Digest::of(&bytes)));
    }
    Ok(bytes.to_vec())
}

fn other(promised: &Digest, found: &Digest) -> Fault {
    broken(format!("a blob has {found}, and should have {promised}"))
}

/// A download that may go on where it was broken off.
struct Part {
    file: File,
    hasher: Hasher,
    done: u64,
}

/// Downloads a blob; `tell` is told how many bytes have come.
async fn download(session: &Session<'_>, of: &Descriptor, to: &Path, tell: &(dyn Fn(u64) + Sync)) -> Result<(), Fault> {
    let mut part = Part { file: File::create_new(to).map_err(unwritable)?, hasher: Hasher::default(), done: 0 };
    let mut resumes = 0;
    loop {
        match part.go_on(session, of, tell).await? {
            None => break,
            Some(error) if resumes == RESUMES_MAX => return Err(session.failed(error)),
            Some(_) => resumes += 1,
        }
    }
    if part.done < of.size {
        return Err(broken(format!("a blob has {} bytes, and should have {}", part.done, of.size)));
    }
    let found = part.hasher.finish();
    if found == of.digest { Ok(()) } else { Err(other(&of.digest, &found)) }
}

impl Part {
    /// Reads to the end, or to where the connection was lost.
    async fn go_on(&mut self, session: &Session<'_>, of: &Descriptor, tell: &(dyn Fn(u64) + Sync)) -> Result<Option<SendError>, Fault> {
        let path = format!("blobs/{}", of.digest);
        let mut received = session.get(Ask { path: &path, accept: "*/*", from: self.done }).await?;
        let begins = received.headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).map(|range| begin(range) == Some(self.done));
        if self.done > 0 && (received.status != 206 || begins != Some(true)) {
            // It begins again, and so do we.
            self.file.set_len(0).and_then(|()| std::io::Seek::rewind(&mut self.file)).map_err(unwritable)?;
            tell(0_u64.wrapping_sub(self.done));
            (self.hasher, self.done) = (Hasher::default(), 0);
            if received.status == 206 {
                return Ok(Some(SendError::Broken("a part that nobody asked for".to_owned())));
            }
        }
        loop {
            let chunk = match tokio::time::timeout(STALL, received.body.chunk()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(error))) => return Ok(Some(error)),
                Err(_late) => return Ok(Some(SendError::TimedOut)),
            };
            self.done = self.done.saturating_add(chunk.len() as u64);
            if self.done > of.size {
                return Err(broken(format!("a blob is larger than the {} bytes that it should have", of.size)));
            }
            self.hasher.update(&chunk);
            self.file.write_all(&chunk).map_err(unwritable)?;
            tell(chunk.len() as u64);
        }
    }
}

/// Reads `bytes FROM-TO/ALL`.
fn begin(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// The work of unpacking, for a thread that may wait for a disk.
struct Unpacking {
    root: std::path::PathBuf,
    beside: std::path::PathBuf,
    contents: Vec<Digest>,
    config: Config,
}

impl Unpacking {
    /// Unpacks beside the runtime. Whoever stops waiting stops it, at its next entry.
    async fn run(self) -> Result<Pulled, Fault> {
        let waits = Waits(Arc::new(AtomicBool::new(true)));
        let seen = Arc::clone(&waits.0);
        let work = tokio::task::spawn_blocking(move || self.unpack(&|| seen.load(Ordering::Relaxed)));
        let result = work.await.map_err(|_ended| Fault::new(Code::PullFailed, "the image is not unpacked any more"))?;
        drop(waits);
        result
    }

    fn unpack(self, goes_on: &dyn Fn() -> bool) -> Result<Pulled, Fault> {
        let failed = |error: RootError| Fault::new(Code::PullFailed, "the image cannot be unpacked").because(error);
        let mut root = Rootfs::open(&self.root, UNPACKED).map_err(failed)?;
        for (at, content) in self.contents.iter().enumerate() {
            let file = self.beside.join(format!("layer-{at}"));
            layer::apply(&Layer { file: &file, content }, &mut root, LAYER_BYTES_MAX, goes_on)?;
            std::fs::remove_file(file).map_err(unwritable)?;
        }
        if let Some(folder) = &self.config.folder {
            root.have_folder(folder).map_err(failed)?;
        }
        let accounts = root.read("etc/passwd".as_ref()).map_err(failed)?.unwrap_or_default();
        Ok(Pulled { user: self.config.user_number(&accounts), config: self.config })
    }
}

/// Somebody who waits, until this is dropped.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn unwritable(error: std::io::Error) -> Fault {
    Fault::new(Code::PullFailed, "the image cannot be written").because(error)
}
