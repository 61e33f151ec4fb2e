//! From a target to a conversation: the era is found out, newest first.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crib_mcp::{Chunks, Json, Method, Payload, RequestId, Revision, RpcError, code, message};
use crib_model::{Code, Fault};
use crib_transport::{ClientOptions, HttpClient};
use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ask::{self, SharedAsker};
use super::inbox::{Answered, Inbox};
use super::{Client, Hello, Inner, client_info, legacy_capabilities, modern_meta, request_headers};
use crate::tap::Tap;
use crate::target::{EraChoice, Options, Target, UrlTransport, Way};
use crate::wire::{Heard, HttpWire, LinesWire, Outgoing, Place, Reports, SseWire, Wire};

/// How long silence of a command is taken for work. Then the handshake of the other era is tried.
const PATIENCE: Duration = Duration::from_secs(3);

/// The beginnings of a conversation.
struct Opening {
    wire: Arc<dyn Wire>,
    inbox: Arc<Inbox>,
    asked: mpsc::Receiver<crib_mcp::Request>,
    next: u64,
    begin: Instant,
}

/// What is said to a server first.
enum Said {
    Answer(Result<Payload, RpcError>),
    Nothing(Fault),
    Silence,
}

type Found = (Revision, Value);

/// What came first where both eras were asked.
enum Either {
    /// The answer to `server/discover`, which came in time.
    Said(Said),
    /// The server was slow; whichever question it took decides.
    Found(Result<Found, Fault>),
}

impl Client {
    /// Connects to a server.
    ///
    /// # Errors
    /// It cannot be reached or started, or speaks nothing that is known.
    pub async fn connect(target: &Target, options: &Options, tap: &Arc<Tap>, asker: SharedAsker) -> Result<Self, Fault> {
        let tracker = TaskTracker::new();
        let deadline = Instant::now() + options.start_timeout;
        let connected = match &target.way {
            Way::Command(_) | Way::Here(_) => lines(target, options, tap, &tracker).await,
            Way::Url { transport: UrlTransport::Sse, .. } => sse(target, options, tap, &tracker).await,
            Way::Url { .. } => http(target, options, tap, &tracker).await,
        };
        let (opening, (revision, result)) = connected?;
        opening.wire.settled(revision.as_str());
        let transport = opening.wire.transport();
        let hello = Hello { revision, transport, result, after: opening.begin.elapsed() };
        let client = Self(Arc::new(Inner {
            name: target.name.clone(),
            wire: opening.wire,
            inbox: opening.inbox,
            tap: Arc::clone(tap),
            tracker,
            options: options.clone(),
            hello,
            next: AtomicU64::new(opening.next),
            asker,
            param_headers: Mutex::default(),
            log_level: Mutex::default(),
            tasks: Mutex::default(),
            chores: super::Chores::default(),
            closing: CancellationToken::new(),
        }));
        client.0.tracker.spawn(ask::serve(client.clone(), opening.asked));
        if !revision.is_modern() {
            let settling = client.0.notify(Method::Initialized.as_str(), &Value::Null);
            tokio::time::timeout_at(deadline.into(), settling).await.map_err(|_late| silent(target, options))??;
            client.0.wire.hear();
        }
        Ok(client)
    }
}

/// Speaks to a command, or to a server in this process.
async fn lines(target: &Target, options: &Options, tap: &Arc<Tap>, tracker: &TaskTracker) -> Result<(Opening, Found), Fault> {
    let mut opening = open_lines(target, tap, tracker)?;
    if let EraChoice::Legacy(revision) = options.era {
        let found = opening.initialize(target, options, revision).await?;
        return Ok((opening, found));
    }
    let said = match options.era {
        EraChoice::Auto => match opening.either(target, options).await {
            Either::Said(said) => said,
            Either::Found(found) => return found.map(|found| (opening, found)),
        },
        EraChoice::Modern | EraChoice::Legacy(_) => opening.discover(options, options.start_timeout).await,
    };
    match judge(target, said) {
        Ok(Some(found)) => Ok((opening, found)),
        Err(fault) if options.era == EraChoice::Modern => Err(fault),
        Ok(None) if options.era == EraChoice::Modern => Err(not_modern(target)),
        Ok(None) => {
            let found = opening.initialize(target, options, None).await?;
            Ok((opening, found))
        }
        // It exited, perhaps because of the question: once more without it.
        Err(fault) if fault.code() == Code::ServerGone => {
            opening.wire.close().await;
            let mut opening = open_lines(target, tap, tracker)?;
            let found = opening.initialize(target, options, None).await?;
            Ok((opening, found))
        }
        Err(fault) => Err(fault),
    }
}

fn open_lines(target: &Target, tap: &Arc<Tap>, tracker: &TaskTracker) -> Result<Opening, Fault> {
    let begin = Instant::now();
    let (wire, heard): (Arc<dyn Wire>, _) = match &target.way {
        Way::Command(command) => {
            let (reports, heard) = Reports::new(tap, "stdio");
            (LinesWire::spawn(command, &target.name, reports, tracker)?, heard)
        }
        Way::Here(open) => {
            let (reports, heard) = Reports::new(tap, "pipe");
            (LinesWire::here(open(), &target.name, reports, tracker), heard)
        }
        Way::Url { .. } => return Err(Fault::new(Code::Internal, "a URL does not speak lines")),
    };
    Ok(Opening::new(wire, heard, tracker, begin))
}

