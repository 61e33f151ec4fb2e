//! Commands of people, one line each: the same at a prompt and from standard input.

mod arguments;
mod complete;
mod person;
mod tasks;
mod terminal;
mod words;

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{Method, RpcError};
use crib_model::Fault;
use crib_registry::pins::visible;
use serde_json::{Value, json};

use crate::client::{Client, List, Reply};
use crate::overview::{self, Overview};
use crate::tap;
use crate::words::{Speak, plainly};
pub use arguments::Mistake;
pub use complete::{Suggest, Words};
pub use person::{Lines, Person};
pub use terminal::{StandardInput, Terminal};

/// How long somebody with a finger on the key waits for values, and how many the protocol allows.
const SUGGEST_TIMEOUT: Duration = Duration::from_millis(300);
const SUGGESTED_MAX: usize = 100;

/// What `help` says.
pub const HELP: &str = "\
tools                          list tools, and their arguments
resources, templates, prompts  list them
call NAME k=v k:=JSON          call a tool; text is typed by the tool's schema
start NAME k=v                 begin a call as a task and go on
tasks                          how the tasks are
wait [ID]                      wait for the end of a task, and show its result
cancel [ID]                    cancel a task
read URI                       read a resource
prompt NAME k=v                get a prompt
complete prompt NAME ARG TEXT  ask for completions; also `complete resource TEMPLATE ARG TEXT`
subscribe [URI]                hear of changes: of lists, or of one resource
log LEVEL                      ask for log messages: debug, info, warning, error
send METHOD JSON               send any request
messages [N]                   show the last messages again, in full
info                           what the server says of itself
era                            which era and revision is spoken, and over what
quit                           end
";

/// The commands, for completion.
pub const COMMANDS: [&str; 20] = [
    "tools",
    "resources",
    "templates",
    "prompts",
    "call",
    "start",
    "tasks",
    "wait",
    "cancel",
    "read",
    "prompt",
    "complete",
    "subscribe",
    "log",
    "send",
    "messages",
    "info",
    "era",
    "help",
    "quit",
];

/// What a command came to.
#[derive(Clone, Debug)]
pub enum Said {
    /// Something to show: in words, and for programs.
    Shown {
        text: String,
        value: Value,
    },
    /// The server or the tool refused: the same, and the command counts as failed.
    Failed {
        text: String,
        value: Value,
    },
    Quit,
}

/// A conversation that is led by commands.
#[derive(Debug)]
pub struct Session {
    client: Client,
    overview: Overview,
    speak: Speak,
}

// === impl Session ===

