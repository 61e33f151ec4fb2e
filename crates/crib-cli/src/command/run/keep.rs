//! How long a server lives that nobody uses.

use crib_clients::Value;
use crib_control::config::KeepAlive;

use super::Wanted;
use super::config::Configuration;
use crate::args::Run;
use crate::failure::Failure;

const MEMBER: &str = "keepAlive";
/// What a new server gets that is started here.
const USUAL: &str = "5m";

/// Puts into the entry what was said, else what it had; a new server gets what is usual.
pub(super) fn settle(args: &Run, wanted: &mut Wanted, configuration: &Configuration) -> Result<(), Failure> {
    let Value::Map(members) = &mut wanted.entry else { return Ok(()) };
    let is_started_here = members.iter().any(|(name, _)| matches!(name.as_str(), "run" | "command"));
    if !is_started_here {
        let refusal = || Failure::usage(format!("--keep-alive goes with what is started here, and `{}` is not", wanted.name));
        return if args.keep_alive.is_some() { Err(refusal()) } else { Ok(()) };
    }
    let servers = configuration.servers()?;
    let known = servers.iter().find(|(name, _)| *name == wanted.name).map(|(_, entry)| entry);
    let keep = match (args.keep_alive, known) {
        (Some(KeepAlive::Forever), None) => Some(KeepAlive::Forever.to_string()),
        (Some(keep), _) => Some(keep.to_string()),
        (None, Some(entry)) => entry.member(MEMBER).and_then(Value::as_text).map(str::to_owned),
        (None, None) => Some(USUAL.to_owned()),
    };
    if let Some(keep) = keep {
        members.retain(|(name, _)| name != MEMBER);
        members.push((MEMBER.to_owned(), Value::text(keep)));
    }
    Ok(())
}
