//! The plain HTTP interface as the transport wants it, with the page that needs what this process keeps.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use crib_control::{Metrics, Rest};
use crib_mcp::Chunks;
use crib_model::BoxFuture;
use crib_proxy::Plane;
use crib_transport::Routes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;

use crate::logs::{self, Line};

/// Lines of a page of logs where nothing is said.
const TAIL: usize = 100;

#[derive(Debug)]
pub(crate) struct PlainHttp {
    plane: Arc<Plane>,
    rest: Arc<Rest>,
}

#[derive(Serialize)]
struct Page<'a> {
    server: &'a str,
    lines: Vec<Line>,
}

impl PlainHttp {
    pub(crate) fn new(plane: &Arc<Plane>, metrics: Option<(String, Metrics)>) -> Self {
        Self { plane: Arc::clone(plane), rest: Rest::new(Arc::clone(plane), metrics) }
    }

    /// Answers `GET /v1/servers/NAME/logs?tail=N&from=NUMBER`. What is wrong with it is answered like any other page.
    fn logs(&self, request: &Request<Bytes>) -> Option<Response<Chunks>> {
        let name = request.uri().path().strip_prefix("/v1/servers/")?.strip_suffix("/logs")?;
        if request.method() != Method::GET || self.plane.authenticate(request.headers()).is_err() {
            return None;
        }
        let slug = self.plane.servers().into_iter().map(|server| server.slug).find(|slug| slug.as_str() == name)?;
        let number = |key: &str| {
            let mut pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).and_then(|(_, value)| value.parse::<u64>().ok())
        };
        let tail = number("tail").map_or(TAIL, |tail| usize::try_from(tail).unwrap_or(usize::MAX));
        let lines = logs::kept().last(slug.as_str(), tail, number("from").unwrap_or(0));
        let body = serde_json::to_vec(&Page { server: slug.as_str(), lines }).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body).into());
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(response)
    }
}

impl Routes for PlainHttp {
    fn handle(&self, request: Request<Bytes>, _: IpAddr) -> BoxFuture<'static, Response<Chunks>> {
        match self.logs(&request) {
            Some(page) => Box::pin(std::future::ready(page)),
            None => Box::pin(Arc::clone(&self.rest).handle(request)),
        }
    }
}
