//! What the tests of this crate share: calls, and a server that is a channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::{Chunks, ClientCaps, Json, Method, Payload, Revision};
use crib_model::{BoxFuture, Client, Clock, Entropy, Forward, InputResponse, Inputs, Outcome, Principal, Reply, State, Tenant};
use crib_transport::{ClientOptions, HttpClient};
use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::options::Shared;
use crate::session::link::{Carry, Link, Origin, Wire};

pub(crate) const ELICIT: &str = r#"{"elicitation":{}}"#;

/// A clock that can be put forward.
#[derive(Default)]
pub(crate) struct TestClock(Mutex<Duration>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::now() + *self.0.lock()
    }
    fn unix(&self) -> Duration {
        Duration::from_secs(1_785_240_245)
    }
}

#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        bytes.iter_mut().zip(next.iter().cycle()).for_each(|(to, from)| *to = *from);
    }
}

pub(crate) fn shared() -> (Arc<Shared>, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    let http = HttpClient::new(ClientOptions::default()).unwrap();
    let shared =
        Shared { http, clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(Counting::default()), tracker: TaskTracker::new() };
    (Arc::new(shared), clock)
}

pub(crate) fn caps(text: &str) -> ClientCaps {
    ClientCaps::read(Json::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap())
}

pub(crate) fn forward(method: Method, params: &Value, capabilities: &str) -> Forward {
    Forward {
        method,
        params: Payload::of(params),
        target: None,
        param_headers: None,
        client: Arc::new(Client::new(Revision::LATEST, caps(capabilities), None)),
        principal: principal("ada"),
        log_level: None,
        progress_token: None,
        inputs: None,
        trace: None,
        deadline: Instant::now() + Duration::from_secs(10),
    }
}

pub(crate) fn principal(name: &str) -> Arc<Principal> {
    Arc::new(Principal { tenant: Tenant::local(), name: name.into() })
}

pub(crate) fn tool(name: &str, capabilities: &str) -> Forward {
    forward(Method::ToolsCall, &json!({ "name": name, "arguments": {} }), capabilities)
}

/// The retry of a call with an answer for each key.
pub(crate) fn retry(call: Forward, answers: &[(&str, Value)], state: Option<State>) -> Forward {
    let responses = answers.iter().map(|(key, answer)| ((*key).to_owned(), InputResponse::Result(Json::of(answer)))).collect();
    Forward { inputs: Some(Inputs { responses, state }), ..call }
}

#[track_caller]
pub(crate) fn done(reply: Result<Reply, crib_model::Fault>) -> Outcome {
    match reply.unwrap() {
        Reply::Done(outcome) => outcome,
        Reply::Stream(_) => panic!("a stream"),
    }
}

#[track_caller]
pub(crate) fn text_of(outcome: &Outcome) -> String {
    let Outcome::Complete(result, _) = outcome else { panic!("{outcome:?}") };
    let value: Value = result.to_json().read().unwrap();
    value["content"][0]["text"].as_str().unwrap().to_owned()
}

/// Keys and methods of a round, and its state.
#[track_caller]
pub(crate) fn asked(outcome: Outcome) -> (Vec<(String, String)>, Option<State>) {
    let Outcome::InputRequired { requests, state, .. } = outcome else { panic!("{outcome:?}") };
    let keys =
        requests.object.members().map(|(key, value)| (key.into_owned(), value.to_object().unwrap().text("method").unwrap().into_owned()));
    (keys.collect(), state)
}

/// A server that is a channel: the test reads what was sent, and sends what it likes.
pub(crate) struct FakeServer {
    pub(crate) link: Arc<Link>,
    sent: mpsc::Receiver<Value>,
}

struct FakeWire(mpsc::Sender<Value>);

impl FakeWire {
    fn put(&self, message: Chunks) {
        let value = serde_json::from_slice(&message.into_bytes()).unwrap();
        self.0.try_send(value).unwrap();
    }
}

impl Wire for FakeWire {
    fn post(&self, message: Chunks) {
        self.put(message);
    }
    fn send(&self, message: Chunks) -> Carry {
        self.put(message);
        Box::pin(std::future::ready(Ok(())))
    }
    fn request(&self, _: &Arc<Link>, _: u64, message: Chunks, _: Option<Box<HeaderMap>>) -> Option<Carry> {
        self.put(message);
        None
    }
    fn close(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl FakeServer {
    pub(crate) fn new(capabilities: &str) -> Self {
        let (sender, sent) = mpsc::channel(1000);
        let slug = crib_model::Slug::from_name("fake");
        Self { link: Link::new(slug, &caps(capabilities), Arc::new(FakeWire(sender))), sent }
    }

    /// Waits for the next message of the gateway.
    pub(crate) async fn next(&mut self) -> Value {
        tokio::time::timeout(Duration::from_secs(5), self.sent.recv()).await.expect("the gateway says something").unwrap()
    }

    /// Waits for a request of this method and returns it.
    pub(crate) async fn expect(&mut self, method: &str) -> Value {
        let message = self.next().await;
        assert_eq!(message["method"], method, "{message}");
        message
    }

    pub(crate) fn is_quiet(&mut self) -> bool {
        self.sent.try_recv().is_err()
    }

    pub(crate) fn say(&self, message: &Value) {
        self.link.deliver(&Bytes::from(message.to_string()), Origin::Shared);
    }

    #[expect(clippy::needless_pass_by_value, reason = "tests read better so")]
    pub(crate) fn answer(&self, request: &Value, result: Value) {
        self.say(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }));
    }

    pub(crate) fn answer_text(&self, request: &Value, text: &str) {
        self.answer(request, json!({ "content": [{ "type": "text", "text": text }] }));
    }
}
