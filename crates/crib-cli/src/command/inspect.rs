//! `toolcrib inspect`: arguments in, what the inspector says out.

mod suite;
mod target;
mod watch;

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crib_inspect::{
    Abilities, Asker, Client, Decline, Grades, Ignored, Lens, Lines, Mistake, Options, Overview, Person, Plan, Player, Recording, Said,
    Seen, Session, Sink, StandardInput, Tap, Terminal,
};
use crib_model::Code;
use serde_json::{Value, json};

use crate::args::Inspect;
use crate::failure::{Exit, Failure};
use crate::output::{self, Output};
use crate::runtime;
use crate::signals::Signals;
use crate::tongue::said;
use suite::Official;
use target::Found;

pub(super) fn run(args: &Inspect, verbosity: u8, output: &Output) -> Result<(), Failure> {
    runtime::on_all_cores(async {
        if let (true, Some(path)) = (args.task.again.serve_stdio, &args.task.again.replay) {
            return play(path).await;
        }
        if args.task.watch.is_some() {
            return watch::watch(args, verbosity, output).await;
        }
        let found = target::find(args, output).await?;
        let mut signals = Signals::new()?;
        let result = Box::pin(task(args, &found, (verbosity, &mut signals), output)).await;
        let result = result.map_err(|failure| found.explained(failure));
        found.close().await;
        result
    })
}

async fn task(args: &Inspect, found: &Found, (verbosity, signals): (u8, &mut Signals), output: &Output) -> Result<(), Failure> {
    let is_talk = !args.task.lint && args.task.load.is_none() && !args.task.measured.grade && args.task.again.replay.is_none();
    if is_talk {
        return talk(args, found, (verbosity, signals), output).await;
    }
    tokio::select! {
        result = measure(args, found, verbosity, output) => result,
        _ = signals.stop() => Err(Failure::shown(Exit::Interrupted)),
    }
}

/// What ends by itself and is not a conversation.
async fn measure(args: &Inspect, found: &Found, verbosity: u8, output: &Output) -> Result<(), Failure> {
    let wants = &args.task;
    if wants.lint {
        return lint(args, found, output).await;
    }
    if let Some(duration) = wants.load {
        return load(args, found, duration, output).await;
    }
    if wants.measured.grade {
        return grade(args, found, verbosity, output).await;
    }
    match &wants.again.replay {
        Some(path) => replay(args, found, path, output).await,
        None => Ok(()),
    }
}

async fn lint(args: &Inspect, found: &Found, output: &Output) -> Result<(), Failure> {
    let tap = Tap::new(recorders(args, found)?);
    let client = Client::connect(&found.target, &options(args), &tap, Arc::new(Decline)).await?;
    let overview = Overview::read(&client).await;
    client.close().await;
    let report = crib_inspect::lint(&overview?);
    if output.is_json {
        output.document("lint", &report)?;
    } else {
        output.data(&report.told(said))?;
    }
    if report.errors == 0 {
        return Ok(());
    }
    let message = format!("the definitions of `{}` have {} errors", report.server, report.errors);
    Err(Failure::coded(Code::LintFound, message))
}

async fn load(args: &Inspect, found: &Found, duration: Duration, output: &Output) -> Result<(), Failure> {
    let arguments = match args.task.args.as_deref() {
        Some(text) => serde_json::from_str(text).map_err(|error| Failure::usage("--args is not JSON").because(error.to_string()))?,
        None => json!({}),
    };
    let tool = args.task.tool.clone().map(|tool| (tool, arguments));
    let plan = Plan { duration, connections: args.task.connections, tool };
    let report = crib_inspect::load(&found.target, &options(args), &plan).await?;
    if output.is_json {
        output.document("load", &report)?;
    } else {
        output.data(&report.told(said))?;
    }
    if report.has_failed() {
        return Err(Failure::new(Exit::Tool, "tool_error", format!("every call of `{}` failed", report.server)));
    }
    Ok(())
}

