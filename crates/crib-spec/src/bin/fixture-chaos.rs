//! A server that misbehaves in the way the called tool is named after: over stdio, or over HTTP with `--http PORT`.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use crib_spec::chaos::{Chaos, serve_stdio};

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() != Some("--http") {
        return serve_stdio().await;
    }
    let chaos = Chaos::listen(words.next().context("--http PORT")?.parse()?).await?;
    writeln!(std::io::stdout(), "{}", chaos.url())?;
    std::future::pending().await
}
