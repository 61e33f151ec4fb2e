//! A hand-written MCP server of every era, for tests.
//!
//! `fixture-everything --stdio | --http PORT [--era legacy|modern|dual] [--newest REVISION] [--unknown HOW]
//! [--tasks] [--tools N] [--page N] [--empty-cursor] [--journal FILE]`; HTTP serves `/mcp` and, for 2024-11-05, `/sse`.

use std::{io::Write as _, path::Path};

use anyhow::{Context as _, Result, bail};
use crib_spec::{
    fixture::{Fixture, Options, Tasks, serve_stdio},
    journal::Journal,
};

#[tokio::main]
async fn main() -> Result<()> {
    let mut options = Options::default();
    let (mut port, mut stdio, mut journal) = (None, false, Journal::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--stdio" => stdio = true,
            "--http" => port = Some(value()?.parse()?),
            "--era" => options.era = value()?.parse()?,
            "--newest" => options.newest = value()?,
            "--unknown" => options.unknown = value()?.parse()?,
            "--tasks" => options.tasks = Tasks::Asked,
            "--tools" => options.generated = Some(value()?.parse()?),
            "--page" => options.page = value()?.parse()?,
            "--empty-cursor" => options.empty_cursor = true,
            "--journal" => journal = Journal::to_file(Path::new(&value()?))?,
            other => bail!("unknown argument `{other}`"),
        }
    }
    match (stdio, port) {
        (true, _) => serve_stdio(options, journal).await,
        (false, Some(port)) => {
            let fixture = Fixture::listen(options, journal, port).await?;
            writeln!(std::io::stdout(), "{}", fixture.url())?;
            fixture.stopped().await;
            Ok(())
        }
        (false, None) => bail!("one of --stdio and --http PORT"),
    }
}
