//! What a confined server may have lacked when a tool of it failed.

use crib_control::{CompiledServer, Source};
use crib_package::{Grants, NetGrant};

use crate::args::Call;
use crate::failure::Failure;
use crate::instance::package::grants;
use crate::{config, shop};

/// How programs speak of a network that is not there.
const NETWORK: [&str; 9] =
    ["network", "connection", "connect ", "fetch failed", "getaddrinfo", "name resolution", "could not resolve", "enotfound", "eai_again"];
/// And of files that they may not write, or not see at all.
const READ_ONLY: [&str; 2] = ["erofs", "read-only file system"];
const FORBIDDEN: [&str; 3] = ["eacces", "permission denied", "operation not permitted"];

/// Proposes a grant where a failure sounds like the want of one that the server does not have. With no host granted there
/// is nobody who sees which one it asked for, so this is a guess, and put as one.
pub(super) fn grant(args: &Call, failure: &Failure) -> Option<String> {
    if args.target.url.is_some() || !args.target.config.is_empty() {
        return None;
    }
    let (name, _) = args.name.split_once("__").or_else(|| args.name.split_once(['.', '/']))?;
    let server = config::own().ok()?.servers.into_iter().find(|server| server.slug.as_str() == name)?;
    let granted = granted(&server)?;
    let said = failure.causes().join("\n").to_lowercase();
    let is_said = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let run = format!("toolcrib run {}", server.name);
    if granted.unconfined {
        return None;
    }
    if is_said(&READ_ONLY) {
        return Some(format!("`{name}` may not write there in its sandbox; if it shall: {run} --allow-write DIR"));
    }
    if is_said(&FORBIDDEN) {
        return Some(format!(
            "`{name}` sees in its sandbox what it was granted; if it shall see more: {run} --allow-read DIR   (or --allow-write DIR)"
        ));
    }
    let has_none = matches!(granted.net, NetGrant::None);
    (has_none && is_said(&NETWORK)).then(|| format!("`{name}` has no network in its sandbox; if it needs one: {run} --allow-net HOST"))
}

/// Returns what a server from a package may have.
fn granted(server: &CompiledServer) -> Option<Grants> {
    let Source::Package(package) = &server.source else { return None };
    let lock = shop::lock(&shop::data().ok()?).ok()?;
    grants(package, lock.get(&shop::owner(server), &server.name)?).ok()
}
