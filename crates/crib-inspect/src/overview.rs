//! A server at a glance: its era, what it says of itself, and its lists.

use std::fmt::{self, Write as _};

use crib_model::Fault;
use crib_registry::pins::visible;
use serde::Serialize;
use serde_json::Value;

use crate::client::{Client, LISTS, List};
use crate::words::{Speak, label, plainly};

/// Entries of one list that are shown to people.
const SHOWN_MAX: usize = 200;

/// What a server is, in one look.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub server: String,
    pub era: &'static str,
    pub revision: &'static str,
    pub transport: &'static str,
    /// What `server/discover` or `initialize` said.
    pub hello: Value,
    pub tools: Vec<Value>,
    pub resources: Vec<Value>,
    pub resource_templates: Vec<Value>,
    pub prompts: Vec<Value>,
    /// What is not as it should be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

// === impl Overview ===

impl Overview {
    /// What is known from the handshake alone.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        let hello = client.hello();
        Self {
            server: client.name().to_owned(),
            era: hello.era(),
            revision: hello.revision.as_str(),
            transport: hello.transport,
            hello: hello.result.clone(),
            tools: Vec::new(),
            resources: Vec::new(),
            resource_templates: Vec::new(),
            prompts: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads everything a server promises to have.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn read(client: &Client) -> Result<Self, Fault> {
        let mut overview = Self::of(client);
        let hello = client.hello();
        for list in LISTS.into_iter().filter(|list| hello.offers(list.capability())) {
            overview.take(client, list).await?;
        }
        Ok(overview)
    }

    async fn take(&mut self, client: &Client, list: List) -> Result<(), Fault> {
        let pages = match client.list(list).await {
            Ok(pages) => pages,
            Err(fault) if fault.code() == crib_model::Code::ProtocolBroken => {
                self.problems.push(fault.to_string());
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        let Some(pages) = pages else {
            // Templates are a list of their own that many servers leave out.
            if list != List::Templates {
                self.problems.push(format!("{} is promised and not there", list.method()));
            }
            return Ok(());
        };
        self.problems.extend(pages.problems.iter().map(|problem| format!("{}: {problem}", list.method())));
        *match list {
            List::Tools => &mut self.tools,
            List::Resources => &mut self.resources,
            List::Templates => &mut self.resource_templates,
            List::Prompts => &mut self.prompts,
        } = pages.items;
        Ok(())
    }
}

impl fmt::Display for Overview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(plainly))
    }
}

impl Overview {
    /// Writes the overview for people.
    #[must_use]
    pub fn told(&self, speak: Speak) -> String {
        let mut out = String::new();
        // A text takes everything.
        self.write(&mut out, speak).unwrap_or_default();
        out
    }

    fn write(&self, f: &mut String, speak: Speak) -> fmt::Result {
        let label = |name: &str| label(speak, name, 13);
        let text = |value: &Value, name: &str| visible(value.get(name).and_then(Value::as_str).unwrap_or_default()).replace('\n', " ");
        let info = self.hello.get("serverInfo").or_else(|| self.hello.get("_meta")?.get(crib_mcp::meta::SERVER_INFO));
        let info = info.map(|info| format!("{} {}", text(info, "name"), text(info, "version"))).unwrap_or_default();
        writeln!(f, "{} {}   {}", label("server"), self.server, info.trim())?;
        writeln!(f, "{} {}", label("era"), speak(&format!("{} {} over {}", self.era, self.revision, self.transport)))?;
        let names: Vec<&str> =
            self.hello.get("capabilities").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let names = if names.is_empty() { speak("none").into_owned() } else { visible(&names.join(", ")) };
        writeln!(f, "{} {names}", label("capabilities"))?;
        if let Some(instructions) = self.hello.get("instructions").and_then(Value::as_str) {
            let first = visible(instructions.trim().lines().next().unwrap_or_default());
            let count = speak(&format!("{} characters: ", instructions.chars().count())).into_owned();
            writeln!(f, "{} {count}{}", label("instructions"), cut(&first, 80))?;
        }
        f.write_str(&section((speak, "tools"), &self.tools, signature))?;
        f.write_str(&section((speak, "resources"), &self.resources, |item| text(item, "uri")))?;
        f.write_str(&section((speak, "resource templates"), &self.resource_templates, |item| text(item, "uriTemplate")))?;
        f.write_str(&section((speak, "prompts"), &self.prompts, prompt_signature))?;
        for problem in &self.problems {
            writeln!(f, "\n{} {}", label("problem"), speak(&visible(problem)))?;
        }
        Ok(())
    }
}

fn section((speak, title): (Speak, &str), items: &[Value], name: impl Fn(&Value) -> String) -> String {
    let mut out = String::new();
    if items.is_empty() {
        return out;
    }
    let title = if items.len() == 1 { title.trim_end_matches('s') } else { title };
    out.extend(["\n", &speak(&format!("{} {title}", items.len())), "\n"]);
    for item in items.iter().take(SHOWN_MAX) {
        let about = item.get("description").or_else(|| item.get("title")).and_then(Value::as_str).unwrap_or_default();
        let about = cut(&visible(about.trim().lines().next().unwrap_or_default()), 90);
        let gap = if about.is_empty() { "" } else { "\n      " };
        out.extend(["  ", &name(item), gap, &about, "\n"]);
    }
    if items.len() > SHOWN_MAX {
        out.extend([" ", &speak(&format!(" and {} more", items.len() - SHOWN_MAX)), "\n"]);
    }
    out
}

/// Writes a tool as `add(a: number, [b: number])`.
#[must_use]
pub(crate) fn signature(tool: &Value) -> String {
    let schema = tool.get("inputSchema");
    let required: Vec<&str> =
        schema.and_then(|schema| schema.get("required")?.as_array()).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    let show = |(name, schema): (&String, &Value)| {
        let text = format!("{}: {}", visible(name), kind(schema));
        if required.contains(&name.as_str()) { text } else { format!("[{text}]") }
    };
    let parameters: Vec<String> = properties.into_iter().flatten().map(show).collect();
    format!("{}({})", named(tool), parameters.join(", "))
}

fn prompt_signature(prompt: &Value) -> String {
    let show = |argument: &Value| {
        if argument.get("required") == Some(&Value::Bool(true)) { named(argument) } else { format!("[{}]", named(argument)) }
    };
    let arguments: Vec<String> = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten().map(show).collect();
    format!("{}({})", named(prompt), arguments.join(", "))
}

fn named(item: &Value) -> String {
    cut(&visible(item.get("name").and_then(Value::as_str).unwrap_or("(no name)")).replace('\n', " "), 80)
}

pub(crate) fn kind(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(kind)) if kind == "array" => format!("{}[]", schema.get("items").map_or_else(|| "any".to_owned(), kind_of)),
        Some(Value::String(kind)) => visible(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).map(visible).collect::<Vec<_>>().join("|"),
        Some(_) | None => "any".to_owned(),
    }
}

fn kind_of(schema: &Value) -> String {
    kind(schema)
}

pub(crate) fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars { text.to_owned() } else { text.chars().take(chars).chain(['…']).collect() }
}
