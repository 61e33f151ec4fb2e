//! `toolcrib` alone: how things are and what to do next; short help where nobody looks.

use std::io::IsTerminal as _;
use std::time::Duration;

use super::list;
use crate::args::{self, Target};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Output;
use crate::{runtime, world};

/// Longest look for a running gateway.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(output: &Output) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() && !output.is_json {
        return output.data(&args::help());
    }
    match runtime::on_all_cores(card(output)) {
        Ok(()) => Ok(()),
        // No gateway, or one that keeps to itself: then what can be done is the news.
        Err(failure) if output.is_json => Err(failure),
        Err(_) => output.data(&args::help()),
    }
}

async fn card(output: &Output) -> Result<(), Failure> {
    let url = world::variable("TOOLCRIB_URL").unwrap_or_else(|| crate::client::USUAL.to_owned());
    let target = Target { config: Vec::new(), url: Some(url.clone()), key: world::variable("TOOLCRIB_KEY"), timeout: LOOK };
    let client = Client::connect(&target, None, output).await?;
    let servers = list::servers(&client).await;
    client.close().await;
    let servers = servers?;
    output.say(&format!("gateway  {}/mcp\n", url.trim_end_matches('/').trim_end_matches("/mcp")));
    list::show(&servers, output)?;
    output.say("\nnext     toolcrib show SERVER   ·   toolcrib call SERVER.TOOL name=value   ·   toolcrib --help");
    Ok(())
}
