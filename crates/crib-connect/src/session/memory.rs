//! What is learnt about one legacy upstream across its sessions: which tools run as tasks, and where tasks run.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use crib_mcp::{Method, Notification, Payload};
use crib_model::limits::STREAM_QUEUE_MAX;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::legacy::Session;

/// Tools remembered of one upstream; beyond it new ones are not.
const TOOLS_MAX: usize = 20_000;
/// Tasks remembered of one upstream; the oldest goes first.
const TASKS_MAX: usize = 4096;

/// Whether a tool can run as a task (`execution.taskSupport` of 2025-11-25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskSupport {
    Optional,
    Required,
}

/// Shared by all sessions of an upstream.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Changes of lists, whichever process of the server told of them: what one of them offers the others do too.
    lists: broadcast::Sender<Notification>,
    tools: Mutex<HashMap<String, TaskSupport>>,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    homes: HashMap<String, Weak<Session>>,
    order: VecDeque<String>,
}

// === impl Memory ===

impl Default for Memory {
    fn default() -> Self {
        Self { lists: broadcast::channel(STREAM_QUEUE_MAX).0, tools: Mutex::default(), tasks: Mutex::default() }
    }
}

impl Memory {
    pub(crate) fn lists(&self) -> &broadcast::Sender<Notification> {
        &self.lists
    }

    /// Reads a result that went by: the list of tools says which of them run as tasks.
    pub(crate) fn learn(&self, method: &Method, result: &Payload) {
        if *method != Method::ToolsList {
            return;
        }
        let listed = result.get("tools").and_then(|tools| tools.to_elements().ok()).unwrap_or_default();
        for tool in listed.iter().filter_map(|tool| tool.to_object().ok()) {
            let execution = tool.get("execution").and_then(|execution| execution.to_object().ok());
            let support = match execution.as_ref().and_then(|execution| execution.text("taskSupport")).as_deref() {
                Some("required") => Some(TaskSupport::Required),
                Some("optional") => Some(TaskSupport::Optional),
                _ => None,
            };
            if let Some(name) = tool.text("name") {
                self.note_tool(&name, support);
            }
        }
    }

    pub(crate) fn note_tool(&self, name: &str, support: Option<TaskSupport>) {
        let mut tools = self.tools.lock();
        match support {
            Some(support) if tools.len() < TOOLS_MAX => {
                tools.insert(name.to_owned(), support);
            }
            Some(_) => {}
            None => {
                tools.remove(name);
            }
        }
    }

    pub(crate) fn support(&self, tool: &str) -> Option<TaskSupport> {
        self.tools.lock().get(tool).copied()
    }

    /// Notes in which session a task runs: nobody else knows it.
    pub(crate) fn note_task(&self, id: &str, session: &Arc<Session>) {
        let mut tasks = self.tasks.lock();
        if tasks.homes.insert(id.to_owned(), Arc::downgrade(session)).is_none() {
            tasks.order.push_back(id.to_owned());
        }
        if tasks.order.len() > TASKS_MAX
            && let Some(oldest) = tasks.order.pop_front()
        {
            tasks.homes.remove(&oldest);
        }
    }

    /// Returns the session a task runs in, while it lives.
    pub(crate) fn home(&self, task: &str) -> Option<Arc<Session>> {
        self.tasks.lock().homes.get(task)?.upgrade().filter(|session| !session.link.is_over())
    }
}
