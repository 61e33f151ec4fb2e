//! Sends spans to an OTLP collector, in batches, from a task of its own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::Method;
use crib_model::{Code, Ending, Fault, Slug};
use crib_transport::{Endpoint, HttpClient};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::HttpError;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::outcome;
use super::spans::{BATCH, Span, Waiting};

/// Longest time a span waits for company.
const LINGER: Duration = Duration::from_secs(2);
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The handle of the exporting task.
#[derive(Debug)]
pub(crate) struct Exporter {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Exporter {
    /// Starts the task.
    ///
    /// # Errors
    /// The address is none.
    pub(crate) fn start(endpoint: &str, waiting: Arc<Waiting>, http: HttpClient, tracker: &TaskTracker) -> Result<Self, Fault> {
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/').trim_end_matches("/v1/traces"));
        let endpoint = Endpoint::parse(&url)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Carrier { http, endpoint })
            .with_endpoint(url.clone())
            .with_timeout(SEND_TIMEOUT)
            .build()
            .map_err(|error| Fault::new(Code::ConfigInvalid, format!("cannot send traces to {url}")).because(error))?;
        let stop = CancellationToken::new();
        let task = tracker.spawn(run(exporter, waiting, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Sends what is waiting and ends the task.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        if tokio::time::timeout(SEND_TIMEOUT, self.task).await.is_err() {
            tracing::warn!("the collector of traces did not take the last spans in time");
        }
    }
}

async fn run(mut exporter: SpanExporter, waiting: Arc<Waiting>, stop: CancellationToken) {
    let resource =
        Resource::builder().with_service_name("toolcrib").with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    exporter.set_resource(&resource.build());
    let scope = InstrumentationScope::builder("toolcrib").with_version(env!("CARGO_PKG_VERSION")).build();
    let mut failures = 0_u64;
    loop {
        let is_last = gather(&waiting, &stop).await;
        let taken = waiting.take();
        for batch in taken.chunks(BATCH) {
            let batch = batch.iter().map(|span| data(span, &scope)).collect();
            match exporter.export(batch).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    // A collector that is down is news once, not twice a second.
                    if failures.is_power_of_two() {
                        tracing::warn!(failures, "cannot send traces: {error}");
                    }
                }
            }
        }
        if is_last {
            return;
        }
    }
}

/// Waits for a batch to be full or old enough; true when no more will come.
async fn gather(waiting: &Waiting, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = waiting.begun.notified() => {}
        () = stop.cancelled() => return true,
    }
    tokio::select! {
        () = waiting.full.notified() => false,
        () = tokio::time::sleep(LINGER) => false,
        () = stop.cancelled() => true,
    }
}

/// Describes a call by the conventions for MCP and generative AI.
fn data(span: &Span, scope: &InstrumentationScope) -> SpanData {
    let Span { entry, end, trace } = span;
    let name = match (&entry.method, &entry.target) {
        (Method::ToolsCall | Method::PromptsGet, Some(target)) => format!("{}:{target}", entry.method),
        _ => entry.method.to_string(),
    };
    let outcome = outcome::describe(outcome::index(&entry.ending));
    let flags = if trace.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let span_id = SpanId::from_bytes(trace.span_id.to_be_bytes());
    let status = match entry.ending {
        Ending::Ok | Ending::InputRequired | Ending::Task => Status::Unset,
        Ending::ToolError | Ending::UpstreamError(_) | Ending::Failed(_) | Ending::Abandoned => {
            Status::error(if outcome.code.is_empty() { outcome.name.to_owned() } else { outcome.code.clone() })
        }
    };
    SpanData {
        span_context: SpanContext::new(TraceId::from_bytes(trace.trace_id.to_be_bytes()), span_id, flags, false, TraceState::NONE),
        parent_span_id: entry.parent_span.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_be_bytes())),
        parent_span_is_remote: entry.parent_span.is_some(),
        span_kind: SpanKind::Server,
        name: name.into(),
        start_time: *end - entry.latency,
        end_time: *end,
        attributes: attributes(span, &outcome),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: scope.clone(),
    }
}

fn attributes(span: &Span, outcome: &outcome::Outcome) -> Vec<KeyValue> {
    let entry = &span.entry;
    let mut all = vec![
        KeyValue::new("mcp.method.name", entry.method.to_string()),
        KeyValue::new("mcp.protocol.version", entry.client.as_str()),
        KeyValue::new("latency", entry.latency.as_secs_f64() * 1000.0),
        KeyValue::new("toolcrib.outcome", outcome.name),
        KeyValue::new("toolcrib.principal", Arc::clone(&entry.principal.name)),
        KeyValue::new("toolcrib.request.bytes", i64::try_from(entry.request_bytes).unwrap_or(i64::MAX)),
        KeyValue::new("toolcrib.reply.bytes", i64::try_from(entry.reply_bytes).unwrap_or(i64::MAX)),
    ];
    all.extend(entry.upstream.as_ref().map(|slug: &Slug| KeyValue::new("server", slug.to_string())));
    if let Some(target) = &entry.target {
        let key = match entry.method.target_key() {
            Some("uri") => Some("mcp.resource.uri"),
            Some("name") if entry.method == Method::PromptsGet => Some("gen_ai.prompt.name"),
            Some("name") => Some("gen_ai.tool.name"),
            Some(_) | None => None,
        };
        all.extend(key.map(|key| KeyValue::new(key, Arc::clone(target))));
    }
    if entry.method == Method::ToolsCall {
        all.push(KeyValue::new("gen_ai.operation.name", "execute_tool"));
    }
    all.extend(entry.client_name.as_ref().map(|name| KeyValue::new("toolcrib.client.name", Arc::clone(name))));
    match entry.ending {
        Ending::UpstreamError(number) => all.push(KeyValue::new("rpc.response.status_code", number.to_string())),
        Ending::ToolError => all.push(KeyValue::new("error.type", "tool_error")),
        Ending::Failed(code) => all.push(KeyValue::new("error.type", code.as_str())),
        Ending::Abandoned => all.push(KeyValue::new("error.type", "abandoned")),
        Ending::Ok | Ending::InputRequired | Ending::Task => {}
    }
    all
}

/// Our own HTTP client, as the exporter wants one.
struct Carrier {
    http: HttpClient,
    endpoint: Endpoint,
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.endpoint.as_str())
    }
}

type Sending<'a> = std::pin::Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'a>>;

impl opentelemetry_http::HttpClient for Carrier {
    fn send_bytes<'life0, 'async_trait>(&'life0 self, request: http::Request<Bytes>) -> Sending<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let deadline = Instant::now() + SEND_TIMEOUT;
            let received = self.http.send(&self.endpoint, head.method, head.headers, body.into(), deadline).await?;
            let mut response = http::Response::builder().status(received.status).body(Bytes::new())?;
            *response.headers_mut() = received.headers;
            *response.body_mut() = received.body.collect(1024 * 1024).await?;
            Ok(response)
        })
    }
}
