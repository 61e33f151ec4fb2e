//! Where the proxy of a confined server listens.

use std::path::PathBuf;

use crib_model::Slug;

use crate::shop::{self, Shop};

/// Longest path of a Unix socket that every system takes.
const SOCKET_PATH_MAX: usize = 100;

/// Returns a place for the proxy's socket, in a folder that is this user's alone.
pub(super) fn socket(shop: &Shop, slug: &Slug) -> std::io::Result<PathBuf> {
    let name = format!("{}-{}.sock", std::process::id(), slug);
    let mut folder = shop.data.join("run");
    if folder.join(&name).as_os_str().len() > SOCKET_PATH_MAX {
        folder = std::env::temp_dir().join(format!("toolcrib-{}", std::process::id()));
    }
    shop::private_folder(&folder)?;
    let socket = folder.join(name);
    drop(std::fs::remove_file(&socket));
    Ok(socket)
}