/// Speaks to a URL: modern, then Streamable HTTP with a session, then HTTP+SSE.
async fn http(target: &Target, options: &Options, tap: &Arc<Tap>, tracker: &TaskTracker) -> Result<(Opening, Found), Fault> {
    let place = place(target)?;
    let begin = Instant::now();
    let open = || {
        let (reports, heard) = Reports::new(tap, "http");
        Opening::new(HttpWire::new(place.clone(), reports, tracker), heard, tracker, begin)
    };
    if !matches!(options.era, EraChoice::Legacy(_)) {
        let mut opening = open();
        let said = opening.discover(options, options.start_timeout).await;
        match judge(target, said) {
            Ok(Some(found)) => return Ok((opening, found)),
            Ok(None) if options.era == EraChoice::Modern => return Err(not_modern(target)),
            Err(fault) if options.era == EraChoice::Modern || fault.code() != Code::UpstreamStatus => return Err(fault),
            Ok(None) | Err(_) => {}
        }
    }
    let revision = if let EraChoice::Legacy(revision) = options.era { revision } else { None };
    let mut opening = open();
    match opening.initialize(target, options, revision).await {
        Ok(found) => Ok((opening, found)),
        Err(fault) if fault.code() == Code::UpstreamStatus && may_be_sse(target) => {
            sse(target, options, tap, tracker).await.map_err(|_worse| fault)
        }
        Err(fault) => Err(fault),
    }
}

async fn sse(target: &Target, options: &Options, tap: &Arc<Tap>, tracker: &TaskTracker) -> Result<(Opening, Found), Fault> {
    let begin = Instant::now();
    let (reports, heard) = Reports::new(tap, "sse");
    let wire = SseWire::open(place(target)?, reports, tracker, begin + options.start_timeout).await?;
    let mut opening = Opening::new(wire, heard, tracker, begin);
    let revision = if let EraChoice::Legacy(revision) = options.era { revision } else { None };
    let found = opening.initialize(target, options, revision).await?;
    Ok((opening, found))
}

fn place(target: &Target) -> Result<Place, Fault> {
    let Way::Url { url, headers, .. } = &target.way else { return Err(Fault::new(Code::Internal, "not a URL")) };
    let http = HttpClient::new(ClientOptions::default())?;
    Ok(Place { name: target.name.clone(), http, url: url.clone(), own: headers.clone() })
}

fn may_be_sse(target: &Target) -> bool {
    matches!(&target.way, Way::Url { transport: UrlTransport::Auto, .. })
}

// === impl Opening ===

impl Opening {
    fn new(wire: Arc<dyn Wire>, heard: mpsc::Receiver<Heard>, tracker: &TaskTracker, begin: Instant) -> Self {
        let (inbox, asked) = Inbox::new();
        tracker.spawn(Arc::clone(&inbox).run(heard));
        Self { wire, inbox, asked, next: 1, begin }
    }

    async fn discover(&mut self, options: &Options, wait: Duration) -> Said {
        let (params, headers) = discover_request(options);
        self.ask(&Method::Discover, &params, headers, wait).await
    }

    async fn initialize(&mut self, target: &Target, options: &Options, revision: Option<Revision>) -> Result<Found, Fault> {
        let params = initialize_params(options, revision);
        let said = self.ask(&Method::Initialize, &params, HeaderMap::new(), options.start_timeout).await;
        settled(target, options, said)
    }

    /// Asks for the new era, and for the old one too where there is no answer for a while: a slow modern server answers
    /// the first question first, a silent legacy one the second.
    async fn either(&mut self, target: &Target, options: &Options) -> Either {
        let deadline = Instant::now() + options.start_timeout;
        let (params, headers) = discover_request(options);
        let mut discovered = match self.begin(&Method::Discover, &params, headers, deadline).await {
            Ok((_, answer)) => answer,
            Err(fault) => return Either::Said(Said::Nothing(fault)),
        };
        if let Ok(answer) = tokio::time::timeout(PATIENCE.min(options.start_timeout), &mut discovered).await {
            return Either::Said(self.heard(answer));
        }
        let params = initialize_params(options, None);
        let mut greeted = match self.begin(&Method::Initialize, &params, HeaderMap::new(), deadline).await {
            Ok((_, answer)) => answer,
            Err(fault) => return Either::Said(Said::Nothing(fault)),
        };
        let found = tokio::time::timeout_at(deadline.into(), async {
            tokio::select! {
                biased;
                answer = &mut discovered => match judge(target, self.heard(answer)) {
                    Ok(Some(found)) => Ok(found),
                    Ok(None) => settled(target, options, self.heard((&mut greeted).await)),
                    Err(fault) => Err(fault),
                },
                answer = &mut greeted => settled(target, options, self.heard(answer)),
            }
        });
        Either::Found(found.await.unwrap_or_else(|_late| Err(silent(target, options))))
    }