async fn grade(args: &Inspect, found: &Found, verbosity: u8, output: &Output) -> Result<(), Failure> {
    let mut sinks = recorders(args, found)?;
    if verbosity > 0 && !output.is_json {
        sinks.push(log(verbosity - 1, output, None));
    }
    let official = if args.task.measured.suite { Some(Official::ready(output).await?) } else { None };
    let suite = official.as_ref().map(Official::suite);
    let grade = crib_inspect::grade(&found.target, &options(args), sinks, suite.as_ref()).await;
    if let Some(official) = official {
        official.close().await;
    }
    let grade = grade?;
    let kept = Grades::of(&crate::shop::data()?).keep(&grade)?;
    if let Some(path) = kept {
        output.say(&format!("kept  {}", path.display()));
    }
    if output.is_json { output.document("grade", &grade) } else { output.data(&grade.told(said)) }
}

async fn replay(args: &Inspect, found: &Found, path: &Path, output: &Output) -> Result<(), Failure> {
    let recording = Recording::read(path)?;
    let tap = Tap::new(recorders(args, found)?);
    let lens = Lens { ignored: Ignored::new(&args.task.again.ignore), mask: found.mask.clone() };
    let report = crib_inspect::replay(&found.target, &options(args), &recording, &lens, &tap).await?;
    if output.is_json {
        output.document("replay", &report)?;
    } else {
        output.prose(&report.to_string())?;
    }
    if report.is_same() {
        return Ok(());
    }
    let message = format!("`{}` answers {} requests otherwise than when they were recorded", report.server, report.rows.len());
    Err(Failure::coded(Code::ReplayDiffers, message))
}

/// Is the recorded server, on standard input and output.
async fn play(path: &Path) -> Result<(), Failure> {
    let player = Player::new(&Recording::read(path)?);
    Ok(player.serve(tokio::io::stdin(), tokio::io::stdout()).await?)
}

fn recorders(args: &Inspect, found: &Found) -> Result<Vec<Sink>, Failure> {
    let path = args.look.record.as_deref();
    let mask = (!args.look.record_secrets).then(|| found.mask.clone());
    Ok(path.map(|path| crib_inspect::recorder(path, &found.target.name, mask)).transpose()?.into_iter().collect())
}

fn options(args: &Inspect) -> Options {
    Options {
        era: args.look.era,
        timeout: args.look.timeout,
        start_timeout: args.look.timeout.max(Duration::from_secs(1)),
        abilities: if args.look.bare { Abilities::None } else { Abilities::Full },
    }
}

/// A conversation: one request, the commands of a person or of standard input, or a look around.
async fn talk(args: &Inspect, found: &Found, (verbosity, signals): (u8, &mut Signals), output: &Output) -> Result<(), Failure> {
    let is_at_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && output.can_ask();
    let is_led = args.task.method.is_none();
    let terminal = if is_led && is_at_terminal {
        Some(Arc::new(Terminal::open().map_err(|why| Failure::usage("there is no terminal that can be used").because(why))?))
    } else {
        None
    };
    let mut sinks = recorders(args, found)?;
    sinks.push(log(verbosity, output, terminal.clone()));
    let asker: Arc<dyn Asker> = match &terminal {
        Some(terminal) => Arc::new(Person::new(Arc::clone(terminal) as Arc<dyn Lines>).speaking(said)),
        None => Arc::new(Decline),
    };
    let tap = Tap::new(sinks);
    let options = options(args);
    let client = tokio::select! {
        client = Client::connect(&found.target, &options, &tap, asker) => client?,
        _ = signals.stop() => return Err(Failure::shown(Exit::Interrupted)),
    };
    let conversation = async {
        match (&args.task.method, &terminal) {
            (Some(method), _) => one(&client, method, args.task.params.as_deref(), output).await,
            (None, Some(terminal)) => led(&client, terminal, output).await,
            (None, None) if has_input() => read(&client, output).await,
            (None, None) => look(&client, output).await,
        }
    };
    let result = tokio::select! {
        result = conversation => result,
        _ = signals.stop() => Err(Failure::shown(Exit::Interrupted)),
    };
    // A task that was waited for is cancelled here.
    client.close().await;
    result
}

/// Whether commands come on standard input: a pipe or a file, and not nothing.
#[cfg(unix)]
fn has_input() -> bool {
    let Ok(stat) = rustix::fs::fstat(std::io::stdin()) else { return false };
    let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
    matches!(kind, rustix::fs::FileType::Fifo | rustix::fs::FileType::RegularFile | rustix::fs::FileType::Socket)
}

/// Whether commands come on standard input: whatever is no terminal.
#[cfg(not(unix))]
fn has_input() -> bool {
    !std::io::IsTerminal::is_terminal(&std::io::stdin())
}

