//! The command line.

mod connect;
mod examples;
mod inspect;
mod list;
mod market;
mod mistake;
mod new;
mod package;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueHint};

use crate::command::{Admin, Approve, Audit, Secret};
use crate::failure::Failure;
use crate::tongue;

pub(crate) use connect::{Connect, Doctor, ScopeName};
pub(crate) use inspect::Inspect;
pub(crate) use list::{List, Ps};
pub(crate) use market::{Registry, RegistryAdd, RegistryCommand, Search, StatusName};
pub(crate) use new::New;
pub(crate) use package::{Fetch, Level, Logs, Pull, Remove, Run, Sandbox, Stop, Transport};

pub(crate) const TEMPLATE: &str = "{about}\n\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";
const STYLES: Styles = Styles::styled().header(AnsiColor::Green.on_default().bold()).literal(AnsiColor::Cyan.on_default().bold());

/// All your MCP servers behind one endpoint.
#[derive(Debug, Parser)]
#[command(name = "toolcrib", bin_name = "toolcrib", version, styles = STYLES, help_template = TEMPLATE, max_term_width = 100)]
#[command(disable_help_subcommand = true, infer_long_args = false, next_line_help = false)]
#[command(before_help = "Examples:
  toolcrib run time                            start a server, in a sandbox
  toolcrib serve -c ~/.cursor/mcp.json         the servers of any MCP client, unchanged
  toolcrib connect                             add it to the clients that are installed
  toolcrib call demo.add a=88 b=22             call a tool
")]
#[command(after_help = "More: toolcrib help TOPIC   (clients, config, environment, errors, exit-codes)")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) show: Show,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How results are shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Show {
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What other programs call `--json`.
    #[arg(long, short = 'o', global = true, hide = true, value_parser = ["json", "text"])]
    pub(crate) format: Option<String>,
    /// Print results only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Print more; twice for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print everything.
    #[arg(long, global = true, hide = true)]
    pub(crate) debug: bool,
    /// Print without colours (also NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Never ask; fail where an answer is needed
    #[arg(long, global = true, env = "TOOLCRIB_NO_INPUT", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_input: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a server, pulling it first if needed
    Run(Box<Run>),
    /// Run the gateway
    Serve(Serve),
    /// List servers and their state
    #[command(visible_alias = "ls")]
    List(List),
    /// List the servers that are running
    #[command(hide = true)]
    Ps(Ps),
    /// Show a server's tools, or a tool's arguments
    Show(ShowTool),
    /// Call a tool and print the result
    Call(Call),
    /// Show what a server wrote to standard error, or calls
    Logs(Logs),
    /// Stop servers, or the gateway in the background
    Stop(Stop),
    /// Remove servers
    #[command(alias = "remove", alias = "uninstall")]
    Rm(Remove),
    /// Download or update servers without starting them
    #[command(alias = "install", alias = "add", alias = "update")]
    Pull(Pull),
    /// Find servers in registries
    #[command(alias = "find")]
    Search(Search),
    /// Add Toolcrib to Claude, Cursor, VS Code and other clients
    Connect(Box<Connect>),
    /// Create an MCP server project
    #[command(alias = "create", alias = "init")]
    New(New),
    /// Debug a server: messages, replay, lint, load, grade
    Inspect(Box<Inspect>),
    /// Find problems and fix them
    Doctor(Doctor),
    /// Approvals, secrets, registries and the audit log
    Admin(Admin),
    /// Approve changed tools
    #[command(hide = true)]
    Approve(Approve),
    /// Keep, list and forget secrets
    #[command(hide = true)]
    Secret(Secret),
    /// Where servers are looked for
    #[command(hide = true)]
    Registry(Registry),
    /// Check the audit log
    #[command(hide = true)]
    Audit(Audit),
    /// Explain an error code
    Explain(Explain),
    /// Print completions for a shell
    Completion(Completion),
    /// Print man pages
    #[command(hide = true)]
    Man(Man),
    /// Print the JSON schema of the configuration
    #[command(hide = true)]
    Schema,
    /// Print the version
    #[command(hide = true)]
    Version,
    /// Explain a command
    #[command(hide = true)]
    Help(Help),
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib serve                                   built-in server `demo` on http://127.0.0.1:8665/mcp
  toolcrib serve -c toolcrib.yaml -c team.json     your own servers; later files win
  toolcrib serve -c mcp.json --stdio               as one server of a client that starts it
  toolcrib serve -c toolcrib.yaml --check          find mistakes, start nothing
  toolcrib serve -c catalog.yaml --only time,git   chosen servers of a catalogue
  toolcrib serve --stdio https://example.com/mcp   one remote server, as a program
  toolcrib serve -- uvx mcp-server-time            one command, over HTTP
")]
pub(crate) struct Serve {
    /// One server to serve alone, under its own tool names: a URL or an .mcpb file
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) target: Option<String>,
    /// One command to serve alone, under its own tool names
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Variable of the command: NAME=VALUE, or NAME for your own value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Header for the URL: 'Authorization: Bearer ${env:TOKEN}'
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Name of the server [default: from the URL or the command]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// File with servers: our YAML, any MCP client's file, a catalogue, an .mcpb file
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath, env = "TOOLCRIB_CONFIG")]
    pub(crate) config: Vec<PathBuf>,
    /// Address to listen on, instead of the configured ones [default: 127.0.0.1:8665 and [::1]:8665]
    #[arg(long, short, value_name = "ADDRESS", env = "TOOLCRIB_LISTEN", value_delimiter = ',')]
    pub(crate) listen: Vec<String>,
    /// Speak on standard input and output instead of HTTP
    #[arg(long)]
    pub(crate) stdio: bool,
    /// Serve this server only, under its own tool names
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// Serve these servers of the files alone; of a catalogue, none is served that is not named
    #[arg(long, value_name = "NAME", value_delimiter = ',', conflicts_with = "server")]
    pub(crate) only: Vec<String>,
    /// Check the configuration and exit
    #[arg(long)]
    pub(crate) check: bool,
    /// Stay in the background: the process of the command that wants it
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) started_by: Option<u32>,
    /// Log every call as a JSON line: to `stderr` or a file
    #[arg(long, value_name = "WHERE", num_args = 0..=1, default_missing_value = "stderr", require_equals = true)]
    pub(crate) access_log: Option<String>,
}

