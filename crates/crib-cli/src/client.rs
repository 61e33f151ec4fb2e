//! The tools, wherever they are: behind a running gateway, or behind one that runs for this command only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_control::Compiled;
use crib_control::config::{Listen, ListenOn};
use crib_mcp::Chunks;
use crib_model::Code;
use crib_transport::{ClientOptions, Endpoint, HttpClient, Routes as _, SendError};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request};
use serde::Deserialize;

use crate::args::Target;
use crate::background;
use crate::config;
use crate::failure::{Exit, Failure};
use crate::instance::{Instance, PlainHttp};
use crate::output::Output;
use crate::signals::Signals;
use crate::world;

/// Largest answer taken.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const HEALTH_BYTES_MAX: usize = 64 * 1024;
pub(crate) const USUAL: &str = "http://127.0.0.1:8665";

/// A connection to the tools.
pub(crate) struct Client {
    carrier: Carrier,
    key: Option<HeaderValue>,
    deadline: Instant,
}

enum Carrier {
    Http { http: HttpClient, base: String },
    Here { instance: Instance, routes: Arc<PlainHttp> },
}

/// An answer of the plain HTTP interface.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

#[derive(Deserialize)]
struct Envelope {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    code: String,
    message: String,
    #[serde(default)]
    cause: Vec<String>,
    #[serde(default)]
    hint: Option<String>,
}

/// Returns where a gateway is looked for that nobody named: where `TOOLCRIB_LISTEN` has gateways listen, else at the usual
/// place; none where each has a port of its own.
pub(crate) fn usual() -> Option<String> {
    let Some(listen) = world::variable("TOOLCRIB_LISTEN").filter(|listen| !listen.is_empty()) else { return Some(USUAL.to_owned()) };
    let listen = Listen(listen.split(',').filter_map(|text| ListenOn::parse(text).ok()).collect());
    let address = listen.addresses().into_iter().find(|address| address.port() != 0)?;
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    Some(format!("http://{}", SocketAddr::new(ip, address.port())))
}

impl Client {
    /// Connects; `server` is the one that will be asked, if only one will.
    pub(crate) async fn connect(target: &Target, server: Option<&str>, output: &Output) -> Result<Self, Failure> {
        let deadline = Instant::now() + target.timeout;
        let key = key(target)?;
        let running = if target.config.is_empty() { Self::running(target, deadline).await? } else { None };
        let carrier = match running {
            Some(carrier) => carrier,
            None => {
                let mut compiled = config::load_only(&target.only, &target.config, output)?;
                if target.config.is_empty() {
                    let servers = if config::is_own() { "your servers are started" } else { "the built-in server is used" };
                    output.say(&match usual() {
                        Some(url) => format!("no gateway is running on {}; {servers} for this command", url.trim_start_matches("http://")),
                        None => format!("no gateway is running; {servers} for this command"),
                    });
                }
                // Only the server in question is started.
                if let Some(server) = server.and_then(|name| known(&compiled, name)) {
                    compiled.keep_only(&server)?;
                }
                here(compiled, target.config.is_empty())?
            }
        };
        Ok(Self { carrier, key, deadline })
    }

    /// Connects to the running gateway, and starts nothing in its place.
    pub(crate) async fn running_only(target: &Target) -> Result<Self, Failure> {
        let none = || Failure::coded(Code::ServerUnreachable, "no gateway is running").hint("start a server: toolcrib run NAME");
        Self::running_if_any(target).await?.ok_or_else(none)
    }

    /// The same; the usual place may be empty.
    pub(crate) async fn running_if_any(target: &Target) -> Result<Option<Self>, Failure> {
        let deadline = Instant::now() + target.timeout;
        let Some(carrier) = Self::running(target, deadline).await? else { return Ok(None) };
        Ok(Some(Self { carrier, key: key(target)?, deadline }))
    }

    /// Gives the next answers as much time as the first one had.
    pub(crate) fn renew(&mut self, timeout: Duration) {
        self.deadline = Instant::now() + timeout;
    }

