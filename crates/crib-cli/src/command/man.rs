//! `toolcrib man`: the man pages.

use serde::Serialize;

use crate::args::Man;
use crate::failure::Failure;
use crate::manual;
use crate::output::Output;

pub(super) fn run(args: &Man, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Pages {
        pages: Vec<String>,
    }
    let Some(folder) = &args.dir else {
        let words: Vec<&str> = args.command.iter().map(String::as_str).collect();
        return output.bytes(&manual::page(&words)?);
    };
    let pages = manual::write(folder)?;
    if output.is_json {
        return output.document("man", &Pages { pages });
    }
    output.say(&format!("written  {} man pages in {}", pages.len(), folder.display()));
    Ok(())
}
