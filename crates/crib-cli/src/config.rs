//! The configuration a command works with.

use std::path::PathBuf;

use crib_control::{Compiled, compile, default_config};

use crate::failure::Failure;
use crate::output::Output;
use crate::world::System;

/// Compiles the files; the built-in server where there are none.
pub(crate) fn load(files: &[PathBuf], output: &Output) -> Result<Compiled, Failure> {
    if files.is_empty() {
        return Ok(default_config());
    }
    let compiled = compile(files, &System::new()?).map_err(|problems| Failure::problems(&problems))?;
    for warning in &compiled.warnings {
        output.warn(&warning.summary());
    }
    Ok(compiled)
}
