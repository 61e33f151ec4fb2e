//! A gateway inside another program: two servers behind one endpoint, and a call without any network.
//!
//! Run it with `cargo run -p embed -- 8700`, then talk MCP to `http://127.0.0.1:8700/mcp`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crib_model::{Clock, Entropy, Entry, Ledger, Principal, Slug};
use crib_policy::{Keys, Rules, Seal};
use crib_proxy::{Called, Parts, Plane, Server, Setup};
use crib_registry::NameStyle;
use crib_transport::{NoRoutes, ServerOptions};
use tokio_util::sync::CancellationToken;

struct Machine;

impl Clock for Machine {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

impl Entropy for Machine {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no handle is safe, so there is nothing to go on with.
        assert!(getrandom::fill(bytes).is_ok(), "the system gives no randomness");
    }
}

/// Where a program would count and bill.
struct Quiet;

impl Ledger for Quiet {
    fn settle(&self, _entry: &Entry) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = |name: &str| Server { slug: Slug::from_name(name), upstream: crib_connect::demo() };
    let entropy: Arc<dyn Entropy> = Arc::new(Machine);
    let plane = Plane::new(Parts {
        setup: Setup {
            servers: vec![server("one"), server("two")],
            names: NameStyle::default(),
            keys: Keys::none(),
            rules: Rules::default(),
            call_timeout: Duration::from_secs(30),
            page_size: 1000,
        },
        ledger: Arc::new(Quiet),
        clock: Arc::new(Machine),
        seal: Seal::random(Arc::clone(&entropy)),
        entropy,
    });

    let arguments = crib_mcp_json(r#"{"a":88,"b":22}"#)?;
    if let Called::Result(result) = plane.call_tool(&Arc::new(Principal::anonymous()), "one__add", arguments).await {
        let mut out = std::io::stdout();
        std::io::Write::write_all(&mut out, format!("{result}\n").as_bytes())?;
    }

    let Some(port) = std::env::args().nth(1) else { return Ok(()) };
    let shutdown = CancellationToken::new();
    let gateway = crib_transport::bind(ServerOptions::loopback(port.parse()?)).await?;
    gateway.run(plane.clone(), Arc::new(NoRoutes), shutdown).await;
    plane.close().await;
    Ok(())
}

fn crib_mcp_json(text: &'static str) -> Result<crib_mcp::Json, Box<dyn std::error::Error>> {
    Ok(crib_mcp::Json::parse(&text.into())?)
}
