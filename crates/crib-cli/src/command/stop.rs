//! `toolcrib stop`: servers end until somebody runs them again; without a name, the gateway in the background and all of
//! its servers.

pub(super) mod servers;

use serde::Serialize;

use crate::args::Stop;
use crate::background;
use crate::failure::Failure;
use crate::output::Output;
use crate::runtime;

#[derive(Serialize)]
struct Document {
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<i32>,
}

pub(super) fn run(args: &Stop, output: &Output) -> Result<(), Failure> {
    if args.all || !args.servers.is_empty() {
        return runtime::on_all_cores(servers::stop(args, output));
    }
    let gateway = background::find();
    if let Some(gateway) = &gateway {
        if !gateway.is_background && !args.gateway {
            let message = format!("the gateway at {} was started by hand (process {})", gateway.url, gateway.pid);
            return Err(Failure::usage(message).hint("end it all the same: toolcrib stop --gateway"));
        }
        runtime::on_all_cores(background::stop(gateway, |text| output.say(text)))?;
    }
    if output.is_json {
        return output.document("stop", &Document { stopped: gateway.map(|gateway| gateway.pid) });
    }
    match gateway {
        Some(gateway) => output.say(&format!("stopped  the gateway at {} and its servers", gateway.url)),
        None => output.say("no gateway runs in the background"),
    }
    Ok(())
}
