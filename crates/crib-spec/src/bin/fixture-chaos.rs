//! A server over stdio that misbehaves in the way the called tool is named after.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    crib_spec::chaos::serve_stdio().await
}
