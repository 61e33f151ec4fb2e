//! `toolcrib schema`: the JSON schema of the configuration.

use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(output: &Output) -> Result<(), Failure> {
    output.data(&serde_json::to_string_pretty(&crib_control::schema()).unwrap_or_default())
}
