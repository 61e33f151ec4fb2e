//! A recording sent again, and its answers compared; or the recorded server itself.

mod compare;
mod player;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use crib_mcp::Method;
use crib_model::{BoxFuture, Fault};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

pub use compare::{Difference, Ignored};
pub use player::Player;

use crate::client::{Asker, Client};
use crate::record::Recording;
use crate::tap::{Direction, Tap};
use crate::target::{EraChoice, Options, Target};

/// Requests of one recording that are sent again.
const REQUESTS_MAX: usize = 10_000;

/// One request of a recording and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    pub params: Value,
    /// `{"result": …}` or `{"error": …}`; absent where the recording ends before.
    pub answer: Option<Value>,
}

/// What became of one request.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    pub differences: Vec<Difference>,
}

/// What became of a recording.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub server: String,
    pub recorded: String,
    pub sent: usize,
    pub same: usize,
    /// Requests whose answer was not recorded.
    pub uncompared: usize,
    pub rows: Vec<Row>,
}

/// Reads the requests of a recording, in their order.
#[must_use]
pub fn exchanges(recording: &Recording) -> Vec<Exchange> {
    let mut answers: HashMap<(u64, String), Value> = HashMap::new();
    let messages = || recording.messages.iter().filter_map(|recorded| Some((recorded, recorded.message.as_ref()?)));
    for (recorded, message) in messages().filter(|(recorded, _)| recorded.direction == Direction::In) {
        let is_answer = message.get("method").is_none();
        if let Some(id) = message.get("id").filter(|_| is_answer) {
            let outcome = ["result", "error"].into_iter().find_map(|key| Some(json!({ key: message.get(key)? })));
            answers.extend(outcome.map(|outcome| ((recorded.connection, id.to_string()), outcome)));
        }
    }
    let requests = messages().filter(|(recorded, message)| recorded.direction == Direction::Out && message.get("id").is_some());
    requests
        .filter_map(|(recorded, message)| {
            let method = message.get("method")?.as_str()?.to_owned();
            let answer = answers.get(&(recorded.connection, message.get("id")?.to_string())).cloned();
            Some(Exchange { method, params: message.get("params").cloned().unwrap_or_else(|| json!({})), answer })
        })
        .take(REQUESTS_MAX)
        .collect()
}

/// Sends the requests of a recording again and compares the answers.
///
/// # Errors
/// The server cannot be reached.
pub async fn replay(target: &Target, options: &Options, recording: &Recording, ignored: &Ignored, tap: &Arc<Tap>) -> Result<Report, Fault> {
    let exchanges = exchanges(recording);
    let mut options = options.clone();
    if options.era == EraChoice::Auto {
        options.era = recorded_era(&exchanges);
    }
    let asker = Arc::new(Again::of(recording));
    let client = Client::connect(target, &options, tap, asker).await?;
    let result = send(&client, &exchanges, recording, ignored).await;
    client.close().await;
    result
}

async fn send(client: &Client, exchanges: &[Exchange], recording: &Recording, ignored: &Ignored) -> Result<Report, Fault> {
    let mut report = Report {
        server: client.name().to_owned(),
        recorded: recording.head.server.clone(),
        sent: 0,
        same: 0,
        uncompared: 0,
        rows: Vec::new(),
    };
    for exchange in exchanges {
        let method = Method::parse(&exchange.method);
        let is_greeting = matches!(method, Method::Initialize | Method::Discover);
        // The handshake was made already, by this client; a subscription has no end.
        let answer = if is_greeting && is_era(client, &method) {
            json!({ "result": client.hello().result })
        } else if is_greeting || method == Method::Listen {
            continue;
        } else {
            answer(client, exchange).await?
        };
        report.sent += 1;
        let Some(recorded) = &exchange.answer else {
            report.uncompared += 1;
            continue;
        };
        let differences = compare::differences(recorded, &answer, ignored);
        if differences.is_empty() {
            report.same += 1;
        } else {
            let about = method.target_key().and_then(|key| Some(exchange.params.get(key)?.as_str()?.to_owned()));
            report.rows.push(Row { method: exchange.method.clone(), about, differences });
        }
    }
    Ok(report)
}