/// Where the tools are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct Target {
    /// File with servers, started here instead of asking a running gateway
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Vec<PathBuf>,
    /// These servers of the files alone
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "config")]
    pub(crate) only: Vec<String>,
    /// The running gateway [default: http://127.0.0.1:8665]
    #[arg(long, value_name = "URL", env = "TOOLCRIB_URL")]
    pub(crate) url: Option<String>,
    /// API key of the gateway
    #[arg(long, value_name = "KEY", env = "TOOLCRIB_KEY", hide_env_values = true, hide = true)]
    pub(crate) key: Option<String>,
    /// Longest wait: 500ms, 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "120s")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib show demo                               all tools of a server
  toolcrib show demo.add                           one tool, with its arguments
")]
pub(crate) struct ShowTool {
    /// Server, or SERVER.TOOL
    #[arg(value_name = "SERVER[.TOOL]")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib call demo.add a=88 b=22
  toolcrib call files.write_file path=a.txt content=@a.txt
  toolcrib call web.search tags:='[\"rust\"]' --json
  echo '{\"message\":\"hi\"}' | toolcrib call demo.echo -
")]
pub(crate) struct Call {
    /// Tool to call
    #[arg(value_name = "SERVER.TOOL")]
    pub(crate) name: String,
    /// name=text (typed by the tool's schema), name:=JSON, name=@FILE, or - for a JSON object from standard input
    #[arg(value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
    /// All arguments as one JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) args: Option<String>,
    /// Print the result as the server sent it
    #[arg(long)]
    pub(crate) raw: bool,
    /// Save images, audio and files to this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) save: Option<PathBuf>,
    /// Exit with 0 when the tool says it failed
    #[arg(long)]
    pub(crate) ignore_tool_error: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib explain TC0203
  toolcrib explain                                 all codes
")]
pub(crate) struct Explain {
    /// Code as it stands in an error
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib completion bash > /etc/bash_completion.d/toolcrib
  toolcrib completion zsh > ~/.zfunc/_toolcrib
")]
pub(crate) struct Completion {
    /// Shell to complete for
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib man serve | man -l -                    the page of a command
  toolcrib man --dir /usr/local/share/man/man1     all pages, as files
")]
pub(crate) struct Man {
    /// Command, in all its words
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Write all pages to this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Help {
    /// Command or topic to explain
    pub(crate) command: Vec<String>,
}

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    Run(Box<Cli>),
    /// Help or version.
    Print(String),
    /// A man page.
    Page(Vec<u8>),
}

/// Returns the command line in the user's language.
pub(crate) fn command() -> clap::Command {
    with_examples(tongue::command(without_empty_variables(Cli::command())))
}

/// Lays out the examples, here and in all commands below.
pub(crate) fn with_examples(command: clap::Command) -> clap::Command {
    let examples = command.get_before_help().map(|text| examples::laid_out(&text.to_string()));
    let command = match examples {
        Some(examples) => command.before_help(examples),
        None => command,
    };
    command.mut_subcommands(with_examples)
}

/// A variable that is set to nothing says nothing.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&'static str>) } else { arg });
    command.mut_subcommands(without_empty_variables)
}

/// Reads a command line.
pub(crate) fn parse(words: &[OsString]) -> Result<Invocation, Failure> {
    if let Some(page) = man_page(words) {
        return page.map(Invocation::Page);
    }
    match command().try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(Cli { command: Some(Command::Help(help)), .. }) => help_text(&help.command).map(Invocation::Print),
        Ok(cli) => Ok(Invocation::Run(Box::new(cli))),
        Err(error) => mistake::explain(&error),
    }
}

/// Answers `COMMAND --help-man`, whatever else stands there.
fn man_page(words: &[OsString]) -> Option<Result<Vec<u8>, Failure>> {
    let ours: Vec<&str> = words.iter().skip(1).map_while(|word| word.to_str()).take_while(|word| *word != "--").collect();
    ours.contains(&"--help-man").then(|| {
        let names: Vec<&str> = ours.into_iter().filter(|word| !word.starts_with('-')).collect();
        crate::manual::page(&names)
    })
}

fn help_text(words: &[String]) -> Result<String, Failure> {
    let mut root = command();
    root.build();
    let mut command = &root;
    for word in words {
        let Some(found) = command.find_subcommand(word) else {
            let topic = words.first().filter(|first| *first == word).and_then(|first| crate::manual::topic(first));
            return topic.ok_or_else(|| mistake::unknown_command(word));
        };
        command = found;
    }
    Ok(tongue::rendered(command.clone().render_long_help().ansi().to_string()))
}

/// Returns the help of the whole program.
pub(crate) fn help() -> String {
    tongue::rendered(command().render_help().ansi().to_string())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = crib_control::config::Timespan::parse(text).ok_or("not a span of time like 30s, 500ms or 5m")?;
    Ok(span.0)
}
