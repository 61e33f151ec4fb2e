//! A look at the running gateway that takes no answer for an answer.

use std::time::{Duration, Instant};

use crib_control::{ServerRow, Servers};
use crib_mcp::Chunks;
use crib_transport::{ClientOptions, Endpoint, HttpClient};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;

use crate::tool::Tool;

/// Longest look.
const WAIT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a running gateway tells about itself.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// `None` where it does not tell strangers.
    pub(crate) servers: Option<Vec<ServerRow>>,
}

/// What a running gateway knows, without asking its servers.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) servers: Vec<ServerRow>,
    /// The tools of the server that was asked about.
    pub(crate) tools: Option<Vec<Tool>>,
}

/// Asks a gateway what it knows, also about the tools of a server. It starts nothing for that.
pub(crate) async fn known(url: &str, key: Option<&str>, server: Option<&str>) -> Option<Known> {
    #[derive(Deserialize)]
    struct Tools {
        tools: Vec<Tool>,
    }
    let base = url.trim_end_matches('/').trim_end_matches("/mcp");
    let http = HttpClient::new(ClientOptions::default()).ok()?;
    let Servers { servers } = serde_json::from_slice(&ask(&http, &format!("{base}/v1/servers"), key).await?).ok()?;
    // A gateway that has not heard of all its servers would begin by starting them.
    let has_listed = servers.iter().all(|server| server.tools.is_some() || server.error.is_some());
    let tools = match server.filter(|name| has_listed && servers.iter().any(|server| server.name == **name)) {
        Some(name) => ask(&http, &format!("{base}/v1/tools?server={name}"), key).await,
        None => None,
    };
    let tools = tools.and_then(|body| serde_json::from_slice::<Tools>(&body).ok()).map(|Tools { tools }| tools);
    Some(Known { servers, tools })
}

/// Looks whether a gateway answers at a URL.
pub(crate) async fn look(url: &str, key: Option<&str>) -> Option<Running> {
    let base = url.trim_end_matches('/').trim_end_matches("/mcp");
    let http = HttpClient::new(ClientOptions::default()).ok()?;
    let mut running = None;
    let told = ask(&http, &format!("{base}/healthz"), None).await;
    // Another program may listen there.
    if told.is_some_and(|told| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&told).is_ok()) {
        let servers = ask(&http, &format!("{base}/v1/servers"), key).await;
        let servers = servers.and_then(|body| serde_json::from_slice::<Servers>(&body).ok()).map(|servers| servers.servers);
        running = Some(Running { servers });
    }
    http.close().await;
    running
}

/// Returns the body of a success.
async fn ask(http: &HttpClient, url: &str, key: Option<&str>) -> Option<bytes::Bytes> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key.and_then(|key| HeaderValue::try_from(format!("Bearer {key}")).ok()) {
        headers.insert(AUTHORIZATION, key);
    }
    let endpoint = Endpoint::parse(url).ok()?;
    let received = http.send(&endpoint, Method::GET, headers, Chunks::default(), Instant::now() + WAIT).await.ok()?;
    let is_success = (200..300).contains(&received.status);
    let body = received.body.collect(ANSWER_BYTES_MAX).await.ok()?;
    is_success.then_some(body)
}