impl Session {
    /// Reads what there is, so that names can be completed and arguments typed.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn open(client: Client) -> Result<Self, Fault> {
        let overview = Overview::read(&client).await?;
        Ok(Self { client, overview, speak: plainly })
    }

    /// Begins without knowing anything of the server.
    #[must_use]
    pub fn bare(client: Client) -> Self {
        let overview = Overview::of(&client);
        Self { client, overview, speak: plainly }
    }

    /// Says its own words like this.
    #[must_use]
    pub fn speaking(self, speak: Speak) -> Self {
        Self { speak, ..self }
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    /// Returns what can be completed.
    #[must_use]
    pub fn words(&self) -> Words {
        Words::of(&self.overview)
    }

    /// Returns how the server is asked for values, where it can be: from the thread of a terminal, for a moment only.
    #[must_use]
    pub fn suggest(&self) -> Option<Suggest> {
        if !self.client.hello().offers("completions") {
            return None;
        }
        let (client, runtime) = (self.client.clone(), tokio::runtime::Handle::current());
        Some(Arc::new(move |params| {
            let asking = client.request(Method::Complete.as_str(), params.clone());
            let answer = runtime.block_on(async { tokio::time::timeout(SUGGEST_TIMEOUT, asking).await });
            let Ok(Ok(Reply { outcome: Ok(result), .. })) = answer else { return Vec::new() };
            let values = result.pointer("/completion/values").and_then(Value::as_array);
            values.into_iter().flatten().filter_map(Value::as_str).take(SUGGESTED_MAX).map(str::to_owned).collect()
        }))
    }

    /// Does what a line says.
    ///
    /// # Errors
    /// The line makes no sense, or the server is gone.
    pub async fn run(&mut self, line: &str) -> Result<Said, Mistake> {
        let words = words::split(line)?;
        let mut words = words.iter().map(String::as_str);
        let Some(command) = words.next() else { return Ok(shown(String::new(), Value::Null)) };
        let rest: Vec<&str> = words.collect();
        match (command, rest.as_slice()) {
            ("tools", []) => self.list(List::Tools).await,
            ("resources", []) => self.list(List::Resources).await,
            ("templates", []) => self.list(List::Templates).await,
            ("prompts", []) => self.list(List::Prompts).await,
            ("call", [name, arguments @ ..]) => self.call(name, arguments).await,
            ("start", [name, arguments @ ..]) => Box::pin(self.start(name, arguments)).await,
            ("tasks", []) => Box::pin(tasks::all(&self.client)).await,
            ("wait", id @ ([] | [_])) => Box::pin(tasks::wait(&self.client, id.first().copied())).await,
            ("cancel", id @ ([] | [_])) => Box::pin(tasks::cancel(&self.client, id.first().copied())).await,
            ("prompt", [name, arguments @ ..]) => self.prompt(name, arguments).await,
            ("read", [uri]) => self.ask(Method::ResourcesRead.as_str(), json!({ "uri": uri })).await,
            ("complete", [kind @ ("prompt" | "resource"), what, argument, text @ ..]) => {
                self.complete((kind, what), argument, text.first().copied().unwrap_or_default()).await
            }
            ("subscribe", []) => self.subscribe(None).await,
            ("subscribe", [uri]) => self.subscribe(Some(uri)).await,
            ("log", [level]) => self.log(level).await,
            ("send", [method]) => self.ask(method, json!({})).await,
            ("send", [method, params]) => self.ask(method, arguments::json(params)?).await,
            ("messages", []) => Ok(self.messages(20)),
            ("messages", [count]) => Ok(self.messages(count.parse().map_err(|why| Mistake::new(format!("`{count}`: {why}")))?)),
            ("info", []) => Ok(shown(self.overview.told(self.speak), json!(self.overview))),
            ("era", []) => Ok(self.era()),
            ("help" | "?", _) => Ok(shown((self.speak)(HELP).into_owned(), json!(HELP))),
            ("quit" | "exit" | "q", _) => Ok(Said::Quit),
            (command, _) if COMMANDS.contains(&command) => {
                let usage = HELP.lines().find(|line| line.starts_with(command)).unwrap_or_default();
                Err(Mistake::new(format!("`{command}` is not used like this")).hint(usage.trim()))
            }
            (command, _) => Err(Mistake::new(format!("`{command}` is no command")).hint("commands: help")),
        }
    }

    async fn list(&mut self, list: List) -> Result<Said, Mistake> {
        let items = self.client.list(list).await?.unwrap_or_default().items;
        let text = match list {
            List::Tools => items.iter().map(|tool| format!("{}\n", overview::signature(tool))).collect(),
            List::Resources => names(&items, "uri"),
            List::Templates => names(&items, "uriTemplate"),
            List::Prompts => names(&items, "name"),
        };
        let text = if items.is_empty() { (self.speak)(&format!("no {}\n", list.member())).into_owned() } else { text };
        let value = json!({ list.member(): items });
        match list {
            List::Tools => self.overview.tools = items,
            List::Resources => self.overview.resources = items,
            List::Templates => self.overview.resource_templates = items,
            List::Prompts => self.overview.prompts = items,
        }
        Ok(shown(text, value))
    }

    async fn call(&self, name: &str, typed: &[&str]) -> Result<Said, Mistake> {
        self.ask(Method::ToolsCall.as_str(), self.params(name, typed)?).await
    }

    async fn start(&self, name: &str, typed: &[&str]) -> Result<Said, Mistake> {
        if !self.client.may_be_task(name) {
            return Err(Mistake::new(format!("`{}` does not run as a task", visible(name))).hint(format!("call {}", visible(name))));
        }
        let params = self.client.as_task(self.params(name, typed)?);
        tasks::begin(&self.client, params).await
    }

    /// Reads the arguments of a tool by its schema.
    fn params(&self, name: &str, typed: &[&str]) -> Result<Value, Mistake> {
        let tool = self.overview.tools.iter().find(|tool| tool.get("name").and_then(Value::as_str) == Some(name));
        let schema = tool.and_then(|tool| tool.get("inputSchema"));
        Ok(json!({ "name": name, "arguments": arguments::typed(typed, schema)? }))
    }

    async fn prompt(&self, name: &str, typed: &[&str]) -> Result<Said, Mistake> {
        let arguments = arguments::texts(typed)?;
        self.ask(Method::PromptsGet.as_str(), json!({ "name": name, "arguments": arguments })).await
    }

    async fn complete(&self, (kind, what): (&str, &str), argument: &str, text: &str) -> Result<Said, Mistake> {
        let reference =
            if kind == "prompt" { json!({ "type": "ref/prompt", "name": what }) } else { json!({ "type": "ref/resource", "uri": what }) };
        self.ask(Method::Complete.as_str(), json!({ "ref": reference, "argument": { "name": argument, "value": text } })).await
    }

    async fn subscribe(&self, uri: Option<&str>) -> Result<Said, Mistake> {
        if self.client.hello().revision.is_modern() {
            match uri {
                Some(uri) => self.client.listen(json!({ "notifications": { "resourceSubscriptions": [uri] } })),
                None => self.client.follow_lists(),
            }
            return Ok(shown((self.speak)("subscribed; what changes is shown as it comes\n").into_owned(), json!({ "subscribed": true })));
        }
        match uri {
            Some(uri) => self.ask(Method::ResourcesSubscribe.as_str(), json!({ "uri": uri })).await,
            None => Ok(shown(
                (self.speak)("a legacy server tells of changed lists without being asked\n").into_owned(),
                json!({ "subscribed": true }),
            )),
        }
    }

    async fn log(&self, level: &str) -> Result<Said, Mistake> {
        match self.client.set_log_level(level).await? {
            Some(reply) => Ok(said(&reply)),
            None => Ok(shown(
                (self.speak)(&format!("every request asks for `{}` from now on\n", visible(level))).into_owned(),
                json!({ "level": level }),
            )),
        }
    }

    fn messages(&self, count: usize) -> Said {
        let seen = self.client.tap().last(count);
        let text = seen.iter().map(|seen| format!("{}\n", tap::lines(seen))).collect();
        let values: Vec<Value> = seen.iter().filter_map(|seen| serde_json::to_value(seen.as_ref()).ok()).collect();
        shown(text, json!(values))
    }

    fn era(&self) -> Said {
        let hello = self.client.hello();
        let value = json!({ "era": hello.era(), "revision": hello.revision.as_str(), "transport": hello.transport });
        shown(format!("{}\n", (self.speak)(&format!("{} {} over {}", hello.era(), hello.revision, hello.transport))), value)
    }

    /// Sends a request and shows what came back; of a call that becomes a task, what came in the end.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask(&self, method: &str, params: Value) -> Result<Said, Mistake> {
        let reply = self.client.request(method, self.client.as_it_must(method, params)).await?;
        let begun = if method == Method::ToolsCall.as_str() { self.client.begun(&reply) } else { None };
        match begun {
            Some(task) => Box::pin(tasks::finish(&self.client, task)).await,
            None => Ok(said(&reply)),
        }
    }
}