/// Shows every message: as a line of the log, in full, or as a line of JSON.
fn log(verbosity: u8, output: &Output, terminal: Option<Arc<Terminal>>) -> Sink {
    let (is_json, is_quiet) = (output.is_json, output.is_quiet());
    Arc::new(move |seen: &Seen| {
        if is_json {
            let line = json!({ "schema": "toolcrib/v1/message", "message": seen });
            drop(Output::line(&line.to_string()));
        } else if !is_quiet {
            let text = if verbosity > 0 { crib_inspect::lines(seen) } else { crib_inspect::line(seen) };
            match &terminal {
                Some(terminal) => terminal.show(&format!("{text}\n")),
                None => output::note(&format!("{text}\n")),
            }
        }
    })
}

async fn look(client: &Client, output: &Output) -> Result<(), Failure> {
    let overview = Overview::read(client).await?;
    if output.is_json { output.document("inspect", &overview) } else { output.data(&overview.told(said)) }
}

async fn one(client: &Client, method: &str, params: Option<&str>, output: &Output) -> Result<(), Failure> {
    let params = match params {
        Some(text) => serde_json::from_str(text).map_err(|error| Failure::usage("--params is not JSON").because(error.to_string()))?,
        None => json!({}),
    };
    let session = Session::bare(client.clone()).speaking(said);
    // Arguments that are repeated in headers, and tools that are tasks, are known from the list.
    if method == "tools/call" && (client.hello().transport == "http" || client.has_tasks()) {
        client.list(crib_inspect::List::Tools).await?;
    }
    let said = session.ask(method, params).await.map_err(failure)?;
    show(&said, output)
}

/// A person leads the conversation.
async fn led(client: &Client, terminal: &Terminal, output: &Output) -> Result<(), Failure> {
    let mut session = Session::open(client.clone()).await?.speaking(said);
    terminal.learn(session.words());
    terminal.suggest(session.suggest());
    terminal.show(&session.overview().told(said));
    terminal.show(&said("\nhelp says what can be typed; tab completes it\n"));
    while let Some(line) = terminal.read("> ").await {
        match session.run(&line).await {
            Ok(Said::Quit) => break,
            Ok(Said::Shown { text, .. } | Said::Failed { text, .. }) => terminal.show(&text),
            Err(mistake @ Mistake::Line { .. }) => terminal.show(&format!("{}\n", said(&mistake.to_string()))),
            Err(Mistake::Fault(fault)) => output.failure(&Failure::from(fault)),
        }
        terminal.learn(session.words());
    }
    Ok(())
}

/// Commands come from standard input; the first that fails decides the exit status, the others are done all the same.
async fn read(client: &Client, output: &Output) -> Result<(), Failure> {
    let lines = StandardInput::new();
    let mut session = Session::open(client.clone()).await?.speaking(said);
    let mut first: Option<Failure> = None;
    let mut count = 0_usize;
    while let Some(line) = lines.read("").await {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        count += 1;
        match session.run(&line).await {
            Ok(Said::Quit) => break,
            Ok(said) => first = show(&said, output).err().or(first),
            Err(mistake) => {
                let failed = failure(mistake);
                output.failure(&failed);
                first.get_or_insert_with(|| Failure::shown(failed.exit()));
            }
        }
    }
    // Nothing was asked: a look around.
    if count == 0 {
        let overview = session.overview();
        return if output.is_json { output.document("inspect", overview) } else { output.data(&overview.told(said)) };
    }
    first.map_or(Ok(()), Err)
}

fn show(said: &Said, output: &Output) -> Result<(), Failure> {
    let (text, value, failed) = match said {
        Said::Shown { text, value } => (text, value, false),
        Said::Failed { text, value } => (text, value, true),
        Said::Quit => return Ok(()),
    };
    if output.is_json {
        output.document("answer", &json!({ "answer": value }))?;
    } else if !text.is_empty() || *value != Value::Null {
        output.data(text)?;
    }
    if failed { Err(Failure::shown(Exit::Tool)) } else { Ok(()) }
}

fn failure(mistake: Mistake) -> Failure {
    match mistake {
        Mistake::Fault(fault) => Failure::from(fault),
        Mistake::Line { message, hint: Some(hint) } => Failure::usage(message).hint(hint),
        Mistake::Line { message, hint: None } => Failure::usage(message),
    }
}
