//! A gateway inside another program: servers behind one endpoint, and a call without any network.
//!
//! Run it with `cargo run -p embed -- 8700 [URL]...`, then talk MCP to `http://127.0.0.1:8700/mcp`. The built-in server
//! is there as `demo`, the servers behind the URLs as `remote1`, `remote2` and so on.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use crib_connect::{ConnectorOptions, Shared, Source};
use crib_control::Machine;
use crib_mcp::Json;
use crib_model::{Entropy, Entry, Ledger, Principal, Slug};
use crib_policy::{Keys, Rules, Seal};
use crib_proxy::{Called, Parts, Plane, Server, Setup};
use crib_registry::NameStyle;
use crib_registry::pins::{InMemory, Policies};
use crib_transport::{ClientOptions, Endpoint, HttpClient, Lanes, NoRoutes, ServerOptions};
use http::HeaderMap;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where a program would count and bill.
struct Quiet;

impl Ledger for Quiet {
    fn settle(&self, _entry: &Entry) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Threads work in rounds: not needed, but cheaper where much is called.
    let runtime = crib_transport::in_rounds(&mut Builder::new_multi_thread()).enable_all().build()?;
    // Connections have threads of their own: as well not needed, and cheaper. They outlive the gateway.
    let (lanes, _threads) = Lanes::start(std::thread::available_parallelism().map_or(1, NonZero::get))?;
    runtime.block_on(run(lanes))
}

async fn run(lanes: Lanes) -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let port = args.next();
    let entropy: Arc<dyn Entropy> = Arc::new(Machine);
    let shared = Arc::new(Shared {
        http: HttpClient::new(ClientOptions::default())?,
        clock: Arc::new(Machine),
        entropy: Arc::clone(&entropy),
        tracker: TaskTracker::new(),
    });
    let mut servers = vec![Server { slug: Slug::from_name("demo"), upstream: crib_connect::demo() }];
    for (at, url) in args.enumerate() {
        let slug = Slug::from_name(&format!("remote{}", at + 1));
        let source = Source::Http { url: Endpoint::parse(&url)?, headers: Vec::new() };
        let upstream = crib_connect::connect(ConnectorOptions::new(slug.clone(), source), Arc::clone(&shared));
        servers.push(Server { slug, upstream });
    }
    let plane = Plane::new(Parts {
        setup: Setup {
            servers,
            names: NameStyle::default(),
            keys: Keys::none(),
            rules: Rules::default(),
            call_timeout: Duration::from_secs(30),
            input_timeout: Duration::from_secs(600),
            page_size: 1000,
            session_idle: Duration::from_secs(1800),
            pins: Arc::new(InMemory::new(Policies::default(), Arc::new(Machine))),
        },
        ledger: Arc::new(Quiet),
        clock: Arc::new(Machine),
        seal: Seal::random(Arc::clone(&entropy)),
        entropy,
        elsewhere: None,
    });

    let arguments = Json::parse(&r#"{"a":88,"b":22}"#.into())?;
    if let Called::Result(result) = plane.call_tool(&Arc::new(Principal::anonymous()), "demo__add", arguments, &HeaderMap::new()).await {
        let mut out = std::io::stdout();
        std::io::Write::write_all(&mut out, format!("{result}\n").as_bytes())?;
    }

    let Some(port) = port else { return Ok(()) };
    let shutdown = CancellationToken::new();
    let gateway = crib_transport::bind(ServerOptions { lanes, ..ServerOptions::loopback(port.parse()?) }).await?;
    gateway.run(Arc::clone(&plane) as Arc<dyn crib_model::Gateway>, Arc::new(NoRoutes), shutdown).await;
    plane.close().await;
    Ok(())
}