fn names(items: &[Value], member: &str) -> String {
    let name = |item: &Value| visible(item.get(member).and_then(Value::as_str).unwrap_or("(none)"));
    items.iter().map(|item| format!("{}\n", name(item))).collect()
}

fn shown(text: String, value: Value) -> Said {
    Said::Shown { text, value }
}

/// Writes an answer: texts as they are, the rest as JSON.
fn said(reply: &Reply) -> Said {
    match &reply.outcome {
        Ok(result) => {
            let texts: Option<Vec<&str>> = result
                .get("content")
                .and_then(Value::as_array)
                .filter(|content| !content.is_empty() && result.get("structuredContent").is_none())
                .and_then(|content| content.iter().map(|part| part.get("text").and_then(Value::as_str)).collect());
            let text = match texts {
                Some(texts) => visible(&texts.join("\n")),
                None => visible(&serde_json::to_string_pretty(result).unwrap_or_default()),
            };
            let (text, value) = (format!("{}\n", text.trim_end()), result.clone());
            if reply.is_tool_error() { Said::Failed { text: format!("tool error: {text}"), value } } else { Said::Shown { text, value } }
        }
        Err(error) => refused(error),
    }
}

fn refused(error: &RpcError) -> Said {
    let data = error.data.as_ref().map(|data| format!("\n{data}")).unwrap_or_default();
    let text = visible(&format!("error {}: {}{data}\n", error.code, error.message));
    let data = error.data.as_ref().and_then(|data| data.read::<Value>().ok());
    Said::Failed { text, value: json!({ "error": { "code": error.code, "message": error.message, "data": data } }) }
}