    async fn ask(&mut self, method: &Method, params: &Value, headers: HeaderMap, wait: Duration) -> Said {
        let deadline = Instant::now() + wait;
        let (id, answer) = match self.begin(method, params, headers, deadline).await {
            Ok(begun) => begun,
            Err(fault) => return Said::Nothing(fault),
        };
        if let Ok(answer) = tokio::time::timeout_at(deadline.into(), answer).await {
            return self.heard(answer);
        }
        self.inbox.forget(id);
        Said::Silence
    }

    /// Sends a request of the handshake. HTTP gives it up at the deadline by itself.
    async fn begin(
        &mut self,
        method: &Method,
        params: &Value,
        headers: HeaderMap,
        deadline: Instant,
    ) -> Result<(u64, oneshot::Receiver<Answered>), Fault> {
        let id = self.next;
        self.next += 1;
        let answer = self.inbox.expect(id);
        let text = message::request(&RequestId::number(id), method.as_str(), &Chunks::from(Json::of(params))).into_bytes();
        let outgoing = Outgoing { text, id: Some(id), headers, deadline, cancelled: CancellationToken::new() };
        match self.wire.send(outgoing).await {
            Ok(()) => Ok((id, answer)),
            Err(fault) => Err(self.inbox.fault_soon().await.unwrap_or(fault)),
        }
    }

    fn heard(&self, answer: Result<Answered, oneshot::error::RecvError>) -> Said {
        match answer {
            Ok((Ok(outcome), _)) => Said::Answer(outcome),
            Ok((Err(fault), _)) => Said::Nothing(fault),
            Err(_closed) => Said::Nothing(self.inbox.fault("the server")),
        }
    }
}

fn discover_request(options: &Options) -> (Value, HeaderMap) {
    let params = json!({ "_meta": modern_meta(options.abilities) });
    let mut headers = HeaderMap::new();
    request_headers(Method::Discover.as_str(), &params, &mut headers);
    (params, headers)
}

fn initialize_params(options: &Options, revision: Option<Revision>) -> Value {
    let wanted = revision.unwrap_or(Revision::LATEST_LEGACY);
    json!({ "protocolVersion": wanted.as_str(), "capabilities": legacy_capabilities(options.abilities), "clientInfo": client_info() })
}

/// Reads the answer to `initialize`.
fn settled(target: &Target, options: &Options, said: Said) -> Result<Found, Fault> {
    match said {
        Said::Answer(Ok(result)) => {
            let version = result.text("protocolVersion").unwrap_or_default().into_owned();
            let revision = Revision::parse(&version).filter(|revision| !revision.is_modern());
            let strange = || Fault::new(Code::ProtocolBroken, format!("`{}` settled on the version `{version}`", target.name));
            Ok((revision.ok_or_else(strange)?, result.to_json().read().unwrap_or_default()))
        }
        Said::Answer(Err(error)) => {
            let fault = Fault::new(Code::ProtocolBroken, format!("`{}` refused to begin", target.name));
            Err(fault.because(format!("{} ({})", error.message, error.code)))
        }
        Said::Nothing(fault) => Err(started(target, &fault)),
        Said::Silence => Err(silent(target, options)),
    }
}

/// Reads the answer to `server/discover`: the server is modern, or is not.
fn judge(target: &Target, said: Said) -> Result<Option<Found>, Fault> {
    let result = match said {
        Said::Answer(Ok(result)) => result,
        Said::Answer(Err(error)) if error.code == code::UNSUPPORTED_VERSION => {
            let supported = error.data.as_ref().and_then(|data| data.to_object().ok()?.get("supported"));
            let fault = Fault::new(Code::ProtocolBroken, format!("`{}` shares no version with this inspector", target.name));
            return Err(fault.because(supported.map_or_else(|| error.message.to_string(), |supported| supported.to_string())));
        }
        Said::Answer(Err(_)) | Said::Silence => return Ok(None),
        Said::Nothing(fault) => return Err(fault),
    };
    let versions = result.get("supportedVersions").and_then(|versions| versions.to_elements().ok()).unwrap_or_default();
    if versions.iter().any(|version| version.as_text().as_deref() == Some(Revision::LATEST.as_str())) {
        return Ok(Some((Revision::LATEST, result.to_json().read().unwrap_or_default())));
    }
    Ok(None)
}

fn not_modern(target: &Target) -> Fault {
    Fault::new(Code::ProtocolBroken, format!("`{}` does not speak {}", target.name, Revision::LATEST)).hint("try --era legacy")
}

fn silent(target: &Target, options: &Options) -> Fault {
    Fault::new(Code::StartFailed, format!("`{}` said nothing within {:?}", target.name, options.start_timeout))
        .hint("wait longer: --timeout 5m")
}

/// A server that ends before its first answer did not start.
fn started(target: &Target, fault: &Fault) -> Fault {
    if fault.code() != Code::ServerGone {
        return fault.clone();
    }
    let mut failed = Fault::new(Code::StartFailed, format!("`{}` stopped before its first answer", target.name));
    for cause in fault.causes() {
        failed = failed.because(cause);
    }
    failed
}
