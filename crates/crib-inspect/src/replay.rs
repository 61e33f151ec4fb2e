//! A recording sent again, and its answers compared; or the recorded server itself.

mod compare;
mod player;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crib_mcp::Method;
use crib_model::{BoxFuture, Fault};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

pub use compare::{Difference, Ignored};
pub use player::Player;

use crate::client::{Asker, Client};
use crate::mask::Mask;
use crate::record::Recording;
use crate::tap::{Direction, Tap};
use crate::target::{EraChoice, Options, Target};

/// Requests of one recording that are sent again.
const REQUESTS_MAX: usize = 10_000;

/// Between two looks at a task.
const TASK_PAUSE: Duration = Duration::from_millis(100);

/// With which eyes two answers are compared: what is left out, and what was masked.
#[derive(Clone, Debug, Default)]
pub struct Lens {
    pub ignored: Ignored,
    pub mask: Mask,
}

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
    /// Requests that held a secret which was masked and is not known here.
    pub unsent: usize,
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
pub async fn replay(target: &Target, options: &Options, recording: &Recording, lens: &Lens, tap: &Arc<Tap>) -> Result<Report, Fault> {
    let exchanges = exchanges(recording);
    let mut options = options.clone();
    if options.era == EraChoice::Auto {
        options.era = recorded_era(&exchanges);
    }
    let asker = Arc::new(Again::of(recording));
    let client = Client::connect(target, &options, tap, asker).await?;
    let result = send(&client, &exchanges, recording, lens).await;
    client.close().await;
    result
}

async fn send(client: &Client, exchanges: &[Exchange], recording: &Recording, lens: &Lens) -> Result<Report, Fault> {
    let mut report = Report {
        server: client.name().to_owned(),
        recorded: recording.head.server.clone(),
        sent: 0,
        same: 0,
        uncompared: 0,
        unsent: 0,
        rows: Vec::new(),
    };
    // Tasks have other names every time.
    let mut renamed: HashMap<String, String> = HashMap::new();
    for exchange in exchanges {
        let method = Method::parse(&exchange.method);
        let is_greeting = matches!(method, Method::Initialize | Method::Discover);
        // The handshake was made already, by this client; a subscription has no end.
        let answer = if is_greeting && is_era(client, &method) {
            json!({ "result": client.hello().result })
        } else if is_greeting || method == Method::Listen {
            continue;
        } else {
            let Some(mut params) = lens.mask.filled(&exchange.params) else {
                report.unsent += 1;
                continue;
            };
            if let Some(id) = params.get_mut("taskId")
                && let Some(new) = id.as_str().and_then(|old| renamed.get(old))
            {
                *id = json!(new);
            }
            settled(client, &method, exchange, params).await?
        };
        report.sent += 1;
        let Some(recorded) = &exchange.answer else {
            report.uncompared += 1;
            continue;
        };
        if let (Some(old), Some(new)) = (task(recorded), task(&answer)) {
            renamed.insert(old.to_owned(), new.to_owned());
        }
        let answer = if recording.head.masked { lens.mask.value(&answer) } else { answer };
        let differences = compare::differences(recorded, &answer, &lens.ignored);
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

/// Asks again. A task is looked at until it is as far as it was when it was recorded.
async fn settled(client: &Client, method: &Method, exchange: &Exchange, params: Value) -> Result<Value, Fault> {
    let status = |answer: &Value| Some(answer.get("result")?.get("status")?.as_str()?.to_owned());
    let recorded = exchange.answer.as_ref().and_then(status);
    let deadline = std::time::Instant::now() + client.options().timeout;
    loop {
        let answer = answer(client, &exchange.method, params.clone()).await?;
        let now = status(&answer);
        let is_behind = *method == Method::TasksGet && now.as_deref() == Some("working") && now != recorded && recorded.is_some();
        if !is_behind || std::time::Instant::now() >= deadline {
            return Ok(answer);
        }
        tokio::time::sleep(TASK_PAUSE).await;
    }
}

/// Returns the task of an answer, in either shape.
fn task(answer: &Value) -> Option<&str> {
    let result = answer.get("result")?;
    result.get("task").unwrap_or(result).get("taskId")?.as_str()
}

async fn answer(client: &Client, method: &str, mut params: Value) -> Result<Value, Fault> {
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
    let reply = client.send(method, &params, deadline).await?;
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
        if self.unsent > 0 {
            write!(f, ", {} not sent: a secret of theirs is masked in the recording", self.unsent)?;
        }
        writeln!(f)
    }
}
