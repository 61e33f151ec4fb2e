//! The plain HTTP interface as the transport wants it, with the page that needs what this process keeps.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use crib_control::{CompiledServer, Figures, Metrics, Rest, Servers};
use crib_mcp::Chunks;
use crib_model::{BoxFuture, Ledger};
use crib_proxy::Plane;
use crib_transport::Routes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::command::describe;
use crate::logs::{self, Line};
use crate::telemetry::{Call, Telemetry, Wanted};

/// Lines of a page of logs where nothing is said.
const TAIL: usize = 100;

#[derive(Debug)]
pub(crate) struct PlainHttp {
    plane: Arc<Plane>,
    telemetry: Arc<Telemetry>,
    rest: Arc<Rest>,
    /// Where servers come from.
    sources: Arc<HashMap<String, String>>,
}

/// The last calls, as this page tells them and the command line reads them.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Calls {
    /// Whether this gateway keeps them.
    #[serde(rename = "kept")]
    pub(crate) is_kept: bool,
    /// How many came faster than they could be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<u64>,
    pub(crate) calls: Vec<Call>,
}

#[derive(Serialize)]
struct Page<'a> {
    server: &'a str,
    lines: Vec<Line>,
}

impl PlainHttp {
    pub(crate) fn new(
        plane: &Arc<Plane>,
        telemetry: &Arc<Telemetry>,
        metrics: Option<(String, Metrics)>,
        servers: &[CompiledServer],
    ) -> Self {
        let (figures, ledger) = (Arc::clone(telemetry) as Arc<dyn Figures>, Arc::clone(telemetry) as Arc<dyn Ledger>);
        let rest = Rest::new(Arc::clone(plane), figures, ledger, metrics);
        let sources = servers.iter().map(|server| (server.slug.to_string(), describe(&server.source))).collect();
        Self { plane: Arc::clone(plane), telemetry: Arc::clone(telemetry), rest, sources: Arc::new(sources) }
    }

    /// Answers `GET /v1/servers` with where the servers come from, for those who may stop and start them: command lines
    /// are not for everybody.
    fn servers(&self, request: &Request<Bytes>) -> Option<BoxFuture<'static, Response<Chunks>>> {
        if request.uri().path() != "/v1/servers" || request.method() != Method::GET {
            return None;
        }
        let principal = self.plane.authenticate(request.headers()).ok()?;
        if !self.plane.may_operate(&principal) {
            return None;
        }
        let (rest, sources) = (Arc::clone(&self.rest), Arc::clone(&self.sources));
        let answer = rest.handle(request.clone());
        Some(Box::pin(async move {
            let (head, body) = answer.await.into_parts();
            let body = body.into_bytes();
            let Ok(mut told) = serde_json::from_slice::<Servers>(&body) else { return Response::from_parts(head, body.into()) };
            for server in &mut told.servers {
                server.source = sources.get(&server.name).cloned();
            }
            page(&told)
        }))
    }

    /// Answers `GET /v1/servers/NAME/logs?tail=N&from=NUMBER`. What is wrong with it is answered like any other page.
    fn logs(&self, request: &Request<Bytes>) -> Option<Response<Chunks>> {
        let name = request.uri().path().strip_prefix("/v1/servers/")?.strip_suffix("/logs")?;
        if request.method() != Method::GET || self.plane.authenticate(request.headers()).is_err() {
            return None;
        }
        let slug = self.plane.servers().into_iter().map(|server| server.slug).find(|slug| slug.as_str().eq_ignore_ascii_case(name))?;
        let asked = Asked(request.uri().query().unwrap_or_default());
        let lines = logs::kept().last(slug.as_str(), asked.tail(), asked.number("from"));
        Some(page(&Page { server: slug.as_str(), lines }))
    }

    /// Answers `GET /v1/calls?server=NAME&trace=ID&since=MS&tail=N&from=NUMBER`.
    fn calls(&self, request: &Request<Bytes>) -> Option<BoxFuture<'static, Response<Chunks>>> {
        if request.uri().path() != "/v1/calls" || request.method() != Method::GET {
            return None;
        }
        let principal = self.plane.authenticate(request.headers()).ok()?;
        let asked = Asked(request.uri().query().unwrap_or_default());
        let wanted = Wanted {
            server: asked.text("server").map(str::to_owned),
            trace: asked.text("trace").map(str::to_owned),
            since: asked.number("since"),
            from: asked.number("from"),
            tail: asked.tail(),
        };
        let telemetry = Arc::clone(&self.telemetry);
        Some(Box::pin(async move {
            let recent = &telemetry.recent;
            page(&Calls {
                is_kept: recent.is_kept(),
                dropped: Some(recent.dropped()).filter(|dropped| *dropped > 0),
                calls: recent.last(&principal, &wanted).await,
            })
        }))
    }
}

/// A query of a page.
struct Asked<'a>(&'a str);

impl<'a> Asked<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.0.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    fn number(&self, key: &str) -> u64 {
        self.text(key).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn tail(&self) -> usize {
        self.text("tail").and_then(|value| value.parse().ok()).unwrap_or(TAIL)
    }
}

fn page<T: Serialize>(page: &T) -> Response<Chunks> {
    let mut response = Response::new(Bytes::from(serde_json::to_vec(page).unwrap_or_default()).into());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Routes for PlainHttp {
    fn handle(&self, request: Request<Bytes>, _: IpAddr) -> BoxFuture<'static, Response<Chunks>> {
        if let Some(page) = self.logs(&request) {
            return Box::pin(std::future::ready(page));
        }
        if let Some(page) = self.servers(&request) {
            return page;
        }
        self.calls(&request).unwrap_or_else(|| Box::pin(Arc::clone(&self.rest).handle(request)))
    }
}
