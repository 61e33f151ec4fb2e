//! `toolcrib run -i`: tools by their names at a prompt.

use std::io::IsTerminal as _;
use std::sync::Arc;

use crib_inspect::{
    Asker, Client, Confinement, Decline, Lines, Mistake, Options, Origin, Person, Said, Session, StandardInput, Tap, Target, Terminal,
    UrlTransport, Way,
};
use crib_transport::Endpoint;

use super::slug;
use crate::args::Run;
use crate::background::Gateway;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::signals::{Signals, Wish};
use crate::world;

const PROMPT: &str = ">>> ";
const HELP: &str = "\
TOOL k=v k:=JSON   call a tool; text is typed by the tool's schema, tab completes names
/tools             list tools, and their arguments
/help              the other commands, each with / in front
/bye               end
";

/// Leads a conversation with a server behind the gateway, until the person has had enough.
pub(super) async fn lead(name: &str, args: &Run, gateway: &Gateway, output: &Output) -> Result<(), Failure> {
    let is_at_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && output.can_ask();
    let terminal = if is_at_terminal {
        Some(Arc::new(Terminal::open().map_err(|why| Failure::usage("there is no terminal that can be used").because(why))?))
    } else {
        None
    };
    let asker: Arc<dyn Asker> = match &terminal {
        Some(terminal) => Arc::new(Person::new(Arc::clone(terminal) as Arc<dyn Lines>)),
        None => Arc::new(Decline),
    };
    let options = Options { timeout: args.timeout, start_timeout: args.timeout, ..Options::default() };
    let client = Client::connect(&target(name, gateway)?, &options, &Tap::new(Vec::new()), asker).await?;
    let mut signals = Signals::new()?;
    let result = match &terminal {
        Some(terminal) => talk(&client, terminal, &mut signals, output).await,
        None => tokio::select! {
            result = read(&client, output) => result,
            _ = signals.stop() => Err(Failure::shown(Exit::Interrupted)),
        },
    };
    client.close().await;
    result
}

fn target(name: &str, gateway: &Gateway) -> Result<Target, Failure> {
    let url = Endpoint::parse(&format!("{}/mcp/{}", gateway.url.trim_end_matches('/'), slug(name)))?;
    let key = world::variable("TOOLCRIB_KEY").filter(|key| !key.is_empty());
    let headers = key.map(|key| ("Authorization".to_owned(), format!("Bearer {key}"))).into_iter().collect();
    let way = Way::Url { url, headers, transport: UrlTransport::Streamable };
    let origin = Origin { confinement: Confinement::Elsewhere, ..Origin::default() };
    Ok(Target { name: name.to_owned(), way, origin })
}

/// A line as the inspector takes it: a tool and its arguments, or one of its commands.
fn command(line: &str) -> String {
    let line = line.trim();
    match line.strip_prefix('/') {
        Some("bye") => "quit".to_owned(),
        Some(command) => command.to_owned(),
        None if line.is_empty() => String::new(),
        None if matches!(line, "exit" | "quit") => "quit".to_owned(),
        None => format!("call {line}"),
    }
}

/// A person leads it.
async fn talk(client: &Client, terminal: &Terminal, signals: &mut Signals, output: &Output) -> Result<(), Failure> {
    let mut session = Session::open(client.clone()).await?;
    terminal.learn(session.words().of_tools());
    terminal.suggest(session.suggest());
    terminal.show(&crate::tongue::said(HELP));
    loop {
        let line = tokio::select! {
            line = terminal.read(PROMPT) => line,
            _ = signals.stop() => return Err(Failure::shown(Exit::Interrupted)),
        };
        let Some(line) = line.map(|line| command(&line)) else { break };
        if line == "help" {
            terminal.show(&crate::tongue::said(HELP));
        }
        let said = tokio::select! {
            said = session.run(&line) => said,
            wish = signals.stop() => {
                if wish != Wish::Interrupt {
                    return Err(Failure::shown(Exit::Interrupted));
                }
                // Who interrupts a call wants the prompt back.
                terminal.show("\n");
                continue;
            }
        };
        match said {
            Ok(Said::Quit) => break,
            Ok(Said::Shown { .. }) if line == "help" => terminal.show(&help()),
            Ok(Said::Shown { text, .. }) => terminal.show(&text),
            Ok(Said::Failed { text, .. }) => terminal.show(&[text, near(&session, &line)].concat()),
            Err(mistake @ Mistake::Line { .. }) => output.failure(&told(mistake)),
            Err(Mistake::Fault(fault)) => output.failure(&Failure::from(fault)),
        }
        terminal.learn(session.words().of_tools());
    }
    Ok(())
}

/// The inspector's help, as its commands are written here.
fn help() -> String {
    let is_other = |line: &&str| !["call ", "quit "].iter().any(|word| line.starts_with(word));
    let slashed = |line: &str| {
        let (commands, about) = line.split_once("  ").unwrap_or((line, ""));
        format!("/{:<33}{}\n", commands.replace(", ", ", /"), about.trim_start())
    };
    crate::tongue::said(crib_inspect::HELP).lines().filter(is_other).map(slashed).collect()
}

/// Says what was wrong with a line, in the commands as they are written here.
fn told(mistake: Mistake) -> Failure {
    match mistake {
        Mistake::Fault(fault) => Failure::from(fault),
        Mistake::Line { message, hint } => {
            let is_command = |hint: &str| hint.split(' ').next().is_some_and(|word| crib_inspect::COMMANDS.contains(&word));
            let slashed =
                |hint: String| if is_command(&hint) { format!("/{hint}") } else { hint.replace("commands: help", "commands: /help") };
            hint.map(slashed).into_iter().fold(Failure::usage(message), Failure::hint)
        }
    }
}

/// Names the tool that was meant, where a call names none.
fn near(session: &Session, line: &str) -> String {
    let Some(name) = line.strip_prefix("call ").and_then(|rest| rest.split_whitespace().next()) else { return String::new() };
    let names: Vec<&str> = session.overview().tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    if names.contains(&name) {
        return String::new();
    }
    let near = crib_control::nearest(name, names.iter().copied());
    let hint = near.map_or_else(|| "tools: /tools".to_owned(), |near| format!("did you mean `{near}`?"));
    format!("{}: {}\n", crate::tongue::said("hint"), crate::tongue::said(&hint))
}

/// Lines come from standard input; the first that fails decides the exit status, the others are done all the same.
async fn read(client: &Client, output: &Output) -> Result<(), Failure> {
    let lines = StandardInput::new();
    let mut session = Session::open(client.clone()).await?;
    let mut first: Option<Failure> = None;
    while let Some(line) = lines.read("").await {
        let line = command(&line);
        if line.is_empty() || line.starts_with("call #") {
            continue;
        }
        match session.run(&line).await {
            Ok(Said::Quit) => break,
            Ok(Said::Shown { .. }) if line == "help" => output.data(&help())?,
            Ok(Said::Shown { text, .. }) => output.data(&text)?,
            Ok(Said::Failed { text, .. }) => {
                output.data(&[text, near(&session, &line)].concat())?;
                first.get_or_insert_with(|| Failure::shown(Exit::Tool));
            }
            Err(mistake) => {
                let failed = told(mistake);
                output.failure(&failed);
                first.get_or_insert_with(|| Failure::shown(failed.exit()));
            }
        }
    }
    first.map_or(Ok(()), Err)
}
