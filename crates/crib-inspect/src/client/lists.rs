//! The lists a server has, page by page.

use std::collections::HashSet;

use crib_mcp::header::ParamHeaders;
use crib_mcp::{Json, Method};
use crib_model::{Code, Fault};
use serde::Serialize;
use serde_json::{Value, json};

use super::Client;

/// Pages read of one list.
const PAGES_MAX: usize = 200;
/// Entries read of one list.
const ITEMS_MAX: usize = 20_000;

/// One of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    Tools,
    Resources,
    Templates,
    Prompts,
}

/// All lists.
pub const LISTS: [List; 4] = [List::Tools, List::Resources, List::Templates, List::Prompts];

/// A whole list, and what was odd about its pages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pages {
    pub items: Vec<Value>,
    pub pages: usize,
    /// What breaks the rules of paging.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

// === impl List ===

impl List {
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Tools => Method::ToolsList,
            Self::Resources => Method::ResourcesList,
            Self::Templates => Method::ResourcesTemplatesList,
            Self::Prompts => Method::PromptsList,
        }
    }

    /// Returns the member of the result that holds the entries.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }

    /// Returns the capability that promises it.
    #[must_use]
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources | Self::Templates => "resources",
            Self::Prompts => "prompts",
        }
    }
}

// === impl Client ===

impl Client {
    /// Reads a whole list. `None` where the server has no such list.
    ///
    /// # Errors
    /// The server is gone, or answers with an error.
    pub async fn list(&self, list: List) -> Result<Option<Pages>, Fault> {
        let mut pages = Pages::default();
        let mut cursors: HashSet<String> = HashSet::new();
        let mut params = json!({});
        loop {
            let reply = self.request(list.method().as_str(), params).await?;
            let result = match reply.outcome {
                Ok(result) => result,
                Err(error) if error.code == crib_mcp::code::METHOD_NOT_FOUND && pages.pages == 0 => return Ok(None),
                Err(error) => {
                    let message = format!("`{}` does not list its {}", self.name(), list.member());
                    return Err(Fault::new(Code::ProtocolBroken, message).because(format!("{} ({})", error.message, error.code)));
                }
            };
            pages.pages += 1;
            match result.get(list.member()).and_then(Value::as_array) {
                Some(items) => pages.items.extend(items.iter().cloned()),
                None => pages.problems.push(format!("page {} has no `{}`", pages.pages, list.member())),
            }
            let Some(cursor) = result.get("nextCursor").and_then(Value::as_str) else { break };
            if !cursors.insert(cursor.to_owned()) {
                pages.problems.push(format!("page {} leads back to an earlier one", pages.pages));
                break;
            }
            if pages.pages == PAGES_MAX || pages.items.len() >= ITEMS_MAX {
                pages.problems.push(format!("there is more behind {} entries", pages.items.len()));
                break;
            }
            params = json!({ "cursor": cursor });
        }
        if list == List::Tools {
            self.learn(&pages.items);
        }
        Ok(Some(pages))
    }

    /// Notes which arguments are repeated in headers, and which tools are tasks.
    fn learn(&self, tools: &[Value]) {
        self.0.tasks.lock().learn(tools);
        let mut known = self.0.param_headers.lock();
        for tool in tools {
            let (Some(name), Some(schema)) = (tool.get("name").and_then(Value::as_str), tool.get("inputSchema")) else { continue };
            if let Ok(Some(headers)) = ParamHeaders::from_schema(&Json::of(schema)) {
                known.insert(name.to_owned(), headers);
            }
        }
    }
}
