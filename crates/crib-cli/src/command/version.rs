//! `toolcrib version`.

use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Version {
    version: &'static str,
    revisions: Vec<String>,
}

pub(super) fn run(output: &Output) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if output.is_json {
        let revisions = crib_mcp::Revision::ALL.iter().map(ToString::to_string).collect();
        return output.document("version", &Version { version, revisions });
    }
    output.data(&format!("toolcrib {version}"))
}
