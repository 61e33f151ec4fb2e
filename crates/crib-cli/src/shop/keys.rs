//! Keys that the user believes, from texts and files.

use std::fs;
use std::path::Path;

use crib_package::{ImageKey, Key, NotAKey};

use crate::failure::Failure;

/// Largest file of a key.
const KEY_BYTES_MAX: u64 = 16 * 1024;

/// Reads keys of minisign and of cosign, from their texts or files.
pub(super) fn read_keys(texts: &[String]) -> Result<(Vec<Key>, Vec<ImageKey>), String> {
    let (mut keys, mut image_keys) = (Vec::new(), Vec::new());
    for text in texts {
        let file = Path::new(text);
        let found = if file.is_file() { read_key(file)? } else { text.clone() };
        if found.contains("BEGIN PUBLIC KEY") {
            image_keys.push(found.parse().map_err(|error: NotAKey| error.to_string())?);
        } else {
            keys.push(found.parse().map_err(|error: NotAKey| error.to_string())?);
        }
    }
    Ok((keys, image_keys))
}

fn read_key(file: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("`{}` cannot be read: {error}", file.display());
    if fs::metadata(file).map_err(failed)?.len() > KEY_BYTES_MAX {
        return Err(format!("`{}` is too long for a key", file.display()));
    }
    fs::read_to_string(file).map_err(failed)
}

pub(super) fn no_key(why: &str) -> Failure {
    let hint = "it is the file `cosign.pub`, or the line that begins with RW in the file `minisign.pub`, or that file";
    Failure::usage(why).hint(hint)
}
