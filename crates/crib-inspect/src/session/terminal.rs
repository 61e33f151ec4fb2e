//! Lines of a person at a terminal, with completion; or from standard input.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crib_model::BoxFuture;
use parking_lot::Mutex;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter, Helper};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines as TokioLines, Stdin};
use tokio::sync::oneshot;

use super::COMMANDS;
use super::person::Lines;
use crate::overview::Overview;

/// What can be completed.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// Tools and prompts, each with its arguments.
    tools: BTreeMap<String, Vec<String>>,
    prompts: BTreeMap<String, Vec<String>>,
    uris: Vec<String>,
    /// Lines begin with a tool, and commands with `/`.
    are_of_tools: bool,
}

// === impl Words ===

impl Words {
    pub(super) fn of(overview: &Overview) -> Self {
        let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
        let properties = |tool: &Value| {
            let properties = tool.get("inputSchema").and_then(|schema| schema.get("properties")?.as_object());
            properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
        };
        let arguments = |prompt: &Value| prompt.get("arguments").and_then(Value::as_array).into_iter().flatten().filter_map(name).collect();
        Self {
            tools: overview.tools.iter().filter_map(|tool| Some((name(tool)?, properties(tool)))).collect(),
            prompts: overview.prompts.iter().filter_map(|prompt| Some((name(prompt)?, arguments(prompt)))).collect(),
            uris: overview.resources.iter().filter_map(|item| item.get("uri")?.as_str().map(str::to_owned)).collect(),
            are_of_tools: false,
        }
    }

    /// Completes lines that begin with a tool and need no command for it; commands begin with `/`.
    #[must_use]
    pub fn of_tools(self) -> Self {
        Self { are_of_tools: true, ..self }
    }

    /// Returns what the last word of a line may become, and where that word begins.
    #[must_use]
    pub fn complete(&self, line: &str) -> (usize, Vec<String>) {
        if !self.are_of_tools {
            return self.commanded(line);
        }
        const CALL: &str = "call ";
        match line.strip_prefix('/') {
            Some(command) => {
                let (start, words) = self.commanded(command);
                (start + 1, words)
            }
            None => {
                let (start, mut words) = self.commanded(&[CALL, line].concat());
                // Behind the tool come its arguments.
                if !line.contains(' ') {
                    words.iter_mut().for_each(|word| word.push(' '));
                }
                (start.saturating_sub(CALL.len()), words)
            }
        }
    }

    fn commanded(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(' ').map_or(0, |at| at + 1);
        let (before, last) = line.split_at(start);
        let before: Vec<&str> = before.split_whitespace().collect();
        let candidates: Vec<Cow<'_, str>> = match before.as_slice() {
            [] => COMMANDS.into_iter().map(Cow::from).collect(),
            ["call" | "start"] => self.tools.keys().map(Cow::from).collect(),
            ["prompt"] | ["complete", "prompt"] => self.prompts.keys().map(Cow::from).collect(),
            ["read" | "subscribe"] => self.uris.iter().map(Cow::from).collect(),
            ["complete"] => vec!["prompt".into(), "resource".into()],
            ["complete", "prompt", name] => self.prompts.get(*name).into_iter().flatten().map(Cow::from).collect(),
            ["log"] => ["debug", "info", "notice", "warning", "error"].map(Cow::from).into(),
            ["call" | "start", name, given @ ..] => assignments(self.tools.get(*name), given),
            ["prompt", name, given @ ..] => assignments(self.prompts.get(*name), given),
            _ => Vec::new(),
        };
        (start, candidates.into_iter().filter(|word| word.starts_with(last)).map(Cow::into_owned).collect())
    }
}

/// Arguments that are not given yet.
fn assignments<'a>(names: Option<&'a Vec<String>>, given: &[&str]) -> Vec<Cow<'a, str>> {
    let is_given = |name: &str| given.iter().any(|word| word.split(['=', ':']).next() == Some(name));
    names.into_iter().flatten().filter(|name| !is_given(name)).map(|name| Cow::from(format!("{name}="))).collect()
}

struct Completing(Arc<Mutex<Words>>);

impl Completer for Completing {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.0.lock().complete(line.get(..position).unwrap_or(line)))
    }
}

impl Hinter for Completing {
    type Hint = String;
}

impl Highlighter for Completing {}
impl Validator for Completing {}
impl Helper for Completing {}

