//! The fixture on the official Rust SDK over Streamable HTTP: `fixture-rmcp PORT`.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use crib_spec::{
    fixture::{Fixture, Options},
    journal::Journal,
};

#[tokio::main]
async fn main() -> Result<()> {
    let port = std::env::args().nth(1).context("fixture-rmcp PORT")?.parse()?;
    let fixture = Fixture::listen(Options { sdk: true, ..Options::default() }, Journal::new(), port).await?;
    writeln!(std::io::stdout(), "{}", fixture.url())?;
    fixture.stopped().await;
    Ok(())
}
