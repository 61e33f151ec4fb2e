//! A gateway that has the place of the one in the background, and does not read the user's own configuration.

use std::net::SocketAddr;

use crib_control::config::{Listen, ListenOn};
use crib_model::Code;

use crate::args::Run;
use crate::background::{self, Gateway};
use crate::failure::{Exit, Failure};
use crate::{config, gateway, places, world};

/// Finds such a gateway, where it serves the server that is to run.
///
/// # Errors
/// It is there, and does not: a gateway of our own could not listen, so nothing is to be written for it.
pub(super) async fn find(args: &Run) -> Result<Option<Gateway>, Failure> {
    if background::find().is_some() {
        return Ok(None);
    }
    let Some(address) = wanted().filter(|address| address.port() != 0) else { return Ok(None) };
    let url = format!("http://{address}");
    let key = world::variable("TOOLCRIB_KEY");
    let Some(running) = gateway::look(&url, key.as_deref()).await else { return Ok(None) };
    let is_plain = args.more.is_empty() && args.name.is_none();
    let is_there = |name: &String| running.servers.iter().flatten().any(|server| server.name == *name);
    if is_plain && args.server.as_ref().is_some_and(is_there) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        return Ok(Some(Gateway { pid: 0, url, version, is_background: false, reads: 0, problem: None, code: None, remedy: None }));
    }
    let places = places::places()?;
    let own = places::shown(&places::own(&places).config, &places);
    let failure = Failure::coded(Code::ListenRefused, format!("the gateway at {url} does not read {own}")).with_exit(Exit::Unreachable);
    let failure = failure.because("it was started for other files (serve -c), and has the address");
    Err(failure.hint("end it and try again, or give this one another address: TOOLCRIB_LISTEN=127.0.0.1:8666"))
}

/// Returns where a gateway in the background would listen.
fn wanted() -> Option<SocketAddr> {
    let addresses = match world::variable("TOOLCRIB_LISTEN").filter(|text| !text.is_empty()) {
        Some(text) => Listen(text.split(',').map(ListenOn::parse).collect::<Result<_, _>>().ok()?).addresses(),
        None => config::own().ok()?.listen,
    };
    addresses.first().copied()
}