/// A line that is wanted.
struct Wanted {
    prompt: String,
    tell: oneshot::Sender<Option<String>>,
}

type Printer = Box<dyn FnMut(&str) + Send>;

/// A terminal with a line editor, on a thread of its own that ends when this does.
pub struct Terminal {
    wanted: SyncSender<Wanted>,
    words: Arc<Mutex<Words>>,
    printer: Mutex<Printer>,
}

// === impl Terminal ===

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// There is none that can be used.
    pub fn open() -> Result<Self, String> {
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
        let mut editor: Editor<Completing, _> = Editor::with_config(config).map_err(|error| error.to_string())?;
        let words = Arc::new(Mutex::new(Words::default()));
        editor.set_helper(Some(Completing(Arc::clone(&words))));
        let mut printer = editor.create_external_printer().map_err(|error| error.to_string())?;
        let (wanted, wishes) = sync_channel::<Wanted>(1);
        let reading = move || {
            while let Ok(Wanted { prompt, tell }) = wishes.recv() {
                let line = match editor.readline(&prompt) {
                    Ok(line) => Some(line),
                    // Ctrl-C gives up the line, Ctrl-D the conversation.
                    Err(ReadlineError::Interrupted) => Some(String::new()),
                    Err(_) => None,
                };
                if tell.send(line).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("prompt".to_owned()).spawn(reading).map_err(|error| error.to_string())?;
        let print: Printer = Box::new(move |text| drop(printer.print(text.to_owned())));
        Ok(Self { wanted, words, printer: Mutex::new(print) })
    }

    /// Says what can be completed from now on.
    pub fn learn(&self, words: Words) {
        *self.words.lock() = words;
    }
}

impl Lines for Terminal {
    fn read(&self, prompt: &str) -> BoxFuture<'static, Option<String>> {
        let (tell, line) = oneshot::channel();
        let sent = self.wanted.try_send(Wanted { prompt: prompt.to_owned(), tell });
        Box::pin(async move {
            sent.ok()?;
            line.await.ok()?
        })
    }

    fn show(&self, text: &str) {
        (self.printer.lock())(text);
    }
}

/// Standard input, line by line.
pub struct StandardInput(Arc<tokio::sync::Mutex<TokioLines<BufReader<Stdin>>>>);

// === impl StandardInput ===

impl std::fmt::Debug for StandardInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandardInput").finish_non_exhaustive()
    }
}

impl StandardInput {
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(tokio::sync::Mutex::new(BufReader::new(tokio::io::stdin()).lines())))
    }
}

impl Default for StandardInput {
    fn default() -> Self {
        Self::new()
    }
}

impl Lines for StandardInput {
    fn read(&self, _: &str) -> BoxFuture<'static, Option<String>> {
        let lines = Arc::clone(&self.0);
        Box::pin(async move { lines.lock().await.next_line().await.ok().flatten() })
    }

    /// What is asked shows in the log.
    fn show(&self, _: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words {
            tools: BTreeMap::from([("add".to_owned(), vec!["a".to_owned(), "b".to_owned()]), ("ask".to_owned(), Vec::new())]),
            prompts: BTreeMap::from([("greet".to_owned(), vec!["name".to_owned()])]),
            uris: vec!["demo://a".to_owned()],
            are_of_tools: false,
        }
    }

    #[test]
    fn commands_tools_and_arguments_are_completed() {
        let complete = |line: &str| words().complete(line).1;
        assert_eq!(complete("to"), ["tools"]);
        assert_eq!(complete("call a"), ["add", "ask"]);
        assert_eq!(complete("call add "), ["a=", "b="]);
        assert_eq!(complete("call add a=1 "), ["b="]);
        assert_eq!(complete("prompt greet n"), ["name="]);
        assert_eq!(complete("read d"), ["demo://a"]);
        assert_eq!(words().complete("call add b").0, 9);
    }

    #[test]
    fn tools_are_completed_without_a_command() {
        let complete = |line: &str| words().of_tools().complete(line);
        assert_eq!(complete("a"), (0, vec!["add ".to_owned(), "ask ".to_owned()]));
        assert_eq!(complete("add a=1 "), (8, vec!["b=".to_owned()]));
        assert_eq!(complete("/too"), (1, vec!["tools".to_owned()]));
        assert_eq!(complete("/read d"), (6, vec!["demo://a".to_owned()]));
    }
}
