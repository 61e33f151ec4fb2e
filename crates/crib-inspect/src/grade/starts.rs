//! Starts: how long until the first answer, how heavy, and whether it leaves when it is asked to.

use std::sync::Arc;

use crib_model::{Code, Fault};
use serde_json::Value;

use super::{Part, megabytes, steps};
use crate::client::{Client, Decline, List};
use crate::tap::{Tap, millis};
use crate::target::{Options, Target};

/// Starts it once, and returns its tools of that run as well.
pub(super) async fn measure(target: &Target, options: &Options, tap: &Arc<Tap>) -> Result<(Part, Vec<Value>), Fault> {
    let client = Client::connect(target, options, tap, Arc::new(Decline)).await?;
    let mut part = Part::new("Starts", 15.0);
    let after = millis(client.hello().after);
    let memory = client.pid().and_then(megabytes);
    let is_process = client.pid().is_some();
    let tools = tools(&client).await?;
    let ended = client.close().await;
    if !is_process {
        part.unknown(7.0, "first answer", format!("after {after:.0} ms; it was running already"));
        part.unknown(4.0, "memory", "it is no process of this inspector");
        part.unknown(4.0, "exit", "it is no process of this inspector");
        return Ok((part, tools));
    }
    part.earned(7.0, steps(after, [500.0, 1500.0, 5000.0, 15_000.0]), "first answer", format!("after {after:.0} ms"));
    match memory {
        Some(megabytes) => {
            part.earned(4.0, steps(megabytes, [64.0, 128.0, 256.0, 512.0]), "memory", format!("{megabytes:.0} MB after the start"));
        }
        None => part.unknown(4.0, "memory", "the system does not tell"),
    }
    let status = ended.status.unwrap_or_else(|| "no exit status".to_owned());
    let is_clean = status == "exit status: 0";
    let after = millis(ended.after);
    match (ended.by_itself, is_clean) {
        (Some(true), true) => part.earned(4.0, 1.0, "exit", format!("{after:.0} ms after its input was closed")),
        (Some(true), false) => part.earned(4.0, 0.5, "exit", format!("when its input was closed, but with {status}")),
        (Some(false), _) => part.earned(4.0, 0.0, "exit", format!("it had to be ended by a signal ({status})")),
        (None, _) => part.earned(4.0, 0.0, "exit", "it was gone before it was asked to leave"),
    }
    Ok((part, tools))
}

/// Reads its tools, where it has any; what is wrong with the list is found later.
async fn tools(client: &Client) -> Result<Vec<Value>, Fault> {
    if !client.hello().offers(List::Tools.capability()) {
        return Ok(Vec::new());
    }
    match client.list(List::Tools).await {
        Ok(pages) => Ok(pages.unwrap_or_default().items),
        Err(fault) if fault.code() == Code::ProtocolBroken => Ok(Vec::new()),
        Err(fault) => Err(fault),
    }
}