    /// Finds the running gateway. The usual place may be empty, a named one must not.
    async fn running(target: &Target, deadline: Instant) -> Result<Option<Carrier>, Failure> {
        let http = HttpClient::new(ClientOptions::default())?;
        let own = if target.url.is_none() { background::find().map(|gateway| gateway.url) } else { None };
        let Some(base) = target.url.clone().or(own).or_else(usual) else { return Ok(None) };
        let base = base.trim_end_matches('/').trim_end_matches("/mcp").to_owned();
        let endpoint = Endpoint::parse(&format!("{base}/healthz"))?;
        let near = deadline.min(Instant::now() + Duration::from_secs(10));
        match http.send(&endpoint, Method::GET, HeaderMap::new(), Chunks::default(), near).await {
            Ok(received) => {
                // A gateway says how it is in JSON, also when it is not well.
                let told = received.body.collect(HEALTH_BYTES_MAX).await.unwrap_or_default();
                if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&told).is_err() {
                    return Err(stranger(&base));
                }
                Ok(Some(Carrier::Http { http, base }))
            }
            Err(SendError::Connect(_)) if target.url.is_none() => Ok(None),
            Err(error) => Err(unreachable(&base, &error)),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Asks, and gives up at the deadline or when the user does.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, Failure> {
        let mut signals = Signals::new()?;
        tokio::select! {
            answer = tokio::time::timeout_at(self.deadline.into(), self.send(method, path, body)) => {
                answer.unwrap_or_else(|_| Err(too_late()))
            }
            _ = signals.stop() => Err(Failure::shown(Exit::Interrupted)),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, Failure> {
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match &self.carrier {
            Carrier::Http { http, base } => {
                headers.extend(self.key.clone().map(|key| (AUTHORIZATION, key)));
                let endpoint = Endpoint::parse(&format!("{base}{path}"))?;
                let received = http.send(&endpoint, method, headers, body.into(), self.deadline).await;
                let received = received.map_err(|error| lost(base, &error))?;
                let status = received.status;
                let body = received.body.collect(ANSWER_BYTES_MAX).await.map_err(|error| lost(base, &error))?;
                Ok(Answer { status, body })
            }
            Carrier::Here { routes, .. } => {
                let mut request =
                    Request::builder().method(method).uri(path).body(body).map_err(|error| Failure::usage(error.to_string()))?;
                headers.insert(HOST, HeaderValue::from_static("localhost"));
                *request.headers_mut() = headers;
                let (head, body) = routes.handle(request, IpAddr::V4(Ipv4Addr::LOCALHOST)).await.into_parts();
                Ok(Answer { status: head.status.as_u16(), body: body.into_bytes() })
            }
        }
    }

    pub(crate) async fn close(self) {
        match self.carrier {
            Carrier::Http { http, .. } => http.close().await,
            Carrier::Here { instance, .. } => instance.close().await,
        }
    }
}

fn key(target: &Target) -> Result<Option<HeaderValue>, Failure> {
    let key = target.key.as_ref().filter(|key| !key.is_empty());
    let key = key.map(|key| HeaderValue::try_from(format!("Bearer {key}"))).transpose();
    key.map_err(|error| Failure::usage("TOOLCRIB_KEY cannot be a key: no header can carry it").because(error.to_string()))
}

/// Starts a gateway for this command. Who may start the servers may use them: keys are for those who come by network.
fn here(mut compiled: Compiled, is_own: bool) -> Result<Carrier, Failure> {
    compiled.needs_key = false;
    let instance = if is_own { Instance::own(&compiled)? } else { Instance::new(&compiled)? };
    let routes = instance.routes(&compiled);
    Ok(Carrier::Here { instance, routes })
}

/// Finds the server a name begins with.
fn known(compiled: &Compiled, name: &str) -> Option<String> {
    let mut slugs = compiled.servers.iter().map(|server| server.slug.as_str());
    slugs.find(|slug| name == *slug || name.strip_prefix(slug).is_some_and(|rest| rest.starts_with(['.', '/']))).map(str::to_owned)
}

fn too_late() -> Failure {
    Failure::coded(Code::DeadlineExceeded, "no answer in time").hint("wait longer: --timeout 5m")
}

/// Why a gateway that is there did not answer.
fn lost(base: &str, error: &SendError) -> Failure {
    if matches!(error, SendError::TimedOut) { too_late() } else { unreachable(base, error) }
}

fn stranger(base: &str) -> Failure {
    let failure = Failure::coded(Code::ServerUnreachable, format!("what answers at {base} is no Toolcrib gateway"));
    let port = base.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
    failure.hint(match port {
        Some(port) => format!(
            "another program listens there (`ss -ltnp 'sport = :{port}'` names it): stop it, or choose another address: --listen, TOOLCRIB_LISTEN"
        ),
        None => "give the address of a gateway: --url".to_owned(),
    })
}

fn unreachable(base: &str, error: &SendError) -> Failure {
    let failure = Failure::coded(Code::ServerUnreachable, format!("the gateway at {base} cannot be reached"));
    failure.because(error.to_string()).hint("start it: toolcrib serve")
}

impl Answer {
    /// Takes the body of a success; anything else is a failure with what the gateway said.
    pub(crate) fn success(self) -> Result<Bytes, Failure> {
        if (200..300).contains(&self.status) { Ok(self.body) } else { Err(self.failure()) }
    }

    pub(crate) fn failure(&self) -> Failure {
        let Ok(Envelope { error }) = serde_json::from_slice::<Envelope>(&self.body) else {
            let text = String::from_utf8_lossy(&self.body);
            let text: String = text.chars().take(500).collect();
            return Failure::new(Exit::Unreachable, "unexpected_answer", format!("the gateway answered with status {}", self.status))
                .because(text);
        };
        let mut failure = match Code::ALL.iter().find(|code| code.as_str() == error.code) {
            Some(code) => Failure::coded(*code, error.message),
            None => Failure::new(Exit::Tool, "upstream_error", error.message),
        };
        for cause in error.cause {
            failure = failure.because(cause);
        }
        match error.hint {
            _ if self.status == 401 => failure.hint("give the key of the gateway: export TOOLCRIB_KEY=…"),
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// Reads the body of a success.
    pub(crate) fn read<T: serde::de::DeserializeOwned>(self) -> Result<T, Failure> {
        let body = self.success()?;
        serde_json::from_slice(&body).map_err(|error| {
            Failure::new(Exit::Unexpected, "unexpected_answer", "the gateway's answer makes no sense").because(error.to_string())
        })
    }
}