fn is_era(client: &Client, method: &Method) -> bool {
    client.hello().revision.is_modern() == (*method == Method::Discover)
}

async fn answer(client: &Client, exchange: &Exchange) -> Result<Value, Fault> {
    let mut params = exchange.params.clone();
    // What the recorded client said of itself is not what this one is.
    if let Some(own) = params.get_mut("_meta").and_then(Value::as_object_mut) {
        own.retain(|name, _| !name.starts_with(crib_mcp::meta::PREFIX));
    }
    if params.get("_meta").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
        && let Some(object) = params.as_object_mut()
    {
        object.remove("_meta");
    }
    let deadline = std::time::Instant::now() + client.options().timeout;
    let params = client.with_meta(params);
    let reply = client.send(&exchange.method, &params, deadline).await?;
    Ok(match reply.outcome {
        Ok(result) => json!({ "result": result }),
        Err(error) => {
            let mut object = json!({ "code": error.code, "message": error.message });
            if let (Some(data), Some(object)) = (error.data.and_then(|data| data.read::<Value>().ok()), object.as_object_mut()) {
                object.insert("data".to_owned(), data);
            }
            json!({ "error": object })
        }
    })
}

fn recorded_era(exchanges: &[Exchange]) -> EraChoice {
    let is_modern = |exchange: &Exchange| {
        exchange.method == Method::Discover.as_str() && exchange.answer.as_ref().is_some_and(|answer| answer.get("result").is_some())
    };
    if exchanges.iter().any(is_modern) {
        return EraChoice::Modern;
    }
    let settled = exchanges.iter().find(|exchange| exchange.method == Method::Initialize.as_str());
    let wanted = settled.and_then(|exchange| crib_mcp::Revision::parse(exchange.params.get("protocolVersion")?.as_str()?));
    EraChoice::Legacy(wanted)
}

/// Answers the server's questions as they were answered when it was recorded.
struct Again(Mutex<HashMap<String, VecDeque<Value>>>);

impl Again {
    fn of(recording: &Recording) -> Self {
        let mut answers: HashMap<String, VecDeque<Value>> = HashMap::new();
        let messages = || recording.messages.iter().filter_map(|recorded| Some((recorded, recorded.message.as_ref()?)));
        for (asked, question) in messages().filter(|(recorded, _)| recorded.direction == Direction::In) {
            let (Some(id), Some(method)) = (question.get("id"), question.get("method").and_then(Value::as_str)) else { continue };
            let is_answer = |recorded: &crate::record::Recorded, message: &Value| {
                recorded.direction == Direction::Out
                    && recorded.connection == asked.connection
                    && message.get("method").is_none()
                    && message.get("id") == Some(id)
            };
            let answer = messages().find(|(recorded, message)| is_answer(recorded, message)).and_then(|(_, message)| message.get("result"));
            answers.entry(method.to_owned()).or_default().extend(answer.cloned());
        }
        Self(Mutex::new(answers))
    }
}

impl Asker for Again {
    fn answer(&self, method: &str, _: &Value) -> BoxFuture<'static, Option<Value>> {
        let answer = self.0.lock().get_mut(method).and_then(VecDeque::pop_front);
        Box::pin(async { answer })
    }
}

// === impl Report ===

impl Report {
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let about = row.about.as_deref().map(|about| format!(" {about}")).unwrap_or_default();
            writeln!(f, "{}", crib_registry::pins::visible(&format!("{}{about}", row.method)))?;
            for difference in &row.differences {
                writeln!(f, "  {}", crib_registry::pins::visible(&difference.to_string()).replace('\n', "\n  "))?;
            }
        }
        let different = self.rows.len();
        write!(f, "{} requests: {} answered alike, {different} otherwise", self.sent, self.same)?;
        if self.uncompared > 0 {
            write!(f, ", {} not compared: their answers were not recorded", self.uncompared)?;
        }
        writeln!(f)
    }
}
