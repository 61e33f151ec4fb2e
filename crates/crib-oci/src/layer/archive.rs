//! The archive of a layer, entry by entry.
//!
//! Long names and their like are read here, with a bound; sizes are believed where the entry itself has them alone.

use std::io::{self, Read};

use tar::{Archive, Header, PaxExtensions};

use crate::rootfs::{Hostile, Kind, RootError, Rootfs};

/// Largest description of the entry that follows it.
const EXTENSION_BYTES_MAX: u64 = 1024 * 1024;

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error(transparent)]
    Root(#[from] RootError),
    #[error("{0}")]
    Read(io::Error),
    #[error("it has {0}")]
    Odd(&'static str),
    #[error("nobody waits for it any more")]
    Unwanted,
}

/// What was said of the next entry.
#[derive(Default)]
struct Told {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
}

pub(super) fn unpack(source: &mut dyn Read, to: &mut Rootfs, goes_on: &dyn Fn() -> bool) -> Result<(), ArchiveError> {
    let mut archive = Archive::new(source);
    let entries = archive.entries().map_err(ArchiveError::Read)?.raw(true);
    let mut told = Told::default();
    for entry in entries {
        if !goes_on() {
            return Err(ArchiveError::Unwanted);
        }
        let mut entry = entry.map_err(ArchiveError::Read)?;
        let header = entry.header().clone();
        if told.hear(&header, &mut entry)? {
            continue;
        }
        let Told { name, target, size } = std::mem::take(&mut told);
        let has = header.entry_size().map_err(ArchiveError::Read)?;
        // Whoever believes the one sees other entries than whoever believes the other.
        if size.is_some_and(|size| size != has) {
            return Err(ArchiveError::Odd("an entry of two sizes"));
        }
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let target = target.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned)).unwrap_or_default();
        let kind = kind(&header, has, target)?;
        to.put(&name, &kind, &mut entry)?;
    }
    Ok(())
}

impl Told {
    /// Reads an entry that only says something of the next one; returns whether this is one.
    fn hear(&mut self, header: &Header, entry: &mut impl Read) -> Result<bool, ArchiveError> {
        let kind = header.entry_type();
        if kind.is_gnu_longname() {
            self.name = Some(text(header, entry)?);
        } else if kind.is_gnu_longlink() {
            self.target = Some(text(header, entry)?);
        } else if kind.is_pax_local_extensions() {
            self.extend(&extension(header, entry)?)?;
        } else if kind.is_pax_global_extensions() {
            // Of all entries that follow: nothing of it is wanted.
            drop(extension(header, entry)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn extend(&mut self, records: &[u8]) -> Result<(), ArchiveError> {
        for record in PaxExtensions::new(records) {
            let record = record.map_err(ArchiveError::Read)?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.target = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.size = Some(size.ok_or(ArchiveError::Odd("an entry whose size is no number"))?);
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(ArchiveError::Odd("a file with holes")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A name ends at its zero.
fn text(header: &Header, entry: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut text = extension(header, entry)?;
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    text.truncate(end);
    Ok(text)
}

fn extension(header: &Header, entry: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let size = header.entry_size().map_err(ArchiveError::Read)?;
    if size > EXTENSION_BYTES_MAX {
        return Err(ArchiveError::Odd("a name that is too long"));
    }
    let mut bytes = Vec::new();
    entry.take(size).read_to_end(&mut bytes).map_err(ArchiveError::Read)?;
    Ok(bytes)
}

fn kind(header: &Header, size: u64, target: Vec<u8>) -> Result<Kind, ArchiveError> {
    let kind = header.entry_type();
    if kind.is_gnu_sparse() {
        return Err(ArchiveError::Odd("a file with holes"));
    }
    // Programs of old end the name of a folder with a slash, and say nothing else.
    let is_folder = kind.is_dir() || (kind.is_file() && size == 0 && header.path_bytes().ends_with(b"/"));
    if !is_folder && (kind.is_file() || kind.is_contiguous()) {
        return Ok(Kind::File { can_run: header.mode().map_err(ArchiveError::Read)? & 0o111 != 0, size });
    }
    if size > 0 {
        return Err(ArchiveError::Odd("a link, folder or device with content"));
    }
    if is_folder {
        Ok(Kind::Folder)
    } else if kind.is_symlink() {
        Ok(Kind::Link { target })
    } else if kind.is_hard_link() {
        Ok(Kind::Same { target })
    } else if kind.is_character_special() || kind.is_block_special() || kind.is_fifo() {
        Ok(Kind::Special)
    } else {
        Err(ArchiveError::Odd("an entry of a kind that is not known"))
    }
}

impl From<Hostile> for ArchiveError {
    fn from(hostile: Hostile) -> Self {
        Self::Root(hostile.into())
    }
}
