//! Lines of a person at a terminal, with completion; or from standard input.

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
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines as TokioLines, Stdin};
use tokio::sync::oneshot;

use super::complete::{Suggest, Words};
use super::person::Lines;

/// What is known, and whom to ask for the rest.
#[derive(Default)]
struct Known {
    words: Words,
    suggest: Option<Suggest>,
}

struct Completing(Arc<Mutex<Known>>);

impl Completer for Completing {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let line = line.get(..position).unwrap_or(line);
        let (found, wish, suggest) = {
            let known = self.0.lock();
            (known.words.complete(line), known.words.wish(line), known.suggest.clone())
        };
        Ok(match (wish, suggest) {
            (Some(wish), Some(suggest)) => wish.filled(&suggest(&wish.params)),
            _ => found,
        })
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
    known: Arc<Mutex<Known>>,
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
        let known = Arc::new(Mutex::new(Known::default()));
        editor.set_helper(Some(Completing(Arc::clone(&known))));
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
        Ok(Self { wanted, known, printer: Mutex::new(print) })
    }

    /// Says what can be completed from now on.
    pub fn learn(&self, words: Words) {
        self.known.lock().words = words;
    }

    /// Says whom to ask for values that only the server knows.
    pub fn suggest(&self, suggest: Option<Suggest>) {
        self.known.lock().suggest = suggest;
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
